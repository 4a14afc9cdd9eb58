use super::*;

fn azure(line: &str) -> String {
    with_param(line).replace("hosted_vllm/m", "azure/gpt")
}

#[test]
fn what_cannot_stand_in_a_header_or_a_url_is_a_mistake() {
    for (text, expected) in [
        (
            with_param("api_key: \"geheim\\nzwei\""),
            "6:14 the api_key has characters that no header can hold / remove line breaks and control characters, from the variable too if it comes from one",
        ),
        (
            with_param("organization: \"geheim\\n\""),
            "6:19 the organization has characters that no header can hold / remove line breaks and control characters",
        ),
        (
            azure("api_version: \"geheim 1\""),
            "6:18 the api_version has characters that no URL can hold / write it as Azure does, e.g. `2025-02-01-preview`",
        ),
        (azure("api_version: \"geheim#1\""), "6:18 the api_version"),
        (azure("weight: 1").replace("azure/gpt", "azure/geheim gpt"), "4:12 the model has characters"),
        (azure("weight: 1").replace("azure/gpt", "\"azure/geheim\\n\""), "4:12 the model has characters"),
        (azure("weight: 1").replace("azure/gpt", "azure/geheim?gpt"), "4:12 the model has characters"),
        (with_param("weight: 1").replace("/v1", "/v 1"), "5:15 the api_base is not a URL"),
        (with_param("weight: 1").replace("/v1", "/v1 "), "5:15 the api_base is not a URL"),
        (with_param("weight: 1").replace("http://gpu-a", "https://-gpu-"), "5:15 the api_base has a host"),
        (with_param("weight: 1").replace(": chat", ": \"chat\\n\""), "2:15 a model_name needs"),
        (with_param("weight: 1") + "  model_info: {id: \"a\\n\"}\n", "7:20 an id is made of"),
    ] {
        // A base whose line ends in a space is only one when it is quoted.
        let text = text.replace("http://gpu-a:8000/v1 \n", "\"http://gpu-a:8000/v1 \"\n");
        let error = refused(&text);
        let found = brief(&error.mistakes);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(found[0].starts_with(expected), "{text}: {found:?}");
        assert!(!found[0].contains("geheim"), "{found:?}");
    }
}

#[test]
fn what_a_url_never_holds_may_be_unusual() {
    assert_eq!(read(&with_param("api_version: a b")).warnings, []);
    assert_eq!(read(&with_param("weight: 1").replace("hosted_vllm/m", "hosted_vllm/my model")).warnings, []);
}

#[test]
fn a_key_is_read_without_the_white_space_around_it() {
    let key = |text: &str, value: &str| {
        let variables = [("MOUNTED", value), ("HOSTED_VLLM_API_KEY", value)];
        let loaded = read_with(text, &variables);
        loaded.config.deployments[0].api_key.as_ref().map(|key| key.expose().to_owned())
    };
    assert_eq!(key(&with_param("api_key: os.environ/MOUNTED"), "geheim\n").as_deref(), Some("geheim"));
    assert_eq!(key(&with_param("weight: 1"), " geheim\r\n").as_deref(), Some("geheim"));
    assert_eq!(key(&with_param("api_key: \"geheim\\n\""), "").as_deref(), Some("geheim"));
    assert_eq!(key(&with_param("weight: 1"), "\n"), None);
}

#[test]
fn headers_of_the_hop_are_mistakes() {
    for name in [
        "connection",
        "Keep-Alive",
        "proxy-connection",
        "Transfer-Encoding",
        "te",
        "trailer",
        "upgrade",
        "Content-Length",
        "Host",
        "expect",
    ] {
        let lower = name.to_lowercase();
        assert_eq!(
            mistakes(&with_param(&format!("extra_headers: {{X-Team: a, {name}: b}}"))),
            [format!(
                "6:32 `{lower}` is about the connection or the message's length, which the gateway decides / remove it"
            )]
        );
    }
    let mut config = read(MODEL_LIST).config;
    config.deployments[0]
        .extra_headers
        .push((http::header::HOST, http::HeaderValue::from_static("elsewhere")));
    assert_eq!(config.check()[0].path.to_string(), "model_list[0].litellm_params.extra_headers.host");
}
