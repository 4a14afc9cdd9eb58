//! Rests and returns that instances tell each other, and what becomes of them here.

use std::time::Duration;

use super::ramp::begins_first;
use super::{Cause, DOUBLINGS_MAX, Health, Ramp, State};
use crate::outcome::Outcome;

/// Something that the other instances are to know of a deployment at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// It rests.
    Rests(Rest),
    /// It has rested, and a request would show whether it is well, if this instance may send it; to be answered by
    /// [`Learned::MayProbe`](crate::Learned::MayProbe) or [`Learned::MayNotProbe`](crate::Learned::MayNotProbe). Without
    /// an answer within 100 ms the next request is the probe.
    AsksToProbe,
    /// A probe was answered well: it comes back, by the ramp of this name.
    Returns {
        /// The ramp's name: a random number.
        ramp: u64,
        /// When it began.
        since: Duration,
    },
}

/// How a deployment rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rest {
    /// When it may be asked again.
    pub until: Duration,
    /// How the attempt ended that made it rest; `None` for one that has just joined.
    pub reason: Option<Outcome>,
    /// The status of that attempt's answer, if there was one.
    pub status: Option<u16>,
    /// How often in a row it failed again when it came back.
    pub relapses: u32,
}

impl Health {
    /// Notes that the others are to know of the rest that has begun, or is to last longer.
    pub(super) fn tells_rest(&mut self) {
        if let Some(rest) = self.resting() {
            self.news = Some(News::Rests(rest));
        }
    }

    fn resting(&self) -> Option<Rest> {
        let State::Resting(until) = self.state else { return None };
        Some(Rest {
            until,
            reason: self.cause.map(|cause| cause.outcome),
            status: self.cause.and_then(|cause| cause.status),
            relapses: self.relapses,
        })
    }

    /// What the others are to know at once, told once.
    pub(crate) fn take_news(&mut self) -> Option<News> {
        self.news.take()
    }

    /// Has what the others are to know told to them once more. A rest that is over is no news: they may know better.
    pub(crate) fn repeat_news(&mut self, now: Duration) {
        match &self.state {
            State::Resting(until) if now < *until => self.tells_rest(),
            State::Ramping(ramp) => self.news = Some(News::Returns { ramp: ramp.id(), since: ramp.since() }),
            State::Open | State::Resting(_) | State::Probing(_) => {}
        }
    }

    /// Another instance rests it, or did so until a while ago.
    pub(crate) fn rests_elsewhere(&mut self, rest: &Rest, now: Duration) {
        if rest.until <= now && self.knows_better(rest.until, now) {
            return;
        }
        let known = match self.state {
            State::Resting(known) => Some(known),
            State::Open | State::Probing(_) | State::Ramping(_) => None,
        };
        let is_later = known.is_none_or(|known| known <= rest.until);
        let until = known.filter(|_| !is_later).unwrap_or(rest.until);
        self.state = State::Resting(until);
        // Its probe is picked when it is over, however late this is heard.
        self.rested_at = self.rested_at.max(rest.until.min(now));
        self.relapses = self.relapses.max(rest.relapses.min(DOUBLINGS_MAX));
        self.void_probe_right();
        if let (Some(outcome), true) = (rest.reason, is_later) {
            self.cause = Some(Cause { outcome, status: rest.status });
        }
        self.log.clear();
        self.awaits = None;
        // What was to be told is from before.
        self.news = self.news.filter(|news| matches!(news, News::Rests(_)));
    }

    /// Whether a rest that was over at `until` tells nothing new: it is being probed here, came back or serves.
    fn knows_better(&mut self, until: Duration, now: Duration) -> bool {
        let is_probed = matches!(self.state, State::Probing(_));
        is_probed || self.returned.is_some_and(|(_, since)| until <= since) || self.serves(now)
    }

    /// Whether it takes its full share, and has shown here that it can.
    fn serves(&mut self, now: Duration) -> bool {
        let (well, _) = self.answers.sums(now);
        matches!(self.state, State::Open) && 0 < well
    }

    /// Another instance's probe was answered well.
    // Where `ramp_time` is zero the ramp is over when its places are asked for first.
    pub(crate) fn returns_elsewhere(&mut self, id: u64, since: Duration, now: Duration) {
        let is_known = self.returned.is_some_and(|(known, _)| known == id);
        if is_known || since < self.rested_at {
            self.awaits = matches!(self.state, State::Resting(_) | State::Probing(_)).then_some(id);
            return;
        }
        let joins = match (&self.state, self.returned) {
            (State::Ramping(_), Some(known)) => begins_first((id, since), known),
            // An instance that is late to learn of a return must not take a deployment from those that it serves.
            _ => !self.serves(now),
        };
        if joins {
            self.join(Ramp::joined(id, since), now);
        }
    }

    fn join(&mut self, ramp: Ramp, now: Duration) {
        self.forget_answers();
        self.probed_at = now;
        self.news = None;
        self.void_probe_right();
        self.begin(ramp, true);
    }

    /// Comes back by a return that was heard of while a later rest of one's own lasted, from one place on.
    pub(super) fn join_late(&mut self, now: Duration) {
        if let (State::Resting(until), Some(id)) = (&self.state, self.awaits)
            && *until <= now
        {
            self.join(Ramp::joined(id, *until), now);
        }
    }
}
