//! Who probes by which right.

use std::time::Duration;

use leastbusy_balance::InstanceId;

/// A probe, and the time for which its instance had the right to it.
pub(super) struct Probe {
    pub(super) by: InstanceId,
    pub(super) of: usize,
    pub(super) from: Duration,
    pub(super) until: Duration,
}

impl Probe {
    /// Fails unless its instance alone had the right. While the server has just forgotten who has it, two may.
    pub(super) fn expect_right(&self, others: &[Self], now: Duration, disturbed: Duration) {
        if now <= disturbed + Duration::from_secs(3) {
            return;
        }
        assert!(now < self.until, "{:?} probes {} at {now:?} without a right", self.by, self.of);
        for other in others.iter().filter(|other| other.of == self.of && other.by != self.by) {
            let (from, until) = (other.from, other.until);
            assert!(
                until <= self.from,
                "{:?} and {:?}, which had the right from {from:?} to {until:?}",
                self.by,
                other.by
            );
        }
    }
}
