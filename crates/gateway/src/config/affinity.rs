//! Requests that prefer the deployment that served others like them.

use std::time::Duration;

/// Which requests belong together, and how far that goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Affinity {
    /// `optional_pre_call_checks: [session_affinity]`: those with the same `x-litellm-session-id`.
    pub session: bool,
    /// `optional_pre_call_checks: [deployment_affinity]`: those with the same `user`, or else the same key.
    pub user: bool,
    /// `optional_pre_call_checks: [prompt_caching]`: those whose prompts begin alike.
    pub prefix: bool,
    /// `deployment_affinity_ttl_seconds`: how long a deployment is remembered after it served, 1 s to a day, default an hour
    /// (LiteLLM's).
    pub ttl: Duration,
    /// `affinity_load_bound`: the deployment is preferred while its load with this request is at most so many times the mean
    /// of those that could serve; 1 to 100, default 1.25.
    // 1.25 is the middle of what Mirrokni, Thorup and Zadimoghaddam recommend ("Consistent hashing with bounded loads").
    pub bound: f64,
}

impl Affinity {
    /// Whether there is anything to prefer.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.session || self.user || self.prefix
    }
}

impl Default for Affinity {
    fn default() -> Self {
        Self { session: false, user: false, prefix: false, ttl: Duration::from_secs(3600), bound: 1.25 }
    }
}
