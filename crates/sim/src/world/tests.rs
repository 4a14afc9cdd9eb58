use std::time::Duration;

use super::Run;
use crate::{Engine, Episode, Instances, Job, Policy, Report, Rules, Trouble};

mod everybody;
mod over_time;
mod queue;
mod several;
mod troubles;

/// Seconds since the start.
fn at(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// A request that takes so long on an engine of one token a second.
fn job(arrival: f64, seconds: f64) -> Job {
    Job { arrival: at(arrival), prompt_tokens: 0.0, output_tokens: seconds }
}

/// An engine of one token a second.
fn engine(slots: u32) -> Engine {
    Engine::new("engine", slots, 1.0)
}

/// An engine in trouble.
fn troubled(from: f64, until: f64, trouble: Trouble, engine: Engine) -> Engine {
    Engine { episodes: vec![Episode { from: at(from), until: at(until), trouble }], ..engine }
}

/// The same with a thousand times the weight, so that every request goes there first.
fn preferred(engine: Engine) -> Engine {
    let weight = leastbusy_balance::Weight::new(1000.0).expect("positive");
    Engine { weight, ..engine }
}

fn run(engines: &[Engine], rules: &Rules, jobs: &[Job]) -> Report {
    let policy = Policy::LeastBusy;
    let instances = &Instances::default();
    Run { engines, rules, instances, clients: &[], policy, seed: 1, uncounted: 0, span: None }.report(jobs)
}

/// All of them, in seconds, to the microsecond: ends are rounded up to nanoseconds.
fn seconds(times: &crate::Times) -> Vec<f64> {
    (1..=times.count())
        .map(|rank| times.quantile((rank as f64 - 0.5) / times.count() as f64))
        .map(|time| (time.as_secs_f64() * 1e6).floor() / 1e6)
        .collect()
}

#[test]
fn a_request_waits_for_a_slot_then_for_its_first_token_then_for_its_last() {
    let slow_start = Engine { first_token_time: at(0.5), ..engine(1) };
    let report = run(&[slow_start], &Rules::default(), &[job(1.0, 2.0), job(2.0, 1.0)]);
    assert_eq!(seconds(&report.waits), [0.0, 1.5]);
    assert_eq!(seconds(&report.first_tokens), [0.5, 2.0]);
    assert_eq!(seconds(&report.responses), [2.5, 3.0]);
    assert_eq!((report.served, report.attempts, report.largest_in_flight), (vec![2], vec![2], vec![2]));
}

#[test]
fn an_end_at_the_moment_of_an_arrival_comes_first() {
    let report = run(&[engine(1)], &Rules::default(), &[job(0.0, 1.0), job(1.0, 1.0), job(2.0, 1.0)]);
    assert_eq!((seconds(&report.waits), report.largest_in_flight), (vec![0.0; 3], vec![1]));
}

#[test]
fn a_burst_on_idle_engines_spreads_evenly() {
    let engines = vec![engine(100); 4];
    let report = run(&engines, &Rules::default(), &[job(1.0, 1.0); 42]);
    let largest = report.largest_in_flight;
    assert!(largest.iter().all(|most| (10..=11).contains(most)), "{largest:?}");
}

#[test]
fn slowdowns_are_multiples_of_the_time_alone_on_the_fastest() {
    let fast = Engine { weight: leastbusy_balance::Weight::ONE, ..Engine::new("fast", 1, 4.0) };
    // One each; then one without work.
    let report = run(&[fast, engine(1)], &Rules::default(), &[job(0.0, 4.0), job(0.0, 4.0), job(9.0, 0.0)]);
    let found: Vec<f64> = [0.1, 0.5, 1.0].map(|share| report.slowdowns.quantile(share)).to_vec();
    assert!((found[0] - 1.0).abs() < 1e-6 && (found[2] - 4.0).abs() < 1e-6, "{found:?}");
}

#[test]
fn imbalance_is_the_largest_load_over_the_mean() {
    // Found by the four arrivals: nothing, which says nothing; (1, 0); (1, 1); (2, 1) or (1, 2).
    let report = run(&[engine(9), engine(9)], &Rules::default(), &[job(0.0, 9.0); 4]);
    assert!((report.imbalance - (2.0 + 1.0 + 4.0 / 3.0) / 3.0).abs() < 1e-12, "{}", report.imbalance);
}

#[test]
fn no_jobs_are_an_empty_report() {
    assert_eq!(run(&[], &Rules::default(), &[]).requests(), 0);
}

#[test]
#[should_panic(expected = "jobs need an engine")]
fn jobs_without_an_engine_are_refused() {
    let _ = run(&[], &Rules::default(), &[job(0.0, 1.0)]);
}

#[test]
#[should_panic(expected = "a span takes time")]
fn spans_without_length_are_refused() {
    let rules = Rules::default();
    let span = Some(Duration::ZERO);
    let (policy, instances) = (Policy::LeastBusy, &Instances::default());
    let run =
        Run { engines: &[], rules: &rules, instances, clients: &[], policy, seed: 1, uncounted: 0, span };
    let _ = run.report(&[]);
}

/// First come, first served by several, by Kiefer and Wolfowitz's recursion: who comes gets the slot that is free
/// first.
fn waits_by_recursion(slots: usize, jobs: &[Job]) -> Vec<f64> {
    let mut free = vec![0.0_f64; slots];
    let wait = |job: &Job| {
        let arrival = job.arrival.as_secs_f64();
        let first = free.iter_mut().min_by(|one, other| one.total_cmp(other)).expect("a slot");
        let start = arrival.max(*first);
        *first = start + job.output_tokens;
        start - arrival
    };
    let mut waits: Vec<f64> = jobs.iter().map(wait).collect();
    waits.sort_unstable_by(f64::total_cmp);
    waits
}

#[test]
fn slots_serve_as_the_recursion_for_first_come_first_served_says() {
    for seed in 0..40 {
        let mut dice = crate::Dice::new(seed);
        let slots = 1 + (dice.uniform() * 5.0) as u32;
        let mut now = 0.0;
        let jobs: Vec<_> = (0..400)
            .map(|_| {
                now += dice.exponential(1.0 / (0.95 * f64::from(slots)));
                job(now, dice.lognormal(1.0, 1.2))
            })
            .collect();
        let report = run(&[engine(slots)], &Rules::default(), &jobs);
        let share = |rank| (rank as f64 + 0.5) / jobs.len() as f64;
        for (rank, wait) in waits_by_recursion(slots as usize, &jobs).into_iter().enumerate() {
            let found = report.waits.quantile(share(rank)).as_secs_f64();
            assert!((found - wait).abs() < 1e-6, "seed {seed}, {slots} slots: {found} instead of {wait}");
        }
    }
}
