//! What is to be simulated, whole.

use std::time::Duration;

use crate::report::Report;
use crate::world::Run;
use crate::{Client, Engine, Instances, Job, Policy, Rules, Workload};

/// A fleet, its load and its rules.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// The deployments.
    pub engines: Vec<Engine>,
    /// The requests.
    pub workload: Workload,
    /// What the gateway is told.
    pub rules: Rules,
    /// How many instances of it there are, and what they share.
    pub instances: Instances,
    /// Whose the requests are; where nobody is named, all are one client's.
    pub clients: Vec<Client>,
    /// The share of the requests at the beginning that is not counted, because they find empty queues; 0 to 1,
    /// default 0.15.
    pub uncounted: f64,
}

impl Scenario {
    /// These deployments under this load, by the usual rules.
    #[must_use]
    pub fn new(engines: Vec<Engine>, workload: Workload) -> Self {
        Self {
            engines,
            workload,
            rules: Rules::default(),
            instances: Instances::default(),
            clients: Vec::new(),
            uncounted: 0.15,
        }
    }

    /// The requests of one run.
    #[must_use]
    pub fn jobs(&self, seed: u64) -> Vec<Job> {
        self.workload.jobs(seed)
    }

    /// One run of the requests that this seed draws; the same seed gives the same report.
    #[must_use]
    pub fn run(&self, policy: Policy, seed: u64) -> Report {
        self.replay(&self.jobs(seed), policy, seed, None)
    }

    /// One run of these requests, with a timeline in such spans if one is wanted.
    ///
    /// Under [`Policy::CentralQueue`], deployments that only share their speeds are one large one, and the report tells
    /// of that.
    #[must_use]
    pub fn replay(&self, jobs: &[Job], policy: Policy, seed: u64, span: Option<Duration>) -> Report {
        let run = Run {
            engines: &self.engines,
            rules: &self.rules,
            instances: &self.instances,
            clients: &self.clients,
            policy,
            seed,
            uncounted: (self.uncounted * jobs.len() as f64) as usize,
            span,
        };
        if policy == Policy::CentralQueue
            && let Some(pooled) = pooled(&self.engines)
        {
            // All its answers share one speed: there is nothing to wait for and nothing to choose. Nothing fails
            // at a bound, so no rule of the gateway's matters.
            let (engines, rules, instances) = (&[pooled], &Rules::default(), &Instances::default());
            return Run { engines, rules, instances, policy: Policy::LeastBusy, ..run }.report(jobs);
        }
        run.report(jobs)
    }

    /// Requests a second that the whole fleet can serve in the long run; `None` for a recorded trace.
    #[must_use]
    pub fn capacity(&self) -> Option<f64> {
        let Workload::Drawn { prompt_tokens, output_tokens, .. } = &self.workload else { return None };
        let (prompt, output) = (prompt_tokens.mean(), output_tokens.mean());
        Some(self.engines.iter().map(|engine| engine.capacity(prompt, output)).sum())
    }
}

/// The fleet as one large deployment, where all share their speed among any number of answers: what one queue is
/// to slots, this is to shared speed.
fn pooled(engines: &[Engine]) -> Option<Engine> {
    let first = engines.first()?;
    let is_alike = |engine: &Engine| {
        engine.tokens_per_second == first.tokens_per_second
            && engine.first_token_time == first.first_token_time
            && engine.full_speed < engine.slots
            && engine.prefill_tokens_per_second.is_none()
            && engine.memory_tokens.is_none()
            && engine.episodes.is_empty()
    };
    let sum = |of: fn(&Engine) -> u32| engines.iter().map(of).fold(0, u32::saturating_add);
    engines.iter().all(is_alike).then(|| Engine {
        slots: sum(|engine| engine.slots),
        full_speed: sum(|engine| engine.full_speed),
        requests_max: None,
        limit: None,
        ..first.clone()
    })
}

#[cfg(test)]
mod tests;
