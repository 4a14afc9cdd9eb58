//! Two counts over the last ten seconds.

use std::time::Duration;

#[cfg(test)]
mod tests;

const BUCKETS: usize = 10;

/// Counts of two kinds of events in the running second and the nine before it.
///
/// Sliding, so that nothing is forgotten all at once when a minute ends. Reading costs a comparison while
/// the second lasts, and a pass over ten buckets when it has changed.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    buckets: [[u32; 2]; BUCKETS],
    /// The sum of `buckets`.
    sums: [u64; 2],
    /// The latest second seen, which counts into `buckets[second % BUCKETS]`.
    second: u64,
}

impl Window {
    pub(crate) const fn new() -> Self {
        Self { buckets: [[0; 2]; BUCKETS], sums: [0; 2], second: 0 }
    }

    /// Counts `a` events of the first kind and `b` of the second.
    pub(crate) fn add(&mut self, now: Duration, a: u32, b: u32) {
        self.roll(now);
        let bucket = &mut self.buckets[place(self.second)];
        *bucket = [bucket[0].saturating_add(a), bucket[1].saturating_add(b)];
        self.sums = [self.sums[0] + u64::from(a), self.sums[1] + u64::from(b)];
    }

    /// The events of each kind in the window that ends now.
    pub(crate) fn sums(&mut self, now: Duration) -> (u64, u64) {
        self.roll(now);
        (self.sums[0], self.sums[1])
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        *self = Self { second: self.second, ..Self::new() };
    }

    /// Lets go of the seconds that have left the window.
    // A `now` that is earlier than one already seen belongs to another thread that read the clock before
    // it got the lock: it counts as the latest second, which is wrong by less than the wait for the lock.
    fn roll(&mut self, now: Duration) {
        let second = now.as_secs();
        if second <= self.second {
            return;
        }
        let passed = second - self.second;
        for gone in 1..=passed.min(BUCKETS as u64) {
            self.buckets[place(self.second + gone)] = [0; 2];
        }
        self.second = second;
        self.sums = self
            .buckets
            .iter()
            .fold([0; 2], |sums, bucket| [sums[0] + u64::from(bucket[0]), sums[1] + u64::from(bucket[1])]);
    }
}

fn place(second: u64) -> usize {
    (second % BUCKETS as u64) as usize
}
