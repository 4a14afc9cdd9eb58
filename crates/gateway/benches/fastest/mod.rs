//! The time of a call, from the fastest of several rounds.

use std::time::{Duration, Instant};

/// Rounds measured; the fastest counts, since everything else on the machine only adds.
const ROUNDS: u32 = 20;
const ROUND_LENGTH: Duration = Duration::from_millis(20);

/// Nanoseconds that one call takes.
pub(crate) fn fastest(mut work: impl FnMut()) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let mut calls = 0u32;
        while start.elapsed() < ROUND_LENGTH {
            for _ in 0..8 {
                work();
            }
            calls += 8;
        }
        best = best.min(start.elapsed().as_secs_f64() / f64::from(calls));
    }
    best * 1e9
}
