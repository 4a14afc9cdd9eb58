use std::ops::Range;

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::value::RawValue;

use super::*;

fn one(body: &[u8]) -> Pieces {
    Bytes::copy_from_slice(body).into()
}

fn scan(body: &[u8]) -> Result<Fields, BadRequest> {
    super::scan(&one(body))
}

fn not_json(offset: usize, expected: &'static str) -> BadRequest {
    BadRequest::NotJson { offset, expected }
}

/// What serde_json thinks of it, checking the grammar but not the range of numbers and surrogates.
fn serde_accepts(body: &[u8]) -> bool {
    serde_json::from_slice::<&RawValue>(body).is_ok()
}

fn is_json(body: &[u8]) -> bool {
    match scan(body) {
        Ok(_) | Err(BadRequest::NotAnObject { .. }) => true,
        Err(BadRequest::NotJson { .. }) => false,
        Err(other) => panic!("{other} for {}", String::from_utf8_lossy(body)),
    }
}

fn agrees_with_serde(body: &[u8]) {
    assert_eq!(is_json(body), serde_accepts(body), "{:?}", String::from_utf8_lossy(body));
}

#[test]
fn fields_are_found_with_their_places_and_kinds() {
    let body = br#" { "a" : "x" ,"b":-1.5e+3,"c": true,"d":null , "e":[1,{"f":2}],"g\n":{} } "#;
    let fields = scan(body).unwrap();
    let found: Vec<_> = fields
        .as_slice()
        .iter()
        .map(|field| {
            let text = |range: Range<usize>| std::str::from_utf8(&body[range]).unwrap();
            (text(field.key()), text(field.value()), field.kind())
        })
        .collect();
    assert_eq!(
        found,
        [
            (r#""a""#, r#""x""#, Kind::String),
            (r#""b""#, "-1.5e+3", Kind::Number),
            (r#""c""#, "true", Kind::Bool),
            (r#""d""#, "null", Kind::Null),
            (r#""e""#, r#"[1,{"f":2}]"#, Kind::Array),
            (r#""g\n""#, "{}", Kind::Object),
        ]
    );
    assert_eq!(fields.object(), 1..body.len() - 1);
    assert_eq!(fields.get(&one(body), "g\n").unwrap().kind(), Kind::Object);
    assert!(fields.get(&one(body), "f").is_none());
    assert!(fields.get(&one(body), "g\\n").is_none());
}

#[test]
fn bad_bodies_are_refused_with_the_place() {
    for (body, error) in [
        ("", not_json(0, "a value")),
        ("  ", not_json(2, "a value")),
        ("{", not_json(1, "a field name in double quotes")),
        ("{,}", not_json(1, "a field name in double quotes")),
        (r#"{"a"}"#, not_json(4, "`:`")),
        (r#"{"a":}"#, not_json(5, "a value")),
        (r#"{"a":1"#, not_json(6, "`,` or `}`")),
        (r#"{"a":1,}"#, not_json(7, "a field name in double quotes")),
        (r#"{"a":1 "b":2}"#, not_json(7, "`,` or `}`")),
        (r#"{'a':1}"#, not_json(1, "a field name in double quotes")),
        (r#"{"a":1}}"#, not_json(7, "nothing more after the end of the value")),
        (r#"{"a":1} x"#, not_json(8, "nothing more after the end of the value")),
        (r#"{"a":tru}"#, not_json(5, "`true`, `false` or `null`")),
        (r#"{"a":NaN}"#, not_json(5, "a value")),
        (r#"{"a":01}"#, not_json(6, "`,` or `}`")),
        (r#"{"a":-}"#, not_json(6, "a digit")),
        (r#"{"a":1.}"#, not_json(7, "a digit")),
        (r#"{"a":.5}"#, not_json(5, "a value")),
        (r#"{"a":1e}"#, not_json(7, "a digit")),
        (r#"{"a":[1,]}"#, not_json(8, "a value")),
        (r#"{"a":[1}"#, not_json(7, "`,` or `]`")),
        (r#"{"a":[}"#, not_json(6, "a value")),
        (r#"{"a":{]}"#, not_json(6, "a field name in double quotes")),
        (r#"{"a":{"b":1,}}"#, not_json(12, "a field name in double quotes")),
        (r#"{"a":{"b":1]}"#, not_json(11, "`,` or `}`")),
        (r#"{"a":[,1]}"#, not_json(6, "a value")),
        (r#"{"a":[1,,1]}"#, not_json(8, "a value")),
        (r#"{"a":"x"#, not_json(7, "the closing `\"` of a string")),
        ("{\"a\":\"x\ny\"}", not_json(7, "an escape like \\n instead of a raw control character")),
        (r#"{"a":"\x"}"#, not_json(7, "one of \" \\ / b f n r t u after `\\`")),
        (r#"{"a":"\u12g4"}"#, not_json(10, "four hexadecimal digits after \\u")),
        ("\u{feff}{}", not_json(0, "a value")),
        ("[{}]", BadRequest::NotAnObject { found: Kind::Array }),
        ("\"model\"", BadRequest::NotAnObject { found: Kind::String }),
        ("null", BadRequest::NotAnObject { found: Kind::Null }),
        ("[1,2", not_json(4, "`,` or `]`")),
    ] {
        assert_eq!(scan(body.as_bytes()).expect_err(body), error, "{body}");
    }
    assert_eq!(scan(b"{\"a\":\"\xff\"}").unwrap_err(), not_json(6, "UTF-8 text"));
    assert_eq!(scan(b"{\"a\":\"\xed\xa0\x80\"}").unwrap_err(), not_json(6, "UTF-8 text"));
    assert_eq!(scan(b"{\"\xc3\":1}").unwrap_err(), not_json(2, "UTF-8 text"));
}

#[test]
fn a_stop_is_found_at_every_place_of_a_string_of_every_length() {
    for len in 0..100 {
        let fine = format!("{{\"{0}\":\"{0}\"}}", "x".repeat(len));
        assert!(scan(fine.as_bytes()).is_ok());
        for at in 0..len {
            for bad in [b'\n', 0, 31, b'\\', 0xff, b'"'] {
                let mut body = fine.clone().into_bytes();
                body[len + 5 + at] = bad;
                agrees_with_serde(&body);
            }
        }
    }
}

#[test]
fn depth_ends_at_the_limit() {
    let nested = |depth: usize| {
        let inner = depth - 1;
        format!("{{\"a\":{}1{}}}", "[".repeat(inner), "]".repeat(inner))
    };
    assert!(scan(nested(128).as_bytes()).is_ok());
    assert_eq!(scan(nested(129).as_bytes()).unwrap_err(), BadRequest::TooDeep { offset: 5 + 127 });
    let objects = format!("{}1{}", "{\"a\":".repeat(128), "}".repeat(128));
    assert!(scan(objects.as_bytes()).is_ok());
    assert_eq!(scan(&b"[".repeat(1_000_000)).unwrap_err(), BadRequest::TooDeep { offset: 128 });
    let wide = format!("{{\"a\":[{}]}}", vec!["[[]]"; 1000].join(","));
    assert!(scan(wide.as_bytes()).is_ok());
}

#[test]
fn fields_may_be_as_many_as_the_limit() {
    let with = |count: usize| {
        let fields: Vec<_> = (0..count).map(|i| format!("\"f{i}\":{i}")).collect();
        format!("{{{}}}", fields.join(","))
    };
    for count in [0, 1, 31, 32, 33, 64, MAX_FIELDS] {
        let body = with(count);
        let pieces = one(body.as_bytes());
        let fields = super::scan(&pieces).unwrap();
        assert_eq!(fields.as_slice().len(), count);
        for i in 0..count {
            let field = fields.get(&pieces, &format!("f{i}")).unwrap();
            assert_eq!(body[field.value()], i.to_string());
        }
    }
    assert_eq!(scan(with(MAX_FIELDS + 1).as_bytes()).unwrap_err(), BadRequest::TooManyFields);
}

/// JSON text with odd spacing, odd numbers and escapes, which printing a tree would never give.
fn json_text() -> impl Strategy<Value = String> {
    let space = prop_oneof![4 => Just(""), 1 => Just(" "), 1 => Just("\r\n\t ")];
    let string =
        prop_oneof!["\"[a-z]{0,70}\"", r#""([ -!#-\[\]-~éß🦀]|\\[\\"/bfnrt]|\\u[0-9a-fA-F]{4}){0,20}""#,];
    let leaf = prop_oneof![
        Just("true".to_owned()),
        Just("false".to_owned()),
        Just("null".to_owned()),
        r"-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,5})?([eE][+-]?[0-9]{1,4})?",
        string.clone(),
    ];
    let spaced = (space.clone(), leaf, space.clone()).prop_map(|(a, b, c)| format!("{a}{b}{c}"));
    spaced.prop_recursive(6, 60, 6, move |inner| {
        let array =
            prop::collection::vec(inner.clone(), 0..6).prop_map(|items| format!("[{}]", items.join(",")));
        let member = (space.clone(), string.clone(), space.clone(), inner)
            .prop_map(|(a, k, b, v)| format!("{a}{k}{b}:{v}"));
        let object = prop::collection::vec(member, 0..6).prop_map(|items| format!("{{{}}}", items.join(",")));
        (space.clone(), prop_oneof![array, object], space.clone()).prop_map(|(a, b, c)| format!("{a}{b}{c}"))
    })
}

/// The body in pieces that end at these places, wherever they fall.
fn cut(body: &[u8], places: &[usize]) -> Pieces {
    let mut places: Vec<_> = places.iter().map(|&place| place.min(body.len())).collect();
    places.sort_unstable();
    let mut from = 0;
    let mut pieces: Vec<_> = places
        .into_iter()
        .map(|place| Bytes::copy_from_slice(&body[std::mem::replace(&mut from, place)..place]))
        .collect();
    pieces.push(Bytes::copy_from_slice(&body[from..]));
    pieces.into()
}

fn reads_alike_in_pieces(body: &[u8], places: &[usize]) {
    let read = |body: &Pieces| super::scan(body).map(|fields| (fields.as_slice().to_vec(), fields.object()));
    let text = String::from_utf8_lossy(body);
    assert_eq!(read(&cut(body, places)), read(&one(body)), "{text:?} cut at {places:?}");
}

#[test]
fn a_seam_may_go_through_anything() {
    let long = format!(r#"{{"long":"{}\u00e9{}\\","é":1}}"#, "x".repeat(70), "ß".repeat(40));
    for body in [
        r#" { "a" : "x" ,"b":-1.5e+30,"c": true,"d":null , "e":[1,{"f":false}],"g\n\u0041":{} } "#,
        r#"{"model":"m","messages":[{"role":"user","content":"Tee \"kostet\" 3 €, 🦀"}],"n":0}"#,
        r#"{"a":"\ud83e\udd80\\","b":"0123456789abcdef0123456789abcdef\n0123456789abcdef0123456789abcd"}"#,
        "{\"a\":\"x\ny\"}",
        r#"{"a":"\u12g4"}"#,
        r#"{"a":"0123456789\x"}"#,
        r#"{"a":tru}"#,
        r#"{"a":truE}"#,
        r#"{"a":1.}"#,
        r#"{"a":-}"#,
        r#"{"a":1e+}"#,
        r#"{"a":"x"#,
        r#"{"a":1}  x"#,
        "[null]",
        "",
        &long,
    ] {
        let body = body.as_bytes();
        for first in 0..=body.len() {
            reads_alike_in_pieces(body, &[first]);
            for second in first..=body.len().min(first + 9) {
                reads_alike_in_pieces(body, &[first, second]);
            }
        }
        reads_alike_in_pieces(body, &(0..body.len()).collect::<Vec<_>>());
        for end in 0..body.len() {
            reads_alike_in_pieces(&body[..end], &[end / 2, end.saturating_sub(1)]);
        }
    }
    // A name that breaks off in a character, and one byte that belongs to none.
    for body in [&b"{\"a\":\"\xf0\x9f\xa6\"}"[..], b"{\"a\":\"\xff\"}", b"{\"\xed\xa0\x80\":1}"] {
        reads_alike_in_pieces(body, &(0..body.len()).collect::<Vec<_>>());
        for place in 0..=body.len() {
            reads_alike_in_pieces(body, &[place]);
        }
    }
}

#[test]
fn the_depth_is_refused_at_the_same_place_in_pieces() {
    let body = "[".repeat(200);
    for piece in 1..140 {
        reads_alike_in_pieces(body.as_bytes(), &(0..200).step_by(piece).collect::<Vec<_>>());
    }
}

proptest! {
    #[test]
    fn pieces_read_as_the_whole_does(
        text in json_text(),
        damage in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
        places in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let mut body = format!("{{\"k\\n\":{text},\"model\":\"m\"}}").into_bytes();
        if let Some((at, byte)) = damage {
            let at = at.index(body.len());
            body[at] = byte;
        }
        let places: Vec<_> = places.iter().map(|place| place.index(body.len() + 1)).collect();
        reads_alike_in_pieces(&body, &places);
    }

    #[test]
    fn accepts_what_serde_json_accepts(text in json_text()) {
        prop_assert!(serde_accepts(text.as_bytes()));
        prop_assert!(is_json(text.as_bytes()));
    }

    #[test]
    fn agrees_with_serde_json_on_damaged_text(
        text in json_text(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), 0..4u8, any::<u8>()), 1..4),
    ) {
        let mut body = text.into_bytes();
        for (at, what, byte) in damage {
            const LIKELY: &[u8] = b"{}[]\",:\\ 0-+.eEtfnu\n\x00\x1f\x7f\x80\xc3\xff";
            let at = at.index(body.len());
            match what {
                0 => body[at] = byte,
                1 => body[at] = LIKELY[byte as usize % LIKELY.len()],
                2 => body.insert(at, LIKELY[byte as usize % LIKELY.len()]),
                _ => body.truncate(at),
            }
            if body.is_empty() {
                break;
            }
        }
        agrees_with_serde(&body);
    }

    #[test]
    fn agrees_with_serde_json_on_soup(body in "[{}\\[\\]\",:\\\\ 0-9.eE+\\-truefalsn]{0,24}") {
        agrees_with_serde(body.as_bytes());
    }

    #[test]
    fn fields_read_as_serde_json_reads_them(
        entries in prop::collection::vec(("[a-zé\"\\\\\n]{0,8}", json_text()), 0..40),
    ) {
        let members: Vec<_> =
            entries.iter().map(|(key, value)| format!("{}:{value}", serde_json::to_string(key).unwrap())).collect();
        let body = format!("{{{}}}", members.join(",")).into_bytes();
        let fields = scan(&body).unwrap();
        prop_assert_eq!(fields.as_slice().len(), entries.len());
        for (field, (key, value)) in fields.as_slice().iter().zip(&entries) {
            prop_assert_eq!(&serde_json::from_slice::<String>(&body[field.key()]).unwrap(), key);
            prop_assert_eq!(&body[field.value()], value.trim().as_bytes());
        }
    }
}
