//! What counts as too many failures, and how long a deployment then rests.

use std::time::Duration;

use crate::error_class::ByClass;

/// The rules by which one deployment of a group is rested and comes back.
#[derive(Debug, Clone, PartialEq)]
pub struct HealthRules {
    /// Whether it is ever rested (`disable_cooldowns` turns that off); default true.
    pub cooldowns: bool,
    /// The deployment's own `cooldown_time`: goes before `Retry-After`; zero means that it never rests.
    pub cooldown_time: Option<Duration>,
    /// The rest where neither the deployment's own setting nor `Retry-After` says otherwise; default 5 s (LiteLLM's).
    pub default_cooldown_time: Duration,
    /// The longest `Retry-After` that is honoured; zero honours none; default 300 s.
    pub max_retry_after: Duration,
    /// The longest rest that doubling leads to; default 300 s.
    pub max_cooldown_time: Duration,
    /// What the deployment's own settings tolerate.
    pub tolerance: Tolerance,
    /// What the router's settings tolerate, where the deployment's say nothing.
    pub router_tolerance: Tolerance,
    /// The time over which tolerated failures are counted; default 60 s.
    pub failure_window: Duration,
    /// The time in which a returning deployment may be given its full load at the latest; zero gives it
    /// at once; default 20 s.
    pub ramp_time: Duration,
}

impl Default for HealthRules {
    fn default() -> Self {
        Self {
            cooldowns: true,
            cooldown_time: None,
            default_cooldown_time: Duration::from_secs(5),
            max_retry_after: Duration::from_secs(300),
            max_cooldown_time: Duration::from_secs(300),
            tolerance: Tolerance::default(),
            router_tolerance: Tolerance::default(),
            failure_window: Duration::from_secs(60),
            ramp_time: Duration::from_secs(20),
        }
    }
}

/// How many failures within `failure_window` are tolerated; one more and the deployment rests.
///
/// Where a number is set it replaces the rules of thumb: five failures in a row, or most of ten.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tolerance {
    /// `allowed_fails`: failures of any class that has no number of its own.
    pub any: Option<u32>,
    /// `allowed_fails_policy`.
    pub by_class: ByClass,
}
