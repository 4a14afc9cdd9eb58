use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::{Guest, Keys, Replaced};
use crate::config::{ClientKey, Config, Deployment, KeyHash, Secret};
use crate::router::Table;
use crate::telemetry::metrics::Metrics;

fn client_key(name: &str, key: &str) -> ClientKey {
    ClientKey::new(name, KeyHash::of(key.as_bytes()))
}

fn keys(master: Option<&str>, clients: &[ClientKey]) -> (Keys, Arc<Metrics>) {
    let mut config = Config { keys: clients.to_vec(), ..Config::default() };
    let mut deployment = Deployment::new("chat", "hosted_vllm/m");
    deployment.api_base = Some("http://127.0.0.1:1/v1".to_owned());
    config.deployments.push(deployment);
    config.general.master_key = master.map(Secret::new);
    let metrics = Arc::new(Metrics::new(&Table::new(&config, &HashMap::new()).unwrap(), None));
    (Keys::new(&config, &metrics), metrics)
}

fn with(headers: &[(&'static str, &'static str)]) -> HeaderMap {
    headers
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect()
}

/// Who comes with these headers: `operator`, `stranger` or the key's name.
fn guest(keys: &Keys, headers: &[(&'static str, &'static str)]) -> String {
    match keys.guest(&with(headers)) {
        Guest::Operator => "operator".to_owned(),
        Guest::Stranger => "stranger".to_owned(),
        Guest::Client(client) => client.name().to_owned(),
    }
}

#[test]
fn each_of_the_four_headers_opens_the_door() {
    let (keys, _) = keys(Some("sk-master"), &[client_key("team-a", "sk-a")]);
    for (key, who) in [("sk-master", "operator"), ("sk-a", "team-a"), ("sk-x", "stranger"), ("", "stranger")]
    {
        let shown = |name| {
            let value = HeaderValue::from_str(key).unwrap();
            let bearer = HeaderValue::from_str(&format!("bearer {key}")).unwrap();
            [value, bearer].map(|value| {
                let headers: HeaderMap = [(HeaderName::from_static(name), value)].into_iter().collect();
                match keys.guest(&headers) {
                    Guest::Operator => "operator".to_owned(),
                    Guest::Stranger => "stranger".to_owned(),
                    Guest::Client(client) => client.name().to_owned(),
                }
            })
        };
        for name in ["authorization", "x-litellm-api-key", "api-key", "x-api-key"] {
            assert_eq!(shown(name), [who, who], "{name}: {key}");
        }
        assert_eq!(shown("x-other"), ["stranger", "stranger"]);
    }
}

#[test]
fn anything_that_is_nearly_a_key_is_none() {
    let (keys, _) = keys(Some("sk-master"), &[client_key("team-a", "sk-a")]);
    let hash = "sha256:ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb";
    for value in ["Bearer sk-aa", "Bearer sk-", "Basic sk-a", "Bearer sk-master2", "Bearer SK-A", hash] {
        assert_eq!(guest(&keys, &[("authorization", value)]), "stranger", "{value}");
    }
}

#[test]
fn a_key_of_ones_own_beside_the_gateways_does_no_harm() {
    let (keys, _) = keys(Some("sk-master"), &[client_key("team-a", "sk-a"), client_key("team-b", "sk-b")]);
    let theirs = ("authorization", "Bearer sk-theirs");
    assert_eq!(guest(&keys, &[theirs, ("x-api-key", "sk-a")]), "team-a");
    assert_eq!(guest(&keys, &[("authorization", "Bearer sk-b"), ("x-api-key", "sk-a")]), "team-b");
    assert_eq!(guest(&keys, &[("api-key", "sk-a"), ("x-api-key", "sk-master")]), "operator");
}

#[test]
fn a_door_without_keys_is_open_and_one_that_lost_its_last_is_not() {
    assert_eq!(guest(&keys(None, &[]).0, &[]), "operator");
    let (keys, _) = keys(None, &[client_key("team-a", "sk-a")]);
    assert_eq!(keys.replace([]), Replaced { all: 0, new: 0, gone: 1 });
    assert_eq!(guest(&keys, &[]), "stranger");
}

#[test]
fn what_is_counted_for_a_key_that_stays_goes_on() {
    let limited = |name: &str| ClientKey { rpm_limit: Some(1), ..client_key(name, "sk-a") };
    let (keys, metrics) = keys(None, &[limited("old"), client_key("team-b", "sk-b")]);
    let client = |keys: &Keys| match keys.guest(&with(&[("api-key", "sk-a")])) {
        Guest::Client(client) => client,
        other => panic!("{other:?}"),
    };
    let first = client(&keys);
    let turn = first.usage.begin(first.limits, Duration::from_secs(1)).0.unwrap();
    first.metrics.answered(200);
    assert_eq!(keys.replace([limited("new")]), Replaced { all: 1, new: 0, gone: 1 });
    let second = client(&keys);
    assert_eq!(second.name(), "new");
    assert!(second.usage.begin(second.limits, Duration::from_secs(2)).0.is_err());
    drop(turn);
    let text = metrics.render();
    assert!(text.contains(r#"leastbusy_key_requests_total{key="new",status="2xx"} 0"#), "{text}");
    assert!(!text.contains(r#"key="old""#) && !text.contains(r#"key="team-b""#), "{text}");
}

#[test]
fn a_key_opens_the_models_it_names_by_whatever_name_leads_there() {
    let models = ["chat", "eu/*", "nick"].map(str::to_owned).to_vec();
    let key = ClientKey { models, ..client_key("team-a", "sk-a") };
    let (keys, _) = keys(None, &[key]);
    let Guest::Client(client) = keys.guest(&with(&[("api-key", "sk-a")])) else { panic!("known") };
    for (name, group, may) in [
        ("chat", Some("chat"), true),
        ("alias-of-chat", Some("chat"), true),
        ("nick", Some("large"), true),
        ("large", Some("large"), false),
        ("eu/small", Some("eu/small"), true),
        ("anything", Some("eu/*"), true),
        ("us/small", Some("*"), false),
        ("unknown", None, false),
        ("eu/unknown", None, true),
    ] {
        assert_eq!(client.may_use(name, group), may, "{name} -> {group:?}");
    }
}
