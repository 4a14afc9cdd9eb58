//! Fleets, loads and runs that the tests of whole simulations share.

use std::thread;

use leastbusy_sim::{Arrivals, Engine, Scenario, Sizes, Workload};

/// Engines that are all alike.
pub(crate) fn engines(count: u32, slots: u32, tokens_per_second: f64) -> Vec<Engine> {
    (0..count).map(|number| Engine::new(format!("engine {number}"), slots, tokens_per_second)).collect()
}

/// These engines under a Poisson load that is such a share of their capacity.
pub(crate) fn scenario(engines: Vec<Engine>, load: f64, output_tokens: Sizes, requests: usize) -> Scenario {
    let capacity: f64 = engines.iter().map(|engine| engine.capacity(0.0, output_tokens.mean())).sum();
    let arrivals = Arrivals::Poisson { per_second: load * capacity };
    let prompt_tokens = Sizes::Fixed(0.0);
    Scenario::new(engines, Workload::Drawn { arrivals, prompt_tokens, output_tokens, requests })
}

/// What each seed gives, two at a time.
pub(crate) fn of_seeds<T: Send>(
    seeds: impl IntoIterator<Item = u64>,
    run: impl Fn(u64) -> T + Sync,
) -> Vec<T> {
    let seeds: Vec<u64> = seeds.into_iter().collect();
    let (first, second) = seeds.split_at(seeds.len() / 2);
    let all = |seeds: &[u64]| seeds.iter().map(|seed| run(*seed)).collect::<Vec<T>>();
    thread::scope(|scope| {
        let other = scope.spawn(|| all(second));
        let mut found = all(first);
        found.extend(other.join().expect("no run panics"));
        found
    })
}

pub(crate) fn mean(figures: &[f64]) -> f64 {
    figures.iter().sum::<f64>() / figures.len() as f64
}

/// How far the mean of independent figures is from the truth, as a standard deviation.
pub(crate) fn standard_error(figures: &[f64]) -> f64 {
    let (count, mean) = (figures.len() as f64, mean(figures));
    let variance = figures.iter().map(|figure| (figure - mean).powi(2)).sum::<f64>() / (count - 1.0);
    (variance / count).sqrt()
}
