use super::*;

#[test]
fn a_mistake_shows_its_line_and_the_way_out() {
    let text = "model_list:\n- model_name: chat\n  litellm_params:\n    model: hosted_vllm/m\n    api_bas: http://gpu-a:8000/v1\n";
    let error = refused(text);
    assert_eq!(
        error.to_string(),
        "config.yaml:5:5: `api_bas` is not a key of litellm_params\n   \
            5 |     api_bas: http://gpu-a:8000/v1\n     \
              |     ^^^^^^^\n    \
                did you mean `api_base`?\n\
         1 mistake in config.yaml"
    );
    assert!(error.render(true).contains("\u{1b}["));
    assert!(!error.render(false).contains('\u{1b}'));
}

#[test]
fn all_mistakes_come_at_once_in_the_order_of_the_file() {
    let text = "router_settings: {timeout: soon, tie_brake: first}\nmodel_list:\n- model_name: 7\n  litellm_params: {model: opnai/m, weight: 0, timeout: 0}\ngeneral_settings: {max_headers: 0}\n";
    assert_eq!(
        mistakes(text),
        [
            "1:28 expected a number of seconds, found the text `soon` / -",
            "1:34 `tie_brake` is not a key of router_settings / did you mean `tie_break`?",
            "3:15 expected a text, found the number 7 / put it in quotes",
            "4:27 `opnai` is not a provider / did you mean `openai`? With an `api_base` any name is sent there as it stands",
            "4:44 a weight is more than 0, this one is 0 / remove the entry if it is to get nothing, or set a higher `order` to keep it in reserve",
            "4:56 a time limit is more than 0 and at most ten years / remove it to leave the choice to the next wider setting",
            "5:33 out of range: 1 to 10000 / choose a value in that range, or remove it for the default",
        ]
    );
}

#[test]
fn text_that_is_not_yaml_is_one_mistake_with_a_place() {
    for (text, place) in [
        ("model_list: [1,\n", "1:13"),
        ("a: 1\n\tb: 2\n", "1:4"),
        ("a: *nope\n", "1:4"),
        ("a: b: c\n", "1:5"),
    ] {
        let found = mistakes(text);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(&format!("{place} not YAML: ")), "{found:?}");
        assert!(!found[0].contains("at line"), "{found:?}");
    }
    assert_eq!(
        mistakes("- a\n- b\n"),
        ["1:1 expected a map of settings, found a list / start with `model_list:`"]
    );
    assert_eq!(
        mistakes(""),
        [
            "1:1 there is no deployment to send a request to / add an entry to model_list: `- model_name: NAME` with its `litellm_params`"
        ]
    );
}

#[test]
fn a_key_written_twice_is_a_mistake_at_the_second() {
    let text = with_param("order: 1\n    order: 2");
    assert_eq!(
        mistakes(&text),
        ["7:5 `order` is written twice; the first is on line 6 / keep one of the two"]
    );
}

#[test]
fn merge_keys_and_anchors_are_read_where_they_are_defined() {
    let text = "x-pool: &pool {api_base: http://gpu-a:8000/v1, weight: 2}\nmodel_list:\n- model_name: a\n  litellm_params: {<<: *pool, model: hosted_vllm/a}\n- model_name: b\n  litellm_params: {<<: *pool, model: hosted_vllm/b, weight: 3}\n";
    let config = read(text).config;
    let weights: Vec<_> = config.deployments.iter().map(|one| one.weight).collect();
    assert_eq!(weights, [2.0, 3.0]);
    assert_eq!(config.deployments[1].api_base.as_deref(), Some("http://gpu-a:8000/v1"));

    let shared = text.replace("weight: 2", "weihgt: 2");
    assert_eq!(
        mistakes(&shared),
        ["1:48 `weihgt` is not a key of litellm_params / did you mean `weight`?"],
        "two entries share one slip"
    );
}

#[test]
fn scalars_mean_what_they_mean_to_pyyaml() {
    let text = format!(
        "{MODEL_LIST}router_settings: {{timeout: 1_000, model_group_alias: {{a: {{model: chat, hidden: yes}}, y: chat, n: {{model: chat, hidden: off}}}}}}\ngeneral_settings: {{max_headers: 0144}}\n"
    );
    let config = read(&text).config;
    assert_eq!(config.router.timeouts.timeout, Some(Duration::from_secs(1000)));
    assert!(config.aliases["a"].hidden && !config.aliases["n"].hidden);
    assert_eq!(config.general.max_headers, 100, "a leading zero is octal");
    let named_y = MODEL_LIST.replace("chat", "y");
    assert_eq!(read(&named_y).config.deployments[0].model_name, "y");
    assert_eq!(
        mistakes(&MODEL_LIST.replace("chat", "yes")),
        ["2:15 expected a text, found `true` / put it in quotes"]
    );
}
