use proptest::prelude::*;

use super::*;

fn found(pieces: &[&[u8]]) -> FinishReason {
    let mut reason = FinishReason::default();
    for piece in pieces {
        reason.push(piece);
    }
    reason
}

/// Looks in two pieces cut at every place, and byte by byte; all must come to the same.
fn looked(text: &str) -> FinishReason {
    let bytes = text.as_bytes();
    let whole = found(&[bytes]);
    for cut in 0..=bytes.len() {
        assert_eq!(found(&[&bytes[..cut], b"", &bytes[cut..]]), whole, "{text} cut at {cut}");
    }
    assert_eq!(found(&bytes.chunks(1).collect::<Vec<_>>()), whole, "{text} byte by byte");
    whole
}

#[test]
fn a_reason_is_found_however_it_is_written() {
    for text in [
        r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
        r#"{"finish_reason": "length"}"#,
        r#"{"finish_reason" : "tool_calls"}"#,
        r#"{"finish_reason":null}{"finish_reason":"stop"}"#,
        r#"{"finish_reason":"","finish_reason":"e"}"#,
        r#""finish_reason","finish_reason":"errors""#,
        r#""finish_r"finish_reason":"stop""#,
        r#""finish_reason""finish_reason":"erro""#,
        r#""finish_reason":"finish_reason":"stop""#,
    ] {
        assert_eq!(looked(&format!("{text}\n\n")), FinishReason::Given, "{text}");
    }
    assert_eq!(looked(r#"{"finish_reason":"error"}"#), FinishReason::Error);
    assert_eq!(looked(r#"{"finish_reason":"stop"}{"finish_reason":"error"}"#), FinishReason::Given);
}

#[test]
fn what_only_looks_like_a_reason_is_none() {
    for text in [
        "",
        r#"{"finish_reason":null}"#,
        r#"{"finish_reason": null, "x":"y"}"#,
        r#"{"finish_reason":"","x":"y"}"#,
        r#"{"finish_reason":{"x":"y"}}"#,
        r#"{"content":"\"finish_reason\":\"stop\""}"#,
        r#"{"finish_reasons":"stop"}"#,
        r#"{"native_finish_reason":"stop"}"#,
        r#"{"finish_reaso":"n","x":"y"}"#,
        r#"["finish_reason","x":"stop"]"#,
        r#""finish_reason"#,
    ] {
        assert!(!matches!(looked(text), FinishReason::Given | FinishReason::Error), "{text}");
    }
}

proptest! {
    #[test]
    fn pieces_come_to_the_same_as_the_whole(
        parts in proptest::collection::vec(
            proptest::sample::select(vec!["\"", "finish_reason", "\"finish", "_reason\"", ":", " ", "null", "error", "stop", "\\"]),
            0..20,
        ),
    ) {
        let whole = parts.concat();
        let pieces: Vec<_> = parts.iter().map(|part| part.as_bytes()).collect();
        prop_assert_eq!(found(&pieces), looked(&whole));
    }
}
