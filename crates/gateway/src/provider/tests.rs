use super::*;

fn address(
    model: &str,
    provider: Option<&str>,
    base: Option<&str>,
) -> (String, String, Option<String>, usize) {
    let address = resolve(model, provider, base).expect("resolves");
    (address.provider.name.into(), address.model, address.api_base, address.notes.len())
}

fn refusal(model: &str, provider: Option<&str>, base: Option<&str>) -> String {
    let refusal = resolve(model, provider, base).expect_err("does not resolve");
    format!("{refusal}: {}", refusal.way_out())
}

#[test]
fn the_prefix_is_the_provider_and_openai_is_meant_without_one() {
    let openai = Some("https://api.openai.com/v1".to_owned());
    assert_eq!(address("openai/gpt-4o", None, None), ("openai".into(), "gpt-4o".into(), openai.clone(), 0));
    assert_eq!(address("gpt-4o", None, None), ("openai".into(), "gpt-4o".into(), openai, 0));
    assert_eq!(
        address("hosted_vllm/Qwen/Qwen3-32B", None, Some("http://gpu-a:8000/v1/")),
        ("hosted_vllm".into(), "Qwen/Qwen3-32B".into(), Some("http://gpu-a:8000/v1".into()), 0)
    );
    assert_eq!(address("mini", Some("groq"), None).0, "groq");
    assert_eq!(address("groq/mini", Some("groq"), None).1, "mini");
    assert_eq!(address("openrouter/auto", None, None).1, "openrouter/auto");
    assert_eq!(address("openrouter/a/b", None, None).1, "a/b");
    assert_eq!(address("simulated/small", None, None).2, None);
}

#[test]
fn an_unknown_prefix_with_a_base_is_a_part_of_the_name() {
    let found = resolve("Qwen/Qwen3-32B", None, Some("http://gpu-a:8000/v1")).expect("resolves");
    assert_eq!((found.provider.name, found.model.as_str()), ("custom_openai", "Qwen/Qwen3-32B"));
    assert_eq!(found.notes[0].way_out(), "write `custom_openai/Qwen/Qwen3-32B` to say so");
    assert_eq!(
        refusal("opnai/gpt-4o", None, None),
        "`opnai` is not a provider: did you mean `openai`? With an `api_base` any name is sent there as it stands"
    );
    assert!(refusal("Qwen/Qwen3-32B", None, None).contains("give an `api_base`, or name one of: openai, "));
}

#[test]
fn a_provider_with_another_protocol_needs_a_compatible_base() {
    assert!(
        refusal("bedrock/claude", None, None)
            .starts_with("leastbusy does not speak bedrock's protocol: give")
    );
    let found = resolve("bedrock/claude", None, Some("http://proxy/v1")).expect("resolves");
    assert_eq!((found.provider.name, found.model.as_str()), ("custom_openai", "claude"));
    assert!(matches!(found.notes[..], [Note::TakenForOpenAi { .. }]));
}

#[test]
fn bases_without_a_path_get_v1_or_a_warning() {
    assert_eq!(
        address("ollama/llama3", None, Some("http://box:11434/")).2,
        Some("http://box:11434/v1".into())
    );
    assert_eq!(address("ollama/llama3", None, Some("http://box/api")).2, Some("http://box/api".into()));
    let bare = resolve("hosted_vllm/m", None, Some("http://gpu:8000")).expect("resolves");
    assert!(matches!(bare.notes[..], [Note::NoPath { .. }]));
    let endpoint = resolve("openai/m", None, Some("http://gpu:8000/v1/chat/completions")).expect("resolves");
    assert_eq!(endpoint.api_base.as_deref(), Some("http://gpu:8000/v1"));
    assert!(matches!(endpoint.notes[..], [Note::EndpointDropped { .. }]));
}

#[test]
fn a_base_that_is_no_url_is_refused_without_quoting_it() {
    for (base, fault) in [
        ("gpu-a:8000/v1", "does not start with"),
        ("ftp://gpu-a/v1", "does not start with"),
        ("http://", "is not a URL"),
        ("http:///v1", "is not a URL"),
        ("http://user:hunter2@gpu-a/v1", "holds a user or a password"),
        ("http://gpu-a:99999/v1", "is not"),
        ("http://gpu-a:0/v1", "port"),
        ("http://gpu a/v1", "is not a URL"),
        ("http://gpu-a/v1?x=hunter2", "query"),
        ("http://gpu-a/v1#x", "fragment"),
    ] {
        let refusal = refusal("openai/m", None, Some(base));
        assert!(refusal.contains(fault), "{base}: {refusal}");
        assert!(!refusal.contains("hunter2"));
    }
    assert_eq!(
        address("openai/m", None, Some("http://[::1]:8000/v1")).2,
        Some("http://[::1]:8000/v1".into())
    );
    assert!(refusal("hosted_vllm/m", None, None).contains("hosted_vllm needs an api_base: add"));
    assert!(refusal("simulated/m", None, Some("http://x/v1")).contains("takes no api_base"));
    assert!(refusal("openai/", None, None).starts_with("the model has no name"));
}

#[test]
fn the_table_has_each_name_once_and_its_own_bases_are_normal() {
    for provider in PROVIDERS {
        assert_eq!(PROVIDERS.iter().filter(|other| other.name == provider.name).count(), 1);
        assert!(!is_known_elsewhere(provider.name));
        if let Some(base) = provider.api_base {
            let model = format!("{}/some/model", provider.name);
            assert_eq!(
                address(&model, None, Some(base)),
                (provider.name.into(), "some/model".into(), Some(base.into()), 0)
            );
        }
    }
}
