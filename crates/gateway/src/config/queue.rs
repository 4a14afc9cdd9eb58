//! What becomes of a request while every deployment that could serve it is full.

use std::time::Duration;

/// The queue that requests wait in, one for each model group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queue {
    /// `max_queued_requests`: requests of one model group that wait at once, 0 to a million; 0 refuses instead, `None`
    /// is twice the sum of the limits of its deployments, or 100 where they have none.
    pub max: Option<u32>,
    /// `queue_timeout`: the longest that one request waits in all, more than 0, at most an hour; default 60 s.
    pub timeout: Duration,
    /// `default_priority` of a request that brings no `priority`; the lowest number is served first, default 0.
    pub default_priority: i64,
}

impl Queue {
    /// The largest `max_queued_requests`.
    pub const MOST: u32 = 1_000_000;
}

impl Default for Queue {
    fn default() -> Self {
        Self { max: None, timeout: Duration::from_secs(60), default_priority: 0 }
    }
}
