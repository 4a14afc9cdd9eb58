use bytes::Bytes;

use crate::openai::{Collector, Pieces, RequestHead};

/// The prompt's places as text, and the content alone.
fn places(body: &str) -> (Vec<String>, Option<String>) {
    let pieces = Pieces::from(Bytes::copy_from_slice(body.as_bytes()));
    let head = RequestHead::read_for("m", &pieces).unwrap();
    let places: Vec<_> = head.prompt.places().map(|place| body[place].to_owned()).collect();
    assert_eq!(head.prompt.bytes(), places.iter().map(String::len).sum::<usize>());
    (places, head.prompt_range().map(|place| body[place].to_owned()))
}

#[test]
fn every_api_has_its_names_for_the_prompt() {
    let (chat, content) = places(r#"{"messages": [1] ,"n":2,"tools":[2],"system":"s"}"#);
    assert_eq!(chat, ["[2]", "\"s\"", "[1]"]);
    assert_eq!(content.as_deref(), Some("[1]"));
    assert_eq!(places(r#"{"instructions":"i","input":"q"}"#).0, ["\"i\"", "\"q\""]);
    assert_eq!(places(r#"{"prom\u0070t":"p"}"#).1.as_deref(), Some("\"p\""));
}

#[test]
fn the_first_of_a_kind_counts() {
    assert_eq!(places(r#"{"input":1,"messages":[],"input":2}"#).0, ["1"]);
}

#[test]
fn a_request_may_have_no_prompt() {
    assert_eq!(places(r#"{"file":"f","voice":"v","system":""}"#), (vec!["\"\"".to_owned()], None));
    assert_eq!(places("{}"), (Vec::new(), None));
}

#[test]
fn pictures_and_files_and_escapes_are_no_text() {
    let other_bytes = |pieces: Pieces| {
        let head = RequestHead::read_for("m", &pieces).unwrap();
        head.prompt.bytes() - head.prompt.text_bytes(&pieces)
    };
    for (content, media) in [
        ("", 0),
        ("no mark", 0),
        ("data:image/png;base64,QUJD", 4),
        ("data:image/png;base64,", 0),
        ("data:image/png;base64,QUJD\",\"data:application/pdf;base64,QUJDRA==", 12),
    ] {
        let body = format!("{{\"messages\":[{{\"content\":[\"{content}\"]}}]}}");
        assert_eq!(other_bytes(Bytes::from(body).into()), media, "{content}");
    }
    for (text, escaping) in [(r"\\u4e2d", 0), (r"\\\u4e2d", 3), (r"C:\\users;b;base64\n;;base64,", 0)] {
        let body = format!("{{\"input\":\"{text}\"}}");
        assert_eq!(other_bytes(Bytes::from(body).into()), escaping, "{text}");
    }
    let escaped = format!("{{\"input\":\"{}\"}}", "\\u4e2d".repeat(10));
    assert_eq!(other_bytes(Bytes::from(escaped).into()), 30, "six bytes where the letter has three");
    // A mark may lie on a seam between two pieces of a body.
    let before = format!("{{\"messages\":[\"{}", "x".repeat(40_000));
    let after = format!(",{}\"]}}", "A".repeat(50_000));
    let mut collector = Collector::default();
    collector.push(Bytes::from(format!("{before};base")));
    collector.push(Bytes::from(format!("64{after}")));
    let pieces = collector.finish();
    assert!(pieces.piece(1).is_some(), "two pieces");
    assert_eq!(other_bytes(pieces), 50_000);
}

#[test]
fn a_seam_anywhere_changes_nothing() {
    let text = r#"{"messages":[{"content":"\\u\u00e9 ;base64;base64,QUJD"},{"image":"data:a/b;base64,QUJDRA==","n":"\u4e2d;"}]}"#;
    let text_bytes = |pieces: Pieces| {
        let head = RequestHead::read_for("m", &pieces).unwrap();
        head.prompt.text_bytes(&pieces)
    };
    let whole = text_bytes(Bytes::from_static(text.as_bytes()).into());
    assert_eq!(whole, text.len() - r#"{"messages":}"#.len() - 2 * 3 - "QUJD".len() - "QUJDRA==".len());
    for seam in 1..text.len() {
        let (before, after) = text.as_bytes().split_at(seam);
        let pieces = Pieces::from(vec![Bytes::from_static(before), Bytes::from_static(after)]);
        assert_eq!(text_bytes(pieces), whole, "{seam}");
    }
}
