//! Which deployments of a group may serve a request at all.

use std::time::Duration;

/// What leaves deployments out before one is chosen.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Filters {
    /// `enable_tag_filtering`, with its rules; `None` ignores tags.
    pub tags: Option<TagFilter>,
    /// `enable_pre_call_checks`: leaves out deployments whose `model_info.max_input_tokens` a prompt exceeds; default
    /// false.
    pub context_window: bool,
    /// `background_health_checks`; `None` makes none.
    pub health_checks: Option<HealthChecks>,
}

/// How the tags of requests and deployments are compared.
#[derive(Debug, Clone, PartialEq)]
pub struct TagFilter {
    /// `tag_filtering_match_any`: whether one tag in common is enough, or a deployment must have all of a request's;
    /// default true.
    pub match_any: bool,
    /// `tag_routing_prefix`: what a request's tags begin with that are about routing and nothing else; it is taken away, and
    /// tags without it count, too; default empty.
    pub prefix: String,
}

impl Default for TagFilter {
    fn default() -> Self {
        Self { match_any: true, prefix: String::new() }
    }
}

/// `background_health_checks`: deployments are asked regularly whether they are there.
#[derive(Debug, Clone, PartialEq)]
pub struct HealthChecks {
    /// `health_check_interval`: from one check to the next, 1 s to a day, default 300 s (LiteLLM's).
    pub interval: Duration,
    /// `enable_health_check_routing`: whether those that failed get no requests while others have not; default false.
    pub routing: bool,
    /// `health_check_staleness_threshold`: the age from which a check counts no more; `None` is twice the interval.
    pub staleness: Option<Duration>,
    /// `health_check_ignore_transient_errors`: whether a 429 or 408 leaves a deployment as it was; default false.
    pub ignore_transient: bool,
    /// `background_health_check_model_groups`: the model groups that are checked; empty is all.
    pub groups: Vec<String>,
}

impl Default for HealthChecks {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(300),
            routing: false,
            staleness: None,
            ignore_transient: false,
            groups: Vec::new(),
        }
    }
}
