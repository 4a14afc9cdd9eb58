//! G6: a burst on idle deployments spreads evenly.

use super::{Bound, Case, Plan, fleets};
use crate::{Arrivals, Policy, Scenario, Sizes, Workload};

const FLEETS: [usize; 6] = [2, 3, 4, 7, 16, 64];
const SLOTS: u32 = 8;

pub(super) fn plan() -> Plan {
    let case = |policy: Policy| Case {
        figures: vec![(format!("most less fewest in flight, {}", policy.name()), Bound::AtMost(1.0))],
        measure: Box::new(move |length, seed| vec![largest_difference(policy, length, seed)]),
    };
    Plan {
        name: "G6",
        says: "a burst on idle deployments spreads so that they differ by at most one request",
        cases: [Policy::LeastBusy, Policy::LeastBusyBySpeed].map(case).into(),
    }
}

/// The largest difference between the requests on two deployments, for bursts of any size up to beyond all slots.
fn largest_difference(policy: Policy, length: f64, seed: u64) -> f64 {
    let sizes = |deployments: usize| {
        let most = deployments * (SLOTS as usize + 2);
        (1..=most).step_by(((deployments as f64 / 8.0 / length) as usize).max(1))
    };
    let difference = |deployments: usize, size: usize| {
        let workload = Workload::Drawn {
            arrivals: Arrivals::Bursts { per_second: 1.0, size: size as u32 },
            prompt_tokens: Sizes::Fixed(0.0),
            output_tokens: Sizes::Exponential { mean: 1.0 },
            requests: size,
        };
        let scenario =
            Scenario { uncounted: 0.0, ..Scenario::new(fleets::alike(deployments, SLOTS), workload) };
        // All come at one moment, before any of them ends.
        let in_flight = scenario.run(policy, seed + size as u64).attempts;
        let most = in_flight.iter().max().copied().unwrap_or(0);
        most - in_flight.iter().min().copied().unwrap_or(0)
    };
    let all = FLEETS.into_iter().flat_map(|fleet| sizes(fleet).map(move |size| difference(fleet, size)));
    all.max().unwrap_or(0) as f64
}
