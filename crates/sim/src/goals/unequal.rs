//! G12: deployments of unlike speed and size, where both are known.

use super::{Bound, Case, Plan, fleets};
use crate::{Engine, Measure, Metric, Policy, Statistic};

const REQUESTS: f64 = 120_000.0;
/// Where queues are long, what one request finds is much like what the next ones do.
const REQUESTS_IN_QUEUES: f64 = 800_000.0;
/// Eight deployments of the first slots and speed, eight of the second.
const FLEETS: [[(u32, f64); 2]; 3] = [[(8, 1.0), (8, 0.25)], [(16, 1.0), (4, 1.0)], [(2, 1.0), (2, 0.25)]];
const LOADS: [f64; 3] = [0.5, 0.7, 0.9];

pub(super) fn plan() -> Plan {
    let cases = FLEETS.into_iter().flat_map(|fleet| LOADS.map(|load| case(fleet, load)));
    Plan {
        name: "G12",
        says: "unequal deployments, their speeds known (least-busy-by-speed), serve almost as if one queue fed the fastest free of them",
        cases: cases.collect(),
    }
}

fn case(fleet: [(u32, f64); 2], load: f64) -> Case {
    let [(slots, speed), (other_slots, other_speed)] = fleet;
    let what = format!(
        "mean response to the central queue's, 8 of {slots} slots at speed {speed} and 8 of {other_slots} at \
         {other_speed}, load {load}"
    );
    let metric = Metric::Of(Measure::Response, Statistic::Mean);
    let measure = move |length: f64, seed| {
        let engines = fleet.into_iter().flat_map(|(slots, speed)| {
            (0..8).map(move |number| Engine::new(format!("{slots}x{speed}-{number}"), slots, speed))
        });
        let requests = if load < 0.9 { REQUESTS } else { REQUESTS_IN_QUEUES };
        let scenario = fleets::loaded(engines.collect(), load, length * requests);
        let jobs = scenario.jobs(seed);
        let [ours, bound] = [Policy::LeastBusyBySpeed, Policy::CentralQueue]
            .map(|policy| metric.of(&scenario.replay(&jobs, policy, seed, None)));
        vec![ours / bound]
    };
    Case { figures: vec![(what, Bound::AtMost(1.05))], measure: Box::new(measure) }
}
