//! How many requests a deployment takes before it answers 429, learned from its answers.

use std::time::Duration;

/// Additive increase, multiplicative decrease, as TCP does it (Chiu and Jain, 1989).
#[derive(Debug)]
pub(super) struct LearnedLimit {
    limit: f64,
    cut_at: Duration,
}

/// What is left of the limit after a 429 (reference: SRE practice between 0.5 and 0.9).
const CUT: f64 = 0.7;
/// All 429s of one burst are one sign, as TCP cuts once a round trip.
const ONE_CUT: Duration = Duration::from_secs(1);
/// A limit that nobody has met for this long is forgotten: quotas are by the minute.
const MEMORY: Duration = Duration::from_secs(60);

impl LearnedLimit {
    /// The limit after the first 429, which came with `in_flight` requests there.
    pub(super) fn new(in_flight: u32, now: Duration) -> Self {
        Self { limit: (f64::from(in_flight) * CUT).max(1.0), cut_at: now }
    }

    pub(super) fn cut(&mut self, in_flight: u32, now: Duration) {
        if self.cut_at + ONE_CUT <= now {
            *self = Self::new(in_flight.min(self.places()), now);
        }
    }

    /// A success while the places were used shows that there may be one more.
    pub(super) fn grow(&mut self, in_flight: u32) {
        if self.places() <= in_flight {
            self.limit += 1.0 / self.limit;
        }
    }

    pub(super) fn is_forgotten(&self, now: Duration) -> bool {
        self.cut_at + MEMORY <= now
    }

    pub(super) fn places(&self) -> u32 {
        // At least 1 and far below 2^32: it began as a count and grows by less than 1 a success.
        self.limit as u32
    }
}
