//! G2 to G5: sixteen instances against one that sees everything, and against those that share nothing.

use std::time::Duration;

use super::{Bound, Case, Plan, fleets};
use crate::{Instances, Job, Measure, Metric, Policy, Report, Scenario, Statistic};

const INSTANCES: u32 = 16;
const REQUESTS: f64 = 200_000.0;
const REQUESTS_OF_MANY: f64 = 100_000.0;
/// When the instances that are cut off hear each other for the last time.
const LAST_HEARD: Duration = Duration::from_secs(5);

const MEAN: Metric = Metric::Of(Measure::Wait, Statistic::Mean);
const P99: Metric = Metric::Of(Measure::Wait, Statistic::PerMille(990));

pub(super) fn plans() -> [Plan; 4] {
    [often(), seldom(), always(), many()]
}

/// Sixteen that share this often.
pub(super) fn sharing(milliseconds: u64) -> Instances {
    Instances::sharing(INSTANCES, Some(Duration::from_millis(milliseconds)))
}

/// The requests of a run and those who serve them.
struct Served {
    scenario: Scenario,
    jobs: Vec<Job>,
    seed: u64,
}

impl Served {
    fn new(length: f64, seed: u64) -> Self {
        Self::by_so_many(16, length, seed)
    }

    fn by_so_many(deployments: usize, length: f64, seed: u64) -> Self {
        let scenario = fleets::loaded(fleets::alike(deployments, 8), 0.9, length * REQUESTS);
        Self { jobs: scenario.jobs(seed), scenario, seed }
    }

    fn by(&self, policy: Policy, instances: Instances) -> Report {
        let scenario = Scenario { instances, ..self.scenario.clone() };
        scenario.replay(&self.jobs, policy, self.seed, None)
    }

    fn by_least_busy(&self, instances: Instances) -> Report {
        self.by(Policy::LeastBusy, instances)
    }
}

fn often() -> Plan {
    let measure = |length, seed| {
        let served = Served::new(length, seed);
        let [ours, one] =
            [sharing(20), Instances::default()].map(|instances| served.by_least_busy(instances));
        [P99, MEAN].map(|metric| metric.of(&ours) / metric.of(&one)).to_vec()
    };
    let figures = [("p99 wait", 1.35), ("mean wait", 2.0)];
    let figure =
        |(what, most)| (format!("{what} to one instance's, shared every 20 ms"), Bound::AtMost(most));
    Plan {
        name: "G2",
        says: "16 instances that share their counts every 20 ms serve almost as one does",
        cases: vec![Case { figures: figures.map(figure).into(), measure: Box::new(measure) }],
    }
}

fn seldom() -> Plan {
    let measure = |length, seed| {
        let served = Served::new(length, seed);
        let ours = P99.of(&served.by_least_busy(sharing(100)));
        [Policy::LeastBusy, Policy::TwoChoices]
            .map(|policy| ours / P99.of(&served.by(policy, Instances::default())))
            .to_vec()
    };
    let figures = [("one instance's", 1.8), ("that of one instance's two choices", 1.0)];
    let figure = |(what, most)| (format!("p99 wait to {what}, shared every 100 ms"), Bound::AtMost(most));
    Plan {
        name: "G3",
        says: "16 instances that share their counts every 100 ms serve better than two choices with true counts",
        cases: vec![Case { figures: figures.map(figure).into(), measure: Box::new(measure) }],
    }
}

fn always() -> Plan {
    let cut_off = || Instances { silences: vec![(LAST_HEARD, Duration::MAX)], ..sharing(20) };
    let ways = [("every 100 ms", sharing(100)), ("every second", sharing(1_000)), ("no more", cut_off())];
    let nothing = || Instances::sharing(INSTANCES, None);
    let figures = ways.iter().flat_map(|(when, _)| {
        let to_nothing = |what| format!("{what} wait to that of instances that share nothing, shared {when}");
        [
            (to_nothing("mean"), Bound::AtMost(1.05)),
            (to_nothing("p99"), Bound::AtMost(1.05)),
            (format!("p99 wait to random's, shared {when}"), Bound::AtMost(0.125)),
        ]
    });
    let figures = figures.collect();
    let measure = move |length, seed| {
        let served = Served::new(length, seed);
        let without = served.by_least_busy(nothing());
        let [mean, p99] = [MEAN, P99].map(|metric| metric.of(&without));
        let random = P99.of(&served.by(Policy::Random, Instances::default()));
        let of = |(_, instances): &(_, Instances)| {
            let ours = served.by_least_busy(instances.clone());
            [MEAN.of(&ours) / mean, P99.of(&ours) / p99, P99.of(&ours) / random]
        };
        ways.iter().flat_map(of).collect()
    };
    let few = move |length, seed| {
        let served = Served::by_so_many(4, length, seed);
        let [ours, nothing] =
            [sharing(1_000), nothing()].map(|instances| P99.of(&served.by_least_busy(instances)));
        vec![ours / nothing]
    };
    let of_few = "p99 wait to that of instances that share nothing, 4 deployments, shared every second";
    Plan {
        name: "G4",
        says: "however old the others' counts are, 16 instances never serve worse than without them",
        cases: vec![
            Case { figures, measure: Box::new(measure) },
            Case { figures: vec![(of_few.to_owned(), Bound::AtMost(1.05))], measure: Box::new(few) },
        ],
    }
}

fn many() -> Plan {
    let measure = |length: f64, seed| {
        let scenario = fleets::loaded(fleets::alike(100, 8), 0.9, length * REQUESTS_OF_MANY);
        let scenario = Scenario { instances: sharing(20), ..scenario };
        vec![P99.of(&scenario.run(Policy::LeastBusy, seed))]
    };
    let what = "p99 wait as a share of the mean answer's time, 100 deployments".to_owned();
    Plan {
        name: "G5",
        says: "16 instances that share their counts every 20 ms serve by 100 deployments almost without waiting",
        cases: vec![Case { figures: vec![(what, Bound::AtMost(0.4))], measure: Box::new(measure) }],
    }
}
