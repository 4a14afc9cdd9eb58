//! How busy engines say they are, for traffic that does not come through this gateway.
//!
//! An engine is asked for its metrics on a timer ([`Polls`]), or tells of its load in a header of its answers ([`orca`]). What is
//! made of that is the heart's business: [`Fleet::see_engine`](leastbusy_balance::Fleet::see_engine).

pub mod exposition;
pub mod orca;
mod poll;
mod reads;

use std::time::Duration;

use leastbusy_balance::EngineReport;

pub use poll::{Followed, Polls, Scrape};
pub use reads::{Outcome, Reads, Source};

/// What an engine told of itself.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Told {
    /// Requests that it serves, and that wait in it.
    pub requests: u32,
    /// Whether it may have more than those, because it did not tell of all.
    pub at_least: bool,
    /// The part of its cache that is in use, between 0 and 1, where it said so.
    pub kv_use: Option<f64>,
}

impl Told {
    /// The same for the heart: it counts in full until the next reading is due, and is gone after four intervals. `in_flight_before` is
    /// what was known to be in flight when the engine was asked.
    // In full for a third of that, which is a third more than an interval: the next reading may be a tenth late by
    // chance, and takes its time.
    #[must_use]
    pub fn report(self, in_flight_before: u32, interval: Duration) -> EngineReport {
        let Self { requests, at_least, kv_use } = self;
        EngineReport { requests, at_least, in_flight_before, kv_use, fades_after: interval.saturating_mul(4) }
    }
}

/// A number of requests; `None` for what cannot be one.
fn requests(number: f64) -> Option<u32> {
    // A saturating cast: more than 2^32 requests are as many as 2^32.
    (0.0 <= number).then_some(number.round() as u32)
}
