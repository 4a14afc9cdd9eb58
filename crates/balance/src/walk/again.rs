//! The retry of a request that has been on every deployment that can be picked.

use std::time::Duration;

use crate::walk::{Directions, Step, Walk, rest};

impl Walk {
    /// A wait for an untried deployment that returns, or one that was tried and had its rest, or a wait for it.
    pub(super) fn again(
        &mut self,
        (untried, returns): (u32, Option<Duration>),
        now: Duration,
        dice: u64,
        directions: &impl Directions,
    ) -> Option<Step> {
        if self.is_new_leg() {
            return None;
        }
        self.rest_tried(now);
        let is_kept = self.retries_left() < untried && !self.tried.has_released();
        if let Some(returns) = returns
            && is_kept
            && let Some(wait) = self.wait(returns, (rest::BACKOFF_MAX, rest::COOLING_JITTER), now, dice)
        {
            return Some(wait);
        }
        if self.tried.release(&self.leg, now) {
            return Some(self.ask(now));
        }
        // While a fallback is left, a long rest is not worth its time.
        let longest = rest::LONGEST.max(self.limits.retry_after);
        let longest = if self.has_fallback(directions) { rest::BACKOFF_MAX } else { longest };
        match (self.tried.soonest(&self.leg), returns) {
            (Some(due), returns) if returns.is_none_or(|returns| due <= returns) => {
                let wait = self.wait(due, (longest, rest::JITTER), now, dice)?;
                self.leg.rests += 1;
                Some(wait)
            }
            (_, returns) => self.wait(returns?, (longest, rest::COOLING_JITTER), now, dice),
        }
    }

    /// Retries here after the one that is about to be made.
    fn retries_left(&self) -> u32 {
        let here = self.leg.retries.saturating_sub(self.leg.attempts);
        here.min(self.limits.max_retries.saturating_sub(self.retries))
    }

    /// A wait until a moment and a little longer, if those since the last attempt are not too long together.
    fn wait(
        &mut self,
        until: Duration,
        (longest, jitter): (Duration, Duration),
        now: Duration,
        dice: u64,
    ) -> Option<Step> {
        let wait = until.saturating_sub(now).max(rest::LEAST);
        let room = self.limits.deadline.saturating_sub(now).saturating_sub(wait);
        if longest.saturating_sub(self.leg.rested) < wait || room.is_zero() {
            return None;
        }
        let wait = wait + rest::jitter(jitter.min(room / 2), dice);
        self.leg.rested += wait;
        Some(Step::Wait(wait))
    }
}
