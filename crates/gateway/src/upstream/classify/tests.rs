use http::HeaderValue;
use proptest::prelude::*;

use super::*;

/// 1994-11-06 08:49:37, a Sunday.
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777)
}

fn status(number: u16) -> StatusCode {
    StatusCode::from_u16(number).unwrap()
}

fn answered(number: u16, body: &str) -> Outcome {
    outcome_of_error(status(number), &HeaderMap::new(), &UpstreamError::read(body.as_bytes()), now)
}

fn rest(headers: &[(&'static str, &str)]) -> Option<Duration> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, HeaderValue::from_str(value).unwrap());
    }
    let limited = outcome(status(429), &map, now);
    let overloaded = outcome(status(503), &map, now);
    assert_eq!(limited.retry_after(), overloaded.retry_after());
    limited.retry_after()
}

#[test]
fn a_status_alone_gives_an_outcome() {
    for (numbers, name) in [
        (&[200, 201, 204, 302, 399][..], "success"),
        (&[401, 403], "authentication"),
        (&[402, 404], "not_found"),
        (&[408, 504, 524], "timeout_first_byte"),
        (&[429], "rate_limited"),
        (&[400, 405, 409, 413, 418, 422, 451, 499], "bad_request"),
        (&[502, 520, 521, 522, 523], "bad_gateway"),
        (&[503, 529], "overloaded"),
        (&[500, 501, 505, 507, 525, 530, 599, 600, 999], "server_error"),
    ] {
        for &number in numbers {
            assert_eq!(outcome(status(number), &HeaderMap::new(), now).name(), name, "{number}");
            assert_eq!(answered(number, "<html>").name(), name, "{number} with a body that says nothing");
        }
    }
}

#[test]
fn an_errors_own_word_beats_its_status() {
    for (number, body, expected) in [
        // OpenAI.
        (
            400,
            r#"{"error":{"type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#,
            "context_window",
        ),
        (
            429,
            r#"{"error":{"type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#,
            "not_found",
        ),
        (429, r#"{"error":{"type":"insufficient_quota","param":null,"code":null}}"#, "not_found"),
        (429, r#"{"error":{"type":"tokens","code":"rate_limit_exceeded"}}"#, "rate_limited"),
        (
            400,
            r#"{"error":{"code":"billing_hard_limit_reached","type":"invalid_request_error"}}"#,
            "not_found",
        ),
        (404, r#"{"error":{"type":"invalid_request_error","code":"model_not_found"}}"#, "not_found"),
        (
            400,
            r#"{"error":{"type":"image_generation_user_error","code":"moderation_blocked"}}"#,
            "content_policy",
        ),
        (400, r#"{"error":{"type":"invalid_request_error","code":"invalid_prompt"}}"#, "content_policy"),
        (400, r#"{"error":{"type":"invalid_request_error","code":"unsupported_value"}}"#, "bad_request"),
        // Azure.
        (
            400,
            r#"{"error":{"code":"content_filter","innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#,
            "content_policy",
        ),
        (
            400,
            r#"{"error":{"code":"400","innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#,
            "content_policy",
        ),
        (404, r#"{"error":{"code":"DeploymentNotFound","message":"m"}}"#, "not_found"),
        // llama.cpp, which said 500 for a while.
        (400, r#"{"error":{"code":400,"type":"exceed_context_size_error"}}"#, "context_window"),
        (500, r#"{"error":{"code":500,"type":"exceed_context_size_error"}}"#, "context_window"),
        // vLLM.
        (400, r#"{"error":{"type":"BadRequestError","param":"input_tokens","code":400}}"#, "context_window"),
        (400, r#"{"error":{"type":"BadRequestError","param":"temperature","code":400}}"#, "bad_request"),
        (404, r#"{"object":"error","type":"NotFoundError","param":null,"code":404}"#, "not_found"),
        // OpenRouter.
        (403, r#"{"error":{"code":403,"metadata":{"reasons":["hate"]}}}"#, "content_policy"),
        (403, r#"{"error":{"code":403,"metadata":{}}}"#, "authentication"),
        // Moonshot.
        (429, r#"{"error":{"type":"exceeded_current_quota_error"}}"#, "not_found"),
        (429, r#"{"error":{"type":"engine_overloaded_error"}}"#, "rate_limited"),
    ] {
        assert_eq!(answered(number, body).name(), expected, "{number} {body}");
    }
}

#[test]
fn words_in_a_message_or_in_a_success_mean_nothing() {
    let quoting = r#"{"error":{"message":"No deployments available: context_length_exceeded, 429"}}"#;
    assert_eq!(answered(400, quoting), Outcome::BadRequest);
    assert_eq!(answered(200, r#"{"error":{"code":"content_filter"}}"#), Outcome::Success);
}

#[test]
fn an_event_goes_by_its_word_then_its_status_then_its_type() {
    for (body, expected, number) in [
        (
            r#"{"error":{"code":"context_length_exceeded","type":"invalid_request_error"}}"#,
            "context_window",
            400,
        ),
        (r#"{"error":{"message":"m","type":"BadRequestError","param":null,"code":400}}"#, "bad_request", 400),
        (r#"{"error":{"message":"m","type":"InternalServerError","code":500}}"#, "server_error", 500),
        (r#"{"error":{"code":429,"type":"server_error"}}"#, "rate_limited", 429),
        (r#"{"error":{"code":502,"message":"m"},"choices":[]}"#, "bad_gateway", 502),
        (r#"{"type":"error","error":{"type":"overloaded_error"}}"#, "overloaded", 503),
        (r#"{"type":"error","code":"rate_limit_exceeded"}"#, "rate_limited", 429),
        (r#"{"error":{"code":"server_error"}}"#, "server_error", 500),
        (r#"{"error":{"type":"authentication_error"}}"#, "authentication", 401),
        (r#"{"error":{"type":"billing_error"}}"#, "not_found", 404),
        (r#"{"error":{"type":"timeout_error"}}"#, "timeout_first_byte", 504),
        (r#"{"error":"out of memory"}"#, "server_error", 500),
        ("", "server_error", 500),
    ] {
        let error = UpstreamError::read(body.as_bytes());
        assert_eq!(outcome_of_event(&error).name(), expected, "{body}");
        assert_eq!(status_of_event(&error).as_u16(), number, "{body}");
    }
}

#[test]
fn a_word_stands_in_the_tables_once() {
    let mut words: Vec<_> = CODES.iter().chain(&EVENT_TYPES).map(|(word, _)| word).collect();
    let all = words.len();
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), all);
}

#[test]
fn retry_after_is_seconds_or_a_date() {
    for (value, expected) in [
        ("0", Some(0.0)),
        ("20", Some(20.0)),
        (" 20 ", Some(20.0)),
        ("1.5", Some(1.5)),
        // The three forms of a date: the present one, RFC 850's and asctime's.
        ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60.0)),
        ("Sunday, 06-Nov-94 08:50:37 GMT", Some(60.0)),
        ("Sun Nov  6 08:50:37 1994", Some(60.0)),
        // Past.
        ("Sun, 06 Nov 1994 08:49:36 GMT", Some(0.0)),
        ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0.0)),
        // Longer than anybody waits.
        ("99999999999999999999", Some(MAX_TIMEOUT.as_secs_f64())),
        ("inf", Some(MAX_TIMEOUT.as_secs_f64())),
        ("Fri, 31 Dec 9999 23:59:59 GMT", Some(MAX_TIMEOUT.as_secs_f64())),
        // Nonsense.
        ("", None),
        ("-1", None),
        ("NaN", None),
        ("soon", None),
        ("Sun, 06 Nov 1994", None),
    ] {
        assert_eq!(rest(&[("retry-after", value)]), expected.map(Duration::from_secs_f64), "{value:?}");
    }
    assert_eq!(rest(&[]), None);
}

#[test]
fn milliseconds_win_over_seconds() {
    let second = Some(Duration::from_secs(1));
    assert_eq!(rest(&[("retry-after-ms", "1000")]), second);
    assert_eq!(rest(&[("x-ms-retry-after-ms", "1000"), ("retry-after", "7")]), second);
    assert_eq!(rest(&[("retry-after", "7"), ("retry-after-ms", "1000")]), second);
    assert_eq!(rest(&[("retry-after", "1"), ("retry-after-ms", "soon")]), second);
}

#[test]
fn the_clock_is_read_for_a_date_only() {
    let mut headers = HeaderMap::new();
    let never = || -> SystemTime { unreachable!("no date, no clock") };
    assert_eq!(outcome(status(200), &headers, never), Outcome::Success);
    headers.insert(header::RETRY_AFTER, HeaderValue::from_static("3"));
    let three = Some(Duration::from_secs(3));
    assert_eq!(outcome(status(429), &headers, never), Outcome::RateLimited { retry_after: three });
}

proptest! {
    #[test]
    fn no_header_is_a_danger(value in proptest::collection::vec(32u8..127, 0..40), ms: bool) {
        let name = if ms { "retry-after-ms" } else { "retry-after" };
        let wait = rest(&[(name, std::str::from_utf8(&value).unwrap())]);
        prop_assert!(wait.is_none_or(|wait| wait <= MAX_TIMEOUT));
    }
}
