use std::time::Duration;

use leastbusy_balance::Weight;

use super::{Chooser, Report, replay};
use crate::{Dice, Engine, Job, Times};

const SEED: u64 = 7;

/// Poisson arrivals at `rate` a second, exponential sizes with mean 1.
fn poisson(count: usize, rate: f64) -> Vec<Job> {
    let mut dice = Dice::new(SEED);
    let mut now = 0.0;
    let mut next = || {
        now += dice.exponential(1.0 / rate);
        Job { arrival: Duration::from_secs_f64(now), size: dice.exponential(1.0) }
    };
    (0..count).map(|_| next()).collect()
}

fn at(seconds: f64, size: f64) -> Job {
    Job { arrival: Duration::from_secs_f64(seconds), size }
}

fn times(seconds: &[f64]) -> Times {
    seconds.iter().copied().map(Duration::from_secs_f64).collect()
}

fn assert_near(what: &str, got: Duration, expected: f64, within: f64) {
    let error = (got.as_secs_f64() / expected - 1.0).abs();
    assert!(error < within, "{what}: {got:?} instead of {expected} s, {error:.3} off, with seed {SEED}");
}

/// Mean wait in M/M/c with mean size 1: Erlang's C formula over the spare capacity.
fn erlang_wait(servers: u32, load: f64) -> f64 {
    // Erlang B by its recursion, then C from B.
    let blocked = (1..=servers).fold(1.0, |b, n| load * b / (f64::from(n) + load * b));
    let spare = f64::from(servers) - load;
    let waits = blocked / (1.0 - load / f64::from(servers) * (1.0 - blocked));
    waits / spare
}

#[test]
fn erlangs_formula_gives_textbook_numbers() {
    // M/M/1: rho / (1 - rho). M/M/2: rho^2 / (1 - rho^2), both with mean size 1.
    assert!((erlang_wait(1, 0.7) - 7.0 / 3.0).abs() < 1e-12);
    assert!((erlang_wait(2, 1.6) - 0.64 / 0.36).abs() < 1e-12);
}

#[test]
fn one_slot_is_m_m_1() {
    // Standard error of the mean wait of 150,000 jobs at 70 %: 2 % (its asymptotic variance is 336 s^2).
    let report = replay(&poisson(150_000, 0.7), &[Engine::new(1, 1.0)], Chooser::LeastBusy, SEED);
    assert_near("mean wait", report.waits.mean(), erlang_wait(1, 0.7), 0.06);
    assert_near("mean response", report.responses.mean(), 1.0 / 0.3, 0.05);
    // Responses are exponential: the quantiles are known too.
    assert_near("median response", report.responses.quantile(0.5), 2.0_f64.ln() / 0.3, 0.06);
    assert_near("p95 response", report.responses.quantile(0.95), 20.0_f64.ln() / 0.3, 0.08);
}

#[test]
fn many_slots_are_m_m_c() {
    let report = replay(&poisson(150_000, 6.4), &[Engine::new(8, 1.0)], Chooser::LeastBusy, SEED);
    assert_near("mean wait of 8 slots at 80 %", report.waits.mean(), erlang_wait(8, 6.4), 0.08);
}

#[test]
fn speed_divides_the_work() {
    // Twice the arrivals at twice the speed: the same queue, twice as fast.
    let report = replay(&poisson(150_000, 1.4), &[Engine::new(1, 2.0)], Chooser::LeastBusy, SEED);
    assert_near("mean wait", report.waits.mean(), erlang_wait(1, 0.7) / 2.0, 0.06);
}

#[test]
fn random_choice_splits_into_independent_queues_by_weight() {
    let engines = [Engine::new(1, 1.0), Engine::new(1, 1.0), Engine::new(1, 2.0)];
    let report = replay(&poisson(150_000, 2.8), &engines, Chooser::Random, SEED);
    // A half of the jobs see the queue of M/M/1 at 70 %, the other half one twice as fast.
    assert_near("mean wait", report.waits.mean(), 0.75 * erlang_wait(1, 0.7), 0.06);
    for (served, share) in report.served.iter().zip([0.25, 0.25, 0.5]) {
        let got = *served as f64 / 150_000.0;
        // Standard error 0.13 % of all jobs.
        assert!((got - share).abs() < 0.005, "{got} instead of {share} with seed {SEED}");
    }
}

#[test]
fn least_busy_lies_between_one_queue_and_random_choice() {
    // Nothing that must choose on arrival beats one common queue for all slots.
    let jobs = poisson(100_000, 6.4);
    let engines = [Engine::new(1, 1.0); 8];
    let mean = |chooser| replay(&jobs, &engines, chooser, SEED).waits.mean().as_secs_f64();
    let (least_busy, random) = (mean(Chooser::LeastBusy), mean(Chooser::Random));
    let one_queue = erlang_wait(8, 6.4);
    assert!(one_queue < least_busy, "{one_queue} {least_busy} with seed {SEED}");
    assert!(4.0 * least_busy < random, "{least_busy} {random} with seed {SEED}");
}

#[test]
fn the_same_seed_gives_the_same_report() {
    let jobs = poisson(2_000, 6.0);
    let engines = [Engine::new(2, 1.0); 4];
    for chooser in [Chooser::LeastBusy, Chooser::Random] {
        let reports: Vec<Report> =
            [1, 1, 2].into_iter().map(|seed| replay(&jobs, &engines, chooser, seed)).collect();
        assert_eq!(reports[0], reports[1], "{chooser:?}");
        assert_ne!(reports[0], reports[2], "{chooser:?}");
    }
}

#[test]
fn jobs_wait_in_order_and_setup_counts_before_the_first_token() {
    let engine = Engine::new(1, 2.0).with_setup(Duration::from_millis(500));
    // Given out of order on purpose; each keeps the slot for 0.5 s and its size over 2.
    let report = replay(&[at(1.0, 4.0), at(0.0, 4.0), at(0.5, 1.0)], &[engine], Chooser::LeastBusy, SEED);
    assert_eq!(report.waits, times(&[0.0, 2.0, 2.5]));
    assert_eq!(report.first_tokens, times(&[0.5, 2.5, 3.0]));
    assert_eq!(report.responses, times(&[2.5, 3.0, 5.0]));
    assert_eq!((report.largest_in_flight, report.served), (vec![3], vec![3]));
}

#[test]
fn a_place_that_ends_when_a_job_arrives_is_free_for_it() {
    let report = replay(&[at(0.0, 1.0), at(1.0, 1.0)], &[Engine::new(1, 1.0)], Chooser::LeastBusy, SEED);
    assert_eq!(report.waits, times(&[0.0, 0.0]));
    assert_eq!(report.largest_in_flight, [1]);
}

#[test]
fn a_burst_spreads_by_weight() {
    let engines = [Engine::new(8, 1.0), Engine::new(4, 1.0), Engine::new(4, 1.0)];
    let burst = vec![at(0.0, 1.0); 32];
    let report = replay(&burst, &engines, Chooser::LeastBusy, SEED);
    assert_eq!(report.largest_in_flight, [16, 8, 8]);
    let heavy = Weight::new(24.0).unwrap();
    let report =
        replay(&burst, &[engines[0].with_weight(heavy), engines[1], engines[2]], Chooser::LeastBusy, SEED);
    assert_eq!(report.largest_in_flight, [24, 4, 4]);
}

#[test]
fn no_jobs_need_no_engines() {
    assert_eq!(replay(&[], &[], Chooser::Random, SEED).waits.count(), 0);
}
