use proptest::prelude::*;
use proptest::strategy::Strategy;

use super::*;

const KEY: &str = "hunter2hunter2";

/// A file with the key in every place where one may stand.
const FILE: &str = r#"environment_variables: {SOME_VAR: hunter2hunter2}
model_list:
- model_name: chat
  litellm_params:
    model: hosted_vllm/m
    api_base: http://gpu-a:8000/v1
    api_key: &shared hunter2hunter2
    extra_headers:
      X-Whatever: "hunter2hunter2"
      Authorization: 'Bearer hunter2hunter2'
    weight: 2
- {model_name: flow, litellm_params: {api_key: hunter2hunter2, model: hosted_vllm/n, weight: 1, api_base: "http://gpu-b:8000/v1"}}
- model_name: block
  litellm_params:
    model: hosted_vllm/o
    api_base: http://gpu-c:8000/v1
    client_secret: |
      hunter2hunter2
      hunter2hunter2
    api_key: *shared
router_settings:
  redis_url: redis://user:hunter2hunter2@cache:6379
  redis_password: "hunter2hunter2"
litellm_settings:
  cache: true
  cache_params: {type: redis, host: cache, password: hunter2hunter2, sentinel_password: hunter2hunter2}
shared_state: {redis_url: "rediss://:hunter2hunter2@cache"}
general_settings:
  coordination_redis:
    url: redis://:hunter2hunter2@cache
    password: hunter2hunter2
  master_key: hunter2hunter2
  database_url: postgres://me:hunter2hunter2@db/x
  wrong: 3
"#;

fn shown(text: &str) -> String {
    match parse("config.yaml", text, &Environment::empty()) {
        Ok(loaded) => format!("{:?} {:?}", loaded.config, loaded.warnings),
        Err(error) => format!("{error} {error:?}"),
    }
}

#[test]
fn a_line_with_a_key_is_shown_with_the_key_masked() {
    let text = "model_list:\n- {model_name: flow, litellm_params: {api_key: hunter2hunter2, model: hosted_vllm/n, wieght: 1, api_base: http://g/v1}} # hunter2\n";
    assert_eq!(
        refused(text).to_string(),
        "config.yaml:2:86: `wieght` is not a key of litellm_params\n   \
            2 | - {model_name: flow, litellm_params: {api_key: **************, model: hosted_vllm/n, wieght: 1, api_base: http://g/v1}}\n     \
              |                                                                                      ^^^^^^\n    \
                did you mean `weight`?\n\
         1 mistake in config.yaml"
    );
    let text = with_param("api_key: [hunter2hunter2]");
    assert_eq!(refused(&text).mistakes[0].what, "expected a text, found a list");
    assert!(!refused(&text).to_string().contains(KEY));
}

#[test]
fn no_mistake_beside_a_key_shows_it() {
    assert!(!shown(FILE).contains(KEY), "{}", shown(FILE));
    let lines: Vec<&str> = FILE.lines().collect();
    for broken in [
        "    bad: [\n",
        "\t- x\n",
        "  \"open\n",
        "wrong_key: 1\n",
        "  : : :\n",
        "  *nope\n",
        "}\n",
        "  - a: b: c\n",
    ] {
        for at in 0..=lines.len() {
            let text = [&lines[..at].join("\n"), "\n", broken, &lines[at..].join("\n")].concat();
            assert!(!shown(&text).contains(KEY), "{text}\n{}", shown(&text));
        }
    }
}

#[test]
fn a_key_where_a_model_group_is_expected_is_not_shown() {
    let key = "sk-hunter2hunter2";
    for settings in [
        format!("fallbacks: [{key}]"),
        format!("fallbacks: [{{chat: {key}}}]"),
        format!("fallbacks: [{{chat: [{key}]}}]"),
        format!("fallbacks: [{{{key}: [chat]}}]"),
        format!("default_fallbacks: {key}"),
        format!("retry_policy: {{{key}: 1}}"),
        format!("retry_policy: {{DefaultRetries: {key}}}"),
        format!("model_group_retry_policy: {{{key}: {{DefaultRetries: 1}}}}"),
        format!("routing_groups: [{{group_name: {key}}}], fallbacks: [{{chat: [{key}]}}]"),
        format!("when_all_cooling: {key}"),
    ] {
        let text = shown(&format!("{MODEL_LIST}router_settings: {{{settings}}}\n"));
        assert!(!text.contains("hunter2"), "{settings}\n{text}");
    }
}

/// Puts what YAML gives a meaning into the middle of words. Nothing is taken out: a key whose name is gone cannot be
/// told from any other text.
fn mutated() -> impl Strategy<Value = String> {
    let edit = (
        0..FILE.len(),
        prop_oneof![
            Just(""),
            Just(":"),
            Just("\n"),
            Just("  "),
            Just("- "),
            Just("\""),
            Just("{"),
            Just("]"),
            Just("#"),
            Just("<<: "),
            Just("|"),
            Just("!!t "),
            Just("é"),
            Just("\u{0}")
        ],
    );
    proptest::collection::vec(edit, 1..6).prop_map(|edits| {
        let mut text = FILE.to_owned();
        for (at, with) in edits {
            if text.is_char_boundary(at) {
                text.insert_str(at, with);
            }
        }
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_the_loader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = shown(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn no_mutation_makes_the_loader_panic_or_show_the_key(text in mutated()) {
        prop_assert!(!shown(&text).contains(KEY), "{}", shown(&text));
    }
}
