use serde_json::{Value, json};

use super::*;

fn read(error: &ApiError) -> Value {
    serde_json::from_slice(&error.body()).unwrap()
}

#[test]
fn the_body_has_openais_shape_and_the_status_as_code() {
    let error = ApiError::unknown_model("gpt-5o", &["gpt-4o", "gpt-5"]);
    assert_eq!(
        read(&error),
        json!({"error": {
            "message": "Invalid model name: there is no model group `gpt-5o`. Did you mean `gpt-4o` or `gpt-5`? \
                        `GET /v1/models` lists all.",
            "type": "invalid_request_error",
            "param": "model",
            "code": "400",
        }})
    );
    assert_eq!(read(&ApiError::auth())["error"]["param"], Value::Null);
}

#[test]
fn each_case_has_its_status_and_type() {
    let second = Duration::from_secs(1);
    let total = UpstreamTimeout::Total;
    for (error, status, kind) in [
        (ApiError::invalid_request("wrong", "n"), 400, "invalid_request_error"),
        (ApiError::from(BadRequest::ModelMissing), 400, "invalid_request_error"),
        (ApiError::from(BadRequest::TooLong), 413, "invalid_request_error"),
        (ApiError::body_too_large(5), 413, "invalid_request_error"),
        (ApiError::auth(), 401, "auth_error"),
        (ApiError::all_blocked("m"), 503, "all_deployments_blocked"),
        (ApiError::no_deployment_for_tags("m", &[]), 401, "no_deployment_for_tags"),
        (ApiError::prompt_too_long("m", 9, 8), 400, "invalid_request_error"),
        (ApiError::method_not_allowed("GET", "POST"), 405, "invalid_request_error"),
        (ApiError::path_not_found("/v1/chat"), 404, "invalid_request_error"),
        (ApiError::model_not_found("m", &[]), 404, "invalid_request_error"),
        (ApiError::request_timeout(second), 408, "invalid_request_error"),
        (ApiError::upstream_connection("m"), 502, "upstream_connection_error"),
        (ApiError::upstream_broke_off("m"), 502, "upstream_connection_error"),
        (ApiError::upstream_timeout("m", total, second), 504, "timeout"),
        (ApiError::deadline("m", second), 504, "timeout"),
        (ApiError::all_cooling("m", second), 429, "all_deployments_in_cooldown"),
        (ApiError::overloaded("m", second), 503, "service_unavailable_error"),
    ] {
        assert_eq!((error.status.as_u16(), error.kind), (status, kind), "{error}");
        assert_eq!(read(&error)["error"]["code"], status.to_string());
    }
}

#[test]
fn a_refused_body_names_its_field() {
    let error = ApiError::from(BadRequest::Repeated { param: "stream" });
    assert_eq!(error.param.as_deref(), Some("stream"));
    assert_eq!(error.message, "`stream` is given more than once. Send it once.");
}

#[test]
fn a_timeout_names_the_limit_and_its_setting() {
    let error = ApiError::upstream_timeout("m", UpstreamTimeout::FirstByte, Duration::from_millis(1500));
    assert_eq!(
        error.message,
        "Timeout: a deployment of `m` did not begin to answer within 1.5 s. Try again, ask for less, or raise \
         `timeout` or `first_byte_timeout`."
    );
}

#[test]
fn a_deadline_names_its_setting() {
    assert_eq!(
        ApiError::deadline("m", Duration::from_secs(30)).message,
        "Timeout: no deployment gave an answer for `m` within 30 s, other attempts included. Try again, ask for \
         less, or raise `timeout` or `total_timeout`."
    );
}

#[test]
fn a_group_that_cools_down_says_how_long_it_still_does() {
    for (milliseconds, wait) in
        [(0, "1 second"), (900, "1 second"), (1001, "2 seconds"), (60_000, "60 seconds")]
    {
        let error = ApiError::all_cooling("m", Duration::from_millis(milliseconds));
        assert_eq!(
            error.message,
            format!("No deployment of `m` is available: all are cooling down. Try again in {wait}.")
        );
        assert_eq!(
            error.retry_after_seconds().map(|seconds| seconds.to_string()).as_deref(),
            wait.split(' ').next()
        );
    }
    assert_eq!(ApiError::all_cooling("m", Duration::MAX).retry_after_seconds(), Some(u64::MAX));
}

#[test]
fn a_clients_text_is_cut_and_cleaned() {
    let error = ApiError::path_not_found(&format!("/a\u{1b}[31m\n{}", "é".repeat(1000)));
    assert!(!error.message.chars().any(char::is_control));
    assert!(error.message.contains(&format!("{}…`", "é".repeat(MAX_QUOTED_CHARS - 8))));
    assert!(!error.message.contains(&"é".repeat(MAX_QUOTED_CHARS - 7)));
}

#[test]
fn an_event_is_one_data_line_and_ends() {
    let error = ApiError::invalid_request("two\nlines \"quoted\"", "x");
    let event = String::from_utf8(error.event().to_vec()).unwrap();
    let data = event.strip_prefix("data: ").unwrap().strip_suffix("\n\n").unwrap();
    assert!(!data.contains('\n'));
    assert_eq!(serde_json::from_str::<Value>(data).unwrap(), read(&error));
}

#[test]
fn retry_after_is_whole_seconds_rounded_up() {
    for (milliseconds, header) in [(0, 1), (1, 1), (1000, 1), (1001, 2), (59_500, 60)] {
        let error = ApiError::auth().with_retry_after(Duration::from_millis(milliseconds));
        assert_eq!(error.retry_after_seconds(), Some(header));
    }
    assert_eq!(ApiError::auth().retry_after_seconds(), None);
}

#[test]
fn a_refusal_names_the_tags_that_were_asked_for() {
    let tags: Vec<_> = (0..12).map(|tag| format!("t{tag}")).collect();
    let told = |tags: &[String]| ApiError::no_deployment_for_tags("m", tags).message.into_owned();
    assert!(told(&tags[..2]).contains("with the tags `t0`, `t1`. Send others"), "{}", told(&tags[..2]));
    assert!(told(&tags).contains("`t9`, ..."), "{}", told(&tags));
    assert!(told(&[]).contains("without tags from this user-agent"));
}
