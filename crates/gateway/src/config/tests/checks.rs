use super::*;

#[test]
fn names_that_lead_nowhere_are_mistakes() {
    let text = format!(
        "{MODEL_LIST}router_settings:\n  model_group_alias: {{a: chta, b: {{model: zzz}}, c: c, d: a, e: chat, chat: chat}}\n  fallbacks: [{{chat: [caht]}}, {{\"*\": [e]}}, {{nobody: []}}, {{a: [b], b: [a]}}]\nlitellm_settings: {{default_fallbacks: [chatt]}}\n"
    );
    assert_eq!(
        mistakes(&text),
        [
            "5:26 `chta` is not a model group / did you mean `chat`?",
            "5:43 `zzz` is not a model group / name a model_name of model_list",
            "5:52 the alias `c` leads to itself / name the model group it stands for, or remove it",
            "5:58 `a` is itself an alias / name the model group: `chta`",
            "5:76 the alias `chat` leads to itself / name the model group it stands for, or remove it",
            "6:23 `caht` leads nowhere: no deployment and no alias has that name / did you mean `chat`?",
            "6:44 `nobody` leads nowhere: no deployment and no alias has that name / name a model_name of model_list or an alias",
            "6:58 an item of fallbacks has one group, this one has 2 / write one item for each group: `- {GROUP: [OTHER, GROUPS]}`",
            "7:40 `chatt` leads nowhere: no deployment and no alias has that name / did you mean `chat`?",
        ]
    );
}

#[test]
fn wildcards_and_given_ids_lead_somewhere() {
    let mut config = Config::default();
    config.deployments.push(Deployment::new("openai/*", "openai/*"));
    config.deployments.push(Deployment { id: Some("gpu-a".into()), ..Deployment::new("a*b*c", "openai/x") });
    for name in ["openai/gpt", "openai/", "gpu-a", "abc", "a-b-c", "aXbYbZc"] {
        assert!(config.leads_somewhere(name), "{name}");
    }
    for name in ["openai", "xopenai/gpt", "gpu-b", "ab", "acb", "abcd", "ac"] {
        assert!(!config.leads_somewhere(name), "{name}");
    }
}

#[test]
fn an_alias_may_hide_a_group_with_a_warning() {
    let text = format!(
        "{MODEL_LIST}- model_name: other\n  litellm_params: {{model: hosted_vllm/o, api_base: http://gpu-b:8000/v1}}\nrouter_settings: {{model_group_alias: {{other: chat}}}}\n"
    );
    assert_eq!(
        warnings(&text),
        ["6:39 the alias `other` hides the model group of the same name / rename one of the two"]
    );
}

#[test]
fn a_deployment_must_be_reachable() {
    for (from, to, expected) in [
        ("hosted_vllm/m", "bedrock/m", None),
        ("api_base: http://gpu-a:8000/v1", "weight: 1", Some("3:27 hosted_vllm needs an api_base")),
        ("http://gpu-a:8000/v1", "gpu-a", Some("3:52 the api_base does not start with http:// or https://")),
        ("hosted_vllm/m", "\"hosted_vllm/*\"", Some("3:27 the model has more `*` than the model_name")),
        ("hosted_vllm/m", "\"\"", Some("3:27 the model has no name")),
        (
            "hosted_vllm/m",
            "m, custom_llm_provider: grok",
            Some("3:51 `grok` is not a provider / did you mean `groq`?"),
        ),
        ("hosted_vllm/m", "m, simulated: {slots: 1}", Some("3:30 openai is not a simulated engine")),
        ("model_name: chat", "model_name: ''", Some("2:15 a model_name needs at least one character")),
        ("model_name: chat", "model_info: {id: a}", Some("2:3 an entry of model_list needs a model_name")),
    ] {
        let text = MODEL_LIST.replace(from, to);
        match expected {
            Some(expected) => {
                let found = mistakes(&text);
                assert_eq!(found.len(), 1, "{found:?}");
                assert!(found[0].starts_with(expected), "{found:?}");
            }
            None => assert_eq!(read(&text).warnings.len(), 1),
        }
    }
    assert_eq!(
        mistakes("model_list: [{model_name: a}, null]\n"),
        [
            "1:15 an entry of model_list needs litellm_params / add `litellm_params: {model: PROVIDER/MODEL, api_base: URL}`",
            "1:31 an entry of model_list needs a model_name / add `model_name: NAME`, the name that clients will ask for",
            "1:31 an entry of model_list needs litellm_params / add `litellm_params: {model: PROVIDER/MODEL, api_base: URL}`",
        ]
    );
}

#[test]
fn what_was_said_of_an_unusual_address_is_a_warning() {
    let text = "model_list:\n- model_name: chat\n  litellm_params: {model: Qwen/Qwen3, api_base: http://gpu-a:8000}\n";
    assert_eq!(
        warnings(text),
        [
            "3:27 `Qwen` is not a provider, so the model `Qwen/Qwen3` is asked for at the api_base as it stands / write `custom_openai/Qwen/Qwen3` to say so",
            "3:49 `http://gpu-a:8000` has no path; most custom_openai servers serve under `/v1` / write `http://gpu-a:8000/v1`, or `http://gpu-a:8000/` followed by the path it serves under",
        ]
    );
}

#[test]
fn a_master_key_that_anybody_would_try_is_a_warning() {
    let text = |extra: &str| format!("{MODEL_LIST}general_settings: {{master_key: sk-1234{extra}}}\n");
    assert_eq!(
        warnings(&text("")),
        [
            "4:32 the master key is one that anybody would try / choose a long random one: `openssl rand -hex 32`"
        ]
    );
    assert_eq!(read(&text(", dangerously_permit_weak_or_unset_master_key: true")).warnings, []);
    assert_eq!(
        mistakes(&text("é"))[0],
        "4:32 the master key has characters that no header can hold / use printable ASCII characters"
    );
}

#[test]
fn a_configuration_made_in_code_is_checked_alike() {
    let mut config = Config::default();
    assert_eq!(
        config.check()[0].to_string().lines().next(),
        Some("model_list: there is no deployment to send a request to")
    );
    config.deployments.push(Deployment {
        api_base: Some("http://gpu-a:8000/v1".into()),
        weight: f64::NAN,
        timeouts: Timeouts { idle: Some(Duration::MAX), ..Timeouts::default() },
        ..Deployment::new("chat", "hosted_vllm/m")
    });
    config.general.max_header_bytes = 1;
    let paths: Vec<_> = config.check().iter().map(|mistake| mistake.path.to_string()).collect();
    assert_eq!(
        paths,
        [
            "model_list[0].litellm_params.weight",
            "model_list[0].litellm_params.idle_timeout",
            "general_settings.max_header_bytes"
        ]
    );
    config.deployments[0].weight = 1.0;
    config.deployments[0].timeouts.idle = None;
    config.general = GeneralSettings::default();
    assert_eq!((config.check(), config.warnings()), (Vec::new(), Vec::new()));
}

#[test]
fn one_simulated_name_is_one_engine() {
    let text = |first: &str, second: &str| {
        format!(
            "model_list:\n- model_name: a\n  litellm_params: {{model: simulated/ada{first}}}\n- model_name: b\n  litellm_params: {{model: simulated/ada{second}}}\n- model_name: c\n  litellm_params: {{model: simulated/bob, simulated: {{slots: 9}}}}\n"
        )
    };
    let (two, three) = (", simulated: {slots: 2}", ", simulated: {slots: 3}");
    assert_eq!(
        mistakes(&text(two, three)),
        [
            "5:42 the engine `ada` has other settings in model_list[0], and one name is one engine (config.yaml:3) / write the same settings, leave them out here, or choose another NAME in `simulated/NAME`"
        ]
    );
    for (first, second) in [(two, two), ("", two), (two, "")] {
        assert_eq!(read(&text(first, second)).config.engine("ada").slots, 2);
    }
    assert_eq!(read(&text("", "")).config.engine("ada"), SimulatedEngine::default());
}

#[test]
fn a_limit_is_at_least_one_request() {
    let limit = |value: &str| with_param(&format!("max_parallel_requests: {value}"));
    assert_eq!(read(&limit("7")).config.deployments[0].max_parallel_requests, Some(7));
    assert_eq!(read(&limit("null")).config.deployments[0].max_parallel_requests, None);
    assert_eq!(
        mistakes(&limit("0")),
        [
            "6:28 nothing could ever be sent there / raise it to at least 1, remove it for no limit, or remove the entry"
        ]
    );
    assert_eq!(
        mistakes(&limit("-1")),
        ["6:28 -1 is not between 0 and 4294967295 / choose a number in that range"]
    );
}
