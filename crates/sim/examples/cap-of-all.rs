//! What a cap on the requests of all instances costs in waits, and how many requests are on a deployment at most.
//!
//! Prints the tables of docs/queue.md, "Several gateways":
//! `cargo run --release -p leastbusy-sim --example cap-of-all`, four minutes on two cores.

#![expect(clippy::print_stdout, reason = "a table is what it is run for")]

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use leastbusy_sim::{
    Arrivals, Engine, Instances, Measure, Metric, Policy, Queue, Scenario, Sizes, Statistic, Workload,
};

const SLOTS: u32 = 8;
const REQUESTS: usize = 100_000;
const SEEDS: u64 = 4;
const CAPS: [f64; 4] = [1.0, 1.25, 1.5, 2.0];

const HEAD: &str =
    "| deployments | load | instances | shared every | pushed on | cap 1 | cap 1.25 | cap 1.5 | cap 2 |";

/// A row of the tables.
#[derive(Debug, Clone, Copy)]
struct Row {
    deployments: usize,
    load: f64,
    instances: u32,
    milliseconds: u64,
}

/// The mean and the p99 of the wait in seconds, and the most requests on one deployment.
type Figures = [f64; 3];

fn main() {
    let mut rows = Vec::new();
    for deployments in [4, 16] {
        for load in [0.9, 0.95] {
            for instances in [4, 16] {
                for milliseconds in [20, 100, 1000] {
                    rows.push(Row { deployments, load, instances, milliseconds });
                }
            }
        }
    }
    // Each seed of a row sees the same requests with every cap.
    let runs: Vec<(usize, u64)> =
        (0..rows.len()).flat_map(|row| (1..=SEEDS).map(move |seed| (row, seed))).collect();
    let measured: Vec<Mutex<Vec<Figures>>> = runs.iter().map(|_| Mutex::default()).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(&(row, seed)) = runs.get(place) else { return };
            *measured[place].lock().expect("no run panics with the lock") = rows[row].measure(seed);
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let told = |place: usize| -> Vec<Vec<Figures>> {
        let seeds = measured[place * SEEDS as usize..].iter().take(SEEDS as usize);
        seeds.map(|one| one.lock().expect("no run panics with the lock").clone()).collect()
    };
    println!("Mean / p99 of the wait in seconds, and the means over the seeds of its multiples:\n\n{HEAD}");
    for (place, row) in rows.iter().enumerate() {
        let seeds = told(place);
        print!("{row} {:.3} / {:.2} |", mean(&seeds, |all| all[0][0]), mean(&seeds, |all| all[0][1]));
        for cap in 1..=CAPS.len() {
            let [times, at_p99] = [0, 1].map(|at| mean(&seeds, |all| all[cap][at] / all[0][at]));
            print!(" {times:.2} / {at_p99:.2} |");
        }
        println!();
    }
    println!("\nMost requests at once on a deployment, the means over the seeds:\n\n{HEAD}");
    for (place, row) in rows.iter().enumerate() {
        let seeds = told(place);
        print!("{row}");
        for cap in 0..=CAPS.len() {
            print!(" {:.0} |", mean(&seeds, |all| all[cap][2]));
        }
        println!();
    }
}

fn mean(seeds: &[Vec<Figures>], of: impl Fn(&[Figures]) -> f64) -> f64 {
    seeds.iter().map(|figures| of(figures)).sum::<f64>() / seeds.len() as f64
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { deployments, load, instances, milliseconds } = self;
        write!(f, "| {deployments} | {:.0} % | {instances} | {milliseconds} ms |", load * 100.0)
    }
}

impl Row {
    /// Nothing held back, then each cap.
    fn measure(self, seed: u64) -> Vec<Figures> {
        let caps = [None].into_iter().chain(CAPS.map(Some));
        caps.map(|cap| {
            let scenario = self.scenario(cap);
            let report = scenario.run(Policy::LeastBusy, seed);
            let wait = |statistic| Metric::Of(Measure::Wait, statistic).of(&report);
            let most = report.largest_in_flight.iter().copied().max().unwrap_or_default();
            [wait(Statistic::Mean), wait(Statistic::PerMille(990)), most.into()]
        })
        .collect()
    }

    fn scenario(self, cap: Option<f64>) -> Scenario {
        let limit = cap.and_then(|_| NonZeroU32::new(SLOTS));
        let engine = |number: usize| Engine { limit, ..Engine::new(number.to_string(), SLOTS, 1.0) };
        let workload = Workload::Drawn {
            arrivals: Arrivals::Poisson {
                per_second: self.load * f64::from(SLOTS) * self.deployments as f64,
            },
            prompt_tokens: Sizes::Fixed(0.0),
            output_tokens: Sizes::Lognormal { mean: 1.0, sigma: 1.2 },
            requests: REQUESTS,
        };
        let mut scenario = Scenario::new((0..self.deployments).map(engine).collect(), workload);
        scenario.rules.queue = Queue { most: Some(u32::MAX), timeout: Duration::MAX, ..Queue::default() };
        scenario.rules.group.cap_of_all = cap;
        scenario.instances =
            Instances::sharing(self.instances, Some(Duration::from_millis(self.milliseconds)));
        scenario
    }
}
