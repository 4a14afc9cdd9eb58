//! Two counts over the last seconds.

use std::time::Duration;

#[cfg(test)]
mod tests;

/// Counts of two kinds of events in the running second and those before it, `BUCKETS` seconds in all.
///
/// Sliding, so that nothing is forgotten all at once when a minute ends. Reading costs a comparison while
/// the second lasts, and a look at each bucket that leaves when it has changed.
#[derive(Debug, Clone)]
pub(crate) struct Window<const BUCKETS: usize> {
    buckets: [[u32; 2]; BUCKETS],
    /// The sum of `buckets`.
    sums: [u64; 2],
    /// The latest second seen, which counts into `buckets[second % BUCKETS]`.
    second: u64,
}

impl<const BUCKETS: usize> Window<BUCKETS> {
    pub(crate) const fn new() -> Self {
        Self { buckets: [[0; 2]; BUCKETS], sums: [0; 2], second: 0 }
    }

    /// Counts `a` events of the first kind and `b` of the second.
    pub(crate) fn add(&mut self, now: Duration, a: u32, b: u32) {
        self.roll(now);
        let bucket = &mut self.buckets[Self::place(self.second)];
        for ((count, sum), more) in bucket.iter_mut().zip(&mut self.sums).zip([a, b]) {
            // No more than the bucket can give back when it leaves.
            let more = more.min(u32::MAX - *count);
            *count += more;
            *sum += u64::from(more);
        }
    }

    /// The events of each kind in the window that ends now.
    pub(crate) fn sums(&mut self, now: Duration) -> (u64, u64) {
        self.roll(now);
        (self.sums[0], self.sums[1])
    }

    /// The seconds of the window that ends now in which anything happened, the latest first: how long ago each began,
    /// and its counts.
    pub(crate) fn seconds(&mut self, now: Duration) -> impl Iterator<Item = (Duration, [u32; 2])> {
        self.roll(now);
        let (second, buckets) = (self.second, &self.buckets);
        (0..BUCKETS as u64).map_while(move |back| second.checked_sub(back)).filter_map(move |began| {
            let counts = buckets[Self::place(began)];
            (counts != [0; 2]).then(|| (now.saturating_sub(Duration::from_secs(began)), counts))
        })
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
            let left = std::mem::take(&mut self.buckets[Self::place(self.second + gone)]);
            for (sum, left) in self.sums.iter_mut().zip(left) {
                *sum -= u64::from(left);
            }
        }
        self.second = second;
    }

    fn place(second: u64) -> usize {
        (second % BUCKETS as u64) as usize
    }
}
