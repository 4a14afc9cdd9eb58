//! The gateway's own pages.

use std::time::{Duration, Instant};

use leastbusy_balance::TieBreak;
use leastbusy_gateway::config::{Alias, Deployment, Hedge, WhenAllCooling};
use serde_json::{Value, json};

use super::client::{CHAT, Client, chat, get, post};
use super::gateway::{Gateway, config, deployment, entry};
use super::script::{Upstream, answers, closes, streams};
use super::wire::PATIENCE;

fn alias(model: &str, hidden: bool) -> Alias {
    Alias { model: model.to_owned(), hidden }
}

#[tokio::test]
async fn models_are_the_groups_and_the_aliases_that_are_not_hidden() {
    let upstream = Upstream::playing(answers(200).json("{}")).await;
    let mut config = config([
        deployment("a", &upstream.base()),
        deployment("b", "http://127.0.0.1:9/v1"),
        entry("org/large", "openai/large", "c", &upstream.base()),
        entry("any/*", "openai/*", "w", &upstream.base()),
    ]);
    config.aliases.insert("nick".to_owned(), alias("m", false));
    config.aliases.insert("secret".to_owned(), alias("m", true));
    let gateway = Gateway::start(&config);
    for path in ["/v1/models", "/models"] {
        let page = get(&gateway, path).await.json();
        assert_eq!(page["object"], "list");
        let names: Vec<&str> =
            page["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect();
        assert_eq!(names, ["m", "org/large", "any/*", "nick"]);
        assert_eq!(
            page["data"][0],
            json!({ "id": "m", "object": "model", "created": 1_677_610_602, "owned_by": "openai" })
        );
    }
    for name in ["m", "org/large", "nick", "secret", "any/thing", "a"] {
        let answer = get(&gateway, &format!("/v1/models/{name}")).await;
        assert_eq!((answer.status, &answer.json()["id"]), (200, &json!(name)));
    }
    assert_eq!(get(&gateway, "/v1/models/org%2Flarge").await.json()["id"], "org/large");
    let unknown = get(&gateway, "/v1/models/unknown").await;
    assert_eq!((unknown.status, unknown.error()["param"].as_str()), (404, Some("model")));
    assert_eq!(upstream.requests(), 0);
}

#[tokio::test]
async fn health_says_which_deployment_is_dead_and_why() {
    let alive = Upstream::playing(answers(200).json(r#"{"data":[]}"#)).await;
    let no_list = Upstream::playing(answers(404).json("{}")).await;
    let wrong_key = Upstream::playing(answers(401).json("{}")).await;
    let dead = Upstream::playing(closes()).await;
    let gateway = Gateway::start(&config([
        deployment("alive", &alive.base()),
        deployment("no-list", &no_list.base()),
        deployment("wrong-key", &wrong_key.base()),
        deployment("dead", &dead.base()),
    ]));
    let page = get(&gateway, "/health").await.json();
    assert_eq!((&page["healthy_count"], &page["unhealthy_count"]), (&json!(2), &json!(2)));
    let ids = |list: &str| -> Vec<String> {
        page[list]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["model_id"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(ids("healthy_endpoints"), ["alive", "no-list"]);
    assert_eq!(ids("unhealthy_endpoints"), ["wrong-key", "dead"]);
    assert!(page["unhealthy_endpoints"][0]["error"].as_str().unwrap().contains("401"));
    assert_eq!(page["unhealthy_endpoints"][1]["error"], "connection failed");
    gateway.ends().await;
}

#[tokio::test]
async fn liveliness_and_readiness_are_litellms_words() {
    let gateway = Gateway::before("http://127.0.0.1:9/v1");
    for path in ["/health/liveliness", "/health/liveness"] {
        assert_eq!(get(&gateway, path).await.text(), r#""I'm alive!""#);
    }
    let ready = get(&gateway, "/health/readiness").await;
    assert_eq!(ready.json(), json!({ "status": "healthy", "db": "Not connected" }));
    let mut client = Client::connect(&gateway).await;
    client.send("HEAD /health/liveliness HTTP/1.1\r\nhost: g\r\n\r\n").await;
    assert_eq!(client.head().await.header("content-length"), Some("12"));
}

#[tokio::test]
async fn deployments_are_shown_with_their_counts() {
    let upstream = Upstream::playing(streams().event("held").then_hangs()).await;
    let mut heavy = entry("m", "hosted_vllm/Qwen/Qwen3", "a", &upstream.base());
    heavy.weight = 2.5;
    heavy.api_key = Some(leastbusy_gateway::config::Secret::new("sk-upstream-secret"));
    let gateway = Gateway::start(&config([heavy, entry("n", "openai/n", "b", "http://127.0.0.1:9/v1")]));
    let mut client = Client::connect(&gateway).await;
    client.asks_for_stream("m").await;
    client.head().await;
    let answer = get(&gateway, "/router/deployments").await;
    assert!(!answer.text().contains("sk-upstream"));
    assert_eq!(
        answer.json()["data"][0],
        json!({
            "model_name": "m",
            "id": "a",
            "provider": "hosted_vllm",
            "provider_model": "Qwen/Qwen3",
            "api_base": upstream.base(),
            "weight": 2.5,
            "order": 0,
            "in_flight": 1,
            "in_flight_total": 1,
            "max_parallel_requests": null,
            "queued": 0,
            "requests_last_minute": 1,
            "tokens_last_minute": null,
            "state": "available",
            "blocked": false,
            "cooldown": null,
            "health_check": null,
            "success_rate": 1.0,
            "learned_limit": null,
            "engine": null,
        })
    );
    assert_eq!(answer.json()["data"][1]["in_flight"], 0);
}

/// What the page says of a deployment.
async fn shown(gateway: &Gateway, id: &str) -> Value {
    let page = get(gateway, "/router/deployments").await.json();
    let all = page["data"].as_array().unwrap();
    all.iter().find(|shown| shown["id"] == id).unwrap().clone()
}

#[tokio::test]
async fn a_deployment_that_rests_says_why_and_for_how_long() {
    let full =
        Upstream::playing(answers(429).header("retry-after", "30").json(r#"{"error":{"message":"no"}}"#))
            .await;
    let gateway = Gateway::start(&config([
        deployment("full", &full.base()),
        // Of a higher order, so that the request goes to the other.
        Deployment { order: 1, ..deployment("spare", "http://127.0.0.1:9/v1") },
    ]));
    let request = r#"{"model":"m","messages":[],"disable_fallbacks":true}"#;
    assert_eq!(post(&gateway, CHAT, request).await.status, 429);
    let page = shown(&gateway, "full").await;
    assert_eq!(page["state"], "cooling_down");
    assert_eq!(
        (&page["cooldown"]["reason"], &page["cooldown"]["status"]),
        (&json!("rate_limited"), &json!(429))
    );
    let remaining = page["cooldown"]["remaining_seconds"].as_f64().unwrap();
    assert!((29.0..=30.0).contains(&remaining), "{remaining}");
    assert_eq!((&page["learned_limit"], &page["in_flight"]), (&json!(1), &json!(0)));
    let spare = shown(&gateway, "spare").await;
    assert_eq!((&spare["state"], &spare["cooldown"]), (&json!("available"), &Value::Null));
}

#[tokio::test]
async fn a_deployment_comes_back_by_a_probe_and_a_ramp() {
    let mut upstream = Upstream::start().await;
    let mut config = config([
        deployment("back", &upstream.base()),
        Deployment { order: 1, ..deployment("spare", "http://127.0.0.1:9/v1") },
    ]);
    config.router.cooldown.time = Some(Duration::from_millis(50));
    let gateway = Gateway::start(&config);
    let mut client = Client::connect(&gateway).await;
    client.asks("m").await;
    upstream.next_request().await.closes();
    assert_eq!(client.answer().await.status, 502);
    let page = shown(&gateway, "back").await;
    assert_eq!(
        (&page["cooldown"]["reason"], &page["cooldown"]["status"]),
        (&json!("connection_failed"), &Value::Null)
    );
    assert_eq!(page["success_rate"], 0.0);
    eventually_shown(&gateway, "back", "probing").await;
    client.asks("m").await;
    let probe = upstream.next_request().await;
    let page = shown(&gateway, "back").await;
    assert_eq!((&page["state"], &page["cooldown"]["remaining_seconds"]), (&json!("probing"), &json!(0.0)));
    probe.answers(200, "{}").await;
    assert_eq!(client.answer().await.status, 200);
    let page = shown(&gateway, "back").await;
    assert_eq!(
        (&page["state"], &page["cooldown"]["reason"]),
        (&json!("ramping"), &json!("connection_failed"))
    );
    assert_eq!(page["success_rate"], 1.0);
}

async fn eventually_shown(gateway: &Gateway, id: &str, state: &str) {
    let deadline = Instant::now() + PATIENCE;
    while shown(gateway, id).await["state"] != state {
        assert!(Instant::now() < deadline, "{id} never was {state}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_deployment_that_has_as_many_as_it_takes_is_full() {
    let mut upstream = Upstream::start().await;
    let mut alone = config([deployment("a", &upstream.base())]);
    alone.router.cooldown.when_all_cooling = WhenAllCooling::Fail;
    let gateway = Gateway::start(&alone);
    let mut client = Client::connect(&gateway).await;
    client.asks("m").await;
    upstream.next_request().await.answers(429, "{}").await;
    assert_eq!(client.answer().await.status, 429);
    // The only deployment of a group does not rest for that, but its limit is known.
    let page = shown(&gateway, "a").await;
    assert_eq!((&page["state"], &page["learned_limit"]), (&json!("available"), &json!(1)));
    client.asks("m").await;
    let held = upstream.next_request().await;
    assert_eq!(shown(&gateway, "a").await["state"], "full");
    held.answers(200, "{}").await;
    assert_eq!(client.answer().await.status, 200);
    assert_eq!(shown(&gateway, "a").await["state"], "available");
}

/// The value of the series whose name and labels hold all of `parts`.
async fn metric(gateway: &Gateway, parts: &[&str]) -> f64 {
    let page = get(gateway, "/metrics").await;
    let text = page.text();
    let mut found =
        text.lines().filter(|line| !line.starts_with('#') && parts.iter().all(|part| line.contains(part)));
    let line = found.next().unwrap_or_else(|| panic!("no {parts:?} in\n{text}"));
    assert_eq!(found.next(), None, "{parts:?} is not one series");
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn metrics_count_picks_attempts_and_what_is_in_flight() {
    let upstream = Upstream::playing_each(|exchange| match exchange.json()["stream"].as_bool() {
        Some(true) => streams().event("held").then_hangs(),
        _ => answers(200).json("{}"),
    })
    .await;
    let dead = Upstream::playing(closes()).await;
    let gateway = Gateway::start(&config([
        deployment("a", &upstream.base()),
        entry("dead", "openai/m", "d", &dead.base()),
    ]));
    for _ in 0..3 {
        assert_eq!(post(&gateway, CHAT, &chat("m")).await.status, 200);
    }
    assert_eq!(post(&gateway, CHAT, &chat("dead")).await.status, 502);
    assert_eq!(post(&gateway, CHAT, "not JSON").await.status, 400);
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut client = Client::connect(&gateway).await;
        client.asks_for_stream("m").await;
        client.head().await;
        held.push(client);
    }
    let a = r#"deployment="a""#;
    assert_eq!(metric(&gateway, &["leastbusy_in_flight{", a]).await, 2.0);
    assert_eq!(metric(&gateway, &["leastbusy_picks_total{", a, r#"model_group="m""#]).await, 5.0);
    assert_eq!(metric(&gateway, &["leastbusy_attempts_total{", a, r#"outcome="success""#]).await, 3.0);
    assert_eq!(metric(&gateway, &["leastbusy_attempts_total{", a, r#"outcome="client_left""#]).await, 0.0);
    assert_eq!(metric(&gateway, &["attempts_total{", r#"deployment="d""#, "connection_failed"]).await, 1.0);
    assert_eq!(metric(&gateway, &["leastbusy_attempt_duration_seconds_count{", a]).await, 3.0);
    let requests = ["leastbusy_requests_total{", r#"endpoint="chat/completions""#];
    assert_eq!(metric(&gateway, &[requests[0], requests[1], r#"status="2xx""#]).await, 3.0);
    assert_eq!(metric(&gateway, &[requests[0], requests[1], r#"status="4xx""#]).await, 1.0);
    assert_eq!(metric(&gateway, &[requests[0], requests[1], r#"status="5xx""#]).await, 1.0);
    drop(held);
    gateway.ends().await;
    assert_eq!(metric(&gateway, &["leastbusy_in_flight{", a]).await, 0.0);
    assert_eq!(metric(&gateway, &["leastbusy_attempts_total{", a, r#"outcome="client_left""#]).await, 2.0);
    let page = get(&gateway, "/metrics").await;
    assert!(page.header("content-type").unwrap().starts_with("application/openmetrics-text"));
    assert!(page.text().ends_with("# EOF\n"));
    assert_eq!(page.text().matches("# TYPE leastbusy_in_flight gauge").count(), 1);
}

#[tokio::test]
async fn metrics_count_retries_fallbacks_and_rests_and_show_the_state() {
    let failing = Upstream::playing(answers(500).json("{}")).await;
    let full = Upstream::playing(answers(429).json("{}")).await;
    let well = Upstream::playing(answers(200).json("{}")).await;
    let mut config = config([
        deployment("a", &full.base()),
        deployment("b", &failing.base()),
        entry("spare", "openai/m", "s", &well.base()),
    ]);
    config.router.retries.num_retries = 1;
    let gateway = Gateway::start(&config);
    let request = r#"{"model":"m","messages":[],"fallbacks":["spare"]}"#;
    let answer = post(&gateway, CHAT, request).await;
    assert_eq!((answer.status, answer.header("x-litellm-model-id")), (200, Some("s")));
    let (m, spare, a) = (r#"model_group="m""#, r#"model_group="spare""#, r#"deployment="a""#);
    assert_eq!(metric(&gateway, &["leastbusy_retries_total{", m]).await, 1.0);
    assert_eq!(metric(&gateway, &["leastbusy_retries_total{", spare]).await, 0.0);
    assert_eq!(metric(&gateway, &["leastbusy_fallbacks_total{", spare]).await, 1.0);
    assert_eq!(metric(&gateway, &["leastbusy_fallbacks_total{", m]).await, 0.0);
    assert_eq!(metric(&gateway, &["leastbusy_cooldowns_total{", a]).await, 1.0);
    assert_eq!(metric(&gateway, &["leastbusy_cooldowns_total{", r#"deployment="b""#]).await, 0.0);
    assert_eq!(metric(&gateway, &["leastbusy_hedges_total{", m]).await, 0.0);
    let state = "leastbusy_deployment_state{";
    assert_eq!(metric(&gateway, &[state, a, r#"state="cooling_down""#]).await, 1.0);
    assert_eq!(metric(&gateway, &[state, a, r#"state="available""#]).await, 0.0);
    assert_eq!(metric(&gateway, &[state, r#"deployment="b""#, r#"state="available""#]).await, 1.0);
}

#[tokio::test]
async fn text_that_a_client_sends_never_becomes_a_label() {
    let upstream = Upstream::playing(answers(200).json("{}")).await;
    let gateway = Gateway::start(&config([entry("any/*", "openai/*", "w", &upstream.base())]));
    let lines = |text: &str| text.lines().count();
    post(&gateway, CHAT, &chat("any/first")).await;
    let before = lines(get(&gateway, "/metrics").await.text());
    for at in 0..20 {
        assert_eq!(post(&gateway, CHAT, &chat(&format!("any/model-{at}"))).await.status, 200);
        assert_eq!(post(&gateway, CHAT, &chat(&format!("unknown-{at}"))).await.status, 400);
        assert_eq!(get(&gateway, &format!("/nowhere/{at}")).await.status, 404);
    }
    let page = get(&gateway, "/metrics").await;
    assert_eq!(lines(page.text()), before);
    assert!(!page.text().contains("model-1"));
}

#[tokio::test]
async fn metrics_count_a_higher_order_as_a_fallback() {
    let failing = Upstream::playing(answers(500).json("{}")).await;
    let well = Upstream::playing(answers(200).json("{}")).await;
    let mut config = config([deployment("a", &failing.base()), deployment("b", &well.base())]);
    config.deployments[1].order = 2;
    config.router.retries.num_retries = 0;
    let gateway = Gateway::start(&config);
    let answer = post(&gateway, CHAT, &chat("m")).await;
    assert_eq!((answer.status, answer.header("x-litellm-model-id")), (200, Some("b")));
    let m = r#"model_group="m""#;
    assert_eq!(metric(&gateway, &["leastbusy_fallbacks_total{", m]).await, 1.0);
    assert_eq!(metric(&gateway, &["leastbusy_retries_total{", m]).await, 0.0);
}

#[tokio::test]
async fn metrics_count_hedges_and_not_as_retries() {
    let slow = Upstream::playing(answers(200).pauses(Duration::from_millis(400)).json("{}")).await;
    let quick = Upstream::playing(answers(200).json("{}")).await;
    let mut config = config([deployment("a", &slow.base()), deployment("b", &quick.base())]);
    config.router.tie_break = TieBreak::First;
    config.router.hedge = Hedge::After(Duration::from_millis(60));
    let gateway = Gateway::start(&config);
    let answer = post(&gateway, CHAT, &chat("m")).await;
    assert_eq!((answer.status, answer.header("x-litellm-model-id")), (200, Some("b")));
    let m = r#"model_group="m""#;
    assert_eq!(metric(&gateway, &["leastbusy_hedges_total{", m]).await, 1.0);
    assert_eq!(metric(&gateway, &["leastbusy_retries_total{", m]).await, 0.0);
}
