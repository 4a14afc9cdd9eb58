//! The scenario's deployments as simulated engines behind the gateway.

use std::num::NonZeroU32;

use leastbusy_sim::{Engine, Scenario};

use crate::config::{Config, Deployment, Queue, RouterSettings, SimulatedEngine};
use crate::load::MODEL;

type Has = fn(&Engine) -> bool;

/// What engines of a scenario may have and simulated engines do not.
const MISSING: [(&str, Has); 5] = [
    ("full_speed_slots: simulated engines write each answer at full speed", |engine| {
        engine.full_speed < engine.slots
    }),
    ("prefill_tokens_per_second: simulated engines read prompts in no time", |engine| {
        engine.prefill_tokens_per_second.is_some()
    }),
    ("kv_cache_tokens: simulated engines have no memory that could be full", |engine| {
        engine.memory_tokens.is_some()
    }),
    ("max_requests: simulated engines let any number wait", |engine| engine.requests_max.is_some()),
    ("troubles: simulated engines stay well in a run on sockets", |engine| !engine.episodes.is_empty()),
];

/// What of a scenario cannot be run on sockets, a line each.
pub(super) fn refused(scenario: &Scenario) -> Vec<String> {
    let Scenario { engines, rules, instances, clients, .. } = scenario;
    let of_engines = MISSING.iter().filter_map(|(what, has)| {
        let names: Vec<&str> =
            engines.iter().filter(|engine| has(engine)).map(|engine| engine.name.as_str()).collect();
        (!names.is_empty()).then(|| format!("{what} ({})", names.join(", ")))
    });
    let has_limit =
        [rules.request_timeout, rules.first_token_timeout, rules.answer_timeout].iter().any(Option::is_some);
    let of_rules =
        has_limit.then(|| "a timeout in router: what is late here is to be seen, not cut".to_owned());
    let of_instances = (1 < instances.count)
        .then(|| "instances: one gateway alone is started for a run on sockets".to_owned());
    let of_clients = (!clients.is_empty())
        .then(|| "clients: all requests of a run on sockets are one client's".to_owned());
    of_engines.chain(of_rules).chain(of_instances).chain(of_clients).collect()
}

/// A configuration with one model group of engines that the gateway starts itself.
pub(super) fn config(scenario: &Scenario) -> Config {
    let deployments = scenario.engines.iter().enumerate().map(|(place, engine)| Deployment {
        weight: engine.weight.get(),
        order: engine.order,
        max_parallel_requests: engine.limit.map(NonZeroU32::get),
        simulated: Some(simulated(engine)),
        // By number, because code may give two engines one name, and a name with `*` is a pattern.
        ..Deployment::new(MODEL, format!("simulated/{}", place + 1))
    });
    let queue = scenario.rules.queue;
    Config {
        deployments: deployments.collect(),
        router: RouterSettings {
            tie_break: scenario.rules.group.tie_break,
            queue: Queue { max: queue.most, timeout: queue.timeout, ..Queue::default() },
            ..RouterSettings::default()
        },
        ..Config::default()
    }
}

fn simulated(engine: &Engine) -> SimulatedEngine {
    SimulatedEngine {
        slots: engine.slots,
        first_token_time: engine.first_token_time,
        tokens_per_second: engine.tokens_per_second,
        ..SimulatedEngine::default()
    }
}
