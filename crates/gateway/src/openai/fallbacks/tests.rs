use proptest::prelude::*;

use super::*;

fn read(json: &str) -> Result<Option<FallbackList>, BadRequest> {
    FallbackList::read(Given { json: json.as_bytes(), param: "fallbacks" })
}

fn list(json: &str) -> FallbackList {
    read(json).unwrap().expect("a list")
}

fn models<'a>(list: &'a FallbackList, names: &[&str]) -> Vec<&'a str> {
    list.targets(names).iter().map(|target| &*target.model).collect()
}

#[test]
fn names_serve_every_group() {
    let list = list(r#"["b", "c\u002dd", {"model": "e"}]"#);
    for names in [&["a"][..], &["x", "y"], &[]] {
        assert_eq!(models(&list, names), ["b", "c-d", "e"]);
    }
    assert!(list.targets(&[]).iter().all(|target| target.overlay.is_empty()));
}

#[test]
fn lists_by_group_serve_theirs() {
    let list = list(r#"[{"a": ["b", "c"]}, {"d": ["e"], "*": ["f"]}, {"model": ["g"]}]"#);
    assert_eq!(models(&list, &["a"]), ["b", "c"]);
    assert_eq!(models(&list, &["alias", "d"]), ["e"]);
    assert_eq!(models(&list, &["d", "a"]), ["e"]);
    assert_eq!(models(&list, &["unknown"]), ["f"]);
    assert_eq!(models(&list, &["model"]), ["g"]);

    let without_star = self::list(r#"[{"a": ["b"]}]"#);
    assert_eq!(models(&without_star, &["unknown"]), [""; 0]);
}

#[test]
fn an_override_brings_fields_but_not_those_that_route() {
    let list = list(
        r#"[{"model": "b", "messages": [{"role": "user", "content": "short"}], "temperature": 0, "te\u006dperature": 1,
             "stream": true, "timeout": 3, "fallbacks": ["x"], "mock_testing_fallbacks": true}]"#,
    );
    let [target] = list.targets(&[]) else { panic!("one target") };
    assert_eq!(&*target.model, "b");
    let fields: Vec<_> = target.overlay.iter().map(|(name, _)| name).collect();
    assert_eq!(fields, ["messages", "temperature"]);
    assert_eq!(target.overlay.get(b"temperature"), Some(&b"1"[..]));
    assert_eq!(target.overlay.get(b"messages"), Some(&br#"[{"role": "user", "content": "short"}]"#[..]));
}

#[test]
fn null_is_none_and_an_empty_list_is_one() {
    assert_eq!(read("null"), Ok(None));
    assert_eq!(models(&list("[]"), &["a"]), [""; 0]);
    assert_eq!(models(&list(r#"[{"a": []}]"#), &["a"]), [""; 0]);
}

#[test]
fn what_is_no_list_of_fallbacks_is_refused() {
    for (json, found) in [
        ("\"b\"", Kind::String),
        ("{\"a\":[\"b\"]}", Kind::Object),
        ("1", Kind::Number),
        ("true", Kind::Bool),
    ] {
        let expected = "a list of fallbacks";
        assert_eq!(read(json), Err(BadRequest::WrongType { param: "fallbacks", expected, found }));
    }
    for json in [
        "[1]",
        "[null]",
        "[[\"b\"]]",
        "[\"\"]",
        "[\"b\\nc\"]",
        "[\"\\ud800\"]",
        r#"[{"a": "b"}]"#,
        r#"[{"a": [1]}]"#,
        r#"[{"a": [{"messages": []}]}]"#,
        r#"[{"messages": [], "model": 1}]"#,
        r#"[{"model": "", "messages": []}]"#,
    ] {
        assert_eq!(read(json), Err(BadRequest::BadFallbacks { param: "fallbacks" }), "{json}");
    }
    let long = format!("[\"{}\"]", "m".repeat(257));
    assert_eq!(read(&long), Err(BadRequest::BadFallbacks { param: "fallbacks" }));
    let error = read("[1]").unwrap_err();
    assert_eq!(
        error.to_string(),
        "`fallbacks` must be a list of model names, of objects like {\"model\": \"MODEL\", ...}, or of objects like \
         {\"GROUP\": [\"MODEL\", ...]}."
    );
    assert_eq!((error.status().as_u16(), error.param()), (400, "fallbacks"));
}

#[test]
fn there_may_be_100_of_them() {
    let names = |many: usize| format!("[{}]", vec!["\"b\""; many].join(","));
    assert_eq!(list(&names(100)).targets(&[]).len(), 100);
    let too_many = Err(BadRequest::TooManyFallbacks { param: "fallbacks" });
    assert_eq!(read(&names(101)), too_many);
    assert_eq!(read(&format!("[{{\"a\":{}}}]", names(100))), too_many);
    let empty_groups: Vec<_> = (0..101).map(|number| format!("{{\"g{number}\":[]}}")).collect();
    assert_eq!(read(&format!("[{}]", empty_groups.join(","))), too_many);
}

proptest! {
    #[test]
    fn no_json_is_a_danger(words in proptest::collection::vec(
        proptest::sample::select(vec!["[", "]", "{", "}", "\"model\"", "\"a\"", ":", ",", "null", "1", "\"\\ud800\""]), 0..20,
    )) {
        let json = words.concat();
        let _ = read(&json);
        let _ = read(&format!("[{json}]"));
    }
}
