use super::*;

/// Sends `stream` in two pieces cut at every place, and byte by byte; all must lead to the same end.
fn watched(stream: &str) -> SseWatch {
    let mut whole = SseWatch::new();
    whole.push(stream.as_bytes());
    let state = |watch: &SseWatch| (watch.is_done(), watch.gap().is_empty(), watch.gap());
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
