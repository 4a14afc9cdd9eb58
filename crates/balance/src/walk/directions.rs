//! What a walk asks of those who know the configuration and the request.

use std::time::Duration;

use crate::outcome::Outcome;

/// Where one request may go.
///
/// A target is a number that its caller gives to whatever can be picked from: a model group, or a model
/// group with changes that the client asked for.
pub trait Directions {
    /// Retries on `target` for an attempt that ended so.
    ///
    /// The policy for its class of error, if there is one. Else 0 for outcomes whose [`Remedy`] is
    /// [`OtherGroup`], and for the others the request's own number, the deployment's or the router's. They
    /// are counted from the first attempt on this target, whatever the others ended with.
    ///
    /// [`Remedy`]: crate::Remedy
    /// [`OtherGroup`]: crate::Remedy::OtherGroup
    fn retries(&self, target: usize, outcome: Outcome) -> u32;

    /// Targets to try after `target`, in order.
    ///
    /// The list may hold anything: the walk leaves out the first target and what it has been on.
    fn fallbacks(&self, target: usize, reason: FallbackFor) -> &[usize];

    /// Whether `target` has members with an order above this one.
    fn has_level_above(&self, target: usize, order: i64) -> bool;
}

/// Which fallback list is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FallbackFor {
    /// The general one.
    Any,
    /// The one for requests longer than the model can read. If no target has such a list, the general one.
    ContextWindow,
    /// The one for requests that a content filter refused. If no target has such a list, the general one.
    ContentPolicy,
}

impl From<Outcome> for FallbackFor {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::ContextWindow => Self::ContextWindow,
            Outcome::ContentPolicy => Self::ContentPolicy,
            _ => Self::Any,
        }
    }
}

/// What bounds a walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Fallback targets and order levels to try in all; 5 by default, as in LiteLLM.
    ///
    /// One that turns out to have no deployment for this request is not counted.
    pub max_fallbacks: u32,
    /// Retries on all targets together; no bound by default (`num_retries_per_request`).
    pub max_retries: u32,
    /// The moment from which on nothing begins; never, by default.
    pub deadline: Duration,
    /// The least time between a failure and the next attempt on the same deployment; 0 by default.
    pub retry_after: Duration,
    /// What becomes of the request when only deployments that cool down are left.
    pub when_all_cooling: WhenAllCooling,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_fallbacks: 5,
            max_retries: u32::MAX,
            deadline: Duration::MAX,
            retry_after: Duration::ZERO,
            when_all_cooling: WhenAllCooling::default(),
        }
    }
}

/// What becomes of a request when only deployments that cool down or are full are left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenAllCooling {
    /// It fails.
    Fail,
    /// It waits for the first that returns or has a free place, this long in all and never past the deadline; then it fails.
    Wait(Duration),
    /// It goes to the one that would return first.
    TrySoonest,
}

impl Default for WhenAllCooling {
    /// A wait of at most 1 s.
    fn default() -> Self {
        Self::Wait(Duration::from_secs(1))
    }
}
