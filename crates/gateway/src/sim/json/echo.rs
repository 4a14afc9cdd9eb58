//! A scenario as its file would say it.

use std::time::Duration;

use leastbusy_balance::{ErrorClass, TieBreak, WhenAllCooling};
use leastbusy_sim::{
    Arrivals, Client, Engine, Episode, Instances, Policy, Rules, Sizes, Spread, Trouble, Workload,
};
use serde_json::{Map, Value, json};

use crate::sim::{Demand, Study};

/// The scenario of a study with its seeds and policies; of a trace only the size.
pub(super) fn scenario(study: &Study) -> Value {
    let scenario = &study.scenario;
    let policies: Vec<_> = study.policies.iter().copied().map(Policy::name).collect();
    let mut file = Map::new();
    let mut set = |key: &str, value: Value| file.insert(key.to_owned(), value);
    set("requests", study.requests().into());
    set("seeds", study.seeds.len().into());
    set("seed", study.seeds.first().copied().into());
    set("uncounted", scenario.uncounted.into());
    set("policies", policies.into());
    match &scenario.workload {
        Workload::Drawn { arrivals, prompt_tokens, output_tokens, .. } => {
            set("arrivals", self::arrivals(*arrivals));
            set("prompt_tokens", sizes(*prompt_tokens));
            set("output_tokens", sizes(*output_tokens));
        }
        Workload::Trace(jobs) => {
            let demand = Demand::of(scenario);
            set(
                "trace",
                json!({
                    "seconds": jobs.last().map(|job| job.arrival.as_secs_f64()),
                    "mean_prompt_tokens": demand.prompt_tokens,
                    "mean_output_tokens": demand.output_tokens,
                }),
            );
        }
    }
    set("deployments", scenario.engines.iter().map(deployment).collect());
    if scenario.instances != Instances::default() {
        set("instances", instances(&scenario.instances, scenario.rules.group.cap_of_all));
    }
    if !scenario.clients.is_empty() {
        set("clients", scenario.clients.iter().map(client).collect());
        set("turns", scenario.rules.queue.turns.into());
    }
    set("router", router(&scenario.rules));
    file.into()
}

fn arrivals(arrivals: Arrivals) -> Value {
    match arrivals {
        Arrivals::Poisson { per_second } => json!({"poisson": {"per_second": per_second}}),
        Arrivals::Bursts { per_second, size } => json!({"bursts": {"per_second": per_second, "size": size}}),
        Arrivals::Diurnal { per_second, swing, period } => {
            json!({"diurnal": {"per_second": per_second, "swing": swing, "period": seconds(period)}})
        }
    }
}

fn sizes(sizes: Sizes) -> Value {
    match sizes {
        Sizes::Fixed(size) => size.into(),
        Sizes::Exponential { mean } => json!({"exponential": {"mean": mean}}),
        Sizes::Lognormal { mean, sigma } => json!({"lognormal": {"mean": mean, "sigma": sigma}}),
        Sizes::Bimodal { small, large, share } => {
            json!({"bimodal": {"small": small, "large": large, "share": share}})
        }
    }
}

fn deployment(engine: &Engine) -> Value {
    let warm_up = engine.warm_up.map(|warm| json!({"speed": warm.speed, "time": seconds(warm.time)}));
    let troubles: Vec<_> = engine.episodes.iter().map(episode).collect();
    without_nulls(json!({
        "name": engine.name,
        "slots": engine.slots,
        "tokens_per_second": engine.tokens_per_second,
        "full_speed_slots": engine.full_speed,
        "first_token_time": seconds(engine.first_token_time),
        "prefill_tokens_per_second": engine.prefill_tokens_per_second,
        "kv_cache_tokens": engine.memory_tokens,
        "max_requests": engine.requests_max,
        "max_parallel_requests": engine.limit,
        "weight": engine.weight.get(),
        "order": engine.order,
        "warm_up": warm_up,
        "troubles": (!troubles.is_empty()).then_some(troubles),
    }))
}

fn episode(episode: &Episode) -> Value {
    let (key, value) = match episode.trouble {
        Trouble::Down => ("down", true.into()),
        Trouble::Fails { share, after } => ("fails", json!({"share": share, "after": seconds(after)})),
        Trouble::Hangs { share } => ("hangs", json!({"share": share})),
        Trouble::RateLimits { retry_after: None } => ("rate_limits", true.into()),
        Trouble::RateLimits { retry_after: Some(time) } => {
            ("rate_limits", json!({"retry_after": seconds(time)}))
        }
        Trouble::Slow { speed } => ("slow", json!({"speed": speed})),
    };
    json!({"from": seconds(episode.from), "until": seconds(episode.until), key: value})
}

fn client(client: &Client) -> Value {
    json!({"name": client.name, "share": client.share, "priority": client.priority})
}

fn instances(instances: &Instances, cap_of_all: Option<f64>) -> Value {
    let (half_on, runs) = match instances.spread {
        Spread::Evenly => (None, None),
        Spread::HalfOn(few) => (Some(few), None),
        Spread::Runs(stay) => (None, Some(stay)),
    };
    let silence =
        |(from, until): &(Duration, Duration)| json!({"from": seconds(*from), "until": seconds(*until)});
    let silences: Vec<_> = instances.silences.iter().map(silence).collect();
    without_nulls(json!({
        "count": instances.count,
        "shared_every": seconds(instances.shared_every.unwrap_or_default()),
        "cap_of_all": cap_of_all,
        "half_on": half_on,
        "runs": runs,
        "silences": (!silences.is_empty()).then_some(silences),
    }))
}

fn router(rules: &Rules) -> Value {
    let Rules { health, group, queue, retries, walk, .. } = rules;
    let by_class: Map<_, _> = ErrorClass::ALL
        .into_iter()
        .filter_map(|(class, name)| {
            Some((format!("{name}AllowedFails"), health.router_tolerance.by_class.get(class)?.into()))
        })
        .collect();
    let (when_all_cooling, wait) = match walk.when_all_cooling {
        WhenAllCooling::Fail => ("fail", None),
        WhenAllCooling::Wait(time) => ("wait", Some(seconds(time))),
        WhenAllCooling::TrySoonest => ("try_soonest", None),
    };
    let tie_break = match group.tie_break {
        TieBreak::Random => "random",
        TieBreak::First => "first",
    };
    without_nulls(json!({
        "streams": rules.streams,
        "tie_break": tie_break,
        "num_retries": retries,
        "retry_after": seconds(walk.retry_after),
        "retry_budget_percent": 100.0 * group.retry_budget.share,
        "retry_budget_per_second": group.retry_budget.per_second,
        "timeout": rules.answer_timeout.map(seconds),
        "stream_timeout": rules.first_token_timeout.map(seconds),
        "total_timeout": rules.request_timeout.map(seconds),
        "allowed_fails": health.router_tolerance.any,
        "allowed_fails_policy": (!by_class.is_empty()).then_some(by_class),
        "failure_window": seconds(health.failure_window),
        "cooldown_time": seconds(health.cooldown_time.unwrap_or(health.default_cooldown_time)),
        "max_cooldown_time": seconds(health.max_cooldown_time),
        "max_retry_after": seconds(health.max_retry_after),
        "disable_cooldowns": !health.cooldowns,
        "ramp_time": seconds(health.ramp_time),
        "when_all_cooling": when_all_cooling,
        "all_cooling_wait": wait,
        "max_queued_requests": queue.most,
        "queue_timeout": seconds(queue.timeout),
    }))
}

fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => fields.into_iter().filter(|(_, value)| !value.is_null()).collect(),
        other => other,
    }
}
