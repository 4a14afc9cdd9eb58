use bytes::Bytes;

use super::*;

fn one(body: impl AsRef<[u8]>) -> Pieces {
    Bytes::copy_from_slice(body.as_ref()).into()
}

fn error(body: &[u8]) -> BadRequest {
    RequestHead::read(&one(body)).expect_err("the body is bad")
}

#[test]
fn a_chat_request_gives_model_and_stream() {
    let body = one(r#" {"messages":[{"role":"user","content":"hi"}], "model" : "gpt-4o", "stream":true} "#);
    let head = RequestHead::read(&body).unwrap();
    assert_eq!(head.model, "gpt-4o");
    assert!(matches!(head.model, Cow::Borrowed(_)));
    assert!(head.stream);
    assert_eq!(head.extras, Extras::default());
    assert_eq!(head.fields.as_slice().len(), 3);
}

#[test]
fn escapes_in_key_and_value_are_read_as_what_they_mean() {
    let body = one(r#"{"mod\u0065l":"gpt\u002d4o \ud83e\udd80","\u0073tream":true}"#);
    let head = RequestHead::read(&body).unwrap();
    assert_eq!(head.model, "gpt-4o 🦀");
    assert!(head.stream);
}

#[test]
fn seams_change_nothing_in_what_is_read() {
    let text = Bytes::from(r#"{"stream":true,"model":"gpt-4o","timeout":1.5,"n":1,"mock":"\u0041"}"#);
    for at in 0..text.len() {
        let body = Pieces::from(vec![text.slice(..at), text.slice(at..)]);
        let head = RequestHead::read(&body).unwrap();
        assert_eq!((&*head.model, head.stream), ("gpt-4o", true), "cut at {at}");
        assert_eq!(head.extras.timeout, Some(std::time::Duration::from_millis(1500)), "cut at {at}");
    }
    let text = Bytes::from(r#"{"mod\u0065l":"gpt\u002d4o"}"#);
    for at in 0..text.len() {
        let body = Pieces::from(vec![text.slice(..at), text.slice(at..)]);
        assert_eq!(RequestHead::read(&body).unwrap().model, "gpt-4o", "cut at {at}");
    }
}

#[test]
fn a_stream_of_null_or_none_is_false() {
    assert!(!RequestHead::read(&one(r#"{"model":"m","stream":null}"#)).unwrap().stream);
    assert!(!RequestHead::read(&one(r#"{"model":"m","stream":false}"#)).unwrap().stream);
    assert!(!RequestHead::read(&one(r#"{"model":"m"}"#)).unwrap().stream);
}

#[test]
fn a_bad_model_is_named() {
    assert_eq!(error(b"{}"), BadRequest::ModelMissing);
    assert_eq!(error(br#"{"Model":"m","x":{"model":"m"}}"#), BadRequest::ModelMissing);
    assert_eq!(error(br#"{"model":""}"#), BadRequest::ModelEmpty);
    for (value, found) in [
        ("null", Kind::Null),
        ("1", Kind::Number),
        ("false", Kind::Bool),
        ("[]", Kind::Array),
        ("{}", Kind::Object),
    ] {
        let body = format!(r#"{{"model":{value}}}"#);
        let expected = BadRequest::WrongType { param: "model", expected: "a string", found };
        assert_eq!(error(body.as_bytes()), expected);
    }
    assert_eq!(error(br#"{"model":"a","model":"a"}"#), BadRequest::Repeated { param: "model" });
    assert_eq!(error(br#"{"model":"a","mode\u006c":"b"}"#), BadRequest::Repeated { param: "model" });
    assert_eq!(error(br#"{"model":"a\nb"}"#), BadRequest::ModelNotText);
    assert_eq!(error(br#"{"model":"a\u0000"}"#), BadRequest::ModelNotText);
    assert_eq!(error(br#"{"model":"a\u009bb"}"#), BadRequest::ModelNotText);
    assert_eq!(error(br#"{"model":"a\ud800"}"#), BadRequest::ModelNotText);
}

#[test]
fn a_model_may_have_256_bytes_however_it_is_spelled() {
    let exactly = format!(r#"{{"model":"{}"}}"#, "m".repeat(256));
    assert_eq!(RequestHead::read(&one(exactly)).unwrap().model.len(), 256);
    let escaped = format!(r#"{{"model":"{}"}}"#, "\\u006d".repeat(256));
    assert_eq!(RequestHead::read(&one(escaped)).unwrap().model, "m".repeat(256));
    for long in ["m".repeat(257), "\\u006d".repeat(257), "m".repeat(100_000)] {
        assert_eq!(error(format!(r#"{{"model":"{long}"}}"#).as_bytes()), BadRequest::ModelTooLong);
    }
}

#[test]
fn a_bad_stream_is_named() {
    let wrong = |found| BadRequest::WrongType { param: "stream", expected: "true or false", found };
    assert_eq!(error(br#"{"model":"m","stream":"true"}"#), wrong(Kind::String));
    assert_eq!(error(br#"{"model":"m","stream":1}"#), wrong(Kind::Number));
    let twice = br#"{"model":"m","stream":null,"stream":true}"#;
    assert_eq!(error(twice), BadRequest::Repeated { param: "stream" });
}

#[test]
fn time_limits_are_positive_seconds() {
    let body = one(r#"{"model":"m","timeout":1.5,"stream_timeout":2e1,"request_timeout":null}"#);
    let extras = RequestHead::read(&body).unwrap().extras;
    assert_eq!(extras.timeout, Some(std::time::Duration::from_millis(1500)));
    assert_eq!(extras.stream_timeout, Some(std::time::Duration::from_secs(20)));
    assert_eq!(extras.request_timeout, None);

    let long = RequestHead::read(&one(r#"{"model":"m","request_timeout":1e300}"#)).unwrap().extras;
    assert_eq!(long.timeout(), Some(crate::openai::MAX_TIMEOUT));

    for value in ["0", "-1", "0.0", "-0", "1e-99", "1e999"] {
        let body = format!(r#"{{"model":"m","stream_timeout":{value}}}"#);
        assert_eq!(error(body.as_bytes()), BadRequest::NotSeconds { param: "stream_timeout" }, "{value}");
    }
    assert_eq!(
        error(br#"{"model":"m","timeout":"5"}"#),
        BadRequest::WrongType { param: "timeout", expected: "a number of seconds", found: Kind::String }
    );
    assert_eq!(error(br#"{"model":"m","timeout":5,"timeout":5}"#), BadRequest::Repeated { param: "timeout" });
}

#[test]
fn whom_it_is_for_and_how_long_the_answer_may_be_are_read_where_they_can_be() {
    let read = |fields: &str| {
        let body = one(format!(r#"{{"model":"m",{fields}}}"#));
        let head = RequestHead::read(&body).unwrap();
        (head.user.map(Cow::into_owned), head.max_tokens)
    };
    for (fields, user, max_tokens) in [
        (r#""user":"u-7","max_tokens":256"#, Some("u-7"), Some(256)),
        (r#""user":"\u0075","max_completion_tokens":9,"max_tokens":8"#, Some("u"), Some(9)),
        (r#""max_output_tokens":18446744073709551615"#, None, Some(u64::MAX)),
        (r#""user":"","max_tokens":null"#, None, None),
        (r#""user":7,"max_tokens":"256""#, None, None),
        (r#""user":null,"max_tokens":-1,"max_output_tokens":1.0"#, None, None),
        (r#""user":"\ud800","max_tokens":18446744073709551616"#, None, None),
    ] {
        assert_eq!(read(fields), (user.map(str::to_owned), max_tokens), "{fields}");
    }
}

#[test]
fn an_ordinary_request_is_read_without_a_copy() {
    let body = one(r#"{"model":"m","user":"u","metadata":{"k":"v"},"max_tokens":5,"messages":[]}"#);
    let head = RequestHead::read(&body).unwrap();
    assert!(matches!((head.model, head.user), (Cow::Borrowed("m"), Some(Cow::Borrowed("u")))));
    assert_eq!(head.extras, Extras::default());
    assert_eq!(head.extras.tags.capacity(), 0);
}

#[test]
fn the_path_names_the_model_where_it_can() {
    let body = one(r#"{"stream":true}"#);
    let head = RequestHead::read_for("gpt-4o", &body).unwrap();
    assert_eq!((&*head.model, head.stream), ("gpt-4o", true));
    assert_eq!(RequestHead::read_for("gpt-4o", &one(r#"{"model":"other"}"#)).unwrap().model, "gpt-4o");
    assert_eq!(RequestHead::read_for("", &one("{}")).unwrap_err(), BadRequest::ModelEmpty);
    assert_eq!(RequestHead::read_for("a\nb", &one("{}")).unwrap_err(), BadRequest::ModelNotText);
}

#[test]
fn messages_name_the_field_and_the_way_out() {
    let wrong = error(br#"{"model":7}"#);
    assert_eq!(
        (wrong.to_string().as_str(), wrong.param()),
        ("`model` must be a string, not a number.", "model")
    );
    let broken = error(br#"{"model":"#);
    assert_eq!(broken.to_string(), "The request body is not valid JSON: expected a value at byte 9.");
    assert_eq!((broken.param(), broken.status().as_u16()), ("request_body", 400));
    let list = error(b"[1]");
    assert_eq!(
        list.to_string(),
        "The request body must be a JSON object like {\"model\": ...}, not an array."
    );
    let seconds = error(br#"{"model":"m","timeout":0}"#);
    assert_eq!(
        seconds.to_string(),
        "`timeout` must be a number of seconds greater than 0 (at most 31536000 count)."
    );
}
