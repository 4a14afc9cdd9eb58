use super::*;

/// A file with one deployment whose `model_info` is this, on line 4, and with these `router_settings`, on line 5.
fn with(info: &str, router: &str) -> String {
    format!("{MODEL_LIST}  model_info: {{{info}}}\nrouter_settings: {{{router}}}\n")
}

/// Deployments of `chat` with these `litellm_params` and this `model_info` each, on lines 2, 5, 8, ...
fn group(members: &[(&str, &str)]) -> String {
    let entry = |(at, (params, info)): (usize, &(&str, &str))| {
        format!(
            "- model_name: chat\n  litellm_params: {{model: hosted_vllm/m, api_base: http://gpu-{at}:8000/v1, {params}}}\n  model_info: {{{info}}}\n"
        )
    };
    format!("model_list:\n{}", members.iter().enumerate().map(entry).collect::<String>())
}

#[test]
fn what_is_known_of_an_engine_is_read() {
    let info = "slots: 64, speed: 1.5, prefill_tokens_per_second: 8000, kv_cache_tokens: 400000, engine: sglang, max_input_tokens: 32768, blocked: true, disable_background_health_check: true, health_check_timeout: 2.5";
    let loaded = read(&with(info, ""));
    assert_eq!(brief(&loaded.warnings), [""; 0]);
    let deployment = &loaded.config.deployments[0];
    assert_eq!(
        deployment.engine,
        Engine {
            slots: Some(64),
            speed: Some(1.5),
            prefill_rate: Some(8000.0),
            kv_tokens: Some(400_000),
            kind: Some(EngineKind::Sglang),
        }
    );
    assert_eq!(deployment.max_input_tokens, Some(32_768));
    assert!(deployment.blocked && deployment.unchecked);
    assert_eq!(deployment.health_check_timeout, Some(Duration::from_millis(2500)));
    for (word, kind) in [("vllm", EngineKind::Vllm), ("llama.cpp", EngineKind::LlamaCpp)] {
        let loaded = read(&with(&format!("engine: {word}"), ""));
        assert_eq!(loaded.config.deployments[0].engine.kind, Some(kind));
    }
}

#[test]
fn places_and_the_queue_are_read() {
    let router = "default_max_parallel_requests: 8, max_queued_requests: 0, queue_timeout: 2.5, default_priority: -3, polling_interval: 0.03, least_busy_by: prefill, learn_speeds: true, engine_load_interval: 0.5, engine_load_headers: true";
    let loaded = read(&with("slots: 4, prefill_tokens_per_second: 9, engine: vllm", router));
    assert_eq!(brief(&loaded.warnings), [""; 0]);
    let router = loaded.config.router;
    assert_eq!(router.default_max_parallel_requests, Some(8));
    let timeout = Duration::from_millis(2500);
    assert_eq!(router.queue, Queue { max: Some(0), timeout, default_priority: -3 });
    assert!(router.learn_speeds);
    let interval = Duration::from_millis(500);
    assert_eq!(router.engine_load, EngineLoad { interval, headers: true });

    let plain = read(MODEL_LIST).config.router;
    assert_eq!(plain.queue, Queue { max: None, timeout: Duration::from_secs(60), default_priority: 0 });
    assert_eq!((plain.least_busy_by, plain.learn_speeds), (BusyBy::default(), false));
    assert_eq!(plain.engine_load, EngineLoad { interval: Duration::from_secs(1), headers: false });
}

#[test]
fn requests_make_busy_whatever_else_does() {
    let all = "slots: 4, prefill_tokens_per_second: 9, kv_cache_tokens: 9";
    for (words, prefill, kv) in [
        ("requests", false, false),
        ("kv", false, true),
        ("[]", false, false),
        ("[prefill]", true, false),
        ("[kv, requests, prefill]", true, true),
    ] {
        let router = read(&with(all, &format!("least_busy_by: {words}"))).config.router;
        assert_eq!(router.least_busy_by, BusyBy { prefill, kv }, "{words}");
    }
}

#[test]
fn what_is_out_of_range_says_the_range() {
    let default = "/ choose a value in that range, or remove it for the default";
    for (info, router, mistake) in [
        ("slots: 0", "", format!("4:23 out of range: at least 1 {default}")),
        ("kv_cache_tokens: 0", "", format!("4:33 out of range: at least 1 {default}")),
        ("max_input_tokens: 0", "", format!("4:34 out of range: at least 1 {default}")),
        ("speed: 0", "", format!("4:23 out of range: more than 0 {default}")),
        ("prefill_tokens_per_second: -1", "", format!("4:43 out of range: more than 0 {default}")),
        (
            "health_check_timeout: 0",
            "",
            format!("4:38 out of range: more than 0 seconds, at most 3600 seconds {default}"),
        ),
        (
            "engine: vlm",
            "",
            "4:24 `vlm` is not one of `vllm`, `sglang`, `llama.cpp` / did you mean `vllm`?".into(),
        ),
        ("slots: 1.5", "", "4:23 expected a whole number, found the number 1.5 / -".into()),
        ("", "max_queued_requests: 1000001", format!("5:40 out of range: 0 to 1000000 {default}")),
        (
            "",
            "queue_timeout: 0",
            format!("5:34 out of range: more than 0 seconds, at most 3600 seconds {default}"),
        ),
        ("", "engine_load_interval: 0.05", format!("5:41 out of range: 0.1 seconds to 60 seconds {default}")),
        (
            "",
            "default_max_parallel_requests: 0",
            "5:50 nothing could ever be sent anywhere / raise it to at least 1, or remove it for no limit"
                .into(),
        ),
        (
            "",
            "least_busy_by: [requests, prefil]",
            "5:45 `prefil` is not one of `requests`, `prefill`, `kv` / did you mean `prefill`?".into(),
        ),
        ("", "default_priority: 0.5", "5:37 expected a whole number, found the number 0.5 / -".into()),
    ] {
        assert_eq!(mistakes(&with(info, router)), [mistake], "{info} {router}");
    }
}

#[test]
fn the_limit_is_the_first_of_four_that_is_given() {
    let mut deployment = Deployment::new("chat", "hosted_vllm/m");
    let mut router = RouterSettings::default();
    for (explicit, rpm, tpm, default, limit) in [
        (None, None, None, None, None),
        (None, None, None, Some(40), Some(40)),
        (None, None, Some(20), None, Some(1)),
        (None, None, Some(20), Some(40), Some(1)),
        (None, None, Some(20_000), None, Some(120)),
        (None, None, Some(20_000), Some(40), Some(120)),
        (None, Some(20), None, None, Some(20)),
        (None, Some(20), None, Some(40), Some(20)),
        (None, Some(20), Some(20), None, Some(20)),
        (None, Some(20), Some(20), Some(40), Some(20)),
        (None, Some(20), Some(20_000), None, Some(20)),
        (None, Some(20), Some(20_000), Some(40), Some(20)),
        (Some(10), None, None, None, Some(10)),
        (Some(10), None, None, Some(40), Some(10)),
        (Some(10), None, Some(20), None, Some(10)),
        (Some(10), None, Some(20), Some(40), Some(10)),
        (Some(10), None, Some(20_000), None, Some(10)),
        (Some(10), None, Some(20_000), Some(40), Some(10)),
        (Some(10), Some(20), None, None, Some(10)),
        (Some(10), Some(20), None, Some(40), Some(10)),
        (Some(10), Some(20), Some(20), None, Some(10)),
        (Some(10), Some(20), Some(20), Some(40), Some(10)),
        (Some(10), Some(20), Some(20_000), None, Some(10)),
        (Some(10), Some(20), Some(20_000), Some(40), Some(10)),
        // Beyond LiteLLM's own table: nothing, fractions, and the most that can be written.
        (None, Some(0), None, None, Some(1)),
        (None, None, Some(0), None, Some(1)),
        (None, None, Some(1_499), None, Some(8)),
        (None, None, Some(u32::MAX), None, Some(25_769_803)),
    ] {
        (deployment.max_parallel_requests, deployment.rpm, deployment.tpm) = (explicit, rpm, tpm);
        router.default_max_parallel_requests = default;
        assert_eq!(deployment.parallel_limit(&router), limit, "{explicit:?} {rpm:?} {tpm:?} {default:?}");
    }
}

#[test]
fn a_limit_that_follows_from_another_one_is_told_once_for_each_group() {
    let text = group(&[("max_parallel_requests: 5, rpm: 9", ""), ("tpm: 300000", ""), ("rpm: 7", "")]);
    assert_eq!(
        warnings(&text),
        [
            "6:74 `max_parallel_requests` is taken to be 1800, because `tpm` is 300000, as in LiteLLM (here and in 1 place more) / set `max_parallel_requests` to say otherwise"
        ]
    );
    // A limit that stands beside litellm_params is shown there.
    assert_eq!(
        warnings(&format!("{MODEL_LIST}  rpm: 600\n")),
        [
            "4:3 `max_parallel_requests` is taken to be 600, because `rpm` is 600, as in LiteLLM / set `max_parallel_requests` to say otherwise"
        ]
    );
    let default = with("", "default_max_parallel_requests: 3");
    assert_eq!(warnings(&default), [""; 0]);
}

#[test]
fn slots_are_the_engines_or_else_the_limit() {
    let text =
        group(&[("max_parallel_requests: 5", "slots: 3"), ("max_parallel_requests: 6", ""), ("rpm: 60", "")]);
    let simulated = "- {model_name: toy, litellm_params: {model: simulated/a, max_parallel_requests: 99}}\n\
                     - {model_name: toys, litellm_params: {model: simulated/a, simulated: {slots: 2}}}\n\
                     - {model_name: toy, litellm_params: {model: simulated/b}, model_info: {slots: 7}}\n\
                     - {model_name: toy, litellm_params: {model: simulated/c}}\n";
    let config = read(&format!("{text}{simulated}")).config;
    let slots: Vec<_> = config.deployments.iter().map(Deployment::slots).collect();
    assert_eq!(slots, [Some(3), Some(6), None, Some(2), Some(2), Some(7), Some(4)]);
}

#[test]
fn a_part_of_busy_that_lacks_what_it_needs_is_told() {
    let whole = ("", "slots: 4, prefill_tokens_per_second: 9, kv_cache_tokens: 9");
    let limited = ("max_parallel_requests: 4", "prefill_tokens_per_second: 9");
    let bare = ("", "");
    let by = |words: &str, members: &[(&str, &str)]| {
        warnings(&format!("{}router_settings: {{least_busy_by: {words}}}\n", group(members)))
    };
    assert_eq!(by("[prefill, kv]", &[whole, whole]), [""; 0]);
    assert_eq!(by("requests", &[bare]), [""; 0]);
    assert_eq!(by("prefill", &[whole, limited]), [""; 0]);
    assert_eq!(
        by("prefill", &[whole, bare, bare]),
        [
            "7:3 this deployment of `chat` has no `slots` and `prefill_tokens_per_second`, so that the `prefill` of `least_busy_by` counts as 0 for it (here and in 1 place more) / add `slots` and `prefill_tokens_per_second` to its `model_info`"
        ]
    );
    assert_eq!(
        by("kv", &[whole, limited]),
        [
            "7:3 this deployment of `chat` has no `kv_cache_tokens`, so that the `kv` of `least_busy_by` counts as 0 for it / add `kv_cache_tokens` to its `model_info`"
        ]
    );
}

#[test]
fn speeds_that_only_some_of_a_group_have_are_told() {
    let warned = |missing: &str| {
        vec![format!(
            "7:3 this deployment of `chat` has no {missing}, so that speeds do not count there (config.yaml:4) / give each {missing}, or none a `speed`"
        )]
    };
    let fast = ("", "slots: 4, speed: 2");
    let learned = "router_settings: {learn_speeds: true}\n";
    let replaced = "4:26 not each deployment of `chat` has a `speed`, so that `learn_speeds` takes the place of this one / remove it, or give each deployment of the group a `speed`";
    let unlearned = "7:3 this deployment of `chat` has no `slots`, so that `learn_speeds` does nothing for the group / add `slots` to its `model_info`";
    let [replaced, unlearned] = [replaced, unlearned].map(|warning| vec![warning.to_owned()]);
    for (other, given, with_learning) in [
        (("", "slots: 2, speed: 1"), vec![], vec![]),
        (("max_parallel_requests: 2", "speed: 1"), vec![], vec![]),
        (("", "slots: 2"), warned("`speed`"), replaced),
        (("", "speed: 1"), warned("`slots`"), unlearned.clone()),
        (("", ""), warned("`slots` and `speed`"), unlearned),
    ] {
        let text = group(&[fast, other]);
        assert_eq!(warnings(&text), given, "{other:?}");
        assert_eq!(warnings(&format!("{text}{learned}")), with_learning, "{other:?}");
    }
    assert_eq!(warnings(&group(&[("", "speed: 2")])), [""; 0]);
    assert_eq!(warnings(&group(&[("", ""), ("", "")])), [""; 0]);
    let slots = ("", "slots: 2");
    assert_eq!(warnings(&format!("{}{learned}", group(&[slots, slots]))), [""; 0]);
    assert_eq!(warnings(&format!("{}{learned}", group(&[("", "")]))), [""; 0], "there is nothing to compare");
}

#[test]
fn a_limit_of_nothing_is_a_mistake_where_it_stands() {
    let way_out = "write `model_info: {blocked: true}` to send nothing there, or remove it for no limit";
    for (key, column) in [("rpm", 79), ("tpm", 79)] {
        let said = format!("out of range: at least 1 / {way_out}");
        assert_eq!(mistakes(&group(&[(&format!("{key}: 0"), "")])), [format!("3:{column} {said}")]);
        assert_eq!(mistakes(&format!("{MODEL_LIST}  {key}: 0\n")), [format!("4:8 {said}")]);
    }
}

#[test]
fn readings_of_engines_that_nobody_names_have_no_effect() {
    let warned = |column: usize, key: &str| {
        let way_out = "add `model_info: {engine: vllm}` to those that run one, or remove it";
        format!("5:{column} `{key}` has no effect, for no deployment names its `engine` / {way_out}")
    };
    let router = "engine_load_interval: 2, engine_load_headers: true";
    assert_eq!(
        warnings(&with("", router)),
        [warned(19, "engine_load_interval"), warned(44, "engine_load_headers")]
    );
    assert_eq!(warnings(&with("engine: sglang", router)), [""; 0]);
    assert_eq!(warnings(&with("", "engine_load_headers: false")), [""; 0]);
}

#[test]
fn litellms_queue_before_its_workers_has_another_name() {
    let text = format!(
        "{MODEL_LIST}general_settings: {{max_queued_requests_per_worker: 9, admission_queue_timeout_seconds: 1.0}}\n"
    );
    assert_eq!(
        warnings(&text),
        [
            "4:20 `max_queued_requests_per_worker` is known to LiteLLM; leastbusy does not serve it yet / requests wait for each model group: set `router_settings.max_queued_requests`",
            "4:55 `admission_queue_timeout_seconds` is known to LiteLLM; leastbusy does not serve it yet / requests wait for each model group: set `router_settings.queue_timeout`",
        ]
    );
}
