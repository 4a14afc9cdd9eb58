use bytes::Bytes;
use http::HeaderValue;

use super::*;
use crate::openai::{Kind, MAX_SESSION_BYTES, MAX_TAGS, Pieces, RequestHead};

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
           "router_settings_override":null,"priority":null,"tags":null,"litellm_session_id":null,"metadata":null,
           "mock_testing_fallbacks":null,"mock_testing_context_fallbacks":false"#,
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
        ("priority", "\"1\"", "a whole number", Kind::String),
        ("tags", "\"a,b\"", "a list of strings", Kind::String),
        ("litellm_session_id", "7", "a string", Kind::Number),
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
        "enable_tag_filtering":true,"model_group_retry_policy":["unread"]}"#;
    let extras = read(settings).unwrap();
    assert_eq!((extras.timeout(), extras.num_retries), (Some(Duration::from_secs(9)), Some(1)));
    assert_eq!((extras.strategy, extras.tag_filtering), (Some(Strategy::Shuffle), Some(true)));
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
        (r#"{"enable_tag_filtering":"yes"}"#, "router_settings_override.enable_tag_filtering"),
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

#[test]
fn a_priority_is_any_whole_number() {
    for (value, priority) in [("0", 0), ("-3", -3), ("9223372036854775807", i64::MAX)] {
        assert_eq!(read(&format!("\"priority\":{value}")).unwrap().priority, Some(priority));
    }
    for value in ["1.5", "1e2", "9223372036854775808"] {
        let error = read(&format!("\"priority\":{value}")).unwrap_err();
        assert_eq!(error, BadRequest::NotAPriority { param: "priority" }, "{value}");
        assert_eq!(
            error.to_string(),
            "`priority` must be a whole number such as 0; of requests that wait, the lowest is served first."
        );
    }
}

#[test]
fn tags_of_all_places_count() {
    let body = r#""metadata":{"tags":["c"],"session_id":"theirs"},"tags":["a","b"]"#;
    let mut extras = read(body).unwrap();
    assert_eq!((extras.tags.join(" "), extras.session.as_deref()), ("a b c".to_owned(), Some("theirs")));
    extras
        .fill_from(&headers(&[("x-litellm-tags", "d, e"), ("x-litellm-session-id", "in the header")]))
        .unwrap();
    assert_eq!((extras.tags.join(" "), extras.session.as_deref()), ("a b c d e".to_owned(), Some("theirs")));
}

#[test]
fn a_session_of_the_routers_own_field_goes_before_metadata() {
    for body in [
        r#""litellm_session_id":"ours","metadata":{"session_id":"theirs"}"#,
        r#""metadata":{"session_id":"theirs"},"litellm_session_id":"ours""#,
    ] {
        assert_eq!(read(body).unwrap().session.as_deref(), Some("ours"));
    }
    assert_eq!(read(r#""litellm_session_id":"""#).unwrap().session, None);
    let mut extras = Extras::default();
    extras.fill_from(&headers(&[("x-litellm-session-id", " s ")])).unwrap();
    assert_eq!(extras.session.as_deref(), Some("s"));
}

#[test]
fn tags_and_sessions_are_bounded() {
    let list = |length| format!("\"tags\":{}", serde_json::json!(vec!["t"; length]));
    assert_eq!(read(&list(MAX_TAGS)).unwrap().tags.len(), MAX_TAGS);
    for wrong in [list(MAX_TAGS + 1), r#""tags":["a",7]"#.to_owned(), r#""tags":["\ud800"]"#.to_owned()] {
        let error = read(&wrong).unwrap_err();
        assert_eq!(error, BadRequest::BadTags { param: "tags" });
        assert_eq!(error.to_string(), r#"`tags` must be a list of at most 100 strings like ["paid", "eu"]."#);
    }
    for wrong in ["s".repeat(MAX_SESSION_BYTES + 1), "\\ud800".to_owned()] {
        let error = read(&format!("\"litellm_session_id\":\"{wrong}\"")).unwrap_err();
        assert_eq!(error, BadRequest::BadSession { param: "litellm_session_id" });
        assert_eq!(error.to_string(), "`litellm_session_id` must be a string of at most 256 bytes.");
    }
    assert!(TAG_LIST.contains(&format!(" {MAX_TAGS} ")));
    assert!(SESSION_NAME.contains(&format!(" {MAX_SESSION_BYTES} ")));
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
fn every_line_of_the_header_with_tags_counts() {
    let lines = |lines: &[&str]| {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-litellm-tags", HeaderValue::from_str(line).unwrap());
        }
        let mut extras = Extras::default();
        extras.fill_from(&headers).map(|()| extras.tags)
    };
    assert_eq!(lines(&["a, b", "", "c"]).unwrap(), ["a", "b", "c"]);
    assert_eq!(lines(&[]).unwrap(), [""; 0]);
    let half = "t,".repeat(MAX_TAGS / 2);
    assert_eq!(lines(&[&half, &half]).unwrap().len(), MAX_TAGS);
    assert!(lines(&[&half, &half, "t"]).is_err(), "the limit is that of all lines together");
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
    let long = "a,".repeat(2 * MAX_TAGS);
    for (name, expected) in [("x-litellm-tags", TAG_LIST), ("x-litellm-session-id", SESSION_NAME)] {
        let one = HeaderMap::from_iter([(HeaderName::from_static(name), long.parse().unwrap())]);
        let error = Extras::default().fill_from(&one).unwrap_err();
        assert_eq!(error.message, format!("The header `{name}` must be {expected}."));
    }
}

#[test]
fn what_is_read_never_goes_upstream() {
    for name in [
        "priority",
        "tags",
        "litellm_session_id",
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
