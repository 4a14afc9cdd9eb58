//! An attempt that did not serve its request, and what the client would be told of it.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use leastbusy_balance::{Outcome, Phase};

use super::leased_body::LeasedBody;
use crate::openai::{ApiError, UpstreamTimeout};
use crate::upstream::{Limits, classify};

/// How an attempt failed.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) outcome: Outcome,
    pub(super) answer: FailureAnswer,
}

/// What the client is told if nothing else serves the request.
#[derive(Debug)]
pub(super) enum FailureAnswer {
    /// The deployment's own words.
    Upstream(Box<Response<Bytes>>),
    /// Ours.
    Own(ApiError),
}

impl Failure {
    pub(super) fn own(outcome: Outcome, error: ApiError) -> Self {
        Self { outcome, answer: FailureAnswer::Own(error) }
    }

    /// The answer. When it says when to come back, it says so once, in whole seconds and bounded as the deployment's own
    /// rest is.
    pub(super) fn into_answer(self, max_retry_after: Duration) -> Result<Response<LeasedBody>, ApiError> {
        match self.answer {
            FailureAnswer::Own(error) => Err(error),
            FailureAnswer::Upstream(mut response) => {
                let headers = response.headers_mut();
                if let Some(asked) = classify::retry_after(headers, SystemTime::now) {
                    for name in classify::RETRY_AFTER_HEADERS {
                        headers.remove(name);
                    }
                    let wait = asked.min(max_retry_after);
                    if !max_retry_after.is_zero() {
                        let seconds = wait.as_secs() + u64::from(0 < wait.subsec_nanos());
                        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
                    }
                }
                Ok((*response).map(LeasedBody::whole))
            }
        }
    }
}

/// What the client is told of a time limit that has passed.
pub(super) fn timed_out(model: &str, phase: Phase, limits: &Limits) -> ApiError {
    let which = match phase {
        Phase::Connect | Phase::FirstByte => UpstreamTimeout::FirstByte,
        Phase::Idle => UpstreamTimeout::Idle,
        Phase::Total => UpstreamTimeout::Total,
    };
    ApiError::upstream_timeout(model, which, limits.of(phase))
}
