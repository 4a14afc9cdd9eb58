//! A scenario from a configuration: its model group, by the same rules as the router reads them.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::time::Duration;

use leastbusy_balance::Weight;
use leastbusy_sim::{Arrivals, Engine, Policy, Scenario, Sizes, Workload};

use super::scenario::DEFAULT_REQUESTS;
use super::trace::Trace;
use super::{Study, rules};
use crate::config::{self, Config, Hedge, RetryPolicy, Timeouts};
use crate::likeness::nearest;
use crate::router::rules::whole_request;

/// The spread of the answers of `simulated/` engines.
const SIMULATED_SIGMA: f64 = 1.2;
/// What answers are like in chats where nothing is known of them.
const USUAL_ANSWERS: Sizes = Sizes::Lognormal { mean: 250.0, sigma: 1.2 };

/// What a configuration does not say of its deployments and their load.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Assumed {
    pub(super) slots: u32,
    pub(super) tokens_per_second: f64,
    pub(super) first_token_time: Duration,
    pub(super) prefill_tokens_per_second: Option<f64>,
    pub(super) prompt_tokens: Sizes,
    /// `None` takes those of `simulated/` deployments, or what is usual.
    pub(super) output_tokens: Option<Sizes>,
}

/// The study of a configuration's model group: one that is named, or its only one. Its arrivals are one a second.
pub(super) fn study(
    file: &str,
    config: &Config,
    model: Option<&str>,
    assumed: &Assumed,
    trace: Option<Trace>,
) -> Result<Study, String> {
    let group = group(config, model)?;
    let ids = config.ids();
    let all = config.deployments.iter().zip(ids);
    let members: Vec<_> = all.filter(|(deployment, _)| deployment.model_name == group).collect();
    let engines = members.iter().map(|(deployment, id)| engine(config, deployment, id, assumed)).collect();
    let mut notes = notes(config, &members, assumed);
    let workload = match trace {
        Some(trace) => {
            notes.extend(trace.note());
            Workload::Trace(trace.jobs)
        }
        None => Workload::Drawn {
            arrivals: Arrivals::Poisson { per_second: 1.0 },
            prompt_tokens: assumed.prompt_tokens,
            output_tokens: answers(&members, assumed, &mut notes),
            requests: DEFAULT_REQUESTS,
        },
    };
    let first = members.first().map(|(deployment, _)| deployment.cooldown).unwrap_or_default();
    let mut scenario = Scenario::new(engines, workload);
    scenario.rules = rules::of_router(&config.router, &first, true);
    scenario.rules.request_timeout = Some(whole_request(&config.router));
    let title = format!("{group} of {file}");
    Ok(Study { title, scenario, policies: Policy::USUAL.to_vec(), seeds: Vec::new(), notes })
}

/// The name of the model group that is meant.
pub(super) fn group<'c>(config: &'c Config, model: Option<&'c str>) -> Result<&'c str, String> {
    let groups: BTreeSet<&str> =
        config.deployments.iter().map(|deployment| deployment.model_name.as_str()).collect();
    let names = || groups.iter().copied().collect::<Vec<_>>().join(", ");
    let Some(model) = model else {
        let mut all = groups.iter();
        return match (all.next(), all.next()) {
            (Some(only), None) => Ok(only),
            _ => Err(format!(
                "the configuration has {} model groups: add --model with one of {}",
                groups.len(),
                names()
            )),
        };
    };
    let target = config.aliases.get(model).map_or(model, |alias| alias.model.as_str());
    if let Some(group) = groups.get(target) {
        return Ok(group);
    }
    Err(match nearest(model, groups.iter().copied()) {
        Some(near) => format!("there is no model group `{model}`: did you mean `{near}`?"),
        None => format!("there is no model group `{model}`: the configuration has {}", names()),
    })
}

fn engine(config: &Config, deployment: &config::Deployment, id: &str, assumed: &Assumed) -> Engine {
    let (slots, speed, first_token_time) = match &deployment.simulated {
        Some(own) => (own.slots, own.tokens_per_second, own.first_token_time),
        None if is_simulated(deployment) => {
            let own = config::SimulatedEngine::default();
            (own.slots, own.tokens_per_second, own.first_token_time)
        }
        None => {
            let slots = deployment.slots().unwrap_or(assumed.slots);
            (slots, assumed.tokens_per_second, assumed.first_token_time)
        }
    };
    let engine = Engine::new(id, slots, speed);
    Engine {
        first_token_time,
        // Simulated engines read prompts in no time.
        prefill_tokens_per_second: assumed.prefill_tokens_per_second.filter(|_| !is_simulated(deployment)),
        // A configuration that was checked has no weight that is none.
        weight: Weight::new(deployment.weight).unwrap_or(engine.weight),
        order: deployment.order,
        limit: deployment.parallel_limit(&config.router).and_then(NonZeroU32::new),
        ..engine
    }
}

fn is_simulated(deployment: &config::Deployment) -> bool {
    deployment.simulated.is_some() || deployment.model.starts_with("simulated/")
}

/// The lengths of answers, where no trace tells them.
fn answers(members: &[(&config::Deployment, String)], assumed: &Assumed, notes: &mut Vec<String>) -> Sizes {
    if let Some(given) = assumed.output_tokens {
        return given;
    }
    let own = |deployment: &config::Deployment| {
        let engine = deployment.simulated.clone().unwrap_or_default();
        is_simulated(deployment).then_some(engine.mean_tokens)
    };
    let means: Vec<_> = members.iter().map(|(deployment, _)| own(deployment)).collect();
    match means.first() {
        Some(Some(mean)) if means.iter().all(|other| *other == Some(*mean)) => {
            Sizes::Lognormal { mean: *mean, sigma: SIMULATED_SIGMA }
        }
        _ => {
            notes.push(
                "assumed: answers of lognormal length, 250 tokens on average, spread 1.2 (--output-tokens)"
                    .into(),
            );
            USUAL_ANSWERS
        }
    }
}

/// What is assumed of the deployments, and which of their settings have no effect here.
fn notes(config: &Config, members: &[(&config::Deployment, String)], assumed: &Assumed) -> Vec<String> {
    let mut notes = Vec::new();
    let unknown = members.iter().filter(|(deployment, _)| !is_simulated(deployment)).count();
    if 0 < unknown {
        notes.push(format!(
            "assumed of {unknown} of {} deployments: {} slots, {} tokens/s, first token after {} s (--slots, \
             --tokens-per-second, --first-token-time)",
            members.len(),
            assumed.slots,
            assumed.tokens_per_second,
            assumed.first_token_time.as_secs_f64(),
        ));
    }
    let router = &config.router;
    let any = |object: &dyn Fn(&config::Deployment) -> bool| {
        members.iter().any(|(deployment, _)| object(deployment))
    };
    let first = members.first().map(|(deployment, _)| deployment.cooldown).unwrap_or_default();
    for (is_set, what) in [
        (router.fallbacks != config::Fallbacks::default(), "fallbacks: only this model group"),
        (router.hedge != Hedge::Off, "hedging"),
        (router.retries.policy != RetryPolicy::default(), "retry_policy"),
        (!router.retries.group_policies.is_empty(), "model_group_retry_policy"),
        (router.least_busy_by != config::BusyBy::default(), "prompts and caches of least_busy_by"),
        (
            any(&|deployment| deployment.rpm.or(deployment.tpm).is_some()),
            "rpm and tpm, but for the limit in flight",
        ),
        (
            router.learn_speeds || any(&|deployment| deployment.engine.speed.is_some()),
            "speed and learn_speeds",
        ),
        (any(&|deployment| deployment.num_retries.is_some()), "num_retries of single deployments"),
        (any(&|deployment| deployment.timeouts != Timeouts::default()), "time limits of single deployments"),
        (any(&|deployment| deployment.cooldown != first), "cooldown settings of single deployments"),
    ] {
        if is_set {
            notes.push(format!("not simulated: {what}"));
        }
    }
    notes
}
