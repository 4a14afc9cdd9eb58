//! Where a request goes when every fallback was tried: where it was refused on the way.

use std::mem;
use std::time::Duration;

use crate::walk::leg::{Leg, Parked};
use crate::walk::{GiveUp, Step, Walk, WhenAllCooling, rest};

impl Walk {
    /// Only deployments that cool down or are full are left, if any.
    pub(super) fn last_resort(&mut self, now: Duration, dice: u64) -> Step {
        let may_enter = |leg: &Leg| {
            let is_counted = if 0 < leg.attempts {
                self.retries < self.limits.max_retries
            } else {
                !leg.is_fallback || self.fallbacks < self.limits.max_fallbacks
            };
            is_counted && !leg.force
        };
        // The first of them is the one that the client asked for, or nearest to it.
        if let Some(full) = self.parked.iter().position(|parked| parked.is_full && may_enter(&parked.leg)) {
            let Parked { leg, .. } = self.parked.remove(full);
            return self.enter(Leg { queued: true, ..leg }, now);
        }
        let parked = self.parked.iter().enumerate().filter(|(_, parked)| may_enter(&parked.leg));
        let Some((place, &Parked { leg, soonest, .. })) = parked.min_by_key(|(_, parked)| parked.soonest)
        else {
            return self.end(now);
        };
        match self.limits.when_all_cooling {
            WhenAllCooling::Fail => self.end(now),
            WhenAllCooling::TrySoonest => {
                self.parked.swap_remove(place);
                self.enter(Leg { force: true, ..leg }, now)
            }
            WhenAllCooling::Wait(longest) => {
                let wait = soonest.saturating_sub(now).max(rest::LEAST);
                let left = longest.saturating_sub(self.waited);
                let room = self.limits.deadline.saturating_sub(now).saturating_sub(wait);
                if left < wait || room.is_zero() {
                    return self.end(now);
                }
                let jitter = rest::COOLING_JITTER.min(left - wait).min(room / 2);
                let wait = wait + rest::jitter(jitter, dice);
                self.waited += wait;
                self.parked.swap_remove(place);
                self.enter(Leg { waited: true, ..leg }, now);
                Step::Wait(wait)
            }
        }
    }

    /// Nobody else is left who could read the request, as far as its caller reckons. Reckoning refuses nothing: the first
    /// that it ruled out is asked after all, and the others are its fallbacks.
    fn end(&mut self, now: Duration) -> Step {
        let mut too_long = mem::take(&mut self.too_long).into_iter();
        let Some(leg) = too_long.next() else { return self.give_up(now) };
        self.insists = true;
        for Leg { target, .. } in too_long.rev() {
            self.visited.retain(|visited| *visited != target);
            self.pending.push(target);
        }
        self.enter(leg, now)
    }

    fn give_up(&self, now: Duration) -> Step {
        let soonest = self.parked.iter().map(|parked| parked.soonest).min();
        Step::GiveUp(match soonest {
            _ if !self.tried.is_empty() => GiveUp::Failed,
            _ if self.is_full => GiveUp::Full,
            Some(soonest) => GiveUp::Cooling { remaining: soonest.saturating_sub(now) },
            None => GiveUp::Empty,
        })
    }
}
