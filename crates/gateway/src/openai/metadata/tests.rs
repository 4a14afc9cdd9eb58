use super::*;

fn read(json: &str) -> (Vec<String>, Option<String>) {
    let RouterMetadata { tags, session } = RouterMetadata::read(json.as_bytes());
    (tags, session)
}

#[test]
fn tags_and_session_are_found_among_the_rest() {
    let (tags, session) =
        read(r#"{"trace":{"tags":["not these"]},"t\u0061gs":["a","","b"],"session_id":"s\u002d1","n":1}"#);
    assert_eq!(tags, ["a", "b"]);
    assert_eq!(session.as_deref(), Some("s-1"));
}

#[test]
fn what_is_the_providers_own_is_left_alone() {
    let many = format!("{{\"tags\":{}}}", serde_json::json!(vec!["t"; MAX_TAGS + 1]));
    let long = format!("{{\"session_id\":\"{}\"}}", "s".repeat(MAX_SESSION_BYTES + 1));
    for json in [
        "null",
        "7",
        "\"tags\"",
        "[[\"tags\"]]",
        "{}",
        r#"{"tags":"a,b"}"#,
        r#"{"tags":["a",7]}"#,
        r#"{"tags":{"a":1}}"#,
        r#"{"tags":null,"session_id":null}"#,
        r#"{"session_id":7}"#,
        r#"{"session_id":""}"#,
        r#"{"session_id":"\ud800"}"#,
        r#"{"tags":["a"],"tags":["b"]}"#,
        &many,
        &long,
    ] {
        assert_eq!(read(json), (Vec::new(), None), "{json:.60}");
    }
    let most = format!("{{\"tags\":{}}}", serde_json::json!(vec!["t"; MAX_TAGS]));
    assert_eq!(read(&most).0.len(), MAX_TAGS);
}

#[test]
fn a_list_in_a_header_has_commas() {
    assert_eq!(comma_list(" a ,,b c,"), Some(vec!["a".to_owned(), "b c".to_owned()]));
    assert_eq!(comma_list(""), Some(Vec::new()));
    assert_eq!(comma_list(&"a,".repeat(MAX_TAGS)).map(|tags| tags.len()), Some(MAX_TAGS));
    assert_eq!(comma_list(&"a,".repeat(MAX_TAGS + 1)), None);
}
