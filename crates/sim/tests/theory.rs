//! Simulated queues against what queueing theory knows of them.
//!
//! Every figure is the mean of eight independent runs, whose spread tells its standard error: the standard
//! deviation of the runs over the root of eight. A figure may be four standard errors from the truth (by chance
//! that happens to one seed in two hundred, by Student's t with seven degrees of freedom), and the standard error
//! itself has a bound at each test, as a share of the truth, so that a noisy run cannot pass for a right one.
//!
//! All engines write one token a second, so that tokens are seconds, and the mean size is 1.

#![expect(clippy::print_stdout, reason = "shows how near a figure came: cargo test -- --nocapture")]

mod common;

use common::{engines, mean, of_seeds, scenario, standard_error};
use leastbusy_sim::{Engine, Measure, Metric, Policy, Scenario, Sizes, Statistic};

const SEEDS: std::ops::RangeInclusive<u64> = 1..=8;

const EXPONENTIAL: Sizes = Sizes::Exponential { mean: 1.0 };
const LOGNORMAL: Sizes = Sizes::Lognormal { mean: 1.0, sigma: 1.0 };
const BIMODAL: Sizes = Sizes::Bimodal { small: 0.5, large: 5.5, share: 0.1 };

/// The mean of all runs must be within four standard errors of the truth, and these below `error` of it.
fn assert_agrees(what: &str, truth: f64, error: f64, figures: &[f64]) {
    let found = mean(figures);
    let standard_error = standard_error(figures);
    let share = 100.0 * standard_error / truth;
    println!("{what}: {found:.4} +- {standard_error:.4} ({share:.2} %), truth {truth:.4}");
    let told =
        format!("{what}: {found} +- {standard_error} instead of {truth}; seeds {SEEDS:?}: {figures:?}");
    assert!(standard_error < error * truth, "too noisy: {told}");
    assert!((found - truth).abs() < 4.0 * standard_error, "{told}");
}

/// The means of what requests saw, run by run.
fn means<const N: usize>(scenario: &Scenario, policy: Policy, measures: [Measure; N]) -> [Vec<f64>; N] {
    let figures = of_seeds(SEEDS, |seed| {
        let report = scenario.run(policy, seed);
        measures.map(|measure| Metric::Of(measure, Statistic::Mean).of(&report))
    });
    std::array::from_fn(|measure| figures.iter().map(|run| run[measure]).collect())
}

fn mean_of(scenario: &Scenario, policy: Policy, measure: Measure) -> Vec<f64> {
    let [figures] = means(scenario, policy, [measure]);
    figures
}

/// An engine that shares its speed among any number of answers.
fn sharing(full_speed: u32) -> Engine {
    Engine { full_speed, ..Engine::new("shared", 1_000_000, 1.0) }
}

/// The chance that an arrival waits in M/M/c, by Erlang's recursion for B and C from B.
fn erlang_c(servers: u32, load: f64) -> f64 {
    let offered = f64::from(servers) * load;
    let blocked = (1..=servers).fold(1.0, |b, server| offered * b / (f64::from(server) + offered * b));
    blocked / (1.0 - load * (1.0 - blocked))
}

/// The mean wait in M/M/c, whose servers each serve one request a second.
fn wait_in_mmc(servers: u32, load: f64) -> f64 {
    erlang_c(servers, load) / (f64::from(servers) * (1.0 - load))
}

#[test]
fn erlang_c_is_what_the_textbooks_tell() {
    // One server: the load itself. Two at 75 %: 2 * 0.75^2 / 1.75.
    assert!((erlang_c(1, 0.8) - 0.8).abs() < 1e-12);
    assert!((erlang_c(2, 0.75) - 2.0 * 0.5625 / 1.75).abs() < 1e-12);
}

#[test]
fn m_m_1_answers_after_one_over_one_minus_the_load() {
    // The variance of a mean wait of n requests is load (2 + 5 load - 4 load^2 + load^3) / (1 - load)^4 / n
    // (Daley, 1968): at 70 % a standard error of 0.7 % for 8 runs of 68,000 counted requests.
    let scenario = scenario(engines(1, 1, 1.0), 0.7, EXPONENTIAL, 80_000);
    let responses = mean_of(&scenario, Policy::LeastBusy, Measure::Response);
    assert_agrees("M/M/1", 1.0 / 0.3, 0.01, &responses);
}

#[test]
fn m_m_c_waits_as_erlang_says() {
    for (servers, load, requests, error) in
        [(2, 0.7, 120_000, 0.01), (8, 0.8, 150_000, 0.025), (128, 0.95, 300_000, 0.06)]
    {
        let scenario = scenario(engines(1, servers, 1.0), load, EXPONENTIAL, requests);
        let waits = mean_of(&scenario, Policy::LeastBusy, Measure::Wait);
        assert_agrees(&format!("M/M/{servers}"), wait_in_mmc(servers, load), error, &waits);
    }
}

#[test]
fn one_queue_before_many_engines_waits_as_erlang_says() {
    let scenario = scenario(engines(8, 1, 1.0), 0.8, EXPONENTIAL, 100_000);
    let waits = mean_of(&scenario, Policy::CentralQueue, Measure::Wait);
    assert_agrees("M/M/8 by a central queue", wait_in_mmc(8, 0.8), 0.03, &waits);
}

#[test]
fn one_queue_before_many_slots_is_the_queue_of_an_engine_with_as_many() {
    for (servers, load) in [(2, 0.7), (8, 0.9), (128, 0.97)] {
        let [one, many] = [engines(1, servers, 1.0), engines(servers, 1, 1.0)]
            .map(|fleet| scenario(fleet, load, LOGNORMAL, 20_000));
        let (one, many) = (one.run(Policy::LeastBusy, 3), many.run(Policy::CentralQueue, 3));
        // Ends are rounded up to nanoseconds, in each machine by itself.
        for share in [0.5, 0.9, 0.99, 1.0] {
            let apart = one.waits.quantile(share).abs_diff(many.waits.quantile(share));
            assert!(apart.as_micros() < 10, "{servers} servers, {share}: {apart:?}");
        }
        assert_eq!(one.responses.count(), many.responses.count());
    }
}

#[test]
fn m_g_1_waits_as_pollaczek_and_khinchine_say() {
    // load * E[S^2] / (2 (1 - load)); E[S^2] is e^(sigma^2) for the lognormal sizes.
    let load = 0.6;
    for (name, sizes, second_moment) in
        [("lognormal", LOGNORMAL, 1_f64.exp()), ("bimodal", BIMODAL, 0.9 * 0.25 + 0.1 * 30.25)]
    {
        let scenario = scenario(engines(1, 1, 1.0), load, sizes, 120_000);
        let wait = load * second_moment / (2.0 * (1.0 - load));
        let waits = mean_of(&scenario, Policy::LeastBusy, Measure::Wait);
        assert_agrees(&format!("M/G/1, {name}"), wait, 0.012, &waits);
    }
}

#[test]
fn m_g_1_with_shared_speed_cares_for_the_mean_size_alone() {
    // E[T | size] = size / (1 - load), so the mean slowdown is the same number.
    let load = 0.7;
    for (name, sizes) in [("exponential", EXPONENTIAL), ("lognormal", LOGNORMAL), ("bimodal", BIMODAL)] {
        let scenario = scenario(vec![sharing(1)], load, sizes, 100_000);
        let measures = [Measure::Response, Measure::Slowdown];
        let figures = means(&scenario, Policy::LeastBusy, measures);
        for (measure, figures) in measures.iter().zip(&figures) {
            let what = format!("M/G/1-PS, {name}, {}", measure.name());
            assert_agrees(&what, 1.0 / (1.0 - load), 0.015, figures);
        }
    }
}

#[test]
fn speed_shared_by_more_than_eight_keeps_as_many_as_m_m_8_does() {
    // With exponential sizes the number of requests is the same birth and death process, whoever is served.
    let load = 0.85;
    let scenario = scenario(vec![sharing(8)], load, EXPONENTIAL, 100_000);
    let responses = mean_of(&scenario, Policy::LeastBusy, Measure::Response);
    assert_agrees("M/M/8-PS", 1.0 + wait_in_mmc(8, load), 0.006, &responses);
}

/// The mean response of join the shortest of two queues, solved from its Markov chain.
///
/// States are the longer and the shorter queue, up to 60 each; at 80 % load the chance of a longer one is below
/// 0.8^60 (both shrink together), 2e-6. Gauss and Seidel's sweeps over the balance equations.
fn shortest_of_two(load: f64) -> f64 {
    const MOST: usize = 60;
    let arrivals = 2.0 * load;
    let mut chance = vec![vec![1.0; MOST + 1]; MOST + 1];
    for _ in 0..4_000 {
        let mut sum = 0.0;
        for long in 0..=MOST {
            for short in 0..=long {
                // An arrival makes (long, short) of (long, short - 1), and of (short, short) it makes
                // (short + 1, short).
                let mut inward = 0.0;
                if 0 < short {
                    inward += arrivals * chance[long][short - 1];
                }
                if long == short + 1 {
                    inward += arrivals * chance[short][short];
                }
                // An end at the longer queue of (long + 1, short), or at the shorter one of (long, short + 1);
                // two equal ones end twice as often.
                if long < MOST {
                    inward += chance[long + 1][short];
                }
                if short < long {
                    inward += chance[long][short + 1] * if long == short + 1 { 2.0 } else { 1.0 };
                }
                let arriving = if long == MOST && short == MOST { 0.0 } else { arrivals };
                let ending = f64::from(u8::from(0 < long)) + f64::from(u8::from(0 < short));
                chance[long][short] = inward / (arriving + ending);
                sum += chance[long][short];
            }
        }
        chance.iter_mut().flatten().for_each(|one| *one /= sum);
    }
    let (mut requests, mut sum) = (0.0, 0.0);
    for (long, row) in chance.iter().enumerate() {
        for (short, one) in row.iter().enumerate().take(long + 1) {
            requests += (long + short) as f64 * one;
            sum += one;
        }
    }
    // Little's law.
    requests / sum / arrivals
}

#[test]
fn the_shortest_of_two_queues_is_as_short_as_its_markov_chain_says() {
    let load = 0.8;
    let scenario = scenario(engines(2, 1, 1.0), load, EXPONENTIAL, 100_000);
    let responses = mean_of(&scenario, Policy::LeastBusy, Measure::Response);
    assert_agrees("JSQ M/M/2", shortest_of_two(load), 0.01, &responses);
}

#[test]
fn the_shortest_of_shared_engines_is_nearly_insensitive_to_the_sizes() {
    // Gupta, Harchol-Balter, Sigman and Whitt (2007): within a few per cent of the exponential sizes' mean.
    let [exponential, lognormal, bimodal] = [EXPONENTIAL, LOGNORMAL, BIMODAL].map(|sizes| {
        let scenario = scenario(vec![sharing(1); 8], 0.8, sizes, 80_000);
        mean_of(&scenario, Policy::LeastBusy, Measure::Response)
    });
    for (name, others) in [("lognormal", lognormal), ("bimodal", bimodal)] {
        let apart = mean(&others) / mean(&exponential) - 1.0;
        let error = (standard_error(&others) + standard_error(&exponential)) / mean(&exponential);
        println!(
            "JSQ of 8 PS, {name} against exponential: {:+.2} % +- {:.2} %",
            100.0 * apart,
            100.0 * error
        );
        assert!(
            apart.abs() < 0.05 && error < 0.03,
            "{name}: {others:?} and {exponential:?}, seeds {SEEDS:?}"
        );
    }
}

#[test]
fn the_shorter_of_two_at_random_follows_mitzenmachers_fixed_point() {
    // Of infinitely many queues a share load^(2^i - 1) has i or more requests; by Little's law a response takes
    // their sum over the load. 250 queues are near it: the error falls as 1/n.
    let load: f64 = 0.9;
    let truth = (1..12).map(|i| load.powi((1 << i) - 1)).sum::<f64>() / load;
    // Its queues fill slowly: 220 s, of which the first 66 are not counted.
    let scenario = scenario(engines(250, 1, 1.0), load, EXPONENTIAL, 50_000);
    let scenario = Scenario { uncounted: 0.3, ..scenario };
    let responses = mean_of(&scenario, Policy::TwoChoices, Measure::Response);
    let (found, error) = (mean(&responses), standard_error(&responses));
    println!("two choices of 250: {found:.4} +- {error:.4}, truth {truth:.4}");
    // Standard errors, and 1 % for the 250 that are not infinitely many.
    let allowed = 4.0 * error + 0.01 * truth;
    assert!(error < 0.02 * truth, "{responses:?}");
    assert!((found - truth).abs() < allowed, "{found} instead of {truth}, seeds {SEEDS:?}: {responses:?}");
}
