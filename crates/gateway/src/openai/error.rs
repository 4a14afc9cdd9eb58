//! Errors in the shape that OpenAI's clients read.
//!
//! Each says what is wrong, why, and what to do. None names an upstream's key or address.

mod filter;
mod key;

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;

pub use self::key::KeyLimit;
use super::BadRequest;

/// Characters of a client's own text (a model, a path) that an error repeats at most.
pub const MAX_QUOTED_CHARS: usize = 256;

/// An answer that refuses a request or reports a failure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{status}: {message}")]
pub struct ApiError {
    /// The HTTP status; its digits are also the body's `code`, as LiteLLM has it.
    pub status: StatusCode,
    /// The body's `type`, a word that programs decide on.
    pub kind: &'static str,
    /// What, why, and the way out, for people.
    pub message: Cow<'static, str>,
    /// The field to blame.
    pub param: Option<Cow<'static, str>>,
    /// When trying again makes sense.
    pub retry_after: Option<Duration>,
}

/// Why a request for a full model group is refused, with the time after which it may be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// As many requests wait as may.
    QueueIsFull {
        /// In which those that wait will probably have been served.
        wait: Duration,
    },
    /// No place came free.
    NoPlace {
        /// How long it waited.
        waited: Duration,
        /// In which a place may come free.
        wait: Duration,
    },
}

/// Which time limit an upstream has overrun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpstreamTimeout {
    /// No response head in time.
    FirstByte,
    /// Too long a gap between two frames.
    Idle,
    /// The answer as a whole took too long.
    Total,
}

const INVALID_REQUEST: &str = "invalid_request_error";
const UPSTREAM_CONNECTION: &str = "upstream_connection_error";
const SERVICE_UNAVAILABLE: &str = "service_unavailable_error";

impl ApiError {
    fn new(status: StatusCode, kind: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, kind, message: message.into(), param: None, retry_after: None }
    }

    fn with_param(mut self, param: impl Into<Cow<'static, str>>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// The same with another status.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// Says when to come back.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// 400: the request is wrong; `param` is the field to blame.
    #[must_use]
    pub fn invalid_request(
        message: impl Into<Cow<'static, str>>,
        param: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::new(StatusCode::BAD_REQUEST, INVALID_REQUEST, message).with_param(param)
    }

    /// 413: the body is longer than `max_request_size_mb` allows.
    #[must_use]
    pub fn body_too_large(limit_bytes: usize) -> Self {
        let message = format!(
            "The request body is longer than the {limit_bytes} bytes allowed here. Send less, or raise \
             `general_settings.max_request_size_mb`."
        );
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, INVALID_REQUEST, message)
    }

    /// 431: the request head is longer than `max_header_bytes` allows.
    #[must_use]
    pub fn headers_too_large(limit_bytes: usize) -> Self {
        let message = format!(
            "The request's headers are longer than the {limit_bytes} bytes allowed here. Send less, or raise \
             `general_settings.max_header_bytes`."
        );
        Self::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, INVALID_REQUEST, message)
    }

    /// 405: the path exists, but not for this method; `allowed` is what the `allow` header says.
    #[must_use]
    pub fn method_not_allowed(method: &str, allowed: &str) -> Self {
        let message = format!("{} is not served on this path. Use {allowed}.", quoted(method));
        Self::new(StatusCode::METHOD_NOT_ALLOWED, INVALID_REQUEST, message)
    }

    /// 404: no such path.
    #[must_use]
    pub fn path_not_found(path: &str) -> Self {
        let message = format!(
            "There is nothing at `{}`. OpenAI's paths are served with and without `/v1`.",
            quoted(path)
        );
        Self::new(StatusCode::NOT_FOUND, INVALID_REQUEST, message)
    }

    /// 400: the client asks for a model group that is not configured. `nearest` are names that look like it.
    #[must_use]
    pub fn unknown_model(model: &str, nearest: &[&str]) -> Self {
        Self::invalid_request(unknown_model_message(model, nearest), "model")
    }

    /// 404: `GET /v1/models/{id}` for a model group that is not configured.
    #[must_use]
    pub fn model_not_found(model: &str, nearest: &[&str]) -> Self {
        let message = unknown_model_message(model, nearest);
        Self::new(StatusCode::NOT_FOUND, INVALID_REQUEST, message).with_param("model")
    }

    /// 408: the client did not send its request in time.
    #[must_use]
    pub fn request_timeout(limit: Duration) -> Self {
        let message = format!(
            "The request body stopped coming: nothing arrived for {}. Send it without pauses, or raise \
             `general_settings.body_read_timeout`.",
            seconds(limit)
        );
        Self::new(StatusCode::REQUEST_TIMEOUT, INVALID_REQUEST, message)
    }

    /// 502: no connection to any deployment that was tried.
    #[must_use]
    pub fn upstream_connection(model: &str) -> Self {
        let message = format!(
            "Connection error: a deployment of `{}` could not be reached. Try again; if it stays so, see \
             `GET /health`.",
            quoted(model)
        );
        Self::new(StatusCode::BAD_GATEWAY, UPSTREAM_CONNECTION, message)
    }

    /// 502: the connection broke while the answer was coming.
    #[must_use]
    pub fn upstream_broke_off(model: &str) -> Self {
        let message =
            format!("Connection error: a deployment of `{}` broke off its answer. Try again.", quoted(model));
        Self::new(StatusCode::BAD_GATEWAY, UPSTREAM_CONNECTION, message)
    }

    /// 504: a deployment took longer than `limit`.
    #[must_use]
    pub fn upstream_timeout(model: &str, which: UpstreamTimeout, limit: Duration) -> Self {
        let (what, setting) = match which {
            UpstreamTimeout::FirstByte => ("did not begin to answer within", "first_byte_timeout"),
            UpstreamTimeout::Idle => ("paused its answer for more than", "idle_timeout"),
            UpstreamTimeout::Total => ("did not finish its answer within", "total_timeout"),
        };
        let message = format!(
            "Timeout: a deployment of `{}` {what} {}. Try again, ask for less, or raise `timeout` or \
             `{setting}`.",
            quoted(model),
            seconds(limit)
        );
        Self::new(StatusCode::GATEWAY_TIMEOUT, "timeout", message)
    }

    /// 504: the request as a whole, with its retries, waits and fallbacks, took longer than `limit`.
    #[must_use]
    pub fn deadline(model: &str, limit: Duration) -> Self {
        let message = format!(
            "Timeout: no deployment gave an answer for `{}` within {}, other attempts included. Try again, ask \
             for less, or raise `timeout` or `total_timeout`.",
            quoted(model),
            seconds(limit)
        );
        Self::new(StatusCode::GATEWAY_TIMEOUT, "timeout", message)
    }

    /// 429: every deployment of the group is cooling down, the first of them for another `soonest`.
    #[must_use]
    pub fn all_cooling(model: &str, soonest: Duration) -> Self {
        let wait = whole_seconds(soonest);
        let message = format!(
            "No deployment of `{}` is available: all are cooling down. Try again in {wait} second{}.",
            quoted(model),
            if wait == 1 { "" } else { "s" }
        );
        Self::new(StatusCode::TOO_MANY_REQUESTS, "all_deployments_in_cooldown", message)
            .with_retry_after(soonest)
    }

    /// 429: every deployment of the group is at a limit of its own (`max_parallel_requests`, `rpm`, `tpm`), and waiting
    /// did not help.
    #[must_use]
    pub fn all_full(model: &str, full: Full) -> Self {
        let (why, wait) = match full {
            Full::QueueIsFull { wait } => {
                ("and as many requests wait for one as may (`max_queued_requests`)".to_owned(), wait)
            }
            Full::NoPlace { waited, wait } => {
                (format!("and no place came free in {:.1} s (`queue_timeout`)", waited.as_secs_f64()), wait)
            }
        };
        let message = format!(
            "No deployment of `{}` has a free place: all are at their limits (`max_parallel_requests`, `rpm`, `tpm`), \
             {why}. Try again in {} s.",
            quoted(model),
            whole_seconds(wait)
        );
        Self::new(StatusCode::TOO_MANY_REQUESTS, "all_deployments_full", message).with_retry_after(wait)
    }

    /// 500: the client asked for this failure (`mock_testing_fallbacks` and its like), and nothing took over.
    #[must_use]
    pub fn mock_failure(model: &str, outcome: &'static str) -> Self {
        let message = format!(
            "This is the mock failure `{outcome}` that the request asks for, and no fallback of `{}` served it.",
            quoted(model)
        );
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_server_error", message)
    }

    /// 503: every deployment of the group is as busy as it may be, or the gateway itself is.
    #[must_use]
    pub fn overloaded(model: &str, wait: Duration) -> Self {
        let message = format!(
            "Overloaded: no deployment of `{}` can take another request now. Try again in {}.",
            quoted(model),
            seconds(wait)
        );
        Self::new(StatusCode::SERVICE_UNAVAILABLE, SERVICE_UNAVAILABLE, message).with_retry_after(wait)
    }

    /// The value of `retry-after`: whole seconds, rounded up, at least 1.
    #[must_use]
    pub fn retry_after_seconds(&self) -> Option<u64> {
        self.retry_after.map(whole_seconds)
    }

    /// The body, `{"error":{"message","type","param","code"}}`.
    #[must_use]
    pub fn body(&self) -> Bytes {
        let mut body = Vec::with_capacity(128 + self.message.len());
        self.write(&mut body);
        body.into()
    }

    /// The body as one server-sent event, for a stream that has begun. A `data: [DONE]` must not follow.
    #[must_use]
    pub fn event(&self) -> Bytes {
        let mut event = b"data: ".to_vec();
        self.write(&mut event);
        event.extend_from_slice(b"\n\n");
        event.into()
    }

    fn write(&self, out: &mut Vec<u8>) {
        let error = Body {
            message: &self.message,
            kind: self.kind,
            param: self.param.as_deref(),
            code: self.status.as_str(),
        };
        serde_json::to_writer(out, &Envelope { error }).expect("writing strings into a Vec cannot fail");
    }
}

impl From<BadRequest> for ApiError {
    fn from(error: BadRequest) -> Self {
        Self::new(error.status(), INVALID_REQUEST, error.to_string()).with_param(error.param())
    }
}

#[derive(serde::Serialize)]
struct Envelope<'a> {
    error: Body<'a>,
}

#[derive(serde::Serialize)]
struct Body<'a> {
    message: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    param: Option<&'a str>,
    code: &'a str,
}

fn unknown_model_message(model: &str, nearest: &[&str]) -> String {
    let mut message = format!("Invalid model name: there is no model group `{}`.", quoted(model));
    if let [first, rest @ ..] = nearest {
        message.push_str(" Did you mean `");
        message.push_str(first);
        for name in rest {
            message.push_str("` or `");
            message.push_str(name);
        }
        message.push_str("`?");
    }
    message.push_str(" `GET /v1/models` lists all.");
    message
}

/// A client's own text, cut and without control characters.
fn quoted(text: &str) -> String {
    let clean = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    let mut quoted: String = text.chars().take(MAX_QUOTED_CHARS).map(clean).collect();
    if text.chars().nth(MAX_QUOTED_CHARS).is_some() {
        quoted.push('…');
    }
    quoted
}

/// Rounded up, so that whoever waits so long is not early; at least 1.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1)
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests;
