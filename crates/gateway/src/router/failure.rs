//! An attempt that did not serve its request, and what the client would be told of it.

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use leastbusy_balance::Outcome;

use super::leased_body::LeasedBody;
use crate::openai::ApiError;

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

    /// The answer; a `retry-after` is bounded as it is for the deployment's own rest.
    pub(super) fn into_answer(self, max_retry_after_seconds: u64) -> Result<Response<LeasedBody>, ApiError> {
        match self.answer {
            FailureAnswer::Own(error) => Err(error),
            FailureAnswer::Upstream(mut response) => {
                if let Some(asked) = response.headers_mut().get_mut(header::RETRY_AFTER)
                    && asked.to_str().ok().and_then(|text| text.parse::<u64>().ok())
                        > Some(max_retry_after_seconds)
                {
                    *asked = HeaderValue::from(max_retry_after_seconds);
                }
                Ok((*response).map(LeasedBody::whole))
            }
        }
    }
}
