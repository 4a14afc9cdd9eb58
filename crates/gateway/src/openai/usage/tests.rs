use proptest::prelude::*;

use super::*;

fn found(pieces: &[&[u8]]) -> Option<Usage> {
    let mut watch = UsageWatch::default();
    for piece in pieces {
        watch.push(piece);
    }
    watch.last()
}

/// Looks in two pieces cut at every place, and byte by byte; all must find the same.
fn looked(text: &str) -> Option<Usage> {
    let bytes = text.as_bytes();
    let whole = found(&[bytes]);
    for cut in 0..=bytes.len() {
        assert_eq!(found(&[&bytes[..cut], b"", &bytes[cut..]]), whole, "{text} cut at {cut}");
    }
    assert_eq!(found(&bytes.chunks(1).collect::<Vec<_>>()), whole, "{text} byte by byte");
    whole
}

fn counted(prompt: u32, output: u32) -> Option<Usage> {
    Some(Usage { prompt, output: Some(output) })
}

#[test]
fn a_usage_is_found_however_it_is_written() {
    for text in [
        r#"{"choices":[],"usage":{"prompt_tokens":12,"completion_tokens":34,"total_tokens":46}}"#,
        r#"{"usage":{"completion_tokens":34,"prompt_tokens":12},"choices":[{"text":"a"}]}"#,
        r#"{"usage" : { "prompt_tokens" : 12 , "completion_tokens" : 34 } }"#,
        "{\n  \"usage\": {\n    \"prompt_tokens\": 12,\n    \"completion_tokens\": 34\n  }\n}\n",
        r#"{"response":{"usage":{"input_tokens":12,"input_tokens_details":{"cached_tokens":0},"output_tokens":34}}}"#,
        r#"{"usage":{"prompt_tokens":12,"prompt_tokens_details":{"a":[{"}":"}"}]},"completion_tokens":34}"#,
        r#"{"usage":{"prompt_tokens":12,"input_tokens":99,"output_tokens":98,"completion_tokens":34}}"#,
        r#"{"usage":{"prompt_tokens":null,"input_tokens":12,"output_tokens":34}}"#,
        r#"{"usage":null,"x_groq":{"usage":{"queue_time":0.1,"prompt_tokens":12,"completion_tokens":34}}}"#,
        r#"{"usage":{"prompt_tokens":1,"completion_tokens":1}}{"usage":{"prompt_tokens":12,"completion_tokens":34}}"#,
        r#"{"usage":{"prompt_tokens":12,"completion_tokens":34}}{"usage":null}"#,
        r#"{"tools":[{"properties":{"usage":{"type":"string"}}}],"usage":{"prompt_tokens":12,"completion_tokens":34}}"#,
        r#"{"usage":{"usage":{"prompt_tokens":12,"completion_tokens":34}}}"#,
        r#"{"a":"usage","usage":{"prompt_tokens":12,"completion_tokens":34}}"#,
        r#"""usage":{"prompt_tokens":12,"completion_tokens":34}"#,
    ] {
        assert_eq!(looked(text), counted(12, 34), "{text}");
    }
}

#[test]
fn embeddings_count_their_input_alone() {
    let usage = looked(r#"{"data":[],"usage":{"prompt_tokens":8,"total_tokens":8}}"#);
    assert_eq!(usage, Some(Usage { prompt: 8, output: None }));
}

#[test]
fn what_does_not_count_tokens_is_not_a_usage() {
    for text in [
        "",
        "{}",
        r#"{"usage":null}"#,
        r#"{"usage":{}}"#,
        r#"{"usage":[12,12,34,34]}"#,
        r#"{"usage":"12"}"#,
        r#"{"usage":12}"#,
        r#"{"usage":{"completion_tokens":34}}"#,
        r#"{"usage":{"prompt_tokens":"12","completion_tokens":34}}"#,
        r#"{"usage":{"prompt_tokens":12,"completion_tokens":"34"}}"#,
        r#"{"usage":{"prompt_tokens":-12,"completion_tokens":34}}"#,
        r#"{"usage":{"prompt_tokens":12,"completion_tokens":-34}}"#,
        r#"{"usage":{"prompt_tokens":12.5,"completion_tokens":34}}"#,
        r#"{"usage":{"prompt_tokens":1e3,"completion_tokens":34}}"#,
        r#"{"usage":{"prompt_tokens":[12],"completion_tokens":34}}"#,
        r#"{"usage":{"prompt_tokens":100000001,"completion_tokens":34}}"#,
        r#"{"usage":{"prompt_tokens":12,"completion_tokens":100000001}}"#,
        r#"{"usage":{"prompt_tokens":99999999999999999999999,"completion_tokens":34}}"#,
        r#"{"usage":{"prompt_tokens":12,"prompt_tokens":12,"completion_tokens":34}}"#,
        r#"{"usage":{"prompt_tokens":12,"completion_tokens":34"#,
        r#"{"usage":{prompt_tokens:12}}"#,
        r#"{"usage":{"prompt_tokens":12,"completion_tokens":34]"#,
        r#"{"usage_":{"prompt_tokens":12,"completion_tokens":34}}"#,
        r#"{"usages":{"prompt_tokens":12,"completion_tokens":34}}"#,
        r#"{"usage","x":{"prompt_tokens":12,"completion_tokens":34}}"#,
        r#"{"content":"{\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":34}}"}"#,
    ] {
        assert_eq!(looked(text), None, "{text}");
    }
}

#[test]
fn a_usage_is_read_up_to_its_limit_and_what_comes_behind_it_is_still_found() {
    let usage = |padding: usize| {
        format!(r#""usage":{{"x":"{}","prompt_tokens":1,"completion_tokens":2}}"#, "x".repeat(padding))
    };
    let most = MAX_USAGE_BYTES - usage(0).len() + NAME.len();
    assert_eq!(looked(&usage(most)), counted(1, 2));
    assert_eq!(looked(&format!("{},", usage(most + 1))), None);
    let end = r#","usage":{"prompt_tokens":3,"completion_tokens":4}}"#;
    for before in [usage(most + 1), usage(3 * MAX_USAGE_BYTES), format!("\"usage\":{}", " ".repeat(5000))] {
        let text = format!("{before}{end}");
        assert_eq!(found(&[text.as_bytes()]), counted(3, 4));
        for length in [1, 7, 100, MAX_USAGE_BYTES, 2 * MAX_USAGE_BYTES + 5] {
            assert_eq!(found(&text.as_bytes().chunks(length).collect::<Vec<_>>()), counted(3, 4), "{length}");
        }
    }
}

#[test]
fn a_request_that_is_repeated_cannot_make_it_look_forever() {
    let end = r#""usage":null,"usage":{"prompt_tokens":3,"completion_tokens":4}"#;
    let others = |count: usize| format!("{}{end}", r#""usage":{"type":"string"},"#.repeat(count));
    let most = usize::from(MAX_OTHERS) - 1;
    assert_eq!(looked(&others(most)), counted(3, 4));
    assert_eq!(looked(&others(most + 1)), None);
}

proptest! {
    #[test]
    fn any_bytes_in_any_pieces_are_looked_at_alike(
        words in proptest::collection::vec(
            proptest::sample::select(vec![
                "\"usage\"", ":", "{", "}", "\"prompt_tokens\"", "\"completion_tokens\"", "1", "23", ",", " ",
                "null", "\"us", "age\"", "\\\"", "-", "\"input_tokens\"", "\u{20ac}",
                "\"usage\":{\"prompt_tokens\":", ",\"output_tokens\":5}",
            ]),
            0..40,
        ),
        length in 1_usize..9,
    ) {
        let text = words.concat();
        let pieces: Vec<_> = text.as_bytes().chunks(length).collect();
        prop_assert_eq!(found(&pieces), found(&[text.as_bytes()]));
    }
}
