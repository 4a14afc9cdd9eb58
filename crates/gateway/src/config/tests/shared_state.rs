use super::*;

pub(super) fn settings(lines: &str) -> String {
    format!("{MODEL_LIST}{lines}\n")
}

pub(super) fn router(settings: &str) -> String {
    format!("{MODEL_LIST}router_settings: {{{settings}}}\n")
}

pub(super) fn cache(params: &str) -> String {
    format!("{MODEL_LIST}litellm_settings:\n  cache: true\n  cache_params: {{{params}}}\n")
}

pub(super) fn coordination(settings: &str) -> String {
    format!("{MODEL_LIST}general_settings: {{coordination_redis: {{{settings}}}}}\n")
}

pub(super) fn shared(text: &str, variables: &[(&str, &str)]) -> Option<SharedState> {
    read_with(text, variables).config.shared_state
}

#[test]
fn what_needs_a_redis_says_so() {
    let way_out = "there is no Redis to share anything through / name one: `redis_url` here, `redis_host` in router_settings, or the environment variable REDIS_URL";
    for (line, place) in [("required: true", "4:26"), ("mode: strict", "4:22")] {
        let text = settings(&format!("shared_state: {{{line}}}"));
        assert_eq!(mistakes(&text), [format!("{place} {way_out}")]);
        assert!(shared(&text, &[("REDIS_HOST", "cache")]).is_some());
        let off = settings(&format!("shared_state: {{{line}, enabled: false}}"));
        assert_eq!(read_with(&off, &[("REDIS_HOST", "cache")]).config.shared_state, None);
        assert_eq!(read(&off).warnings, []);
    }
    let off = [("REDIS_HOST", "cache"), ("LEASTBUSY_SHARED_STATE__ENABLED", "false")];
    assert_eq!(shared(MODEL_LIST, &off), None);
    let environment = Environment::empty().with_stand_ins();
    let text =
        settings("shared_state: {required: true}\nrouter_settings: {redis_host: os.environ/REDIS_HOST}");
    assert_eq!(parse("config.yaml", &text, &environment).unwrap().warnings, []);
}

#[test]
fn shared_state_has_its_defaults() {
    let plain = shared(&router("redis_host: cache"), &[]).unwrap();
    assert_eq!(plain, SharedState::through(Redis::from_url("redis://cache").unwrap()));
    assert_eq!(
        (plain.mode, plain.required, plain.namespace.as_str()),
        (SharingMode::Counts, false, "default")
    );
    let text = settings(
        "router_settings: {redis_host: cache}\nshared_state:\n  {enabled: true, mode: strict, required: true, namespace: team-a, interval: 0.1, lease: 5, strict_timeout: 0.02, connect_timeout: 1, response_timeout: 0.5}",
    );
    let expected = SharedState {
        mode: SharingMode::Strict,
        required: true,
        namespace: "team-a".to_owned(),
        interval: Some(Duration::from_millis(100)),
        lease: Some(Duration::from_secs(5)),
        strict_timeout: Duration::from_millis(20),
        connect_timeout: Duration::from_secs(1),
        response_timeout: Duration::from_millis(500),
        ..plain
    };
    assert_eq!(shared(&text, &[]), Some(expected));
    assert_eq!(
        shared(&cache("host: a, namespace: litellm.caching"), &[]).unwrap().namespace,
        "litellm.caching"
    );
    let both = cache("host: a, namespace: theirs") + "shared_state: {namespace: ours}\n";
    assert_eq!(shared(&both, &[]).unwrap().namespace, "ours");
    let default = settings("router_settings: {redis_host: cache}\nshared_state: {mode: default}");
    assert_eq!(shared(&default, &[]).unwrap().mode, SharingMode::Counts);
}

#[test]
fn times_have_ranges_with_and_without_a_redis() {
    for (setting, key, range) in [
        ("interval: 0.004", "interval", "0.005 to 10 seconds"),
        ("interval: 11", "interval", "0.005 to 10 seconds"),
        ("lease: 0.1", "lease", "0.2 to 60 seconds"),
        ("lease: 61", "lease", "0.2 to 60 seconds"),
        ("strict_timeout: 0", "strict_timeout", "0.001 to 10 seconds"),
        ("connect_timeout: 61", "connect_timeout", "0.001 to 60 seconds"),
        ("response_timeout: 0", "response_timeout", "0.001 to 60 seconds"),
    ] {
        for variables in [&[][..], &[("REDIS_HOST", "cache")]] {
            let error = refused_with(&settings(&format!("shared_state: {{{setting}}}")), variables);
            let what = format!(
                "4:{} out of range: {range} / choose a value in that range, or remove it for the default",
                18 + key.len()
            );
            assert_eq!(brief(&error.mistakes), [what]);
        }
    }
    assert_eq!(
        mistakes(&settings("router_settings: {redis_host: a}\nshared_state: {interval: 1, lease: 2.9}")),
        [
            "5:36 a lease lasts at least three intervals / raise it, shorten `interval`, or remove it for ten intervals"
        ]
    );
}

#[test]
fn an_answer_takes_less_than_half_a_lease() {
    let way_out = "lower it, or raise `lease`";
    for (setting, place, half) in [
        ("response_timeout: 1", "4:34", "1s"),
        ("lease: 1, response_timeout: 0.5", "4:44", "500ms"),
        ("lease: 0.4", "4:1", "200ms"),
    ] {
        let what = format!(
            "{place} `response_timeout` must be less than half a lease, which is {half} here / {way_out}"
        );
        assert_eq!(mistakes(&settings(&format!("shared_state: {{{setting}}}"))), [what]);
    }
    for setting in ["response_timeout: 0.999", "lease: 30, response_timeout: 14", "lease: 0.5"] {
        let text = settings(&format!("router_settings: {{redis_host: a}}\nshared_state: {{{setting}}}"));
        assert!(shared(&text, &[]).is_some(), "{setting}");
    }
}

#[test]
fn interval_and_lease_follow_from_each_other() {
    let seconds = Duration::from_secs_f64;
    let mut shared = SharedState::default();
    assert_eq!([8, 9].map(|count| shared.interval_among(count)), [seconds(0.02), seconds(0.05)]);
    for (interval, lease) in [(None, 2.0), (Some(0.1), 2.0), (Some(1.0), 10.0), (Some(10.0), 60.0)] {
        shared.interval = interval.map(seconds);
        assert_eq!(shared.lease_time(), seconds(lease));
        assert!(interval.is_none_or(|interval| shared.interval_among(20) == seconds(interval)));
    }
    shared.lease = Some(seconds(40.0));
    assert_eq!(shared.lease_time(), seconds(40.0));
}
