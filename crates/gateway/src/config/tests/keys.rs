use super::*;
use crate::config::keys::{self, SECTIONS, Section, Status};

#[test]
fn an_unknown_key_is_a_mistake_with_the_nearest_right_one() {
    for (line, expected) in [
        ("wieght: 2", "`wieght` is not a key of litellm_params / did you mean `weight`?"),
        ("api-key: x", "`api-key` is not a key of litellm_params / did you mean `api_key`?"),
        ("temprature: 1", "`temprature` is not a key of litellm_params / did you mean `temperature`?"),
        ("tie_break: first", "`tie_break` is not a key of litellm_params / it belongs into router_settings"),
        ("model_info: {id: a}", ""),
        ("zzzzqqqq: 1", "`zzzzqqqq` is not a key of litellm_params / remove it"),
    ] {
        if !expected.is_empty() {
            assert_eq!(mistakes(&with_param(line)), [format!("6:5 {expected}")]);
        }
    }
    assert_eq!(
        mistakes(&format!("{MODEL_LIST}  api_key: x\n")),
        ["4:3 `api_key` is not a key of model_list[] / it belongs into litellm_params"]
    );
    assert_eq!(
        mistakes(&format!("{MODEL_LIST}router_setings: {{}}\n")),
        ["4:1 `router_setings` is not a key of the file / did you mean `router_settings`?"]
    );
    assert_eq!(read(&format!("{MODEL_LIST}x-notes: anything\n")).warnings, []);
}

#[test]
fn keys_not_served_yet_give_one_warning_each() {
    let text = format!(
        "{MODEL_LIST}- model_name: chat\n  litellm_params: {{model: hosted_vllm/m, api_base: http://gpu-b:8000/v1, mock_timeout: 1, input_cost_per_token_batches: 1}}\n- model_name: chat\n  litellm_params: {{model: hosted_vllm/m, api_base: http://gpu-c:8000/v1, mock_timeout: 2}}\nrouter_settings: {{routing_strategy: lar1}}\nlitellm_settings: {{cache: true, drop_params: true, set_verbose: true}}\n"
    );
    assert_eq!(
        warnings(&text),
        [
            "5:74 `mock_timeout` is known to LiteLLM; leastbusy does not serve it yet (here and in 1 place more) / -",
            "5:91 `input_cost_per_token_batches` is known to LiteLLM; leastbusy does not serve it yet / -",
            "8:37 routing_strategy `lar1` is known to LiteLLM; least-busy serves meanwhile / write `routing_strategy: least-busy` to say so",
            "9:20 `cache` is known to LiteLLM; leastbusy does not serve it yet / -",
        ]
    );
    assert_eq!(
        mistakes(&format!("{MODEL_LIST}router_settings: {{routing_strategy: least-bussy}}\n")),
        ["4:37 `least-bussy` is not a routing strategy / did you mean `least-busy`?"]
    );
}

#[test]
fn request_parameters_become_defaults_of_the_body() {
    let text = with_param(
        "temperature: 0.5\n    max_tokens: 10\n    extra_body: {top_k: 40, chat_template_kwargs: {enable_thinking: false}}",
    );
    let params = &read(&text).config.deployments[0].default_params;
    assert_eq!(
        serde_json::Value::Object(params.clone()),
        serde_json::json!({"temperature": 0.5, "max_tokens": 10, "top_k": 40, "chat_template_kwargs": {"enable_thinking": false}})
    );
}

#[test]
fn stream_is_no_default_of_the_body() {
    let text = with_param("stream: true\n    extra_body: {stream: true, top_k: 4}");
    let loaded = read(&text);
    assert_eq!(
        brief(&loaded.warnings),
        [
            "6:5 `stream` is known to LiteLLM; leastbusy does not serve it yet (here and in 1 place more) / remove it: clients ask for streams themselves"
        ]
    );
    let mut config = loaded.config;
    let params = &mut config.deployments[0].default_params;
    assert_eq!(serde_json::Value::Object(params.clone()), serde_json::json!({"top_k": 4}));
    params.insert("stream".into(), true.into());
    assert_eq!(config.check()[0].what, "`stream` cannot be a default parameter");
}

#[test]
fn model_info_keeps_what_stands_there() {
    let text = format!("{MODEL_LIST}  model_info: {{id: 7, mode: chat, my_own: [1], cooldown_tiem: 3}}\n");
    let loaded = read(&text);
    assert_eq!(loaded.config.deployments[0].id.as_deref(), Some("7"));
    assert_eq!(loaded.config.deployments[0].model_info["my_own"], serde_json::json!([1]));
    assert_eq!(
        brief(&loaded.warnings),
        ["4:63 `cooldown_tiem` is kept in model_info as it stands / did you mean `cooldown_time`?"]
    );
}

#[test]
fn no_key_stands_twice_in_a_section() {
    for section in SECTIONS {
        let names: Vec<_> = section.names().collect();
        for name in &names {
            assert_eq!(names.iter().filter(|other| *other == name).count(), 1, "{}.{name}", section.name);
            assert_ne!(section.status(name), Status::Unknown);
        }
    }
    for (key, reason) in SECTIONS.iter().flat_map(|section| section.without_meaning) {
        assert!(reason.len() > 10, "{key}");
    }
}

/// The text of the page, and a look for a key in backquotes.
fn documented(section: &Section, keys: impl Iterator<Item = &'static str>) {
    let page = include_str!("../../../../../docs/configuration.md");
    for key in keys {
        assert!(
            page.contains(&format!("`{key}`")),
            "docs/configuration.md lacks {} of {}",
            key,
            section.name
        );
    }
}

#[test]
fn the_page_about_configuration_mentions_every_key() {
    for section in SECTIONS {
        documented(section, section.names());
    }
    documented(&keys::LITELLM_PARAMS, keys::REQUEST_PARAMS.iter().copied());
    documented(&keys::ROUTER_SETTINGS, keys::STRATEGIES_NOT_YET.iter().copied());
    documented(&keys::ROUTER_SETTINGS, crate::strategy::all().into_iter().map(|(name, _)| name));
    let page = include_str!("../../../../../docs/configuration.md");
    for name in crate::provider::names() {
        assert!(page.contains(&format!("| `{name}` |")), "docs/configuration.md lacks the provider {name}");
    }
}
