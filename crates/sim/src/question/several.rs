//! How often several instances of the gateway need to share their counts.

use std::time::Duration;

use super::Asked;
use crate::estimate::Estimate;
use crate::metric::Metric;
use crate::{Instances, Scenario};

/// A figure by the number of instances and by how often they share their counts.
#[derive(Debug, Clone, PartialEq)]
pub struct Several {
    /// With one instance, which sees everything.
    pub alone: Estimate,
    /// From the shortest interval to none.
    pub shared: Vec<Shared>,
}

/// A figure where counts are shared this often.
#[derive(Debug, Clone, PartialEq)]
pub struct Shared {
    /// Between two exchanges; `None` where nothing is shared.
    pub every: Option<Duration>,
    /// One for each number of instances, in the order they were asked for.
    pub estimates: Vec<Estimate>,
}

impl Several {
    /// Tries these numbers of instances with each interval, and with nothing shared; how requests come to them is the
    /// scenario's.
    #[must_use]
    pub fn tried(
        scenario: &Scenario,
        counts: &[u32],
        intervals: &[Duration],
        metric: Metric,
        asked: &Asked<'_>,
    ) -> Self {
        let with = |instances| asked.estimate(&Scenario { instances, ..scenario.clone() }, metric);
        let mut intervals = intervals.to_vec();
        intervals.sort_unstable();
        intervals.dedup();
        let shared = intervals.into_iter().map(Some).chain([None]).map(|every| Shared {
            every,
            estimates: counts
                .iter()
                .map(|count| {
                    with(Instances { count: *count, shared_every: every, ..scenario.instances.clone() })
                })
                .collect(),
        });
        Self { alone: with(Instances::default()), shared: shared.collect() }
    }
}

#[cfg(test)]
mod tests;
