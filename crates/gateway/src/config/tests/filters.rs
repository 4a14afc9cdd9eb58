use super::*;

fn with(router: &str, general: &str) -> String {
    format!("{MODEL_LIST}router_settings: {{{router}}}\ngeneral_settings: {{{general}}}\n")
}

fn router(router: &str, general: &str) -> RouterSettings {
    let loaded = read(&with(router, general));
    assert_eq!(brief(&loaded.warnings), [""; 0], "{router} {general}");
    loaded.config.router
}

#[test]
fn tags_are_read() {
    let loaded = read(&with_param("tags: [paid, default]\n    tag_regex: ['^User-Agent: claude-code/']"));
    assert_eq!(brief(&loaded.warnings), [""; 0]);
    let deployment = &loaded.config.deployments[0];
    assert_eq!(deployment.tags, ["paid", "default"]);
    assert_eq!(deployment.tag_regex, ["^User-Agent: claude-code/"]);
    assert_eq!(router("", "").filters, Filters::default());
    assert_eq!(router("enable_tag_filtering: true", "").filters.tags, Some(TagFilter::default()));
    let all = "enable_tag_filtering: true, tag_filtering_match_any: false, tag_routing_prefix: 'route:'";
    let filter = TagFilter { match_any: false, prefix: "route:".into() };
    assert_eq!(router(all, "").filters.tags, Some(filter));
}

#[test]
fn health_checks_are_read_from_either_section() {
    let checks = |router: &str, general: &str| {
        self::router(router, &format!("background_health_checks: true, {general}")).filters.health_checks
    };
    assert_eq!(checks("", ""), Some(HealthChecks::default()));
    let whole = HealthChecks {
        interval: Duration::from_secs(60),
        routing: true,
        staleness: Some(Duration::from_secs(600)),
        ignore_transient: true,
        groups: vec!["chat".into()],
    };
    let routing = "enable_health_check_routing: true, health_check_staleness_threshold: 600, health_check_ignore_transient_errors: true, background_health_check_model_groups: [chat]";
    assert_eq!(checks(routing, "health_check_interval: 60"), Some(whole.clone()));
    assert_eq!(checks("", &format!("health_check_interval: 60, {routing}")), Some(whole));
    assert_eq!(router("", "health_check_interval: 60").filters.health_checks, None);
    assert_eq!(router("enable_health_check_routing: false", "").filters.health_checks, None);
    let both = with(
        "enable_health_check_routing: false",
        "background_health_checks: true, enable_health_check_routing: true",
    );
    assert_eq!(
        warnings(&both),
        [
            "4:19 general_settings has `enable_health_check_routing` as well, which goes before this one / remove one of the two"
        ]
    );
    assert!(read(&both).config.router.filters.health_checks.expect("they are made").routing);
}

#[test]
fn the_checks_before_a_call_are_affinities() {
    let affinity = |words: &str| router(&format!("optional_pre_call_checks: [{words}]"), "").affinity;
    assert_eq!(affinity("enforce_model_rate_limits"), Affinity::default());
    assert_eq!(affinity("session_affinity"), Affinity { session: true, ..Affinity::default() });
    assert_eq!(affinity("deployment_affinity"), Affinity { user: true, ..Affinity::default() });
    assert_eq!(affinity("prompt_caching"), Affinity { prefix: true, ..Affinity::default() });
    let tuned = "optional_pre_call_checks: [session_affinity, prompt_caching], deployment_affinity_ttl_seconds: 60, affinity_load_bound: 2";
    let ttl = Duration::from_secs(60);
    let expected = Affinity { session: true, user: false, prefix: true, ttl, bound: 2.0 };
    assert_eq!(router(tuned, "").affinity, expected);
}

#[test]
fn what_has_no_effect_is_told() {
    let without = |key: &str, switch: &str| {
        format!("`{key}` has no effect without `{switch}` / add `{switch}: true`, or remove it")
    };
    let checks = "general_settings.background_health_checks";
    for (router, general, warning) in [
        (
            "tag_routing_prefix: r",
            "",
            format!("4:19 {}", without("tag_routing_prefix", "enable_tag_filtering")),
        ),
        (
            "enable_tag_filtering: false, tag_filtering_match_any: false",
            "",
            format!("4:48 {}", without("tag_filtering_match_any", "enable_tag_filtering")),
        ),
        (
            "enable_health_check_routing: true",
            "",
            format!("4:19 {}", without("enable_health_check_routing", checks)),
        ),
        (
            "",
            "enable_health_check_routing: true",
            format!("5:20 {}", without("enable_health_check_routing", checks)),
        ),
        (
            "",
            "health_check_staleness_threshold: 9",
            format!("5:20 {}", without("health_check_staleness_threshold", checks)),
        ),
        (
            "",
            "background_health_checks: true, health_check_staleness_threshold: 200",
            "5:86 checks count no more before the next ones are made / raise it above `health_check_interval`, or remove it for twice that".into(),
        ),
        (
            "health_check_staleness_threshold: 200",
            "background_health_checks: true",
            "4:53 checks count no more before the next ones are made / raise it above `health_check_interval`, or remove it for twice that".into(),
        ),
        (
            "affinity_load_bound: 2",
            "",
            "4:19 `affinity_load_bound` has no effect without an affinity / add `optional_pre_call_checks: [session_affinity]`, or remove it".into(),
        ),
        (
            "enable_pre_call_checks: true",
            "",
            "4:43 no deployment has a `max_input_tokens`, so that none is ever left out / add `model_info: {max_input_tokens: NUMBER}` to deployments, or remove it".into(),
        ),
        (
            "optional_pre_call_checks: [responses_api_deployment_check]",
            "",
            "4:46 the check `responses_api_deployment_check` is known to LiteLLM; leastbusy does not serve it yet / remove it to be silent about it".into(),
        ),
    ] {
        assert_eq!(warnings(&with(router, general)), [warning], "{router} {general}");
    }
}

#[test]
fn mistakes_say_where_and_what_is_right() {
    let default = "choose a value in that range, or remove it for the default";
    for (router, general, mistake) in [
        (
            "optional_pre_call_checks: [sesion_affinity]",
            "",
            "4:46 `sesion_affinity` is not a pre-call check / did you mean `session_affinity`?".into(),
        ),
        (
            "optional_pre_call_checks: [zzzz]",
            "",
            "4:46 `zzzz` is not a pre-call check / write one of `session_affinity`, `deployment_affinity`, `prompt_caching`, `enforce_model_rate_limits`".into(),
        ),
        (
            "optional_pre_call_checks: session_affinity",
            "",
            "4:45 expected a list, found the text `session_affinity` / -".into(),
        ),
        ("affinity_load_bound: 0.9", "", format!("4:40 out of range: 1 to 100 / {default}")),
        (
            "deployment_affinity_ttl_seconds: 0",
            "",
            format!("4:52 out of range: 1 second to 86400 seconds / {default}"),
        ),
        (
            "health_check_interval: 60",
            "",
            "4:19 `health_check_interval` is not a key of router_settings / it belongs into general_settings".into(),
        ),
        (
            "health_check_concurrency: 5",
            "",
            "4:19 `health_check_concurrency` is not a key of router_settings / it belongs into general_settings".into(),
        ),
        (
            "",
            "background_health_checks: true, health_check_interval: 0",
            format!("5:75 out of range: 1 second to 86400 seconds / {default}"),
        ),
        (
            "",
            "background_health_checks: true, health_check_staleness_threshold: 0",
            format!("5:86 out of range: 1 second to ten years / {default}"),
        ),
        (
            "",
            "background_health_checks: true, background_health_check_model_groups: [chta]",
            "5:91 `chta` is not a model group / did you mean `chat`?".into(),
        ),
        (
            "health_check_staleness_threshold: 0",
            "background_health_checks: true",
            format!("4:53 out of range: 1 second to ten years / {default}"),
        ),
        (
            "background_health_check_model_groups: [chta]",
            "background_health_checks: true",
            "4:58 `chta` is not a model group / did you mean `chat`?".into(),
        ),
        ("enable_tag_filtering: 1", "", "4:41 expected `true` or `false`, found the number 1 / -".into()),
    ] {
        assert_eq!(mistakes(&with(router, general)), [mistake], "{router} {general}");
    }
    assert_eq!(mistakes(&with_param("tags: paid")), ["6:11 expected a list, found the text `paid` / -"]);
    assert_eq!(
        mistakes(&with_param("tags: [paid, '']")),
        ["6:18 a tag needs at least one character / write the tag that requests bring, or remove it"]
    );
    assert_eq!(
        mistakes(&with_param("tag_regex: ['claude-code/(']")),
        [
            "6:17 `claude-code/(` is not a regular expression: unclosed group / mend it; look-around and back-references are not served"
        ]
    );
}
