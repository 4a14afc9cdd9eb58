//! Keys of strategies and of the groups that have one of their own.

use super::Section;

/// LiteLLM's routing strategies that have no counterpart; least-busy serves.
pub(in crate::config) static STRATEGIES_NOT_YET: &[&str] = &["provider-budget-routing", "priority", "lar1"];

pub(in crate::config) static ROUTING_STRATEGY_ARGS: Section = Section {
    name: "routing_strategy_args",
    served: &[
        "choice",
        "ttl",
        "lowest_latency_buffer",
        "max_latency_list_size",
        "ttft_percentile",
        "decay_time",
    ],
    not_yet: &[],
    without_meaning: &[],
};

pub(in crate::config) static ROUTING_GROUP: Section = Section {
    name: "routing_groups[]",
    served: &["group_name", "models", "routing_strategy", "routing_strategy_args"],
    not_yet: &["model_priorities"],
    without_meaning: &[],
};
