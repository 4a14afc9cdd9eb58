//! What happens when attempts fail, as far as all requests have it in common.

use std::time::Duration;

use leastbusy_balance::Limits;

use super::rules;
use crate::config::{Fallbacks, Hedge, Queue, Retries, RouterSettings};

/// What happens when attempts fail.
#[derive(Debug)]
pub(super) struct Reliability {
    pub(super) retries: Retries,
    pub(super) fallbacks: Fallbacks,
    pub(super) hedge: Hedge,
    /// Bounds of every walk, but for its deadline.
    pub(super) walk: Limits,
    /// The time for a request with all its attempts, waits and fallbacks.
    pub(super) whole_request: Duration,
    pub(super) queue: Queue,
    pub(super) max_retry_after: Duration,
}

impl Reliability {
    pub(super) fn new(router: &RouterSettings) -> Self {
        Self {
            retries: router.retries.clone(),
            fallbacks: router.fallbacks.clone(),
            hedge: router.hedge,
            walk: rules::of_walks(router),
            whole_request: rules::whole_request(router),
            queue: router.queue,
            max_retry_after: router.cooldown.max_retry_after,
        }
    }
}
