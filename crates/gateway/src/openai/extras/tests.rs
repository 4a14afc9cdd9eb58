use bytes::Bytes;
use http::HeaderValue;

use super::*;
use crate::openai::{Kind, Pieces, RequestHead};

/// What a request with these fields beside its model asks for.
fn read(fields: &str) -> Result<Extras, BadRequest> {
    let body = Pieces::from(Bytes::from(format!("{{\"model\":\"m\",{fields}}}")));
    RequestHead::read(&body).map(|head| head.extras)
}

fn models(list: Option<&FallbackList>) -> Option<Vec<&str>> {
    list.map(|list| list.targets(&["m"]).iter().map(|target| &*target.model).collect())
}

#[test]
fn every_extra_is_read() {
    let extras = read(
        r#""num_retries":3,"cooldown_time":0.5,"disable_fallbacks":true,"include_fallback_errors":true,
           "fallbacks":["a"],"context_window_fallbacks":[{"m":["b"]}],"content_policy_fallbacks":[{"model":"c","n":1}]"#,
    )
    .unwrap();
    assert_eq!(extras.num_retries, Some(3));
    assert_eq!(extras.cooldown_time, Some(Duration::from_millis(500)));
    assert!(extras.disable_fallbacks && extras.include_fallback_errors);
    let fallbacks = extras.fallbacks.unwrap();
    assert_eq!(models(fallbacks.general.as_ref()), Some(vec!["a"]));
    assert_eq!(models(fallbacks.context_window.as_ref()), Some(vec!["b"]));
    assert_eq!(models(fallbacks.content_policy.as_ref()), Some(vec!["c"]));
}

#[test]
fn null_asks_for_nothing() {
    let extras = read(
        r#""timeout":null,"num_retries":null,"cooldown_time":null,"disable_fallbacks":null,"fallbacks":null,
           "context_window_fallbacks":null,"content_policy_fallbacks":null,"include_fallback_errors":null,
           "router_settings_override":null,"mock_testing_fallbacks":null,"mock_testing_context_fallbacks":false"#,
    );
    assert_eq!(extras, Ok(Extras::default()));
}

#[test]
fn retries_are_whole_and_bounded() {
    for (value, retries) in [("0", 0), ("1", 1), ("100", 100)] {
        assert_eq!(read(&format!("\"num_retries\":{value}")).unwrap().num_retries, Some(retries));
    }
    for value in ["-1", "1.5", "101", "1e2", "99999999999999999999"] {
        let error = read(&format!("\"num_retries\":{value}")).unwrap_err();
        assert_eq!(error, BadRequest::NotRetries { param: "num_retries" }, "{value}");
    }
    assert_eq!(
        BadRequest::NotRetries { param: "num_retries" }.to_string(),
        "`num_retries` must be a whole number from 0 to 100."
    );
    assert!(RETRIES.ends_with(&format!(" {MAX_RETRIES}")));
}

#[test]
fn a_rest_may_be_zero_and_is_bounded() {
    for (value, seconds) in [("0", 0.0), ("-0.0", 0.0), ("2.5", 2.5), ("1e300", MAX_TIMEOUT.as_secs_f64())] {
        let extras = read(&format!("\"cooldown_time\":{value}")).unwrap();
        assert_eq!(extras.cooldown_time, Some(Duration::from_secs_f64(seconds)), "{value}");
    }
    let error = read("\"cooldown_time\":-1").unwrap_err();
    assert_eq!(error, BadRequest::NotARest { param: "cooldown_time" });
}

#[test]
fn wrong_types_are_refused_by_name() {
    for (param, value, expected, found) in [
        ("num_retries", "\"3\"", "a whole number", Kind::String),
        ("cooldown_time", "[]", "a number of seconds", Kind::Array),
        ("disable_fallbacks", "1", "true or false", Kind::Number),
        ("include_fallback_errors", "\"true\"", "true or false", Kind::String),
        ("fallbacks", "{}", "a list of fallbacks", Kind::Object),
        ("context_window_fallbacks", "\"a\"", "a list of fallbacks", Kind::String),
        ("content_policy_fallbacks", "false", "a list of fallbacks", Kind::Bool),
        ("router_settings_override", "[]", "an object", Kind::Array),
        ("mock_testing_fallbacks", "1", "true or false", Kind::Number),
        ("mock_testing_context_fallbacks", "{}", "true or false", Kind::Object),
        ("mock_testing_content_policy_fallbacks", "\"\"", "true or false", Kind::String),
    ] {
        let error = read(&format!("\"{param}\":{value}")).unwrap_err();
        assert_eq!(error, BadRequest::WrongType { param, expected, found });
        let twice = read(&format!("\"{param}\":null,\"{param}\":null")).unwrap_err();
        assert_eq!(twice, BadRequest::Repeated { param });
        assert!(is_routing_extra(param.as_bytes()), "{param} stays here");
    }
}

#[test]
fn an_override_of_the_settings_counts_where_the_request_says_nothing() {
    let settings = r#""router_settings_override":{"timeout":9,"num_retries":1,"fallbacks":["o"],
        "context_window_fallbacks":["o"],"content_policy_fallbacks":["o"],"routing_strategy":"simple-shuffle",
        "enable_tag_filtering":["unread"]}"#;
    let extras = read(settings).unwrap();
    assert_eq!((extras.timeout(), extras.num_retries), (Some(Duration::from_secs(9)), Some(1)));
    assert_eq!(extras.strategy, Some(Strategy::Shuffle));
    let fallbacks = extras.fallbacks.unwrap();
    let lists = [&fallbacks.general, &fallbacks.context_window, &fallbacks.content_policy];
    assert!(lists.into_iter().all(|list| models(list.as_ref()) == Some(vec!["o"])));

    let own = r#""num_retries":0,"request_timeout":2,"content_policy_fallbacks":[]"#;
    for both in [format!("{own},{settings}"), format!("{settings},{own}")] {
        let extras = read(&both).unwrap();
        assert_eq!((extras.timeout(), extras.num_retries), (Some(Duration::from_secs(2)), Some(0)));
        let fallbacks = extras.fallbacks.unwrap();
        assert_eq!(models(fallbacks.general.as_ref()), Some(vec!["o"]));
        assert_eq!(models(fallbacks.content_policy.as_ref()), Some(vec![]));
    }
    assert_eq!(read(r#""router_settings_override":{}"#), Ok(Extras::default()));
}

#[test]
fn a_mistake_in_an_override_is_named_with_its_place() {
    for (settings, param) in [
        (r#"{"num_retries":-1}"#, "router_settings_override.num_retries"),
        (r#"{"timeout":0}"#, "router_settings_override.timeout"),
        (r#"{"routing_strategy":"lar1"}"#, "router_settings_override.routing_strategy"),
        (r#"{"routing_strategy":7}"#, "router_settings_override.routing_strategy"),
        (r#"{"fallbacks":7}"#, "router_settings_override.fallbacks"),
        (r#"{"context_window_fallbacks":[7]}"#, "router_settings_override.context_window_fallbacks"),
        (r#"{"content_policy_fallbacks":{}}"#, "router_settings_override.content_policy_fallbacks"),
    ] {
        let error = read(&format!("\"router_settings_override\":{settings}")).unwrap_err();
        assert_eq!(error.param(), param);
        assert!(error.to_string().contains(&format!("`{param}`")), "{error}");
    }
}

#[test]
fn of_several_pretended_failures_the_first_in_rank_counts() {
    let general = r#""mock_testing_fallbacks":true"#;
    let context = r#""mock_testing_context_fallbacks":true"#;
    let policy = r#""mock_testing_content_policy_fallbacks":true"#;
    for (fields, failure) in [
        (general.to_owned(), MockFailure::General),
        (context.to_owned(), MockFailure::ContextWindow),
        (policy.to_owned(), MockFailure::ContentPolicy),
        (format!("{policy},{context}"), MockFailure::ContextWindow),
        (format!("{policy},{general},{context}"), MockFailure::General),
    ] {
        assert_eq!(read(&fields).unwrap().mock_failure, Some(failure), "{fields}");
    }
}

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect()
}

#[test]
fn headers_fill_what_the_body_left_open() {
    let three = headers(&[
        ("x-litellm-timeout", "5"),
        ("x-litellm-stream-timeout", " 0.5 "),
        ("x-litellm-num-retries", "4"),
    ]);
    let mut silent = Extras::default();
    silent.fill_from(&three).unwrap();
    assert_eq!(silent.timeout(), Some(Duration::from_secs(5)));
    assert_eq!(silent.stream_timeout, Some(Duration::from_millis(500)));
    assert_eq!(silent.num_retries, Some(4));

    let mut own = read(r#""request_timeout":1,"stream_timeout":2,"num_retries":0"#).unwrap();
    own.fill_from(&three).unwrap();
    assert_eq!(own.timeout(), Some(Duration::from_secs(1)));
    assert_eq!(own.stream_timeout, Some(Duration::from_secs(2)));
    assert_eq!(own.num_retries, Some(0));
}

#[test]
fn a_header_that_cannot_be_read_is_refused() {
    for (name, value, message) in [
        ("x-litellm-timeout", "soon", "The header `x-litellm-timeout` must be a number of seconds above 0."),
        (
            "x-litellm-stream-timeout",
            "0",
            "The header `x-litellm-stream-timeout` must be a number of seconds above 0.",
        ),
        (
            "x-litellm-num-retries",
            "-1",
            "The header `x-litellm-num-retries` must be a whole number from 0 to 100.",
        ),
        (
            "x-litellm-num-retries",
            "101",
            "The header `x-litellm-num-retries` must be a whole number from 0 to 100.",
        ),
    ] {
        let error = Extras::default().fill_from(&headers(&[(name, value)])).unwrap_err();
        assert_eq!((error.status.as_u16(), error.param.as_deref()), (400, Some(name)));
        assert_eq!(error.message, message);
    }
}

#[test]
fn what_is_read_never_goes_upstream() {
    for name in [
        "priority",
        "tags",
        "mock_response",
        "mock_timeout",
        "mock_testing_rate_limit_error",
        "stream_timeout",
    ] {
        assert!(is_routing_extra(name.as_bytes()), "{name}");
    }
    for name in ["model", "stream", "metadata", "Timeout", "fallback", "mock", ""] {
        assert!(!is_routing_extra(name.as_bytes()), "{name}");
    }
}
