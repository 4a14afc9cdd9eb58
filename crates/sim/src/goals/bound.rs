//! G1: one instance against the central queue.

use super::{Bound, Case, Plan, fleets};
use crate::{Measure, Metric, Policy, Statistic};

const REQUESTS: f64 = 800_000.0;

pub(super) fn plan() -> Plan {
    let figures = [
        ("mean response", Metric::Of(Measure::Response, Statistic::Mean), 1.01),
        ("mean wait", Metric::Of(Measure::Wait, Statistic::Mean), 1.3),
        ("p99 wait", Metric::Of(Measure::Wait, Statistic::PerMille(990)), 1.5),
    ];
    let measure = move |length: f64, seed| {
        let scenario = fleets::loaded(fleets::alike(16, 8), 0.9, length * REQUESTS);
        let jobs = scenario.jobs(seed);
        let [ours, bound] = [Policy::LeastBusy, Policy::CentralQueue]
            .map(|policy| scenario.replay(&jobs, policy, seed, None));
        figures.iter().map(|(_, metric, _)| metric.of(&ours) / metric.of(&bound)).collect()
    };
    let figure = |(what, _, most): &(&str, Metric, f64)| {
        (format!("{what}, as a multiple of the central queue's"), Bound::AtMost(*most))
    };
    Plan {
        name: "G1",
        says: "16 deployments of 8 slots at 90 % load serve almost as if one queue fed them all",
        cases: vec![Case { figures: figures.iter().map(figure).collect(), measure: Box::new(measure) }],
    }
}
