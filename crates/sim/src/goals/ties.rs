//! G13: idle deployments share evenly.

use super::{Bound, Case, Plan, fleets};
use crate::{Policy, Report};

const REQUESTS: f64 = 100_000.0;

pub(super) fn plan() -> Plan {
    let case = |policy: Policy| Case {
        figures: vec![(format!("share of the first, {}", policy.name()), Bound::Within(0.24, 0.26))],
        measure: Box::new(move |length, seed| {
            // So little load that nearly every request finds all of them idle.
            let scenario = fleets::loaded(fleets::alike(4, 8), 0.0005, length * REQUESTS);
            let Report { attempts, .. } = scenario.run(policy, seed);
            vec![attempts[0] as f64 / attempts.iter().sum::<u64>() as f64]
        }),
    };
    Plan {
        name: "G13",
        says: "the first of four idle deployments gets its quarter of the requests",
        cases: [Policy::LeastBusy, Policy::LeastBusyBySpeed].map(case).into(),
    }
}
