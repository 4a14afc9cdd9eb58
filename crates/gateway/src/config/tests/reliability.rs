use super::*;
use crate::config::keys;

const THREE: &str = "model_list:\n- model_name: chat\n  litellm_params: {model: hosted_vllm/m, api_base: http://gpu-a:8000/v1}\n- model_name: small\n  litellm_params: {model: hosted_vllm/s, api_base: http://gpu-b:8000/v1}\n- model_name: \"openai/*\"\n  litellm_params: {model: \"openai/*\", api_key: k}\n";

/// A file with three groups whose `router_settings` stand in line 8.
pub(super) fn with_router(settings: &str) -> String {
    format!("{THREE}router_settings: {{{settings}}}\n")
}

/// The warnings about a file with these `router_settings`.
pub(super) fn warned(settings: &str) -> Vec<String> {
    warnings(&with_router(settings))
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn numbers(pairs: &[(ErrorClass, u32)]) -> ByClass {
    let mut numbers = ByClass::default();
    for (class, number) in pairs {
        numbers.set(*class, *number);
    }
    numbers
}

pub(super) fn list(pairs: &[(&str, &[&str])]) -> Vec<(String, Vec<String>)> {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    pairs.iter().map(|(group, targets)| ((*group).to_owned(), names(targets))).collect()
}

#[test]
fn every_setting_about_failures_is_read() {
    let text = r#"
model_list:
- model_name: chat
  litellm_params: {model: hosted_vllm/m, api_base: http://gpu-a:8000/v1, num_retries: 4, max_retries: 9, cooldown_time: 7}
  model_info: {id: a, cooldown_time: 0, allowed_fails: 3, allowed_fails_policy: {BadRequestErrorAllowedFails: 1}}
- model_name: small
  litellm_params: {model: hosted_vllm/s, api_base: http://gpu-b:8000/v1, max_retries: 9, cooldown_time: 1.5}
router_settings:
  num_retries: 0
  retry_after: 2
  retry_policy: {RateLimitErrorRetries: 3, TimeoutErrorRetries: 0, BadGatewayErrorRetries: null, DefaultRetries: 1}
  model_group_retry_policy: {chat: {DefaultRetries: 5}, plain: {}}
  model_group_alias: {plain: small}
  retry_budget_percent: 12.5
  retry_budget_per_second: 0.5
  fallbacks: [{chat: [small, plain]}, {"*": [chat]}]
  context_window_fallbacks: [{small: [chat]}]
  content_policy_fallbacks: [{plain: [chat]}]
  max_fallbacks: 3
  allowed_fails: 3
  allowed_fails_policy: {InternalServerErrorAllowedFails: 4, RateLimitErrorAllowedFails: 0}
  failure_window: 30
  cooldown_time: 15
  max_cooldown_time: 90
  max_retry_after: 120
  disable_cooldowns: true
  ramp_time: 0
  when_all_cooling: try_soonest
  all_cooling_wait: 2.5
  hedge_percentile: 95
litellm_settings: {num_retries_per_request: 6}
"#;
    let Loaded { config, warnings, .. } = read(text);
    assert_eq!(warnings, []);
    let router = &config.router;
    assert_eq!(
        router.retries,
        Retries {
            num_retries: 0,
            per_request: Some(6),
            retry_after: seconds(2),
            policy: RetryPolicy {
                by_class: numbers(&[(ErrorClass::RateLimit, 3), (ErrorClass::Timeout, 0)]),
                default: Some(1)
            },
            group_policies: [
                ("chat".to_owned(), RetryPolicy { default: Some(5), ..RetryPolicy::default() }),
                ("plain".to_owned(), RetryPolicy::default()),
            ]
            .into(),
            budget_percent: 12.5,
            budget_per_second: 0.5,
        }
    );
    assert_eq!(
        router.fallbacks,
        Fallbacks {
            general: list(&[("chat", &["small", "plain"]), ("*", &["chat"])]),
            context_window: list(&[("small", &["chat"])]),
            content_policy: list(&[("plain", &["chat"])]),
            default: Vec::new(),
            max: 3,
        }
    );
    assert_eq!(
        router.cooldown,
        Cooldown {
            time: Some(seconds(15)),
            disabled: true,
            allowed_fails: Some(3),
            allowed_fails_policy: numbers(&[(ErrorClass::InternalServer, 4), (ErrorClass::RateLimit, 0)]),
            failure_window: seconds(30),
            max_time: seconds(90),
            max_retry_after: seconds(120),
            ramp: Duration::ZERO,
            when_all_cooling: WhenAllCooling::TrySoonest,
            all_cooling_wait: Duration::from_millis(2500),
        }
    );
    assert_eq!(router.hedge, Hedge::Percentile(95.0));
    let [chat, small] = &config.deployments[..] else { panic!("two entries") };
    assert_eq!((chat.num_retries, small.num_retries), (Some(4), Some(9)));
    assert_eq!(
        chat.cooldown,
        DeploymentCooldown {
            time: Some(Duration::ZERO),
            allowed_fails: Some(3),
            allowed_fails_policy: numbers(&[(ErrorClass::BadRequest, 1)]),
        }
    );
    assert_eq!(small.cooldown.time, Some(Duration::from_millis(1500)));
    let hedged = read(&with_router("hedge_after: 0.3, when_all_cooling: fail")).config.router;
    assert_eq!(hedged.hedge, Hedge::After(Duration::from_millis(300)));
    assert_eq!(hedged.cooldown.when_all_cooling, WhenAllCooling::Fail);
}

#[test]
fn what_is_left_out_is_as_in_litellm() {
    let config = read(MODEL_LIST).config;
    let RouterSettings { retries, fallbacks, cooldown, hedge, .. } = config.router;
    assert_eq!((retries.num_retries, retries.retry_after, retries.per_request), (2, Duration::ZERO, None));
    assert_eq!((fallbacks.max, fallbacks), (5, Fallbacks::default()));
    assert_eq!((cooldown.time, Cooldown::DEFAULT_TIME, cooldown.allowed_fails), (None, seconds(5), None));
    assert_eq!((cooldown.disabled, hedge), (false, Hedge::Off));
    assert_eq!(config.deployments[0].cooldown, DeploymentCooldown::default());
}

#[test]
fn every_class_of_errors_has_its_key_in_both_policies() {
    for (class, name) in ErrorClass::ALL {
        let text = with_router(&format!(
            "retry_policy: {{{name}Retries: 7}}, allowed_fails_policy: {{{name}AllowedFails: 8}}"
        ));
        let router = read(&text).config.router;
        assert_eq!(router.retries.policy.by_class, numbers(&[(class, 7)]), "{name}");
        assert_eq!(router.cooldown.allowed_fails_policy, numbers(&[(class, 8)]), "{name}");
    }
    for section in [&keys::RETRY_POLICY, &keys::ALLOWED_FAILS_POLICY] {
        for key in section.served.iter().filter(|key| **key != keys::DEFAULT_RETRIES) {
            let (name, _) = key.split_at(key.find("Error").expect("an error's name") + "Error".len());
            assert!(ErrorClass::ALL.iter().any(|(_, known)| *known == name), "{key}");
        }
    }
}

#[test]
fn router_settings_go_before_litellm_settings_key_by_key() {
    let litellm = "num_retries: 7, allowed_fails: 1, max_fallbacks: 9, fallbacks: [{chat: [small]}], context_window_fallbacks: [{chat: [small]}], content_policy_fallbacks: [{small: [chat]}], default_fallbacks: [chat]";
    let alone = format!("{THREE}litellm_settings: {{{litellm}}}\n");
    let Loaded { config, warnings, .. } = read(&alone);
    assert_eq!(warnings, []);
    assert_eq!((config.router.retries.num_retries, config.router.cooldown.allowed_fails), (7, Some(1)));
    assert_eq!(
        config.router.fallbacks,
        Fallbacks {
            general: list(&[("chat", &["small"])]),
            context_window: list(&[("chat", &["small"])]),
            content_policy: list(&[("small", &["chat"])]),
            default: vec!["chat".into()],
            max: 9,
        }
    );
    // An empty list says nothing, in LiteLLM too.
    let both = format!(
        "{alone}router_settings: {{num_retries: 0, allowed_fails: 3, fallbacks: [{{small: [chat]}}], context_window_fallbacks: [], default_fallbacks: null}}\n"
    );
    let Loaded { config, warnings, .. } = read(&both);
    assert_eq!((config.router.retries.num_retries, config.router.cooldown.allowed_fails), (0, Some(3)));
    assert_eq!(config.router.fallbacks.general, list(&[("small", &["chat"])]));
    assert_eq!(config.router.fallbacks.context_window, list(&[("chat", &["small"])]));
    assert_eq!(config.router.fallbacks.default, ["chat"]);
    assert_eq!(
        brief(&warnings),
        [
            "8:20 router_settings has `num_retries` as well, which goes before this one / remove one of the two",
            "8:36 router_settings has `allowed_fails` as well, which goes before this one / remove one of the two",
            "8:72 router_settings has `fallbacks` as well, which goes before this one / remove one of the two",
        ]
    );
    // What does not count is looked at all the same.
    assert_eq!(
        mistakes(&both.replace("num_retries: 7", "num_retries: many")),
        ["8:33 expected a whole number, found the text `many` / -"]
    );
}

#[test]
fn numbers_out_of_range_are_mistakes() {
    for (setting, expected) in [
        ("num_retries: -1", "-1 is not between 0 and 1000 / choose a number in that range"),
        ("num_retries: 1001", "1001 is not between 0 and 1000 / choose a number in that range"),
        ("num_retries: 1.5", "expected a whole number, found the number 1.5 / -"),
        ("max_fallbacks: 101", "101 is not between 0 and 100 / choose a number in that range"),
        ("allowed_fails: -1", "-1 is not between 0 and 4294967295 / choose a number in that range"),
        ("retry_after: 3601", "out of range: 0 seconds to 3600 seconds"),
        ("retry_after: -1", "-1 is not a number of seconds / write a number above 0"),
        ("retry_budget_percent: 1000.5", "out of range: 0 to 1000"),
        ("retry_budget_per_second: -1", "out of range: 0 to 100000"),
        ("cooldown_time: 315360001", "out of range: 0 seconds to ten years"),
        ("max_cooldown_time: 0", "out of range: more than 0 seconds, at most ten years"),
        ("max_retry_after: 0", "out of range: more than 0 seconds, at most ten years"),
        ("failure_window: 0.5", "out of range: 1 second to 3600 seconds"),
        ("ramp_time: 3601", "out of range: 0 seconds to 3600 seconds"),
        ("all_cooling_wait: 3601", "out of range: 0 seconds to 3600 seconds"),
        ("hedge_after: 0", "out of range: more than 0 seconds, at most 3600 seconds"),
        ("hedge_percentile: 100", "out of range: more than 0, less than 100 percent, e.g. 95"),
        ("hedge_percentile: 0", "out of range: more than 0, less than 100 percent, e.g. 95"),
    ] {
        let found = mistakes(&with_router(setting));
        assert_eq!(found.len(), 1, "{setting}: {found:?}");
        let value = setting.find(": ").expect("a value") + ": ".len();
        let place = format!("8:{} ", "router_settings: {".len() + value + 1);
        assert!(found[0].starts_with(&format!("{place}{expected}")), "{setting}: {found:?}");
        assert!(!found[0].ends_with("/ -") || expected.ends_with("/ -"), "{setting}: {found:?}");
    }
    for (line, expected) in [
        ("num_retries: 1001", "6:18 1001 is not between 0 and 1000 / choose a number in that range"),
        ("max_retries: -3", "6:18 -3 is not between 0 and 1000 / choose a number in that range"),
        ("cooldown_time: 1e9", "6:20 out of range: 0 seconds to ten years"),
    ] {
        assert!(mistakes(&with_param(line))[0].starts_with(expected), "{:?}", mistakes(&with_param(line)));
    }
    let info = format!("{MODEL_LIST}  model_info: {{cooldown_time: 1e9, allowed_fails: soon}}\n");
    assert_eq!(
        mistakes(&info),
        [
            "4:31 out of range: 0 seconds to ten years / choose a value in that range, or remove it for the default",
            "4:51 expected a whole number, found the text `soon` / -",
        ]
    );
}

#[test]
fn words_and_keys_that_nobody_knows_are_mistakes_with_the_nearest() {
    for (settings, expected) in [
        (
            "when_all_cooling: waits",
            "8:37 `waits` is not one of `fail`, `wait`, `try_soonest` / did you mean `wait`?",
        ),
        ("disable_cooldowns: 3", "8:38 expected `true` or `false`, found the number 3 / -"),
        (
            "retry_policy: {RateLimitErorRetries: 1}",
            "8:34 `RateLimitErorRetries` is not a key of retry_policy / did you mean `RateLimitErrorRetries`?",
        ),
        (
            "retry_policy: {TimeoutErrorAllowedFails: 1}",
            "8:34 `TimeoutErrorAllowedFails` is not a key of retry_policy / it belongs into allowed_fails_policy",
        ),
        (
            "model_group_retry_policy: {chat: {DefaultRetrys: 1}}",
            "8:53 `DefaultRetrys` is not a key of retry_policy / did you mean `DefaultRetries`?",
        ),
        (
            "model_group_retry_policy: {caht: {DefaultRetries: 1}}",
            "8:46 `caht` leads nowhere: no deployment and no alias has that name / did you mean `chat`?",
        ),
        ("retry_policy: 3", "8:33 expected a map, found the number 3 / -"),
        ("retry_policy: {RateLimitErrorRetries: x}", "8:57 expected a whole number, found the text `x` / -"),
        (
            "allowed_fails_policy: {DefaultRetries: 1}",
            "8:42 `DefaultRetries` is not a key of allowed_fails_policy / it belongs into retry_policy",
        ),
        (
            "hedge_after: 1, hedge_percentile: 95",
            "8:53 hedge_after is set as well, and a second attempt has one moment to start at / remove one of the two",
        ),
    ] {
        assert_eq!(mistakes(&with_router(settings)), [expected], "{settings}");
    }
}

#[test]
fn a_groups_retry_policy_takes_the_place_of_the_routers() {
    let text = with_router(
        "model_group_alias: {big: chat, tiny: small}, retry_policy: {DefaultRetries: 1}, model_group_retry_policy: {chat: {TimeoutErrorRetries: 4}, tiny: {DefaultRetries: 0}}",
    );
    let retries = read(&text).config.router.retries;
    let of = |names: &[&str], class| retries.policy_for(names).retries(class);
    assert_eq!(of(&["big", "chat"], ErrorClass::Timeout), Some(4));
    assert_eq!(of(&["big", "chat"], ErrorClass::RateLimit), None);
    assert_eq!(of(&["tiny", "small"], ErrorClass::RateLimit), Some(0));
    assert_eq!(of(&["small"], ErrorClass::RateLimit), Some(1));
}

#[test]
fn variables_set_what_happens_on_failure_too() {
    let variables = [
        ("LEASTBUSY_ROUTER_SETTINGS__NUM_RETRIES", "5"),
        ("LEASTBUSY_ROUTER_SETTINGS__DISABLE_COOLDOWNS", "true"),
        ("LEASTBUSY_ROUTER_SETTINGS__FALLBACKS", "[{chat: [small]}]"),
        ("LEASTBUSY_ROUTER_SETTINGS__RETRY_POLICY", "{TimeoutErrorRetries: 1}"),
        ("LEASTBUSY_LITELLM_SETTINGS__ALLOWED_FAILS", "3"),
    ];
    let router = read_with(THREE, &variables).config.router;
    assert_eq!((router.retries.num_retries, router.cooldown.disabled), (5, true));
    assert_eq!(router.fallbacks.general, list(&[("chat", &["small"])]));
    assert_eq!(router.retries.policy.by_class, numbers(&[(ErrorClass::Timeout, 1)]));
    assert_eq!(router.cooldown.allowed_fails, Some(3));
    let wrong = [("LEASTBUSY_ROUTER_SETTINGS__NUM_RETRYS", "5")];
    assert_eq!(
        brief(&refused_with(THREE, &wrong).mistakes),
        [
            "environment variable LEASTBUSY_ROUTER_SETTINGS__NUM_RETRYS `num_retrys` is not a key of router_settings / did you mean LEASTBUSY_ROUTER_SETTINGS__NUM_RETRIES?"
        ]
    );
}

#[test]
fn a_configuration_made_in_code_is_checked_for_all_of_it() {
    let mut config = Config::default();
    config.deployments.push(Deployment {
        api_base: Some("http://gpu-a:8000/v1".into()),
        num_retries: Some(1001),
        cooldown: DeploymentCooldown { time: Some(Duration::MAX), ..DeploymentCooldown::default() },
        ..Deployment::new("chat", "hosted_vllm/m")
    });
    let router = &mut config.router;
    router.retries.num_retries = 1001;
    router.retries.per_request = Some(1001);
    router.retries.policy.by_class.set(ErrorClass::Timeout, 1001);
    router
        .retries
        .group_policies
        .insert("nobody".into(), RetryPolicy { default: Some(1001), ..RetryPolicy::default() });
    router.retries.budget_percent = f64::NAN;
    router.fallbacks.general = list(&[("chat", &["nobody"]), ("nobody", &["chat"])]);
    router.fallbacks.default = vec!["*".into()];
    router.fallbacks.max = 101;
    router.hedge = Hedge::Percentile(f64::NAN);
    let paths: Vec<_> = config.check().iter().map(|mistake| mistake.path.to_string()).collect();
    assert_eq!(
        paths,
        [
            "model_list[0].litellm_params.num_retries",
            "model_list[0].litellm_params.cooldown_time",
            "router_settings.num_retries",
            "litellm_settings.num_retries_per_request",
            "router_settings.retry_policy.TimeoutErrorRetries",
            "router_settings.model_group_retry_policy.nobody.DefaultRetries",
            "router_settings.retry_budget_percent",
            "router_settings.model_group_retry_policy.nobody",
            "router_settings.max_fallbacks",
            "router_settings.fallbacks[0].chat[0]",
            "router_settings.fallbacks[1].nobody",
            "router_settings.default_fallbacks[0]",
            "router_settings.hedge_percentile",
        ]
    );
}

#[test]
fn deployments_that_differ_only_in_what_follows_a_failure_are_told_apart() {
    let twice = format!(
        "{MODEL_LIST}- model_name: chat\n  litellm_params: {{model: hosted_vllm/m, api_base: http://gpu-a:8000/v1, num_retries: 0}}\n"
    );
    let ids = read(&twice).config.ids();
    assert_ne!(ids[0], ids[1]);
}
