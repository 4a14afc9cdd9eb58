//! Coming back to full load step by step.

use std::time::Duration;

/// How much a deployment that has come back may carry.
///
/// It starts with one request and one more for each success, so that its load doubles once a service time,
/// as fast as it shows it can; a floor that rises with time ends the ramp where there is little traffic.
/// (The closed loop of the design; the floor is Envoy's slow start, linear in time.)
///
/// The first few places need no success: whoever begins its answers at once is well enough for them, and a long
/// answer to the first request must not keep everybody else at the peers, who are full.
#[derive(Debug)]
pub(super) struct Ramp {
    since: Duration,
    cap: f64,
    /// Answers that have begun since then.
    begun: u32,
    /// How the last eight requests ended, the newest lowest: 1 for a failure.
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

impl Ramp {
    pub(super) fn new(now: Duration) -> Self {
        Self { since: now, cap: 1.0, begun: 1, recent: 0 }
    }

    /// Whether a request that was picked at `started` belongs to the ramp.
    pub(super) fn covers(&self, started: Duration) -> bool {
        self.since <= started
    }

    pub(super) fn began(&mut self) {
        self.begun = self.begun.saturating_add(1);
    }

    pub(super) fn success(&mut self) {
        self.recent <<= 1;
        self.cap += 1.0;
    }

    /// Halves the cap; true when there have been too many failures.
    pub(super) fn failure(&mut self, now: Duration) -> bool {
        self.recent = (self.recent << 1) | 1;
        self.cap = (self.cap / 2.0).max(1.0);
        (self.since, self.begun) = (now, 0);
        FAILURES_MAX <= self.recent.count_ones()
    }

    /// Requests at once that are fine now; `None` when the ramp is over. `peers` is what the other deployments
    /// of the group carry, for this one's weight; `limit` what this one is known to take.
    pub(super) fn places(
        &self,
        now: Duration,
        ramp_time: Duration,
        peers: f64,
        limit: Option<u32>,
    ) -> Option<u32> {
        let target = limit.map_or((peers * PEERS_SHARE).max(TARGET_MIN), f64::from);
        let elapsed = now.saturating_sub(self.since).as_secs_f64();
        let floor = target * elapsed / ramp_time.as_secs_f64().max(f64::MIN_POSITIVE);
        let doubled = (elapsed / FIRST_PACE.as_secs_f64()).exp2();
        let first = doubled.min(f64::from(self.begun) * 2.0).min(TARGET_MIN);
        let cap = self.cap.max(first).max(floor);
        (cap < target).then_some(cap as u32)
    }
}
