use super::*;

/// Sends `stream` in two pieces cut at every place, and byte by byte; all must lead to the same end.
fn watched(stream: &str) -> SseWatch {
    let mut whole = SseWatch::new();
    whole.push(stream.as_bytes());
    let state = |watch: &SseWatch| (watch.is_done(), watch.ending(), watch.gap());
    for cut in 0..=stream.len() {
        let mut watch = SseWatch::new();
        watch.push(&stream.as_bytes()[..cut]);
        watch.push(b"");
        watch.push(&stream.as_bytes()[cut..]);
        assert_eq!(state(&watch), state(&whole), "{stream:?} cut at {cut}");
    }
    let mut watch = SseWatch::new();
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
