use super::*;

fn ids(text: &str, variables: &[(&str, &str)]) -> Vec<String> {
    read_with(text, variables).config.ids()
}

const TWO: &str = "model_list:\n- model_name: chat\n  litellm_params: {model: openai/m, api_key: os.environ/KEY, api_base: http://a/v1}\n- model_name: chat\n  litellm_params: {model: openai/m, api_key: os.environ/KEY, api_base: http://b/v1}\n";

#[test]
fn derived_ids_survive_reordering_rotation_and_tuning() {
    let before = ids(TWO, &[("KEY", "old")]);
    assert!(before.iter().all(|id| id.len() == 16 && id.chars().all(|c| c.is_ascii_hexdigit())));
    assert_ne!(before[0], before[1]);
    let after = "model_list:\n- litellm_params: {api_base: http://a/v1/, weight: 7, timeout: 3, api_key: os.environ/KEY, model: m, custom_llm_provider: openai}\n  model_name: chat\n- model_name: chat\n  litellm_params: {model: openai/m, api_key: os.environ/KEY, api_base: http://b/v1, temperature: 1}\n";
    assert_eq!(ids(after, &[("KEY", "new")]), before);
    assert_ne!(ids(&TWO.replace("http://a", "http://c"), &[("KEY", "old")])[0], before[0]);
    assert_ne!(ids(&TWO.replace("/KEY", "/OTHER"), &[("OTHER", "old")])[0], before[0]);
}

#[test]
fn entries_that_differ_only_in_other_settings_or_in_the_key_are_told_apart() {
    let same = TWO.replace("http://b", "http://a");
    let by_order = same.replacen("{model", "{order: 2, model", 1);
    let found = ids(&by_order, &[("KEY", "k")]);
    assert_ne!(found[0], found[1]);
    for setting in ["tags: [paid]", "tag_regex: [a]", "rpm: 5", "tpm: 5", "input_cost_per_token: 1e-6"] {
        let found = ids(&same.replacen("{model", &format!("{{{setting}, model"), 1), &[("KEY", "k")]);
        assert_ne!(found[0], found[1], "{setting}");
    }
    let literal = same.replacen("os.environ/KEY", "one", 1).replacen("os.environ/KEY", "two", 1);
    let found = ids(&literal, &[]);
    assert_eq!(found[1], format!("{}-2", found[0]));
    assert!(!found[0].contains("one"));
}

#[test]
fn the_same_deployment_twice_is_a_mistake() {
    let same = TWO.replace("http://b", "http://a");
    let error = refused_with(&same, &[("KEY", "k")]);
    assert_eq!(
        brief(&error.mistakes),
        [
            "4:3 the same deployment twice: it differs in nothing from model_list[0] (config.yaml:2) / remove one, raise its `weight`, or give both a `model_info.id`"
        ]
    );
}

#[test]
fn one_id_for_two_deployments_is_a_mistake_that_names_both() {
    let text = TWO.replace("  litellm_params", "  model_info: {id: 5}\n  litellm_params");
    let error = refused_with(&text, &[("KEY", "k")]);
    assert_eq!(
        brief(&error.mistakes),
        [
            "6:20 the id `5` is also that of model_list[0] (config.yaml:3) / give each deployment an id of its own, or none"
        ]
    );
}
