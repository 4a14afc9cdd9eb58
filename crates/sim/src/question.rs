//! What an operator asks before anything is bought or changed.

use std::num::NonZeroUsize;

use crate::comparison::Comparison;
use crate::estimate::Estimate;
use crate::metric::Metric;
use crate::{Policy, Scenario};

mod outage;
mod replicas;
mod several;
mod weights;

pub use outage::{Outage, Part, Survived};
pub use replicas::{Replicas, Target, Tried};
pub use several::{Several, Shared};
pub use weights::{Kind, Weighed, Weights, kinds};

/// What a question is asked with.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// The way of choosing.
    pub policy: Policy,
    /// One run for each.
    pub seeds: &'a [u64],
    /// Threads to run on; they change nothing but the time.
    pub threads: NonZeroUsize,
    /// Told of each run's end.
    pub done: &'a (dyn Fn() + Sync),
}

impl Asked<'_> {
    /// The figure of each run, by the order of the seeds: what two scenarios over the same requests are compared by.
    fn figures(&self, scenario: &Scenario, metric: Metric) -> Vec<f64> {
        let compared = Comparison::run(scenario, &[self.policy], self.seeds, self.threads, self.done);
        compared.rows[0].runs.iter().map(|run| run.figure(metric)).collect()
    }

    fn estimate(&self, scenario: &Scenario, metric: Metric) -> Estimate {
        Estimate::of(&self.figures(scenario, metric))
    }
}

impl std::fmt::Debug for Asked<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Asked")
            .field("policy", &self.policy)
            .field("seeds", &self.seeds)
            .finish_non_exhaustive()
    }
}
