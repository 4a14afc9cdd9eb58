use http::StatusCode;

use super::{FIELDS_MAX, Flaw, Framing, HEAD_BYTES_MAX, Head, read};

fn whole(bytes: &[u8]) -> Result<Head, Flaw> {
    let (head, length) = read(bytes, 0, false)?.expect("a whole head");
    assert_eq!(length, bytes.len());
    Ok(head)
}

/// How an answer with these header lines is told from what follows, and whether its connection is kept.
fn told(lines: &str) -> Result<(Framing, bool), Flaw> {
    let head = whole(format!("HTTP/1.1 200 OK\r\n{lines}\r\n").as_bytes())?;
    Ok((head.framing, head.keep_alive))
}

#[test]
fn a_head_is_read_whole_at_every_split() {
    for text in [
        "HTTP/1.1 200 OK\r\nA: one\r\nb:two \r\na: three\r\n\r\n",
        "HTTP/1.1 200 OK\nA: one\nb:two\na: three\n\n",
    ] {
        let bytes = [text.as_bytes(), b"{}"].concat();
        for seen in 0..bytes.len() {
            let early = read(&bytes[..seen], 0, false).unwrap();
            assert_eq!(early.is_some(), text.len() <= seen, "{seen}");
            if seen < text.len() {
                let (head, length) = read(&bytes, seen, false).unwrap().unwrap();
                assert_eq!((head.parts.status, length), (StatusCode::OK, text.len()));
                assert_eq!(head.parts.headers["b"], "two");
                let all: Vec<_> = head.parts.headers.get_all("a").iter().collect();
                assert_eq!(all, ["one", "three"]);
            }
        }
    }
}

#[test]
fn bodies_end_as_rfc_9112_says() {
    use Framing::{Chunked, Length, UntilClosed};
    for (lines, expected) in [
        ("", (UntilClosed, false)),
        ("content-length: 0\r\n", (Length(0), true)),
        ("content-length: 18446744073709551615\r\n", (Length(u64::MAX), true)),
        ("content-length: 7\r\ncontent-length: 7\r\n", (Length(7), true)),
        ("content-length: 7, 7\r\n", (Length(7), true)),
        ("transfer-encoding: Chunked\r\n", (Chunked, true)),
        ("transfer-encoding: chunked\r\ncontent-length: 7\r\n", (Chunked, false)),
        ("content-length: 7\r\ntransfer-encoding: chunked\r\n", (Chunked, false)),
        ("content-length: 7\r\nconnection: close\r\n", (Length(7), false)),
        ("content-length: 7\r\nconnection: keep-alive, Close\r\n", (Length(7), false)),
        ("content-length: 7\r\nconnection: close\r\nconnection: keep-alive\r\n", (Length(7), false)),
        ("content-length: 7\r\nconnection: x-hop\r\n", (Length(7), true)),
    ] {
        assert_eq!(told(lines), Ok(expected), "{lines}");
    }
}

#[test]
fn what_two_readers_may_take_for_different_answers_is_refused() {
    for lines in [
        "content-length: 7\r\ncontent-length: 8\r\n",
        "content-length: 7, 8\r\n",
        "content-length: +7\r\n",
        "content-length: -7\r\n",
        "content-length: 0x7\r\n",
        "content-length: 7 7\r\n",
        "content-length: \r\n",
        "content-length: 7,\r\n",
        "content-length: 18446744073709551616\r\n",
        "transfer-encoding: gzip\r\n",
        "transfer-encoding: gzip, chunked\r\n",
        "transfer-encoding: chunked, chunked\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n",
        "transfer-encoding : chunked\r\n",
        "a: 1\r\n b: 2\r\n",
        "a b: 1\r\n",
        "a: \x00\r\n",
        "no colon\r\n",
    ] {
        assert!(told(lines).is_err(), "{lines:?}");
    }
    assert!(whole(b"HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
}

#[test]
fn a_length_that_does_not_count_goes_no_further() {
    let head =
        |lines: &str| whole(format!("HTTP/1.1 200 OK\r\n{lines}\r\n").as_bytes()).unwrap().parts.headers;
    assert!(!head("content-length: 7\r\ntransfer-encoding: chunked\r\n").contains_key("content-length"));
    let same = head("content-length: 7\r\ncontent-length: 7, 7\r\n");
    assert_eq!(same.get_all("content-length").iter().collect::<Vec<_>>(), ["7"]);
}

#[test]
fn some_answers_have_no_body_whatever_they_say() {
    for status in ["100", "103", "204", "304"] {
        let text = format!("HTTP/1.1 {status} X\r\ncontent-length: 7\r\n\r\n");
        assert_eq!(whole(text.as_bytes()).unwrap().framing, Framing::Length(0), "{status}");
        let text = format!("HTTP/1.1 {status} X\r\n\r\n");
        assert_eq!(whole(text.as_bytes()).unwrap().framing, Framing::Length(0), "{status}");
    }
    let (head, _) = read(b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n", 0, true).unwrap().unwrap();
    assert_eq!(
        (head.framing, &head.parts.headers["content-length"]),
        (Framing::Length(0), &"7".parse().unwrap())
    );
}

#[test]
fn http_1_0_closes_unless_it_says_otherwise() {
    let head = |lines: &str| {
        whole(format!("HTTP/1.0 200 OK\r\ncontent-length: 1\r\n{lines}\r\n").as_bytes()).unwrap()
    };
    assert!(!head("").keep_alive);
    assert!(head("connection: Keep-Alive\r\n").keep_alive);
    assert!(!head("connection: keep-alive\r\nconnection: close\r\n").keep_alive);
}

#[test]
fn what_is_no_head_is_refused_at_once() {
    for text in
        ["what?", "HTTP/2 200 OK\r\n", "HTTP/1.1 20\r\n", "HTTP/1.1 abc OK\r\n\r\n", "SSH-2.0-OpenSSH"]
    {
        assert!(read(text.as_bytes(), 0, false).is_err(), "{text}");
    }
    assert!(whole(b"HTTP/1.1 099 OK\r\n\r\n").is_err());
    assert!(whole(b"HTTP/1.1 200\r\ncontent-length: 0\r\n\r\n").is_ok(), "the reason may be missing");
}

#[test]
fn heads_are_bounded_in_fields_and_bytes() {
    let fields = |count: usize| format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(count));
    assert_eq!(whole(fields(FIELDS_MAX).as_bytes()).unwrap().parts.headers.len(), FIELDS_MAX);
    assert!(read(fields(FIELDS_MAX + 1).as_bytes(), 0, false).is_err());
    let long = format!("HTTP/1.1 200 OK\r\na: {}\r\n\r\n", "x".repeat(HEAD_BYTES_MAX));
    assert!(read(long.as_bytes(), 0, false).is_err());
    assert!(read(&long.as_bytes()[..HEAD_BYTES_MAX], 0, false).is_err());
    assert!(read(&long.as_bytes()[..HEAD_BYTES_MAX], HEAD_BYTES_MAX - 1, false).is_err());
    assert!(read(&long.as_bytes()[..HEAD_BYTES_MAX - 1], 0, false).unwrap().is_none());
}
