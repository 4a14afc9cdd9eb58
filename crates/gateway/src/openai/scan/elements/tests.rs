use bytes::Bytes;
use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn ends(pieces: &Pieces, array: Range<usize>) -> Vec<usize> {
    let mut ends = Vec::new();
    ends_of_elements(pieces, array, |end| {
        ends.push(end);
        true
    });
    ends
}

/// What stands between the array's begin and each end.
fn heads(text: &str) -> Vec<&str> {
    let pieces = Pieces::from(Bytes::copy_from_slice(text.as_bytes()));
    ends(&pieces, 0..text.len()).into_iter().map(|end| &text[..end]).collect()
}

#[test]
fn an_element_ends_with_its_last_byte() {
    assert_eq!(heads("[1,22, 3 ]"), ["[1", "[1,22", "[1,22, 3"]);
    assert_eq!(
        heads("[\n  {\"a\": [1, 2]} ,\n  \"x\"\n]"),
        ["[\n  {\"a\": [1, 2]}", "[\n  {\"a\": [1, 2]} ,\n  \"x\""]
    );
}

#[test]
fn brackets_and_quotes_in_strings_are_text() {
    assert_eq!(
        heads(r#"["],\"[",{"k":"}\\"},"\\\\"]"#),
        [r#"["],\"[""#, r#"["],\"[",{"k":"}\\"}"#, r#"["],\"[",{"k":"}\\"},"\\\\""#,]
    );
}

#[test]
fn an_empty_array_has_no_element() {
    assert_eq!(heads("[]"), [""; 0]);
    assert_eq!(heads("[ \n]"), [""; 0]);
    assert_eq!(heads("[[]]"), ["[[]"]);
}

#[test]
fn it_stops_when_nobody_wants_more() {
    let pieces = Pieces::from(Bytes::from_static(b"[1,2,3]"));
    let mut seen = Vec::new();
    ends_of_elements(&pieces, 0..7, |end| {
        seen.push(end);
        seen.len() < 2
    });
    assert_eq!(seen, [2, 4]);
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<i32>().prop_map(Value::from),
        Just(Value::Null),
        "[ -~\u{e9}\n]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z\"\\\\]{0,3}", inner, 0..4)
                .prop_map(|members| members.into_iter().collect::<Value>()),
        ]
    })
}

proptest! {
    #[test]
    fn seams_and_white_space_change_no_end(
        elements in prop::collection::vec(value(), 0..6),
        pretty: bool,
        cuts in prop::collection::vec(0_usize..400, 0..8),
    ) {
        let array = Value::from(elements.clone());
        let json = if pretty { serde_json::to_string_pretty(&array) } else { serde_json::to_string(&array) }.unwrap();
        let text = format!("{{\"x\":{json}}}");
        let range = 5..5 + json.len();
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        let cut = cuts.windows(2).map(|ends| Bytes::copy_from_slice(&text.as_bytes()[ends[0]..ends[1]]));
        let found = ends(&Pieces::from(cut.collect::<Vec<_>>()), range);
        prop_assert_eq!(found.len(), elements.len());
        // Up to each end, and closed there, it is the array of so many elements.
        for (count, end) in found.into_iter().enumerate() {
            let closed = format!("{}]", &text[5..end]);
            prop_assert_eq!(serde_json::from_str::<Vec<Value>>(&closed).unwrap(), &elements[..=count]);
            prop_assert!(!closed[..closed.len() - 1].ends_with(char::is_whitespace));
        }
    }
}
