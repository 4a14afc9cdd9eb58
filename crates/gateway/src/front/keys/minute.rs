//! What has come in the last minute, second by second.

use std::time::Duration;

/// The running second and the 60 before it: whatever came within 60 s is among them.
const SECONDS: u64 = 61;

/// A sum over a sliding minute. It forgets what is older than 60 s up to one second late, never early, so that a
/// limit on it holds for every 60 s there are.
#[derive(Debug)]
pub(super) struct Minute {
    counts: [u64; SECONDS as usize],
    /// The latest second that was seen.
    second: u64,
    sum: u64,
}

impl Default for Minute {
    fn default() -> Self {
        Self { counts: [0; SECONDS as usize], second: 0, sum: 0 }
    }
}

impl Minute {
    fn at(&mut self, second: u64) -> &mut u64 {
        let place = usize::try_from(second % SECONDS).expect("it is below 61");
        &mut self.counts[place]
    }

    /// The sum at `now`; moments before the latest one count as that.
    pub(super) fn sum(&mut self, now: Duration) -> u64 {
        let second = now.as_secs();
        let passed = second.saturating_sub(self.second).min(SECONDS);
        for step in 1..=passed {
            let forgotten = std::mem::take(self.at(self.second + step));
            self.sum -= forgotten;
        }
        self.second = self.second.max(second);
        self.sum
    }

    /// Adds to the sum; returns the second that it counts for.
    pub(super) fn add(&mut self, now: Duration, count: u64) -> u64 {
        self.sum(now);
        // What would not fit is far beyond every limit.
        let count = count.min(u64::MAX - self.sum);
        *self.at(self.second) += count;
        self.sum += count;
        self.second
    }

    /// Takes back what was added in this second, unless that is forgotten anyway.
    pub(super) fn take_back(&mut self, second: u64, count: u64) {
        if self.second.saturating_sub(second) < SECONDS {
            let there = self.at(second);
            let count = count.min(*there);
            *there -= count;
            self.sum -= count;
        }
    }

    /// How long from `now` until the sum is below `limit`, if nothing is added.
    pub(super) fn below(&mut self, now: Duration, limit: u64) -> Duration {
        let mut left = self.sum(now);
        let mut wait = Duration::ZERO;
        for age in (0..SECONDS).rev() {
            if left < limit {
                break;
            }
            let Some(second) = self.second.checked_sub(age) else { continue };
            left -= *self.at(second);
            wait = Duration::from_secs(second + SECONDS).saturating_sub(now);
        }
        wait
    }
}

#[cfg(test)]
mod tests;
