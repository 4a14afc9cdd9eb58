use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const ROLE: &str = r#"data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}]}"#;
const WORD: &str = r#"data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}"#;

/// What pushing these pieces one after another comes to: the first answer that is not `More`.
fn pushed<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Look {
    let mut opening = Opening::new();
    let mut first = Look::More;
    for piece in pieces {
        let look = opening.push(piece);
        if first == Look::More {
            first = look;
        } else {
            assert_eq!(look, Look::Content, "nothing is looked at once it is clear");
        }
    }
    first
}

/// Looks at a stream in two pieces cut at every place, and byte by byte; all must come to the same.
fn looked(stream: &str) -> Look {
    let stream = stream.as_bytes();
    let whole = pushed([stream]);
    for cut in 0..=stream.len() {
        let cut_up = pushed([&stream[..cut], b"", &stream[cut..]]);
        assert_eq!(cut_up, whole, "{:?} cut at {cut}", stream.escape_ascii().to_string());
    }
    assert_eq!(pushed(stream.chunks(1)), whole, "{:?} byte by byte", stream.escape_ascii().to_string());
    whole
}

/// The body of the failure that a stream begins with.
fn failure(stream: &str) -> Value {
    match looked(stream) {
        Look::Failed(failure) => serde_json::from_slice(&failure.body).unwrap(),
        look => panic!("{stream:?} is {look:?}"),
    }
}

#[test]
fn preamble_is_held_back() {
    for event in [
        ": ping",
        ":",
        ": OPENROUTER PROCESSING",
        "event: ping\ndata: {\"type\": \"ping\"}",
        "event: ping",
        "data: {\"type\":\"keepalive\",\"sequence_number\":3}",
        "data:",
        "data: ",
        "data: \ndata:",
        "id: 7\nretry: 100",
        ROLE,
        // Azure.
        r#"data: {"choices":[],"created":0,"id":"","object":"","prompt_filter_results":[{"prompt_index":0}]}"#,
        // vLLM.
        r#"data: {"choices":[{"index":0,"delta":{"role":"assistant","content":"","tool_calls":[]},"stop_reason":null,"token_ids":null}]}"#,
        r#"data: {"choices":[{"index":0,"delta":{"role":"assistant","content":null,"reasoning_content":null}}],"error":null}"#,
        r#"data: {"choices":[{"index":0,"delta":{}},{"index":1,"delta":{"content":""},"finish_reason":""}]}"#,
        r#"data: {"object":"text_completion","choices":[{"text":"","index":0,"logprobs":null,"finish_reason":null}]}"#,
        "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"error\":null,\"status\":\"queued\"}}",
        "event: response.in_progress\ndata: {\"type\":\"response.in_progress\",\"response\":{}}",
        "data: {\"type\":\"response.queued\"}",
    ] {
        assert_eq!(looked(&format!("{event}\n\n")), Look::More, "{event}");
        assert_eq!(looked(&format!("{event}\n\n{WORD}\n\n")), Look::Content, "{event} and a word");
        assert_eq!(looked(event), Look::More, "{event}, not ended");
    }
}

#[test]
fn content_lets_the_answer_go() {
    for event in [
        WORD,
        "data: [DONE]",
        r#"data: {"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"name":"f"}}]}}]}"#,
        r#"data: {"choices":[{"delta":{"function_call":{"name":"f"}}}]}"#,
        r#"data: {"choices":[{"delta":{"refusal":"I"}}]}"#,
        r#"data: {"choices":[{"delta":{"role":"assistant","reasoning_content":"Hm"}}]}"#,
        r#"data: {"choices":[{"delta":{"reasoning":"Hm"}}]}"#,
        r#"data: {"choices":[{"delta":{"something_new":1}}]}"#,
        r#"data: {"choices":[{"delta":{"content":" "}}]}"#,
        r#"data: {"choices":[{"delta":{},"finish_reason":"stop"}]}"#,
        r#"data: {"choices":[{"delta":{}},{"delta":{"content":"x"}}]}"#,
        r#"data: {"choices":[{"text":"x"}]}"#,
        r#"data: {"choices":[{"message":{"content":"x"}}]}"#,
        r#"data: {"type":"response.output_item.added"}"#,
        r#"data: {"type":"response.completed","response":{"error":null}}"#,
        "event: speech.audio.delta\ndata: {\"audio\":\"AAAA\"}",
        // What is unknown is not held back.
        "data: 7",
        "data: text",
        "data: {\"cut",
        "data: [{\"error\":1}]",
        r#"data: {"choices":{}}"#,
        r#"data: {"choices":[7]}"#,
        "hello: world",
        "hello",
        "{\"error\":{\"message\":\"a body that is no stream\"}}",
    ] {
        assert_eq!(looked(&format!("{event}\n\n")), Look::Content, "{event}");
        assert_eq!(
            looked(&format!("{ROLE}\n\n: ping\n\n{event}\n\n")),
            Look::Content,
            "{event} behind preamble"
        );
    }
}

#[test]
fn failures_are_told_from_content() {
    let overloaded = json!({"error": {"message": "busy", "type": "overloaded_error"}});
    for (event, body) in [
        ("data: {\"error\":{\"message\":\"busy\",\"type\":\"overloaded_error\"}}", overloaded.clone()),
        // Anthropic.
        (
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"message\":\"busy\",\"type\":\"overloaded_error\"}}",
            overloaded.clone(),
        ),
        // OpenRouter.
        (
            r#"data: {"id":"g","error":{"message":"busy","type":"overloaded_error"},"choices":[{"delta":{"content":""},"finish_reason":"error"}]}"#,
            overloaded.clone(),
        ),
        // OpenAI's responses, in both of its ways.
        (
            "event: response.failed\ndata: {\"type\":\"response.failed\",\"response\":{\"error\":{\"message\":\"busy\",\"type\":\"overloaded_error\"}}}",
            overloaded,
        ),
        (
            "event: error\ndata: {\"type\":\"error\",\"code\":\"server_error\",\"message\":\"m\"}",
            json!({"error": {"type": "error", "code": "server_error", "message": "m"}}),
        ),
        ("event: error\ndata: {\"code\":\"c\"}", json!({"error": {"code": "c"}})),
        ("data: {\"type\":\"error\",\"code\":\"c\"}", json!({"error": {"type": "error", "code": "c"}})),
        ("data: {\"error\":\"out of memory\"}", json!({"error": "out of memory"})),
    ] {
        assert_eq!(failure(&format!("{event}\n\n")), body, "{event}");
        assert_eq!(failure(&format!("{ROLE}\n\n: ping\n\n{event}\n\ndata: [DONE]\n\n")), body, "{event}");
    }
}

#[test]
fn a_failure_without_an_object_is_put_into_one() {
    let error = failure("event: error\ndata: it \"broke\"\n\n");
    assert_eq!(error["error"]["message"], "it \"broke\"");
    assert_eq!(error["error"]["type"], "server_error");
    for silent in ["event: error\n\n", "data: {\"type\":\"response.failed\"}\n\n"] {
        assert_eq!(
            failure(silent)["error"]["message"],
            "The deployment reported a failure and did not say which."
        );
    }
}

#[test]
fn the_codes_of_a_failure_are_read() {
    let stream = "data: {\"type\":\"response.failed\",\"response\":{\"error\":{\"code\":\"rate_limit_exceeded\"}}}\n\n";
    let Look::Failed(failure) = looked(stream) else { panic!("a failure") };
    assert_eq!(failure.error.code.as_deref(), Some("rate_limit_exceeded"));
    let Look::Failed(failure) = looked("data: {\"error\":{\"code\":503}}\n\n") else { panic!("a failure") };
    assert_eq!(failure.error.status().unwrap().as_u16(), 503);
}

#[test]
fn an_error_after_content_is_not_looked_at() {
    let stream = format!("{WORD}\n\ndata: {{\"error\":{{\"code\":500}}}}\n\n");
    assert_eq!(looked(&stream), Look::Content);
}

#[test]
fn lines_may_end_in_three_ways_and_data_may_have_several() {
    for end in ["\n", "\r", "\r\n"] {
        let stream = format!(
            ": ping{end}{end}event: x{end}data: {{\"error\":{end}data:{{\"code\":{end}data: 429}}}}{end}{end}"
        );
        assert_eq!(failure(&stream), json!({"error": {"code": 429}}), "{end:?}");
    }
}

#[test]
fn an_event_name_does_not_outlive_its_event() {
    assert_eq!(looked("event: ping\n\ndata: {\"a\":1}\n\n"), Look::Content);
    assert_eq!(looked("event: error\nevent: ping\ndata: {}\n\n"), Look::More);
}

#[test]
fn the_end_closes_what_is_open() {
    for (stream, expected) in [
        ("", Look::More),
        (": ping\n\n", Look::More),
        (ROLE, Look::More),
        (WORD, Look::Content),
        ("data: [DONE]", Look::Content),
        ("data: [DONE]\n", Look::Content),
        ("{\"error\":1}", Look::Content),
    ] {
        let mut opening = Opening::new();
        assert_eq!(opening.push(stream.as_bytes()), Look::More, "{stream}");
        assert_eq!(opening.end(), expected, "{stream}");
        assert_eq!((opening.push(b": ping\n\n"), opening.end()), (Look::Content, Look::Content));
    }
    let mut opening = Opening::new();
    assert_eq!(opening.push(b"data: {\"error\":{\"code\":1}}"), Look::More);
    assert!(matches!(opening.end(), Look::Failed(_)));
}

#[test]
fn no_more_than_64_kib_are_held_back() {
    let ping = b": ping\n\n";
    let mut opening = Opening::new();
    for _ in 0..MAX_PREAMBLE_BYTES / ping.len() {
        assert_eq!(opening.push(ping), Look::More);
    }
    assert_eq!(opening.push(ping), Look::Content);

    let mut opening = Opening::new();
    assert_eq!(opening.push(&[b' '; MAX_PREAMBLE_BYTES]), Look::More);
    assert_eq!(opening.push(b" "), Look::Content);

    let mut opening = Opening::new();
    assert_eq!(opening.push(&[b' '; 10 * MAX_PREAMBLE_BYTES]), Look::Content);
}

/// Bytes that are rather like a stream.
fn streams() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        proptest::sample::select(vec![
            &b"data: "[..],
            b"event: ",
            b"error",
            b"{\"error\":",
            b"{\"choices\":[",
            b"{\"delta\":{",
            b"}",
            b"]",
            b"null",
            b"\"\"",
            b"\n",
            b"\r",
            b"\r\n",
            b"\n\n",
            b":",
            b"[DONE]",
            b"\"type\":\"response.failed\"",
            b",",
            b"\xff",
        ])
        .prop_map(<[u8]>::to_vec),
        proptest::collection::vec(any::<u8>(), 0..4),
    ];
    proptest::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_bytes_cut_anywhere_come_to_the_same(stream in streams(), cuts in proptest::collection::vec(0usize..200, 0..4)) {
        let whole = pushed([&stream[..]]);
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(stream.len())).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|ends| &stream[ends[0]..ends[1]]);
        prop_assert_eq!(pushed(pieces), whole.clone());
        if let Look::Failed(failure) = whole {
            prop_assert!(serde_json::from_slice::<Value>(&failure.body).is_ok());
        }
    }
}
