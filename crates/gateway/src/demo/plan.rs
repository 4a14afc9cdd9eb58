//! The load: when each request comes and how long its answer is, fixed before the first is sent.

use std::time::Duration;

use leastbusy_sim::Dice;

use crate::load::Planned;

/// The same load in every run, so that two runs can be compared.
const SEED: u64 = 1;
/// Requests a second, three quarters of what the fleet can do.
const RATE: f64 = 16.0;
/// The stream ends here; the answers take some seconds more.
pub(super) const LAST_ARRIVAL: Duration = Duration::from_secs(14);
/// The same where engines fail: what is left of the fleet must be enough.
const RATE_WITH_FAULTS: f64 = 6.0;
/// Requests that come all at one moment, on top of the stream.
pub(super) const BURST: usize = 24;
const BURST_AT: Duration = Duration::from_secs(6);
/// The tail is cut where the smallest deployment would need eight seconds, to keep the demo short.
const TOKENS_MAX: f64 = 320.0;
const MEAN_TOKENS: f64 = 64.0;
const TOKENS_SIGMA: f64 = 1.2;

/// A Poisson stream of requests with heavy-tailed answers, and a burst in the middle; by arrival.
pub(super) fn plan() -> Vec<Planned> {
    stream(vec![BURST_AT; BURST], RATE)
}

/// A thinner stream without a burst, for a fleet in which engines fail.
pub(super) fn plan_with_faults() -> Vec<Planned> {
    stream(Vec::new(), RATE_WITH_FAULTS)
}

fn stream(mut arrivals: Vec<Duration>, rate: f64) -> Vec<Planned> {
    let mut dice = Dice::new(SEED);
    let mut now = 0.0;
    loop {
        now += dice.exponential(1.0 / rate);
        let arrival = Duration::from_secs_f64(now);
        if LAST_ARRIVAL < arrival {
            break;
        }
        arrivals.push(arrival);
    }
    arrivals.sort_unstable();
    let mut tokens = || dice.lognormal(MEAN_TOKENS, TOKENS_SIGMA).round().clamp(1.0, TOKENS_MAX) as u32;
    arrivals.into_iter().map(|arrival| Planned { arrival, tokens: tokens() }).collect()
}
