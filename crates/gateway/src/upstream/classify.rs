//! What an answer says about the deployment: one table from statuses, codes and events to outcomes.
//!
//! A word that an error calls itself beats its status, because servers agree on words more than on
//! statuses: a quota that is used up comes as 429, and waiting does not refill it. A message is never
//! looked at. What [`Outcome`] says of blame, remedy and health follows from the kind alone.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode, header};
use leastbusy_balance::{Outcome, Phase};

use crate::openai::{MAX_TIMEOUT, UpstreamError};

/// Codes and types of errors whose meaning does not depend on the status that they come with.
pub const CODES: [(&str, Outcome); 15] = [
    // OpenAI, Azure and most others.
    ("context_length_exceeded", Outcome::ContextWindow),
    ("context_window_exceeded", Outcome::ContextWindow),
    // llama.cpp.
    ("exceed_context_size_error", Outcome::ContextWindow),
    // Azure, and its inner code.
    ("content_filter", Outcome::ContentPolicy),
    ("ResponsibleAIPolicyViolation", Outcome::ContentPolicy),
    // OpenAI: images, and prompts to models that reason.
    ("content_policy_violation", Outcome::ContentPolicy),
    ("image_content_policy_violation", Outcome::ContentPolicy),
    ("moderation_blocked", Outcome::ContentPolicy),
    ("invalid_prompt", Outcome::ContentPolicy),
    // OpenAI, with 429 or 400: it wants to be paid, and waiting does not help.
    ("insufficient_quota", Outcome::NotFound),
    ("billing_hard_limit_reached", Outcome::NotFound),
    ("billing_not_active", Outcome::NotFound),
    // Moonshot, with 429.
    ("exceeded_current_quota_error", Outcome::NotFound),
    // OpenAI, with 404, 400 or 403.
    ("model_not_found", Outcome::NotFound),
    // Azure.
    ("DeploymentNotFound", Outcome::NotFound),
];

/// Codes and types that decide only where there is no status, in an event of a stream. Others there are
/// a [`ServerError`](Outcome::ServerError): the stream had begun, so key, model and request were accepted.
pub const EVENT_TYPES: [(&str, Outcome); 14] = [
    ("rate_limit_error", Outcome::RateLimited { retry_after: None }),
    ("rate_limit_exceeded", Outcome::RateLimited { retry_after: None }),
    ("rate_limit_reached_error", Outcome::RateLimited { retry_after: None }),
    ("overloaded_error", Outcome::Overloaded { retry_after: None }),
    ("engine_overloaded_error", Outcome::Overloaded { retry_after: None }),
    ("server_is_overloaded", Outcome::Overloaded { retry_after: None }),
    ("slow_down", Outcome::Overloaded { retry_after: None }),
    ("authentication_error", Outcome::Authentication),
    ("permission_error", Outcome::Authentication),
    ("invalid_api_key", Outcome::Authentication),
    ("not_found_error", Outcome::NotFound),
    ("billing_error", Outcome::NotFound),
    ("timeout_error", Outcome::Timeout(Phase::FirstByte)),
    ("invalid_request_error", Outcome::BadRequest),
];

/// The outcome of an attempt whose answer began with this head and then arrived whole.
///
/// `now` is asked only where `Retry-After` is a date.
#[must_use]
pub fn outcome(status: StatusCode, headers: &HeaderMap, now: impl FnOnce() -> SystemTime) -> Outcome {
    match status.as_u16() {
        ..400 => Outcome::Success,
        401 | 403 => Outcome::Authentication,
        402 | 404 => Outcome::NotFound,
        // 524 is Cloudflare's: the server behind it was too slow.
        408 | 504 | 524 => Outcome::Timeout(Phase::FirstByte),
        429 => Outcome::RateLimited { retry_after: retry_after(headers, now) },
        400..500 => Outcome::BadRequest,
        // 520 to 523 are Cloudflare's: the server behind it is down, or does not speak HTTP.
        502 | 520..=523 => Outcome::BadGateway,
        503 | 529 => Outcome::Overloaded { retry_after: retry_after(headers, now) },
        500.. => Outcome::ServerError,
    }
}

/// The outcome of an attempt that was answered with an error, from its head and what its body says.
#[must_use]
pub fn outcome_of_error(
    status: StatusCode,
    headers: &HeaderMap,
    error: &UpstreamError,
    now: impl FnOnce() -> SystemTime,
) -> Outcome {
    if status.as_u16() < 400 {
        return Outcome::Success;
    }
    named(error).unwrap_or_else(|| outcome(status, headers, now))
}

/// The outcome of an attempt whose stream began with an error.
#[must_use]
pub fn outcome_of_event(error: &UpstreamError) -> Outcome {
    let by_status = |status| outcome(status, &HeaderMap::new(), || SystemTime::UNIX_EPOCH);
    let by_type = || error.words().find_map(|word| find(&EVENT_TYPES, word));
    named(error).or_else(|| error.status().map(by_status)).or_else(by_type).unwrap_or(Outcome::ServerError)
}

/// The status to answer with when a stream began with an error: its own, or the one that fits.
#[must_use]
pub fn status_of_event(error: &UpstreamError) -> StatusCode {
    error.status().unwrap_or_else(|| match outcome_of_event(error) {
        Outcome::BadRequest | Outcome::ContextWindow | Outcome::ContentPolicy => StatusCode::BAD_REQUEST,
        Outcome::Authentication => StatusCode::UNAUTHORIZED,
        Outcome::NotFound => StatusCode::NOT_FOUND,
        Outcome::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
        Outcome::Overloaded { .. } => StatusCode::SERVICE_UNAVAILABLE,
        Outcome::Timeout(_) => StatusCode::GATEWAY_TIMEOUT,
        Outcome::BadGateway => StatusCode::BAD_GATEWAY,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    })
}

/// The outcome that an error's own words name, whatever its status is.
fn named(error: &UpstreamError) -> Option<Outcome> {
    // vLLM has no word for it, but says which of its parameters is too large.
    let too_long =
        error.kind.as_deref() == Some("BadRequestError") && error.param.as_deref() == Some("input_tokens");
    if too_long {
        return Some(Outcome::ContextWindow);
    }
    // OpenRouter answers 403 for it, which would otherwise be our key's fault.
    if error.is_moderated {
        return Some(Outcome::ContentPolicy);
    }
    error.words().find_map(|word| find(&CODES, word))
}

fn find(table: &[(&str, Outcome)], word: &str) -> Option<Outcome> {
    table.iter().find(|(name, _)| *name == word).map(|(_, outcome)| *outcome)
}

/// The headers that say when to come back, the finest first.
pub const RETRY_AFTER_HEADERS: [&str; 3] = ["retry-after-ms", "x-ms-retry-after-ms", "retry-after"];

/// How long the deployment wants to be left alone: `retry-after-ms`, else `Retry-After` in seconds or as
/// a date. At most [`MAX_TIMEOUT`]; a date that has passed is zero.
#[must_use]
pub fn retry_after(headers: &HeaderMap, now: impl FnOnce() -> SystemTime) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok().map(str::trim);
    // OpenAI's and Azure's own header, finer than the standard one; the second spelling is Azure's.
    let in_ms = RETRY_AFTER_HEADERS[..2].iter().copied().find_map(|name| wait(text(name)?, 1e-3));
    in_ms.or_else(|| {
        let value = text(header::RETRY_AFTER.as_str())?;
        wait(value, 1.0).or_else(|| {
            let date = httpdate::parse_http_date(value).ok()?;
            Some(date.duration_since(now()).unwrap_or_default().min(MAX_TIMEOUT))
        })
    })
}

/// A number of units of `seconds` each.
fn wait(number: &str, seconds: f64) -> Option<Duration> {
    let wait = number.parse::<f64>().ok().filter(|wait| !wait.is_nan())? * seconds;
    Duration::try_from_secs_f64(wait.min(MAX_TIMEOUT.as_secs_f64())).ok()
}

#[cfg(test)]
mod tests;
