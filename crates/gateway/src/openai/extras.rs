//! The fields of a request that are meant for the router and not for the model.

use std::time::Duration;

use super::bad_request::BadRequest;
use super::{Field, Kind, Pieces};

/// The longest time limit that counts; a longer one is taken as this. A year, so that adding it to
/// the present time cannot overflow.
pub const MAX_TIMEOUT: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// What one request asks of the router, beside its model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extras {
    /// `timeout`: see [`Timeouts::timeout`](crate::config::Timeouts::timeout).
    pub timeout: Option<Duration>,
    /// `stream_timeout`: see [`Timeouts::stream_timeout`](crate::config::Timeouts::stream_timeout).
    pub stream_timeout: Option<Duration>,
    /// `request_timeout`: another name for `timeout`, which wins over it.
    pub request_timeout: Option<Duration>,
}

impl Extras {
    /// The whole-answer limit the request asks for: `timeout`, else `request_timeout`.
    #[must_use]
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout.or(self.request_timeout)
    }
}

/// Whether a top-level field is the router's and must not reach an upstream.
///
/// `metadata` stays although its `tags` are the router's: OpenAI's own API has it too.
#[must_use]
pub fn is_routing_extra(name: &[u8]) -> bool {
    match name {
        b"timeout"
        | b"stream_timeout"
        | b"request_timeout"
        | b"fallbacks"
        | b"context_window_fallbacks"
        | b"content_policy_fallbacks"
        | b"disable_fallbacks"
        | b"include_fallback_errors"
        | b"num_retries"
        | b"cooldown_time"
        | b"priority"
        | b"tags"
        | b"router_settings_override"
        | b"mock_response"
        | b"mock_timeout" => true,
        _ => name.starts_with(b"mock_testing_"),
    }
}

/// A time limit written as a number of seconds: finite and above 0, cut to [`MAX_TIMEOUT`].
pub(crate) fn time_limit(number: &str) -> Option<Duration> {
    let seconds = number.parse::<f64>().ok().filter(|seconds| seconds.is_finite())?;
    let limit = Duration::try_from_secs_f64(seconds.min(MAX_TIMEOUT.as_secs_f64())).ok()?;
    (!limit.is_zero()).then_some(limit)
}

/// A number of seconds; `null` is none.
pub(super) fn seconds(
    body: &Pieces,
    field: &Field,
    param: &'static str,
) -> Result<Option<Duration>, BadRequest> {
    match field.kind() {
        Kind::Null => Ok(None),
        Kind::Number => std::str::from_utf8(&body.get(field.value()))
            .ok()
            .and_then(time_limit)
            .map(Some)
            .ok_or(BadRequest::NotSeconds { param }),
        found => Err(BadRequest::WrongType { param, expected: "a number of seconds", found }),
    }
}
