//! What the status of an answer says about the deployment, in one table.

use std::time::Duration;

use http::{HeaderMap, StatusCode, header};
use leastbusy_balance::{Outcome, Phase};

/// The outcome of an attempt whose answer began with this head and then arrived whole.
#[must_use]
pub fn outcome(status: StatusCode, headers: &HeaderMap) -> Outcome {
    match status.as_u16() {
        ..400 => Outcome::Success,
        401 | 403 => Outcome::Authentication,
        402 | 404 => Outcome::NotFound,
        408 | 504 => Outcome::Timeout(Phase::FirstByte),
        429 => Outcome::RateLimited { retry_after: retry_after(headers) },
        400..500 => Outcome::BadRequest,
        502 => Outcome::BadGateway,
        503 | 529 => Outcome::Overloaded { retry_after: retry_after(headers) },
        500.. => Outcome::ServerError,
    }
}

/// `Retry-After` in seconds; the date form is rare among model providers and not read.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}
