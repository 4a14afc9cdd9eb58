use proptest::prelude::*;

use super::*;

/// Code, type, inner code and param, `-` where there is none.
fn said(body: &str) -> String {
    let error = UpstreamError::read(body.as_bytes());
    let fields = [&error.code, &error.kind, &error.inner_code, &error.param];
    fields.map(|field| field.as_deref().unwrap_or("-")).join(" ")
}

#[test]
fn every_shape_in_which_servers_send_errors_is_read() {
    for (server, body, expected) in [
        (
            "OpenAI",
            r#"{"error":{"message":"m","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#,
            "context_length_exceeded invalid_request_error - messages",
        ),
        (
            "Azure",
            r#"{"error":{"message":"m","type":null,"param":"prompt","code":"content_filter","status":400,
                "innererror":{"code":"ResponsibleAIPolicyViolation","content_filter_result":{"hate":{"filtered":true}}}}}"#,
            "content_filter - ResponsibleAIPolicyViolation prompt",
        ),
        (
            "Azure's images",
            r#"{"error":{"code":"content_policy_violation","inner_error":{"code":"ResponsibleAIPolicyViolation"}}}"#,
            "content_policy_violation - ResponsibleAIPolicyViolation -",
        ),
        (
            "vLLM",
            r#"{"error":{"message":"m","type":"BadRequestError","param":"input_tokens","code":400}}"#,
            "400 BadRequestError - input_tokens",
        ),
        (
            "vLLM of old",
            r#"{"object":"error","message":"m","type":"NotFoundError","param":null,"code":404}"#,
            "404 NotFoundError - -",
        ),
        (
            "llama.cpp",
            r#"{"error":{"code":400,"message":"m","type":"exceed_context_size_error","n_ctx":256}}"#,
            "400 exceed_context_size_error - -",
        ),
        (
            "Anthropic",
            r#"{"type":"error","error":{"type":"overloaded_error","message":"m"}}"#,
            "- overloaded_error - -",
        ),
        ("Gemini", r#"[{"error":{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED"}}]"#, "429 - - -"),
        (
            "a string",
            r#"{"error":"model \"m\" not found","code":"model_not_found"}"#,
            "model_not_found - - -",
        ),
    ] {
        assert_eq!(said(body), expected, "{server}");
    }
}

#[test]
fn strange_fields_do_not_hide_the_others() {
    assert_eq!(
        said(r#"{"error":{"code":["x"],"type":"t","param":{},"innererror":[1],"metadata":7}}"#),
        "- t - -"
    );
    assert_eq!(said(r#"{"error":{"code":-1.5,"type":true,"param":"p"}}"#), "- - - p");
    assert_eq!(said(r#"{"error":{"code":"a\"b\u00e9"}}"#), "a\"bé - - -");
}

#[test]
fn what_is_no_error_says_nothing() {
    for body in [
        "",
        "   ",
        "null",
        "7",
        "\"text\"",
        "[]",
        "[[{\"code\":\"x\"}]]",
        "[\"context_length_exceeded\"]",
        "{",
        "<html>502 Bad Gateway</html>",
        "{\"error\":null}",
        "{\"error\":[]}",
        "{\"error\":[[]]}",
        "\u{feff}{}",
    ] {
        assert_eq!(UpstreamError::read(body.as_bytes()), UpstreamError::default(), "{body}");
    }
    assert_eq!(UpstreamError::read(b"{\"code\":\"\xff\"}"), UpstreamError::default());
    let deep = "[".repeat(100_000);
    assert_eq!(UpstreamError::read(deep.as_bytes()), UpstreamError::default());
}

#[test]
fn a_message_is_never_read() {
    let body = r#"{"error":{"message":"context_length_exceeded: 429 insufficient_quota"}}"#;
    assert_eq!(UpstreamError::read(body.as_bytes()), UpstreamError::default());
}

#[test]
fn a_code_of_three_digits_is_a_status() {
    for (code, status) in [
        ("400", Some(400)),
        ("599", Some(599)),
        ("399", None),
        ("600", None),
        ("70000", None),
        ("\"503\"", Some(503)),
    ] {
        let error = UpstreamError::read(format!(r#"{{"code":{code}}}"#).as_bytes());
        assert_eq!(error.status().map(|status| status.as_u16()), status, "{code}");
    }
}

#[test]
fn a_moderators_reasons_are_seen() {
    let flagged =
        br#"{"error":{"code":403,"message":"m","metadata":{"reasons":["violence"],"flagged_input":"x"}}}"#;
    assert!(UpstreamError::read(flagged).is_moderated);
    let other = br#"{"error":{"code":403,"message":"m","metadata":{"provider_name":"p","reasons":null}}}"#;
    assert!(!UpstreamError::read(other).is_moderated);
}

proptest! {
    #[test]
    fn random_bytes_are_no_danger(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = UpstreamError::read(&body);
    }

    #[test]
    fn an_error_that_is_cut_off_or_garbled_is_no_danger(cut in 0usize..120, at in 0usize..120, byte: u8) {
        let mut body = br#"{"error":{"code":"content_filter","type":null,"innererror":{"code":"R"},"metadata":{"reasons":[]}}}"#.to_vec();
        let at = at % body.len();
        body[at] = byte;
        body.truncate(cut);
        let _ = UpstreamError::read(&body);
    }
}
