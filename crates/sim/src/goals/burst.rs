//! G6: requests that come together do not go together.

use super::{Bound, Case, Plan, fleets, instances};
use crate::{Arrivals, Instances, Metric, Policy, Scenario, Sizes, Workload};

const FLEETS: [usize; 6] = [2, 3, 4, 7, 16, 64];
const SLOTS: u32 = 8;
const REQUESTS: f64 = 200_000.0;

pub(super) fn plan() -> Plan {
    let case = |policy: Policy| Case {
        figures: vec![(format!("most less fewest in flight, {}", policy.name()), Bound::AtMost(1.0))],
        measure: Box::new(move |length, seed| vec![largest_difference(policy, length, seed)]),
    };
    Plan {
        name: "G6",
        says: "a burst on idle deployments spreads so that they differ by at most one request, and instances do not \
               herd by old counts",
        cases: [case(Policy::LeastBusy), case(Policy::LeastBusyBySpeed), herd()].into(),
    }
}

/// Sixteen instances that share their counts every 100 ms, beside one.
fn herd() -> Case {
    let what = "largest in flight to one instance's, 16 instances, shared every 100 ms".to_owned();
    let measure = |length: f64, seed| {
        let scenario = fleets::loaded(fleets::alike(16, SLOTS), 0.9, length * REQUESTS);
        let jobs = scenario.jobs(seed);
        let [ours, one] = [instances::sharing(100), Instances::default()].map(|instances| {
            let scenario = Scenario { instances, ..scenario.clone() };
            Metric::LargestInFlight.of(&scenario.replay(&jobs, Policy::LeastBusy, seed, None))
        });
        vec![ours / one]
    };
    Case { figures: vec![(what, Bound::AtMost(1.5))], measure: Box::new(measure) }
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
