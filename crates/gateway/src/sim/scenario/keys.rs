//! Every key that may stand in a scenario, section by section.

use crate::config::{Dialect, Section};

/// The kind of file that a scenario is.
pub(super) static SCENARIO: Dialect = Dialect {
    sections: &SECTIONS,
    has_secrets: false,
    has_units: true,
    not_yet: "is a router setting that a simulation does not follow",
};

const fn section(name: &'static str, served: &'static [&'static str]) -> Section {
    Section { name, served, not_yet: &[], without_meaning: &[] }
}

pub(super) static TOP: Section = section(
    "the scenario",
    &[
        "requests",
        "seeds",
        "seed",
        "uncounted",
        "policies",
        "arrivals",
        "prompt_tokens",
        "output_tokens",
        "trace",
        "deployments",
        "instances",
        "clients",
        "turns",
        "router",
    ],
);
pub(super) static ARRIVALS: Section = section("arrivals", &["poisson", "bursts", "diurnal"]);
pub(super) static POISSON: Section = section("poisson", &["load", "per_second"]);
pub(super) static BURSTS: Section = section("bursts", &["load", "per_second", "size"]);
pub(super) static DIURNAL: Section = section("diurnal", &["load", "per_second", "swing", "period"]);
pub(super) static TOKENS: Section =
    section("prompt_tokens and output_tokens", &["exponential", "lognormal", "bimodal"]);
pub(super) static EXPONENTIAL: Section = section("exponential", &["mean"]);
pub(super) static LOGNORMAL: Section = section("lognormal", &["mean", "sigma"]);
pub(super) static BIMODAL: Section = section("bimodal", &["small", "large", "share"]);
pub(super) static TRACE: Section = section("trace", &["file", "speed", "model"]);
pub(super) static DEPLOYMENT: Section = section(
    "deployments[]",
    &[
        "name",
        "count",
        "slots",
        "tokens_per_second",
        "full_speed_slots",
        "first_token_time",
        "prefill_tokens_per_second",
        "kv_cache_tokens",
        "max_requests",
        "max_parallel_requests",
        "weight",
        "order",
        "warm_up",
        "troubles",
    ],
);
pub(super) static WARM_UP: Section = section("warm_up", &["speed", "time"]);
pub(super) static TROUBLE: Section =
    section("troubles[]", &["from", "until", "down", "fails", "hangs", "rate_limits", "slow"]);
pub(super) static FAILS: Section = section("fails", &["share", "after"]);
pub(super) static HANGS: Section = section("hangs", &["share"]);
pub(super) static RATE_LIMITS: Section = section("rate_limits", &["retry_after"]);
pub(super) static SLOW: Section = section("slow", &["speed"]);
pub(super) static INSTANCES: Section =
    section("instances", &["count", "shared_every", "cap_of_all", "half_on", "runs", "silences"]);
pub(super) static SILENCE: Section = section("silences[]", &["from", "until"]);
pub(super) static CLIENT: Section = section("clients[]", &["name", "share", "priority"]);
pub(super) static ROUTER: Section = Section {
    name: "router",
    served: &[
        "streams",
        "tie_break",
        "num_retries",
        "retry_after",
        "retry_budget_percent",
        "retry_budget_per_second",
        "timeout",
        "stream_timeout",
        "first_byte_timeout",
        "total_timeout",
        "allowed_fails",
        "allowed_fails_policy",
        "failure_window",
        "cooldown_time",
        "max_cooldown_time",
        "max_retry_after",
        "disable_cooldowns",
        "ramp_time",
        "when_all_cooling",
        "all_cooling_wait",
        "max_queued_requests",
        "queue_timeout",
    ],
    not_yet: &[
        "routing_strategy",
        "connect_timeout",
        "idle_timeout",
        "retry_policy",
        "model_group_retry_policy",
        "model_group_alias",
        "fallbacks",
        "context_window_fallbacks",
        "content_policy_fallbacks",
        "default_fallbacks",
        "max_fallbacks",
        "hedge_after",
        "hedge_percentile",
    ],
    without_meaning: &[],
};

/// All sections; the deployments' first, because most slips happen there.
pub(super) static SECTIONS: [&Section; 21] = [
    &DEPLOYMENT,
    &TROUBLE,
    &TOP,
    &ROUTER,
    &ARRIVALS,
    &TOKENS,
    &POISSON,
    &BURSTS,
    &DIURNAL,
    &EXPONENTIAL,
    &LOGNORMAL,
    &BIMODAL,
    &WARM_UP,
    &FAILS,
    &HANGS,
    &RATE_LIMITS,
    &SLOW,
    &TRACE,
    &INSTANCES,
    &SILENCE,
    &CLIENT,
];
