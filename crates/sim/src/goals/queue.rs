//! G14: the gateway's queue against the central queue.

use std::num::NonZeroU32;
use std::time::Duration;

use super::{Bound, Case, Plan, fleets};
use crate::{Engine, Measure, Metric, Policy, Queue, Statistic};

const REQUESTS: f64 = 200_000.0;
const DEPLOYMENTS: usize = 4;
const SLOTS: u32 = 4;
const P99: Statistic = Statistic::PerMille(990);
const METRICS: [Metric; 4] = [
    Metric::Of(Measure::Response, Statistic::Mean),
    Metric::Of(Measure::Response, P99),
    Metric::Of(Measure::Wait, Statistic::Mean),
    Metric::Of(Measure::Wait, P99),
];
/// The central queue has no bound either.
const UNBOUNDED: Queue = Queue { most: Some(u32::MAX), timeout: Duration::MAX, turns: true };

pub(super) fn plan() -> Plan {
    let measure = |length: f64, seed| {
        let limited = |engine| Engine { limit: NonZeroU32::new(SLOTS), ..engine };
        let engines = fleets::alike(DEPLOYMENTS, SLOTS).into_iter().map(limited).collect();
        let mut scenario = fleets::loaded(engines, 0.9, length * REQUESTS);
        scenario.rules.queue = UNBOUNDED;
        let jobs = scenario.jobs(seed);
        let [ours, bound] = [Policy::LeastBusy, Policy::CentralQueue]
            .map(|policy| scenario.replay(&jobs, policy, seed, None));
        METRICS.map(|metric| metric.of(&ours) / metric.of(&bound)).to_vec()
    };
    let figure = |metric: Metric| {
        (format!("{metric}, as a multiple of the central queue's"), Bound::Within(0.97, 1.03))
    };
    Plan {
        name: "G14",
        says: "4 deployments with limits of 4 at 90 % load serve by the gateway's queue as if one queue fed them all",
        cases: vec![Case { figures: METRICS.map(figure).into(), measure: Box::new(measure) }],
    }
}
