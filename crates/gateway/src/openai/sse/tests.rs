use super::*;
use crate::openai::Opening;

/// Sends `stream` in two pieces cut at every place, and byte by byte; all must lead to the same end.
fn watched(stream: &str) -> SseWatch {
    let mut whole = SseWatch::for_tokens();
    whole.push(stream.as_bytes());
    let state = |watch: &SseWatch| {
        (watch.is_done(), watch.ending(), watch.gap(), watch.content_events(), watch.usage())
    };
    for cut in 0..=stream.len() {
        let mut watch = SseWatch::for_tokens();
        watch.push(&stream.as_bytes()[..cut]);
        watch.push(b"");
        watch.push(&stream.as_bytes()[cut..]);
        assert_eq!(state(&watch), state(&whole), "{stream:?} cut at {cut}");
    }
    let mut watch = SseWatch::for_tokens();
    for byte in stream.bytes() {
        watch.push(&[byte]);
    }
    assert_eq!(state(&watch), state(&whole), "{stream:?} byte by byte");
    whole
}

#[test]
fn the_done_line_is_seen_however_it_is_written() {
    for stream in [
        "data: [DONE]\n\n",
        "data:[DONE]\n\n",
        "data: {\"a\":1}\n\ndata: [DONE]\n\n",
        "data: {\"a\":1}\r\n\r\ndata: [DONE]\r\n\r\n",
        "data: 1\r\rdata: [DONE]\r\r",
        ": keep-alive\n\nevent: end\ndata: [DONE]\n\n",
        "data: [DONE]\n",
        "data: [DONE]",
        "data: [DONE]\n\ndata: late\n\n",
    ] {
        assert!(watched(stream).is_done(), "{stream:?}");
    }
}

#[test]
fn what_only_looks_like_the_done_line_is_not_it() {
    for stream in [
        "",
        "data: [DONE",
        "data: {\"text\":\"data: [DONE]\"}\n\n",
        "data:  [DONE]\n\n",
        "data: [DONE]x\n\n",
        "data: [DONE]]\n\n",
        " data: [DONE]\n\n",
        "Data: [DONE]\n\n",
        "data: \ndata: [DON\nE]\n\n",
        "da\nta: [DONE]\n\n",
    ] {
        assert!(!watched(stream).is_done(), "{stream:?}");
    }
}

#[test]
fn the_gap_closes_what_is_open() {
    for (stream, gap) in [
        ("", ""),
        ("data: 1\n\n", ""),
        ("data: 1\r\n\r\n", ""),
        ("data: 1\r\r", ""),
        ("data: 1\n\n\n\n", ""),
        ("\n", ""),
        ("data: 1\n", "\n"),
        ("data: 1\r\n", "\n"),
        ("data: 1\n\ndata: 2\n", "\n"),
        ("data: 1", "\n\n"),
        ("data: 1\n\nd", "\n\n"),
        ("data: 1\ndata: 2", "\n\n"),
    ] {
        let mut watch = watched(stream);
        assert_eq!(watch.gap(), gap, "{stream:?}");
        watch.push(gap.as_bytes());
        assert_eq!(watch.gap(), "", "{stream:?} with its gap");
    }
}

#[test]
fn an_answer_is_whole_when_the_stream_says_so() {
    for (stream, ending) in [
        // Chats and completions.
        ("data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n", Ending::Finished),
        ("data: {\"choices\":[{\"text\":\"\", \"finish_reason\": \"length\"}]}", Ending::Finished),
        ("data: {\"choices\":[{\"finish_reason\":null}]}\n\ndata: [DONE]\n\n", Ending::Finished),
        ("data: {\"choices\":[{\"delta\":{\"content\":\"x\"},\"finish_reason\":null}]}\n\n", Ending::Open),
        (
            "data: {\"choices\":[{\"delta\":{\"content\":\"\\\"finish_reason\\\":\\\"stop\\\"\"}}]}\n\n",
            Ending::Open,
        ),
        // Responses.
        ("event: response.completed\ndata: {}\n\n", Ending::Finished),
        ("event:response.incomplete\r\ndata: {}\r\n\r\n", Ending::Finished),
        ("event: response.completed", Ending::Finished),
        ("event: response.failed\ndata: {}\n\n", Ending::Failed),
        ("event: response.completed.not\ndata: {}\n\n", Ending::Open),
        ("event: response.incomplete!\ndata: {}\n\n", Ending::Open),
        (
            "event: response.output_text.delta\ndata: {\"delta\":\"event: response.completed\"}\n\n",
            Ending::Open,
        ),
        ("", Ending::Open),
        (": ping\n\n", Ending::Open),
    ] {
        let watch = watched(stream);
        assert_eq!(watch.ending(), ending, "{stream:?}");
        assert_eq!(watch.ended_properly(), ending == Ending::Finished, "{stream:?}");
    }
}

#[test]
fn an_error_of_the_upstreams_own_is_seen() {
    for stream in [
        "data: {\"error\":{\"message\":\"m\"}}\n\n",
        "data:{ \"error\" : {\"message\":\"m\"}}\n\n",
        "data: {\"error\": \"out of memory\"}\n\n",
        "event: error\ndata: {\"type\":\"overloaded_error\"}\n\n",
        "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"error\"}]}\n\n",
        "data: {\"error\":{\"message\":\"m\"}}\n\ndata: [DONE]\n\n",
        "data: {\"error\":{\"message\":\"m\"}}",
    ] {
        assert_eq!(watched(stream).ending(), Ending::Failed, "{stream:?}");
    }
    for stream in [
        "data: {\"error\":null,\"choices\":[]}\n\n",
        "data: {\"errors\":{}}\n\n",
        "data: \"error\":{}\n\n",
        "data: {\"x\":\"error\"}\n\n",
    ] {
        assert_eq!(watched(stream).ending(), Ending::Open, "{stream:?}");
    }
}

/// A chunk of a chat with these fields of its choice.
fn chunk(choice: &str) -> String {
    format!("data: {{\"id\":\"c\",\"choices\":[{{\"index\":0,{choice}}}]}}\n\n")
}

fn word(word: &str) -> String {
    chunk(&format!(r#""delta":{{"content":"{word}"}},"finish_reason":null"#))
}

fn stop() -> String {
    chunk(r#""delta":{},"finish_reason":"stop""#)
}

const USAGE: &str = r#""usage":{"prompt_tokens":12,"completion_tokens":34}"#;

fn counted(prompt: u32, output: u32) -> Option<Usage> {
    Some(Usage { prompt, output: Some(output) })
}

#[test]
fn a_usage_with_the_end_or_behind_it_is_read() {
    let chat = [word("a"), word("b")].concat();
    for end in [
        format!("{}data: {{\"choices\":[],{USAGE}}}\n\ndata: [DONE]\n\n", stop()),
        format!("{}data: {{\"choices\":[],{USAGE}}}\r\n\r\ndata: [DONE]\r\n\r\n", stop()),
        format!("data: {{\"choices\":[{{\"finish_reason\":\"stop\"}}],{USAGE}}}\n\ndata: [DONE]\n\n"),
        format!("{}data: {{{USAGE}}}\n\ndata: {{\"usage\":null}}\n\n", stop()),
        format!("data: [DONE]\n\ndata: {{{USAGE}}}"),
    ] {
        let watch = watched(&format!("{chat}{end}"));
        assert_eq!((watch.usage(), watch.content_events()), (counted(12, 34), 2), "{end:?}");
    }
    let response = "event: response.completed\n\
        data: {\"response\":{\"usage\":{\"input_tokens\":12,\"output_tokens\":34}}}\n\n";
    assert_eq!(watched(response).usage(), counted(12, 34));
}

#[test]
fn a_usage_before_the_reason_is_read_where_their_line_is_in_one_frame() {
    let end = format!("data: {{{USAGE},\"choices\":[{{\"finish_reason\":\"stop\"}}]}}\n\n");
    for before in ["", "data: {\"choices\":[]}\n\n"] {
        let mut watch = SseWatch::for_tokens();
        watch.push(format!("{before}{end}").as_bytes());
        assert_eq!(watch.usage(), counted(12, 34));
    }
}

#[test]
fn a_running_count_is_right_at_the_end() {
    let running = |count: u32, reason: &str| {
        format!(
            "data: {{\"choices\":[{{\"finish_reason\":{reason}}}],\
             \"usage\":{{\"prompt_tokens\":7,\"completion_tokens\":{count}}}}}\n\n"
        )
    };
    let stream = [running(1, "null"), running(2, "null"), running(3, "\"stop\""), running(4, "\"stop\"")];
    assert_eq!(watched(&stream.concat()).usage(), counted(7, 4));
}

#[test]
fn a_usage_that_no_one_wants_is_not_looked_for() {
    let mut watch = SseWatch::new();
    watch.push(format!("{}data: {{{USAGE}}}\n\n", stop()).as_bytes());
    assert_eq!(watch.usage(), None);
}

#[test]
fn events_with_content_are_counted_to_the_end_of_the_answer() {
    let (a, stop) = (word("a"), stop());
    for (stream, count) in [
        (format!("{a}{a}{a}{stop}data: [DONE]\n\n"), 3),
        (format!("{a}{a}{a}{stop}data: {{\"choices\":[]}}\n\ndata: [DONE]\n\n"), 3),
        (format!(": ping\n\n{a}: ping\n\nid: 1\n\n{a}data: [DONE]\n\n"), 2),
        (format!("{a}{a}data: {{\"error\":{{\"message\":\"m\"}}}}\n\n"), 2),
        (format!("{a}{a}data: {{\"half\":1}}\n"), 2),
        (format!("event: chunk\n{a}event: chunk\n{a}{stop}"), 2),
        ("data: {\ndata: }\n\ndata: 1\r\n\r\n".to_owned(), 2),
        (
            "event: response.created\ndata: {}\n\n\
             event: response.output_text.delta\ndata: {}\n\n\
             event:response.function_call_arguments.delta\r\ndata: {}\r\n\r\n\
             event: response.code_interpreter_call_code.delta\ndata: {}\n\n\
             event: response.output_text.done\ndata: {}\n\n\
             event: response.completed\ndata: {}\n\n"
                .to_owned(),
            3,
        ),
        (String::new(), 0),
    ] {
        assert_eq!(watched(&stream).content_events(), count, "{stream:?}");
    }
}

#[test]
fn the_preamble_that_an_opening_finds_is_not_counted() {
    let role = chunk(r#""delta":{"role":"assistant","content":""}"#);
    let created = "event: response.created\ndata: {}\n\n";
    let delta = "event: response.output_text.delta\ndata: {\"delta\":\"a\"}\n\n";
    for (stream, preamble) in [
        ([role.clone(), word("a"), word("b"), stop()].concat(), 1),
        (["event: ping\ndata: {}\n\n: comment\n\n", &role, "\n", &word("a"), &word("b")].concat(), 2),
        ([word("a"), word("b"), stop()].concat(), 0),
        ([created, delta, delta, "event: response.completed\ndata: {}\n\n"].concat(), 0),
    ] {
        for length in 1..stream.len() {
            let (mut watch, mut opening) = (SseWatch::for_tokens(), Opening::new());
            for piece in stream.as_bytes().chunks(length) {
                watch.push(piece);
                opening.push(piece);
            }
            assert_eq!(opening.preamble_events(), preamble, "{stream:?}");
            watch.discount(opening.preamble_events());
            assert_eq!(watch.content_events(), 2, "{stream:?} by {length}");
        }
    }
}
