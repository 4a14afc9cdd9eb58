//! What a gateway of the run is told, as its configuration would.

use std::time::Duration;

use leastbusy_balance::{Directions, FallbackFor, GroupRules, HealthRules, Limits, Outcome, Remedy};

/// The rules of the group that all requests of a run go to.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// When a deployment rests and how it comes back.
    pub health: HealthRules,
    /// Ties and the retry budget.
    pub group: GroupRules,
    /// What becomes of requests while every deployment is at its limit.
    pub queue: Queue,
    /// `num_retries`; default 2.
    pub retries: u32,
    /// What bounds a walk; its deadline is replaced by [`Rules::request_timeout`].
    pub walk: Limits,
    /// The time that a request may take in all; by default as long as it wants.
    pub request_timeout: Option<Duration>,
    /// The time until the first token of an attempt; by default as long as it wants.
    pub first_token_timeout: Option<Duration>,
    /// The time until the last token of an attempt; by default as long as it wants.
    pub answer_timeout: Option<Duration>,
    /// Whether answers are streamed: then nothing can be retried once the first token is out. Default true.
    pub streams: bool,
}

/// The queue of the gateway, in which requests wait for a place on a deployment that has a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queue {
    /// `max_queued_requests`: requests that wait at once, in each instance; 0 refuses instead, `None` is twice the sum
    /// of the limits. Default `None`.
    pub most: Option<u32>,
    /// `queue_timeout`: the longest that one request waits in all; default 60 s.
    pub timeout: Duration,
    /// Whether [clients](crate::Client) take turns, as in the gateway; otherwise whoever came first goes first. Default
    /// true.
    pub turns: bool,
}

impl Default for Queue {
    fn default() -> Self {
        Self { most: None, timeout: Duration::from_secs(60), turns: true }
    }
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            health: HealthRules::default(),
            group: GroupRules::default(),
            queue: Queue::default(),
            retries: 2,
            walk: Limits::default(),
            request_timeout: None,
            first_token_timeout: None,
            answer_timeout: None,
            streams: true,
        }
    }
}

/// One group without fallbacks.
#[derive(Debug)]
pub(crate) struct OneGroup<'a> {
    pub(crate) rules: &'a Rules,
    /// The highest order of a member.
    pub(crate) highest_order: i64,
}

impl Directions for OneGroup<'_> {
    fn retries(&self, _target: usize, outcome: Outcome) -> u32 {
        match outcome.remedy() {
            Remedy::None | Remedy::OtherGroup => 0,
            Remedy::OtherDeployment | Remedy::Again => self.rules.retries,
        }
    }

    fn fallbacks(&self, _target: usize, _reason: FallbackFor) -> &[usize] {
        &[]
    }

    fn has_level_above(&self, _target: usize, order: i64) -> bool {
        order < self.highest_order
    }
}
