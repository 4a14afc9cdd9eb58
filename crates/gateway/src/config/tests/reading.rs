use super::*;

#[test]
fn every_served_setting_is_read() {
    let text = r#"
model_list:
- model_name: chat
  litellm_params:
    model: azure/gpt
    api_base: https://eu.example.com/
    api_key: os.environ/AZ_KEY
    api_version: "2025-04-01-preview"
    organization: org
    weight: 2.5
    order: 1
    timeout: 60
    stream_timeout: 1.5
    connect_timeout: 2
    first_byte_timeout: 3
    idle_timeout: 4
    total_timeout: 5
    extra_headers: {X-Team: a, X-Number: 3}
  model_info: {id: eu}
- model_name: toy
  litellm_params:
    model: simulated/toy
    request_timeout: 9
    simulated: {slots: 2, first_token_time: 0.1, tokens_per_second: 20, mean_tokens: 8}
router_settings:
  tie_break: first
  timeout: 30
  model_group_alias: {plain: chat, shy: {model: toy, hidden: true}}
general_settings:
  master_key: a-long-enough-key
  max_request_size_mb: 1.5
  max_header_bytes: 16384
  max_headers: 50
  max_connections: 7
  max_upstream_connections: 8
  header_read_timeout: 9
  body_read_timeout: 10
  shutdown_grace: 0
  workers: 3
  runtime: work_stealing
"#;
    let Loaded { config, warnings, files } = read_with(text, &[("AZ_KEY", "geheim")]);
    assert_eq!(warnings, []);
    assert_eq!(files, [std::path::PathBuf::from("config.yaml")]);
    let seconds = |seconds| Some(Duration::from_secs_f64(seconds));
    let eu = &config.deployments[0];
    assert_eq!(
        (eu.model_name.as_str(), eu.model.as_str(), eu.id.as_deref(), eu.weight, eu.order),
        ("chat", "azure/gpt", Some("eu"), 2.5, 1)
    );
    assert_eq!(eu.api_key.as_ref().map(Secret::expose), Some("geheim"));
    assert_eq!(eu.api_key_variable.as_deref(), Some("AZ_KEY"));
    assert_eq!(
        (eu.api_version.as_deref(), eu.organization.as_deref()),
        (Some("2025-04-01-preview"), Some("org"))
    );
    assert_eq!(eu.address().expect("resolves").api_base.as_deref(), Some("https://eu.example.com"));
    assert_eq!(
        eu.timeouts,
        Timeouts {
            timeout: seconds(60.0),
            stream_timeout: seconds(1.5),
            connect: seconds(2.0),
            first_byte: seconds(3.0),
            idle: seconds(4.0),
            total: seconds(5.0),
        }
    );
    let headers: Vec<_> =
        eu.extra_headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    assert_eq!(headers, [("x-team", b"a".as_slice()), ("x-number", b"3".as_slice())]);
    let toy = &config.deployments[1];
    assert_eq!(toy.timeouts.timeout, seconds(9.0));
    assert_eq!(
        toy.simulated,
        Some(SimulatedEngine {
            slots: 2,
            first_token_time: Duration::from_millis(100),
            tokens_per_second: 20.0,
            mean_tokens: 8.0
        })
    );
    assert_eq!((config.router.tie_break, config.router.timeouts.timeout), (TieBreak::First, seconds(30.0)));
    assert_eq!(config.aliases["shy"], Alias { model: "toy".into(), hidden: true });
    let general = &config.general;
    assert_eq!(general.master_key.as_ref().map(Secret::expose), Some("a-long-enough-key"));
    assert_eq!(
        (general.max_request_bytes, general.max_header_bytes, general.max_headers),
        (1_572_864, 16_384, 50)
    );
    assert_eq!((general.max_connections, general.max_upstream_connections), (7, 8));
    assert_eq!(
        (general.header_read_timeout, general.body_read_timeout),
        (Duration::from_secs(9), Duration::from_secs(10))
    );
    assert_eq!((general.shutdown_grace, general.runtime), (Duration::ZERO, Runtime::WorkStealing));
    assert_eq!(general.workers.map(NonZeroUsize::get), Some(3));
}

#[test]
fn request_timeout_goes_before_the_routers_timeout_and_after_its_stream_timeout() {
    let text = format!(
        "{MODEL_LIST}litellm_settings: {{request_timeout: 120}}\nrouter_settings: {{timeout: 5, stream_timeout: 6}}\n"
    );
    let timeouts = read(&text).config.router.timeouts;
    assert_eq!(
        (timeouts.timeout, timeouts.stream_timeout),
        (Some(Duration::from_secs(120)), Some(Duration::from_secs(6)))
    );
    let timeouts = read(&text.replace(", stream_timeout: 6", "")).config.router.timeouts;
    assert_eq!(timeouts.stream_timeout, Some(Duration::from_secs(120)));
}

#[test]
fn values_of_the_wrong_type_say_what_was_expected_and_found() {
    for (line, expected) in [
        (
            "timeout: \"30\"",
            "6:14 expected a number of seconds, found the text `30` / write 30 without quotes",
        ),
        ("timeout: -1", "6:14 -1 is not a number of seconds / write a number above 0"),
        ("timeout: .inf", "6:14 expected a number of seconds, found the text `.inf` / -"),
        ("timeout: 1e300", "6:14 1"),
        ("weight: [1]", "6:5 expected a number, found a list / -"),
        ("order: 1.5", "6:12 expected a whole number, found the number 1.5 / -"),
        ("order: true", "6:12 expected a whole number, found `true` / -"),
        ("extra_headers: {\"a b\": c}", "6:28 `a b` is not a header name / use letters, digits and hyphens"),
        (
            "extra_headers: {a: \"x\\ny\"}",
            "6:24 a header value may hold printable characters only / remove line breaks and control characters",
        ),
        (
            "organization: [a, b]",
            "6:5 a list of organizations is not served / write one entry of model_list for each organization",
        ),
        ("api_key: 12", "6:14 expected a text, found a number / put it in quotes"),
    ] {
        let found = mistakes(&with_param(line));
        assert_eq!(found.len(), 1, "{line}: {found:?}");
        assert!(found[0].starts_with(expected), "{line}: {found:?}");
    }
    let runtime = format!("{MODEL_LIST}general_settings: {{runtime: percore}}\n");
    assert_eq!(
        mistakes(&runtime),
        ["4:29 `percore` is not one of `per_core`, `work_stealing` / did you mean `per_core`?"]
    );
}

#[test]
fn os_environ_stands_anywhere_and_remembers_the_variable() {
    let text = "model_list:\n- model_name: os.environ/NAME\n  litellm_params: {model: openai/m, api_base: os.environ/BASE, timeout: os.environ/LIMIT, stop: [os.environ/WORD, b]}\n";
    let loaded =
        read_with(text, &[("NAME", "chat"), ("BASE", "http://gpu-a/v1"), ("LIMIT", "2.5"), ("WORD", "a")]);
    let deployment = &loaded.config.deployments[0];
    assert_eq!(
        (deployment.model_name.as_str(), deployment.api_base.as_deref()),
        ("chat", Some("http://gpu-a/v1"))
    );
    assert_eq!(deployment.timeouts.timeout, Some(Duration::from_secs_f64(2.5)));
    assert_eq!(deployment.default_params["stop"], serde_json::json!(["a", "b"]));
}

#[test]
fn an_unset_variable_is_a_warning_but_a_mistake_for_the_master_key() {
    let text = with_param("api_key: os.environ/NOPE");
    let loaded = read(&text);
    assert_eq!(loaded.config.deployments[0].api_key, None);
    assert_eq!(
        brief(&loaded.warnings),
        [
            "6:5 the environment variable `NOPE` is not set; `model_list[0].litellm_params.api_key` is left out / set the variable, or remove the setting"
        ]
    );
    let text = format!("{MODEL_LIST}general_settings:\n  master_key: os.environ/NOPE\n");
    assert_eq!(
        mistakes(&text),
        [
            "5:3 the environment variable `NOPE` is not set, so there is no master key / set the variable, or remove `master_key` to serve without a key on loopback"
        ]
    );
    let empty = refused_with(&text, &[("NOPE", "")]);
    assert_eq!(empty.mistakes[0].what, "the master key is empty");
}

#[test]
fn environment_variables_go_before_the_processes_own() {
    let text = format!(
        "{}environment_variables: {{HOSTED_VLLM_API_KEY: mine, OTHER: os.environ/OUTER, LIMIT: 3}}\n",
        with_param("api_version: os.environ/OTHER\n    timeout: os.environ/LIMIT")
    );
    let loaded = read_with(&text, &[("OUTER", "v7"), ("HOSTED_VLLM_API_KEY", "theirs")]);
    let deployment = &loaded.config.deployments[0];
    assert_eq!(deployment.api_key.as_ref().map(Secret::expose), Some("mine"));
    assert_eq!(deployment.api_key_variable.as_deref(), Some("HOSTED_VLLM_API_KEY"));
    assert_eq!(deployment.api_version.as_deref(), Some("v7"));
    assert_eq!(deployment.timeouts.timeout, Some(Duration::from_secs(3)));
}

#[test]
fn the_providers_own_variables_fill_what_is_missing() {
    let text = "model_list:\n- {model_name: a, litellm_params: {model: hosted_vllm/a}}\n- {model_name: b, litellm_params: {model: azure/b}}\n- {model_name: c, litellm_params: {model: groq/c}}\n";
    let loaded = read_with(
        text,
        &[
            ("HOSTED_VLLM_API_BASE", "http://gpu/v1"),
            ("AZURE_API_BASE", "https://az"),
            ("AZURE_API_KEY", "k"),
            ("GROQ_API_KEY", ""),
        ],
    );
    let [a, b, c] = &loaded.config.deployments[..] else { panic!("three entries") };
    assert_eq!(a.api_base.as_deref(), Some("http://gpu/v1"));
    assert_eq!(
        (b.api_base.as_deref(), b.api_version.as_deref()),
        (Some("https://az"), Some(crate::provider::AZURE_API_VERSION))
    );
    assert_eq!(c.api_key, None);
    assert_eq!(
        brief(&loaded.warnings),
        [
            "4:43 groq wants a key, and there is none / set the environment variable GROQ_API_KEY, or add `api_key`"
        ]
    );
}

#[test]
fn overrides_set_single_settings_before_anything_is_checked() {
    let text = format!("{MODEL_LIST}router_settings: {{timeout: soon}}\n");
    let variables = [
        ("LEASTBUSY_ROUTER_SETTINGS__TIMEOUT", "30"),
        ("LEASTBUSY_ROUTER_SETTINGS__MODEL_GROUP_ALIAS", "{big: chat}"),
        ("LEASTBUSY_GENERAL_SETTINGS__MASTER_KEY", "os.environ/KEY"),
        ("KEY", "from-the-environment"),
        ("LEASTBUSY_CONFIG", "ignored"),
        ("LEASTBUSY_PORT", "ignored"),
    ];
    let config = read_with(&text, &variables).config;
    assert_eq!(config.router.timeouts.timeout, Some(Duration::from_secs(30)));
    assert_eq!(config.aliases["big"].model, "chat");
    assert_eq!(config.general.master_key.as_ref().map(Secret::expose), Some("from-the-environment"));

    let wrong = [
        ("LEASTBUSY_ROUTER_SETTINGS__TIMEUOT", "30"),
        ("LEASTBUSY_ROUTR_SETTINGS__TIMEOUT", "30"),
        ("LEASTBUSY_GENERAL_SETTINGS__WORKERS", "many"),
    ];
    assert_eq!(
        brief(&refused_with(MODEL_LIST, &wrong).mistakes),
        [
            "environment variable LEASTBUSY_GENERAL_SETTINGS__WORKERS expected a whole number, found the text `many` / -",
            "environment variable LEASTBUSY_ROUTER_SETTINGS__TIMEUOT `timeuot` is not a key of router_settings / did you mean LEASTBUSY_ROUTER_SETTINGS__TIMEOUT?",
            "environment variable LEASTBUSY_ROUTR_SETTINGS__TIMEOUT `routr_settings` is not a section of the configuration / did you mean LEASTBUSY_ROUTER_SETTINGS__TIMEOUT?",
        ]
    );
}

#[test]
fn a_section_without_its_ending_is_understood_in_a_suggestion() {
    for (variable, way_out) in [
        ("LEASTBUSY_GENERL__WORKERS", "did you mean LEASTBUSY_GENERAL_SETTINGS__WORKERS?"),
        ("LEASTBUSY_ROUTER__TIMEOUT", "did you mean LEASTBUSY_ROUTER_SETTINGS__TIMEOUT?"),
        (
            "LEASTBUSY_LITELM_SETINGS__REQUEST_TIMEOUT",
            "did you mean LEASTBUSY_LITELLM_SETTINGS__REQUEST_TIMEOUT?",
        ),
        (
            "LEASTBUSY_ZZZ__TIMEOUT",
            "the sections are router_settings, general_settings, litellm_settings, shared_state",
        ),
    ] {
        let mistakes = refused_with(MODEL_LIST, &[(variable, "1")]).mistakes;
        assert_eq!(mistakes[0].way_out.as_deref(), Some(way_out), "{variable}");
    }
}
