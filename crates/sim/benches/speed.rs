//! How many requests a second of wall clock are simulated on one core, by policy.
//!
//! `cargo bench -p leastbusy-sim` prints a Markdown table: sixteen deployments of eight slots at 90 % load, drawing the
//! requests and making the report included. The best of several rounds, because everything that disturbs a
//! round makes it slower. The goal is a million requests in five seconds, 200,000 a second.

#![expect(clippy::print_stdout, reason = "its table is its product")]

use std::hint::black_box;
use std::time::Instant;

use leastbusy_sim::{Arrivals, Engine, Policy, Scenario, Sizes, Workload};

const REQUESTS: usize = 1_000_000;
const ROUNDS: u64 = 3;

fn scenario(deployments: u32) -> Scenario {
    let engines = (0..deployments).map(|number| Engine::new(format!("engine {number}"), 8, 50.0));
    let workload = Workload::Drawn {
        arrivals: Arrivals::Poisson { per_second: 0.9 * f64::from(deployments) * 8.0 },
        prompt_tokens: Sizes::Fixed(0.0),
        output_tokens: Sizes::Lognormal { mean: 50.0, sigma: 1.2 },
        requests: REQUESTS,
    };
    Scenario::new(engines.collect(), workload)
}

/// Seconds for one run, drawing its requests included.
fn seconds(scenario: &Scenario, policy: Policy) -> f64 {
    let round = |seed| {
        let begin = Instant::now();
        black_box(scenario.run(black_box(policy), seed));
        begin.elapsed().as_secs_f64()
    };
    (0..ROUNDS).map(round).fold(f64::INFINITY, f64::min)
}

fn main() {
    let scenario = scenario(16);
    println!("| policy | requests a second | seconds for a million |");
    println!("|---|---:|---:|");
    let mut all = 0.0;
    for policy in Policy::ALL {
        let seconds = seconds(&scenario, policy);
        all += seconds;
        println!("| {} | {:.0} | {seconds:.2} |", policy.name(), REQUESTS as f64 / seconds);
    }
    println!("| all | {:.0} | {all:.2} |", (Policy::ALL.len() * REQUESTS) as f64 / all);
}
