use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{CURVE_POINTS, Comparison, Summary, curve_share};
use crate::{Arrivals, Engine, Estimate, Measure, Metric, Policy, Scenario, Sizes, Statistic, Workload};

fn scenario() -> Scenario {
    let engines = (0..3).map(|number| Engine::new(format!("engine {number}"), 2, 1.0)).collect();
    let workload = Workload::Drawn {
        arrivals: Arrivals::Poisson { per_second: 5.0 },
        prompt_tokens: Sizes::Fixed(0.0),
        output_tokens: Sizes::Lognormal { mean: 1.0, sigma: 1.0 },
        requests: 500,
    };
    Scenario::new(engines, workload)
}

fn compared(policies: &[Policy], seeds: &[u64], threads: usize) -> (Comparison, usize) {
    let ended = AtomicUsize::new(0);
    let count = || {
        ended.fetch_add(1, Ordering::Relaxed);
    };
    let threads = NonZeroUsize::new(threads).expect("a thread");
    (Comparison::run(&scenario(), policies, seeds, threads, &count), ended.into_inner())
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let seeds = [4, 1, 9, 2, 7];
    let alone = compared(&Policy::ALL, &seeds, 1);
    assert_eq!(alone.1, Policy::ALL.len() * seeds.len());
    for threads in [2, 5, 16] {
        assert_eq!(compared(&Policy::ALL, &seeds, threads), alone);
    }
}

#[test]
fn rows_are_the_policies_as_asked_and_their_runs_the_seeds() {
    let policies = [Policy::LeastBusy, Policy::Random];
    let (comparison, _) = compared(&policies, &[8, 3], 2);
    for (row, policy) in comparison.rows.iter().zip(policies) {
        let runs = [8, 3].map(|seed| Summary::of(&scenario().run(policy, seed)));
        assert_eq!((row.policy, &row.runs[..]), (policy, &runs[..]));
        let p99 = Metric::Of(Measure::Wait, Statistic::PerMille(990));
        assert_eq!(row.estimate(p99), Estimate::of(&runs.map(|run| run.figure(p99))));
    }
}

#[test]
fn nobody_and_nothing_are_compared_in_no_time() {
    assert_eq!(compared(&[], &[1], 2).0.rows, []);
    let (without_seeds, ended) = compared(&[Policy::Random], &[], 2);
    assert_eq!((without_seeds.rows.len(), without_seeds.rows[0].runs.len(), ended), (1, 0, 0));
}

#[test]
fn a_curve_is_the_quantiles_at_its_shares() {
    let report = scenario().run(Policy::Random, 1);
    let summary = Summary::of(&report);
    assert_eq!((curve_share(0), curve_share(99), curve_share(CURVE_POINTS - 1)), (0.005, 0.5, 0.999));
    for (curve, measure) in summary.curves.iter().zip(Measure::ALL) {
        assert_eq!(curve.len(), CURVE_POINTS);
        assert!(curve.is_sorted(), "{measure:?}");
        let figure = |per_mille| summary.figure(Metric::Of(measure, Statistic::PerMille(per_mille)));
        assert_eq!([curve[99], curve[197], curve[199]], [500, 990, 999].map(figure));
    }
}

#[test]
fn a_figure_that_is_not_kept_is_no_number() {
    let summary = Summary::of(&scenario().run(Policy::Random, 1));
    assert!(summary.figure(Metric::Of(Measure::Wait, Statistic::PerMille(123))).is_nan());
}
