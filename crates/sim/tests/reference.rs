//! The figures of another simulator, made before this one and without the production code.
//!
//! It had 200,000 to 600,000 requests a run, of which the first 15 % were not counted, and 2 to 4 seeds; its standard
//! errors are 2 to 12 % of a mean wait, and its mean size was 0.2 % above the nominal second. Here each figure is the
//! mean of four seeds over 100,000 requests, whose gaps and sizes are stretched to have exactly the means that
//! they were drawn with: a heavy tail's mean is 0.6 % off in a run, which at 90 % load is 6 % of a wait.
//!
//! So a figure may be off by 12 % of what waiting adds to it, by two standard errors of ours, as the four seeds tell
//! them, and by 0.01 for rounding and for the mean size. Most come much nearer.

#![expect(clippy::print_stdout, reason = "shows how near a figure came: cargo test -- --nocapture")]

mod common;

use std::time::Duration;

use common::{engines, mean, of_seeds, scenario, standard_error};
use leastbusy_balance::Weight;
use leastbusy_sim::{
    Engine, Episode, Job, Measure, Metric, Policy, Rules, Scenario, Sizes, Statistic, Trouble, Workload,
};

const SEEDS: [u64; 4] = [1, 2, 3, 4];
const REQUESTS: usize = 100_000;

const LOGNORMAL: Sizes = Sizes::Lognormal { mean: 1.0, sigma: 1.2 };
const EXPONENTIAL: Sizes = Sizes::Exponential { mean: 1.0 };
const BIMODAL: Sizes = Sizes::Bimodal { small: 0.5, large: 5.5, share: 0.1 };

const MEAN_RESPONSE: Metric = Metric::Of(Measure::Response, Statistic::Mean);
const P99_WAIT: Metric = Metric::Of(Measure::Wait, Statistic::PerMille(990));
const P99_SLOWDOWN: Metric = Metric::Of(Measure::Slowdown, Statistic::PerMille(990));

const STALE: Policy = Policy::StaleFirst { age: Duration::from_millis(10) };

/// What the other simulator found for a policy.
type Row<const N: usize> = (Policy, [f64; N]);

/// The requests of a seed, with exactly the mean gap and the mean size that they are drawn with.
fn stretched(scenario: &Scenario, seed: u64) -> Vec<Job> {
    let Workload::Drawn { arrivals, output_tokens, requests, .. } = &scenario.workload else {
        panic!("these are drawn")
    };
    let mut jobs = scenario.jobs(seed);
    let count = *requests as f64;
    let last = jobs.last().expect("requests").arrival.as_secs_f64();
    let gaps = count / arrivals.per_second() / last;
    let sizes = output_tokens.mean() * count / jobs.iter().map(|job| job.output_tokens).sum::<f64>();
    for job in &mut jobs {
        job.arrival = job.arrival.mul_f64(gaps);
        job.output_tokens *= sizes;
    }
    jobs
}

/// Compares the figures of policies over the same requests.
fn assert_near<const N: usize>(what: &str, scenario: &Scenario, metrics: [Metric; N], rows: &[Row<N>]) {
    let runs = of_seeds(SEEDS, |seed| {
        let jobs = stretched(scenario, seed);
        let report = |(policy, _): &(Policy, _)| scenario.replay(&jobs, *policy, seed, None);
        rows.iter().map(report).map(|report| metrics.map(|metric| metric.of(&report))).collect::<Vec<_>>()
    });
    for (row, (policy, expected)) in rows.iter().enumerate() {
        for (place, metric) in metrics.into_iter().enumerate() {
            let figures: Vec<f64> = runs.iter().map(|rows| rows[row][place]).collect();
            let (found, error, expected) = (mean(&figures), standard_error(&figures), expected[place]);
            let told = format!(
                "{what}, {}: {metric} {found:.3} +- {error:.3} instead of {expected} ({:+.1} %)",
                policy.name(),
                100.0 * (found / expected - 1.0)
            );
            println!("{told}");
            // Without any wait a response is the mean size, and a slowdown is 1.
            let waiting = if metric == P99_WAIT { expected } else { expected - 1.0 };
            assert!(error < 0.01 + 0.15 * waiting, "too noisy: {told}; seeds {SEEDS:?}: {figures:?}");
            let allowed = 0.01 + 0.12 * waiting + 2.0 * error;
            assert!((found - expected).abs() < allowed, "{told}; seeds {SEEDS:?}: {figures:?}");
        }
    }
}

/// Table 1: first come, first served in eight slots.
#[test]
fn eight_slots_each() {
    let rows: [(u32, f64, &[Row<2>]); 4] = [
        (4, 0.7, &[(Policy::Random, [1.178, 2.45]), (Policy::LeastBusy, [1.009, 0.22])]),
        (
            4,
            0.9,
            &[
                (STALE, [1.267, 2.51]),
                (Policy::TwoChoices, [1.292, 2.60]),
                (Policy::LeastBusy, [1.259, 2.49]),
                (Policy::CentralQueue, [1.249, 2.26]),
            ],
        ),
        (16, 0.7, &[(Policy::RoundRobin, [1.088, 1.68]), (STALE, [1.006, 0.11])]),
        (
            16,
            0.9,
            &[
                (Policy::Random, [2.747, 11.81]),
                (Policy::RoundRobin, [2.249, 10.06]),
                (STALE, [1.061, 0.71]),
                (Policy::TwoChoices, [1.094, 0.91]),
                (Policy::LeastBusy, [1.026, 0.47]),
                (Policy::CentralQueue, [1.022, 0.33]),
            ],
        ),
    ];
    for (count, load, rows) in rows {
        let scenario = scenario(engines(count, 8, 1.0), load, LOGNORMAL, REQUESTS);
        assert_near(&format!("{count} of 8 slots at {load}"), &scenario, [MEAN_RESPONSE, P99_WAIT], rows);
    }
    let scenario = scenario(engines(16, 8, 1.0), 0.95, LOGNORMAL, REQUESTS);
    let rows = [(Policy::TwoChoices, [1.284]), (Policy::LeastBusy, [1.147])];
    assert_near("16 of 8 slots at 0.95", &scenario, [MEAN_RESPONSE], &rows);
}

/// Table 1a: a single slot each, at 90 %.
#[test]
fn single_slots() {
    let rows: [(u32, &[Row<2>]); 2] = [
        (4, &[(Policy::TwoChoices, [6.19, 32.1]), (Policy::LeastBusy, [5.40, 30.3])]),
        (
            16,
            &[
                (STALE, [2.10, 11.1]),
                (Policy::TwoChoices, [4.02, 19.8]),
                (Policy::LeastBusy, [2.02, 11.0]),
                (Policy::CentralQueue, [1.68, 5.2]),
            ],
        ),
    ];
    for (count, rows) in rows {
        let scenario = scenario(engines(count, 1, 1.0), 0.9, LOGNORMAL, REQUESTS);
        assert_near(&format!("{count} single slots"), &scenario, [MEAN_RESPONSE, P99_WAIT], rows);
    }
}

fn shared(full_speed: u32, sizes: Sizes) -> Scenario {
    let engine = Engine { full_speed, weight: Weight::ONE, ..Engine::new("shared", 1_000_000, 1.0) };
    scenario(vec![engine; 16], 0.9, sizes, REQUESTS)
}

/// Table 2: sixteen deployments that share their speed among any number of answers, at 90 %.
#[test]
fn shared_speed() {
    // With full speed up to eight there is so little waiting that its 99th percentile is mostly chance.
    let rows: [(Sizes, &[Row<1>]); 3] = [
        (EXPONENTIAL, &[(Policy::LeastBusy, [1.019])]),
        (BIMODAL, &[(Policy::LeastBusy, [1.018])]),
        (
            LOGNORMAL,
            &[(Policy::TwoChoices, [1.078]), (Policy::LeastBusy, [1.020]), (Policy::CentralQueue, [1.016])],
        ),
    ];
    for (sizes, rows) in rows {
        assert_near(&format!("shared by 8, {sizes:?}"), &shared(8, sizes), [MEAN_RESPONSE], rows);
    }
    let rows: [(Sizes, &[Row<2>]); 3] = [
        (EXPONENTIAL, &[(Policy::LeastBusy, [1.601, 3.98])]),
        (BIMODAL, &[(Policy::LeastBusy, [1.603, 3.86])]),
        (
            LOGNORMAL,
            &[
                (STALE, [1.689, 4.00]),
                (Policy::TwoChoices, [2.870, 6.15]),
                (Policy::LeastBusy, [1.602, 3.90]),
                (Policy::CentralQueue, [1.378, 3.40]),
            ],
        ),
    ];
    for (sizes, rows) in rows {
        let metrics = [MEAN_RESPONSE, P99_SLOWDOWN];
        assert_near(&format!("one at full speed, {sizes:?}"), &shared(1, sizes), metrics, rows);
    }
}

/// Eight deployments of one kind and eight of another, each weighed by its slots and its speed.
fn unequal(fast: (u32, f64), slow: (u32, f64), load: f64) -> Scenario {
    let eight = |(slots, speed)| engines(8, slots, speed);
    scenario([eight(fast), eight(slow)].concat(), load, LOGNORMAL, REQUESTS)
}

/// Table 6, where nothing is known of speeds: least busy is `(in flight + 1) / weight`.
#[test]
fn unequal_deployments() {
    let (fast, slow) = ((8, 1.0), (8, 0.25));
    for (load, rows) in [
        (0.5, [(Policy::Random, [1.63]), (Policy::LeastBusy, [1.15]), (Policy::CentralQueue, [1.00])]),
        (0.9, [(Policy::Random, [4.20]), (Policy::LeastBusy, [2.37]), (Policy::CentralQueue, [1.51])]),
    ] {
        assert_near(
            &format!("a quarter of the speed at {load}"),
            &unequal(fast, slow, load),
            [MEAN_RESPONSE],
            &rows,
        );
    }
    let small = unequal((16, 1.0), (4, 1.0), 0.7);
    let rows = [(Policy::Random, [1.15]), (Policy::LeastBusy, [1.00])];
    assert_near("a quarter of the slots at 0.7", &small, [MEAN_RESPONSE], &rows);
    let few = unequal((2, 1.0), (2, 0.25), 0.7);
    let rows = [(Policy::LeastBusy, [1.31]), (Policy::CentralQueue, [1.34])];
    assert_near("few slots at 0.7", &few, [MEAN_RESPONSE], &rows);
}

/// The share of all requests that go to the one that fails.
fn share_of_the_failing(count: u32, share: f64, policy: Policy) -> f64 {
    let fails = Episode {
        from: Duration::ZERO,
        until: Duration::MAX,
        trouble: Trouble::Fails { share, after: Duration::from_millis(20) },
    };
    let mut fleet = engines(count, 8, 1.0);
    fleet[0].episodes = vec![fails];
    let mut scenario = scenario(fleet, 0.6, LOGNORMAL, REQUESTS / 4);
    scenario.rules = Rules { retries: 0, ..Rules::default() };
    let share = |seed| {
        let attempts = scenario.run(policy, seed).attempts;
        attempts[0] as f64 / attempts.iter().sum::<u64>() as f64
    };
    mean(&of_seeds(SEEDS, share))
}

/// Table 10: one deployment fails after 20 ms. The other simulator's least busy sent 78 % of all to it (of 4) when
/// it knew counts alone; with holds, weights or rests at most its share. The production rules have all three.
#[test]
fn failing_fast_does_not_draw() {
    for count in [4, 16] {
        let fair = 1.0 / f64::from(count);
        let shares = [0.05, 0.2, 0.5, 1.0].map(|share| share_of_the_failing(count, share, Policy::LeastBusy));
        println!("share of one of {count} that fails fast: {shares:.4?}");
        assert!(shares.iter().all(|share| *share < fair), "{shares:?} of {count}, seeds {SEEDS:?}");
        assert!(shares.is_sorted_by(|less, more| more < less), "{shares:?} of {count}, seeds {SEEDS:?}");
        // Ejected after five failures for 30 s: 0.1 % of four.
        assert!(shares[3] < 0.005, "{shares:?} of {count}, seeds {SEEDS:?}");
    }
}
