//! The heart's rules, from the settings.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use leastbusy_balance::{
    BusyBy, Capacity, Group, GroupRules, HealthRules, Limits, RetryBudget, Room, Strategy, Terms, Tolerance,
    WhenAllCooling as AllCooling,
};

use crate::config::{
    self, Config, Cooldown, DeploymentCooldown, Queue, RouterSettings, SharingMode, Timeouts, WhenAllCooling,
};

/// When a deployment of these settings rests.
pub(crate) fn of_deployment(router: &Cooldown, own: &DeploymentCooldown) -> Arc<HealthRules> {
    Arc::new(HealthRules {
        cooldowns: !router.disabled,
        cooldown_time: own.time,
        default_cooldown_time: router.time.unwrap_or(Cooldown::DEFAULT_TIME),
        max_retry_after: router.max_retry_after,
        max_cooldown_time: router.max_time,
        tolerance: Tolerance { any: own.allowed_fails, by_class: own.allowed_fails_policy },
        router_tolerance: Tolerance { any: router.allowed_fails, by_class: router.allowed_fails_policy },
        failure_window: router.failure_window,
        ramp_time: router.ramp,
    })
}

/// Whether the places of a group's deployments count for their shares: where prompts and caches count as parts of the whole,
/// requests do too.
pub(crate) fn shares_by_places<'d>(
    router: &RouterSettings,
    mut rooms: impl Iterator<Item = &'d Room>,
) -> bool {
    router.least_busy_by != config::BusyBy::default() && rooms.all(|room| room.places.is_some())
}

/// What a deployment's engine can hold.
pub(crate) fn room(entry: &config::Deployment) -> Room {
    let engine = &entry.engine;
    Room {
        places: entry.slots().and_then(NonZeroU32::new),
        prefill_rate: engine.prefill_rate,
        kv_tokens: engine.kv_tokens,
    }
}

/// Whether anything is decided by the tokens that answers take.
pub(crate) fn needs_tokens(config: &Config) -> bool {
    let strategies = config.router.strategies().any(Strategy::counts_tokens);
    strategies || config.router.learn_speeds || weighs_requests(config)
}

/// Whether it matters what a request takes of a deployment: it makes one busy, or is limited by the minute.
pub(crate) fn weighs_requests(config: &Config) -> bool {
    config.router.least_busy_by != config::BusyBy::default()
        || config.deployments.iter().any(|deployment| deployment.tpm.is_some())
}

/// What a deployment can do at once, where its speed is known.
pub(crate) fn capacity(entry: &config::Deployment) -> Option<Capacity> {
    Capacity::new(entry.slots()?, entry.engine.speed?)
}

/// What a deployment's provider grants and asks.
pub(crate) fn terms(entry: &config::Deployment) -> Arc<Terms> {
    let prices = [entry.input_cost_per_token, entry.output_cost_per_token];
    let is_known = prices.iter().any(Option::is_some);
    Arc::new(Terms {
        rpm: entry.rpm.map(u64::from),
        tpm: entry.tpm.map(u64::from),
        cost: is_known.then(|| prices.into_iter().flatten().sum()),
    })
}

/// The cap on the requests of all instances; in strict mode the limit itself holds.
pub(crate) fn cap_of_all(config: &Config) -> Option<f64> {
    let shared = config.shared_state.as_ref()?;
    (shared.mode != SharingMode::Strict).then_some(GroupRules::USUAL_CAP_OF_ALL)
}

/// What holds for a group as a whole, whoever shares it.
pub(crate) fn of_groups(router: &RouterSettings, strategy: Strategy) -> GroupRules {
    GroupRules {
        cap_of_all: None,
        strategy,
        busy_by: BusyBy { prefill: router.least_busy_by.prefill, kv: router.least_busy_by.kv },
        learn_speeds: router.learn_speeds,
        tie_break: router.tie_break,
        retry_budget: RetryBudget {
            share: router.retries.budget_percent / 100.0,
            per_second: router.retries.budget_per_second,
        },
        hedge_quantile: match router.hedge {
            config::Hedge::Percentile(percentile) => Some(percentile / 100.0),
            config::Hedge::Off | config::Hedge::After(_) => None,
        },
    }
}

/// The most requests that may wait for a group.
pub(crate) fn queue_most(queue: &Queue, group: &Group) -> u32 {
    queue.max.unwrap_or_else(|| group.usual_queue().min(Queue::MOST))
}

/// What bounds each request's walk, but for its deadline.
pub(crate) fn of_walks(router: &RouterSettings) -> Limits {
    Limits {
        max_fallbacks: router.fallbacks.max,
        max_retries: router.retries.per_request.unwrap_or(u32::MAX),
        deadline: Duration::MAX,
        retry_after: router.retries.retry_after,
        when_all_cooling: match router.cooldown.when_all_cooling {
            WhenAllCooling::Fail => AllCooling::Fail,
            WhenAllCooling::Wait => AllCooling::Wait(router.cooldown.all_cooling_wait),
            WhenAllCooling::TrySoonest => AllCooling::TrySoonest,
        },
    }
}

/// How long a request may take with all its attempts, waits and fallbacks.
pub(crate) fn whole_request(router: &RouterSettings) -> Duration {
    router.timeouts.total.unwrap_or(Timeouts::DEFAULT_TOTAL)
}
