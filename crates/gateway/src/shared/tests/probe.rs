//! Who probes by which right.

use std::time::Duration;

use leastbusy_balance::InstanceId;

/// How long a probe is waited for before another one may join it.
const PATIENCE: Duration = Duration::from_secs(2);

/// A probe, and the time for which its instance had the right to pick it.
pub(super) struct Probe {
    pub(super) by: InstanceId,
    pub(super) of: usize,
    pub(super) from: Duration,
    pub(super) until: Duration,
    pub(super) picked: Duration,
    /// Neither answered nor made void by a later rest.
    pub(super) is_out: bool,
}

impl Probe {
    /// Its answer is there, or a later rest has made it one of many requests.
    pub(super) fn voids(&mut self, now: Duration) {
        (self.until, self.is_out) = (self.until.min(now), false);
    }

    /// Fails unless its instance alone had the right. While the server has just forgotten who has it, two may.
    pub(super) fn expect_right(&self, others: &[Self], now: Duration, disturbed: Duration) {
        if now <= disturbed + Duration::from_secs(5) {
            return;
        }
        for other in others.iter().filter(|other| other.of == self.of && other.by != self.by) {
            let (from, until) = (other.from, other.until);
            assert!(
                until <= self.from,
                "{:?} and {:?}, which had the right from {from:?} to {until:?}",
                self.by,
                other.by
            );
            let (by, picked) = (other.by, other.picked);
            assert!(
                !other.is_out || picked + PATIENCE <= now,
                "{:?} probes {} at {now:?}, and the probe of {by:?} from {picked:?} is out",
                self.by,
                self.of
            );
        }
    }
}
