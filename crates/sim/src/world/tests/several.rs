//! Several instances of the gateway before the same engines.

use std::time::Duration;

use super::{at, engine, job};
use crate::{Dice, Instances, Policy, Report, Rules, Run};

fn run(instances: &Instances, engines: usize, jobs: &[crate::Job]) -> Report {
    let (engines, rules) = (&vec![engine(100); engines], &Rules::default());
    Run {
        engines,
        rules,
        instances,
        clients: &[],
        policy: Policy::LeastBusy,
        seed: 3,
        uncounted: 0,
        span: None,
    }
    .report(jobs)
}

/// Sixteen requests a second apart, each as long as the run.
fn one_after_the_other() -> Vec<crate::Job> {
    (0..16).map(|number| job(f64::from(number), 100.0)).collect()
}

#[test]
fn those_that_share_nothing_each_count_their_own() {
    let jobs = one_after_the_other();
    let alone = run(&Instances::default(), 16, &jobs);
    assert_eq!(alone.attempts, [1; 16]);
    let apart = run(&Instances::sharing(16, None), 16, &jobs);
    assert!(1 < apart.largest_in_flight.iter().copied().max().unwrap(), "{:?}", apart.largest_in_flight);
}

#[test]
fn those_that_share_in_time_balance_as_one_does() {
    let often = Instances::sharing(16, Some(Duration::from_millis(10)));
    assert_eq!(run(&often, 16, &one_after_the_other()).attempts, [1; 16]);
}

#[test]
fn while_nothing_can_be_told_each_counts_its_own_and_afterwards_all_is_known() {
    let jobs = one_after_the_other();
    let mut often = Instances::sharing(16, Some(Duration::from_millis(10)));
    often.silences = vec![(Duration::ZERO, at(100.0))];
    assert_eq!(run(&often, 16, &jobs).attempts, run(&Instances::sharing(16, None), 16, &jobs).attempts);
    // Sixteen that nobody knows of, then sixteen with which all are even.
    let later = (0..48).map(|number| job(200.0 + f64::from(number), 100.0));
    let jobs: Vec<_> =
        jobs.iter().map(|job| crate::Job { output_tokens: 1_000.0, ..*job }).chain(later).collect();
    let largest = run(&often, 16, &jobs).largest_in_flight;
    assert_eq!(largest, [4; 16]);
}

#[test]
fn those_that_are_cut_off_go_on_by_turns() {
    let (mut dice, mut now) = (Dice::new(5), 0.0);
    let jobs: Vec<_> = (0..20_000)
        .map(|_| {
            now += dice.exponential(1.0 / (0.9 * 128.0));
            job(now, dice.lognormal(1.0, 1.2))
        })
        .collect();
    let mean_wait = |instances: &Instances| {
        let engines = &vec![engine(8); 16];
        let (rules, policy) = (&Rules::default(), Policy::LeastBusy);
        let run =
            Run { engines, rules, instances, clients: &[], policy, seed: 3, uncounted: 2_000, span: None };
        run.report(&jobs).waits.mean().as_secs_f64()
    };
    let mut cut_off = Instances::sharing(16, Some(Duration::from_millis(10)));
    cut_off.silences = vec![(at(5.0), at(100_000.0))];
    let (cut_off, unknown) = (mean_wait(&cut_off), mean_wait(&Instances::sharing(16, None)));
    assert!(cut_off < 0.8 * unknown, "{cut_off} and {unknown}");
}

#[test]
fn the_end_of_a_run_is_not_put_off_by_exchanges() {
    let often = Instances::sharing(3, Some(Duration::from_millis(10)));
    assert_eq!(run(&often, 2, &[]).requests(), 0);
    assert_eq!(run(&often, 2, &[job(1.0, 1.0)]).requests(), 1);
}
