//! Coming back to full load step by step.

use std::time::Duration;

use super::Crew;

/// How much a deployment that has come back may carry.
///
/// It starts with one request and one more for each success, so that its load doubles once a service time,
/// as fast as it shows it can; a floor that rises with time ends the ramp where there is little traffic.
/// (The closed loop of the design; the floor is Envoy's slow start, linear in time.)
///
/// The first few places need no success: whoever begins its answers at once is well enough for them, and a long
/// answer to the first request must not keep everybody else at the peers, who are full.
///
/// Instances that know of the same ramp share it: what ended and began at the others counts as if it had here, and each
/// takes its part of the places.
#[derive(Debug)]
pub(super) struct Ramp {
    since: Duration,
    cap: f64,
    /// What the instances know it by.
    id: u64,
    own: RampCounts,
    /// What the others have told of it.
    others: RampCounts,
    /// Answers that had begun when it was set back last.
    begun_before: u32,
    /// How the last eight requests of all instances ended, the newest lowest: 1 for a failure.
    recent: u8,
}

/// A ramp is not over before this many requests at once would be fine: idle peers are no measure.
const TARGET_MIN: f64 = 8.0;
/// So many may come without a success, twice as many every time this passes, if answers begin as fast: one at first,
/// two after 100 ms. (One of four comes back warm at 70 % load: by successes alone the p99 wait of all in the 30 s after
/// it was 1.91 times that without a ramp, with this it is 1.10 times; `leastbusy sim --goals`, G10.)
const FIRST_PACE: Duration = Duration::from_millis(100);
/// A ramp ends when the deployment may carry this much of what its peers do.
const PEERS_SHARE: f64 = 1.5;
/// Failures among the last eight that send a deployment back to rest.
const FAILURES_MAX: u32 = 2;

/// What has happened in a ramp since it began; counts only grow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RampCounts {
    /// Requests that succeeded.
    pub successes: u32,
    /// Requests that failed.
    pub failures: u32,
    /// Answers that began, the probe's included.
    pub begun: u32,
}

impl RampCounts {
    pub(super) fn add(&mut self, other: Self) {
        self.successes = self.successes.saturating_add(other.successes);
        self.failures = self.failures.saturating_add(other.failures);
        self.begun = self.begun.saturating_add(other.begun);
    }
}

impl Ramp {
    /// A ramp that this instance's probe has begun.
    pub(super) fn new(id: u64, now: Duration) -> Self {
        Self { own: RampCounts { begun: 1, ..RampCounts::default() }, ..Self::joined(id, now) }
    }

    /// A ramp that another instance has begun.
    pub(super) fn joined(id: u64, since: Duration) -> Self {
        let none = RampCounts::default();
        Self { since, cap: 1.0, id, own: none, others: none, begun_before: 0, recent: 0 }
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }

    pub(super) fn since(&self) -> Duration {
        self.since
    }

    pub(super) fn own(&self) -> RampCounts {
        self.own
    }

    /// Takes in what the others have told of this ramp; what an instance that is gone had told stays.
    pub(super) fn heard(&mut self, others: RampCounts, now: Duration) {
        let known = self.others;
        self.others = RampCounts {
            successes: known.successes.max(others.successes),
            failures: known.failures.max(others.failures),
            begun: known.begun.max(others.begun),
        };
        let successes = self.others.successes - known.successes;
        self.cap += f64::from(successes);
        // In which order they ended is not told: the failures count as the latest.
        self.recent = self.recent.checked_shl(successes).unwrap_or(0);
        // Whatever number was told: no cap is left that could be halved more often.
        for _ in 0..(self.others.failures - known.failures).min(u32::BITS) {
            self.recent = (self.recent << 1) | 1;
            self.set_back(now);
        }
    }

    /// Whether a request that was picked at `started` belongs to the ramp.
    pub(super) fn covers(&self, started: Duration) -> bool {
        self.since <= started
    }

    pub(super) fn began(&mut self) {
        self.own.begun = self.own.begun.saturating_add(1);
    }

    pub(super) fn success(&mut self) {
        self.recent <<= 1;
        self.own.successes = self.own.successes.saturating_add(1);
        self.cap += 1.0;
    }

    fn begun(&self) -> u32 {
        self.own.begun.saturating_add(self.others.begun) - self.begun_before
    }

    fn set_back(&mut self, now: Duration) {
        self.cap = (self.cap / 2.0).max(1.0);
        self.since = now;
        self.begun_before += self.begun();
    }

    /// Halves the cap; true when there have been too many failures.
    pub(super) fn failure(&mut self, now: Duration) -> bool {
        self.recent = (self.recent << 1) | 1;
        self.own.failures = self.own.failures.saturating_add(1);
        self.set_back(now);
        FAILURES_MAX <= self.recent.count_ones()
    }

    /// Requests at once that are fine now from this instance; `None` when the ramp is over. `peers` is what the other
    /// deployments of the group carry, for this one's weight; `limit` what this one is known to take from this instance.
    pub(super) fn places(
        &self,
        now: Duration,
        ramp_time: Duration,
        peers: f64,
        limit: Option<u32>,
        crew: Crew,
    ) -> Option<u32> {
        let limit = limit.map(|limit| f64::from(limit) * f64::from(crew.instances()));
        let target = limit.unwrap_or_else(|| (peers * PEERS_SHARE).max(TARGET_MIN));
        let elapsed = now.saturating_sub(self.since).as_secs_f64();
        let floor = target * elapsed / ramp_time.as_secs_f64().max(f64::MIN_POSITIVE);
        let doubled = (elapsed / FIRST_PACE.as_secs_f64()).exp2();
        let first = doubled.min(f64::from(self.begun()) * 2.0).min(TARGET_MIN);
        let cap = self.cap.max(first).max(floor);
        (cap < target).then(|| crew.share_of(cap as u32, elapsed as u32))
    }
}

/// Ramps that begin within this time may have begun in either order: clocks are compared through the others'.
const TOGETHER: Duration = Duration::from_secs(1);

/// Whether one of two ramps, each with its name and beginning, is the one that all instances go by.
pub(super) fn begins_first((id, since): (u64, Duration), (known, known_since): (u64, Duration)) -> bool {
    if since.abs_diff(known_since) <= TOGETHER { id < known } else { since < known_since }
}
