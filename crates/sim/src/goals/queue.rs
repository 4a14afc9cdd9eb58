//! G14 and G15: the gateway's queue against the central queue, and the cap that several instances keep.

use std::num::NonZeroU32;
use std::time::Duration;

use leastbusy_balance::GroupRules;

use super::{Bound, Case, Plan, fleets, instances};
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

/// The cap of 12, and one more for each of the 15 other instances, which may each take one that all saw.
const MOST: f64 = 27.0;

pub(super) fn plans() -> [Plan; 2] {
    [one(), several()]
}

fn limited(deployments: usize, slots: u32) -> Vec<Engine> {
    let limited = |engine| Engine { limit: NonZeroU32::new(slots), ..engine };
    fleets::alike(deployments, slots).into_iter().map(limited).collect()
}

fn several() -> Plan {
    let often = [20, 100];
    let measure = move |length: f64, seed| {
        let mean_wait = METRICS[2];
        let with = |engines, milliseconds| {
            let mut scenario = fleets::loaded(engines, 0.9, length * REQUESTS);
            scenario.rules.queue = UNBOUNDED;
            scenario.rules.group.cap_of_all = Some(GroupRules::USUAL_CAP_OF_ALL);
            scenario.instances = instances::sharing(milliseconds);
            let report = scenario.run(Policy::LeastBusy, seed);
            let most = report.largest_in_flight.iter().copied().max().unwrap_or_default();
            (mean_wait.of(&report), f64::from(most))
        };
        let figures = |milliseconds| {
            let (ours, most) = with(limited(16, 8), milliseconds);
            let (pushed_on, _) = with(fleets::alike(16, 8), milliseconds);
            [ours / pushed_on, most]
        };
        often.map(figures).as_flattened().to_vec()
    };
    let figures = |milliseconds| {
        let wait = format!("mean wait to that of instances that push on, shared every {milliseconds} ms");
        let most = format!("most in flight on a deployment, shared every {milliseconds} ms");
        [(wait, Bound::AtMost(1.05)), (most, Bound::AtMost(MOST))]
    };
    Plan {
        name: "G15",
        says: "16 instances that hold back together at 1.5 times the limits lose no capacity and do not overrun a deployment",
        cases: vec![Case { figures: often.map(figures).as_flattened().to_vec(), measure: Box::new(measure) }],
    }
}

fn one() -> Plan {
    let measure = |length: f64, seed| {
        let mut scenario = fleets::loaded(limited(DEPLOYMENTS, SLOTS), 0.9, length * REQUESTS);
        scenario.rules.queue = UNBOUNDED;
        let jobs = scenario.jobs(seed);
        let [ours, bound] = [Policy::LeastBusy, Policy::CentralQueue]
            .map(|policy| scenario.replay(&jobs, policy, seed, None));
        METRICS.map(|metric| metric.of(&ours) / metric.of(&bound)).to_vec()
    };
    let figure = |metric: Metric| {
        (format!("{metric}, as a multiple of the central queue's"), Bound::Within(0.999, 1.001))
    };
    Plan {
        name: "G14",
        says: "4 deployments with limits of 4 at 90 % load serve by the gateway's queue as if one queue fed them all",
        cases: vec![Case { figures: METRICS.map(figure).into(), measure: Box::new(measure) }],
    }
}
