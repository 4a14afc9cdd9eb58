//! What instances tell each other of a deployment's health, and what becomes of it here.

use std::time::Duration;

use super::{Availability, Cause, Counter, DOUBLINGS_MAX, Health, PROBE_PAUSE, Ramp, RampCounts, State};
use crate::outcome::Outcome;

/// Something that the other instances are to know of a deployment at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// It rests.
    Rests(Rest),
    /// It has rested, and a request would show whether it is well, if this instance may send it.
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

/// What an instance tells of a deployment's answers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answers {
    /// Answers of the last ten seconds that showed it works; what is more than `all` does not count.
    pub well: u64,
    /// All answers of the last ten seconds that showed anything.
    pub all: u64,
    /// Failures that tolerances count, within their window.
    pub failures: Vec<(Counter, u32)>,
    /// The ramps by which it comes back, with what has happened in them; of one instance one at most.
    pub ramps: Vec<(u64, RampCounts)>,
}

impl Answers {
    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds what another instance tells.
    pub(crate) fn add(&mut self, other: &Self) {
        self.well = self.well.saturating_add(other.well);
        self.all = self.all.saturating_add(other.all);
        for (counter, count) in &other.failures {
            match self.failures.iter_mut().find(|(known, _)| known == counter) {
                Some((_, known)) => *known = known.saturating_add(*count),
                None => self.failures.push((*counter, *count)),
            }
        }
        for (id, counts) in &other.ramps {
            match self.ramps.iter_mut().find(|(known, _)| known == id) {
                Some((_, known)) => known.add(*counts),
                None => self.ramps.push((*id, *counts)),
            }
        }
    }

    pub(super) fn failures(&self, counter: Counter) -> u32 {
        self.failures.iter().find(|(known, _)| *known == counter).map_or(0, |(_, count)| *count)
    }
}

impl RampCounts {
    fn add(&mut self, other: Self) {
        self.successes = self.successes.saturating_add(other.successes);
        self.failures = self.failures.saturating_add(other.failures);
        self.begun = self.begun.saturating_add(other.begun);
    }
}

/// The instances that share a returning deployment's places.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Crew {
    /// Other instances.
    pub(crate) others: u32,
    /// Others whose names come before this one's.
    pub(crate) rank: u32,
}

impl Crew {
    pub(super) fn instances(self) -> u32 {
        self.others.saturating_add(1)
    }

    /// This instance's part of so many places; what does not divide goes round, a place further every `turn`.
    pub(super) fn share_of(self, places: u32, turn: u32) -> u32 {
        let all = self.instances();
        let has_one_more = (self.rank % all + turn % all) % all < places % all;
        places / all + u32::from(has_one_more)
    }
}

/// Whether this instance may probe without asking the others.
#[derive(Debug, Clone, Copy, Default)]
pub(super) enum ProbeRight {
    /// There is nobody to ask.
    #[default]
    Free,
    /// It must ask first, and has asked last at this moment.
    Asked(Option<Duration>),
    /// It may, until this moment.
    Until(Duration),
}

/// An instance that has asked for a probe asks again after this long without an answer.
const ASK_AGAIN: Duration = Duration::from_millis(200);

impl Health {
    /// Whether a probe needs a right that the instances give each other.
    pub(crate) fn guard_probes(&mut self, guarded: bool) {
        self.probe_right = match (guarded, self.probe_right) {
            (false, _) => ProbeRight::Free,
            (true, ProbeRight::Free) => ProbeRight::Asked(None),
            (true, known) => known,
        };
    }

    /// One request may probe it, if it is picked before this moment.
    pub(crate) fn may_probe(&mut self, until: Duration) {
        if !matches!(self.probe_right, ProbeRight::Free) {
            self.probe_right = ProbeRight::Until(until);
        }
    }

    /// What comes after a rest or a return needs a right of its own: the others have forgotten this one.
    pub(super) fn void_probe_right(&mut self) {
        if let ProbeRight::Until(_) = self.probe_right {
            self.probe_right = ProbeRight::Asked(None);
        }
    }

    pub(super) fn has_probe_right(&self, now: Duration) -> bool {
        match self.probe_right {
            ProbeRight::Free => true,
            ProbeRight::Asked(_) => false,
            ProbeRight::Until(until) => now < until,
        }
    }

    /// Asks for the right to probe, where that is all that a pick lacks.
    pub(crate) fn ask_to_probe(&mut self, availability: Availability, now: Duration) {
        if !matches!(availability, Availability::Probed(_)) || self.has_probe_right(now) {
            return;
        }
        let asked = match self.probe_right {
            ProbeRight::Asked(asked) => asked,
            ProbeRight::Free | ProbeRight::Until(_) => None,
        };
        if asked.is_none_or(|asked| asked + ASK_AGAIN <= now) {
            self.probe_right = ProbeRight::Asked(Some(now));
            self.news.get_or_insert(News::AsksToProbe);
        }
    }

    /// When a deployment whose rest is over may be picked.
    pub(super) fn once_rested(&self, now: Duration) -> Availability {
        match self.has_probe_right(now) {
            true => Availability::Ready,
            false => Availability::Probed(now + PROBE_PAUSE),
        }
    }

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

    /// What this instance has seen of its answers.
    pub(crate) fn answers(&mut self, now: Duration) -> Answers {
        let (well, all) = self.answers.sums(now);
        let ramp = match &self.state {
            State::Ramping(ramp) => Some((ramp.id(), ramp.own())),
            State::Open | State::Resting(_) | State::Probing(_) => None,
        };
        Answers {
            well,
            all,
            failures: self.log.counts(now).filter(|(_, count)| 0 < *count).collect(),
            ramps: ramp.into_iter().collect(),
        }
    }

    /// Takes in what the others have seen of its answers.
    pub(crate) fn others_saw(&mut self, answers: Answers, now: Duration) {
        if let State::Ramping(ramp) = &mut self.state
            && let Some((_, counts)) = answers.ramps.iter().find(|(id, _)| *id == ramp.id())
        {
            ramp.heard(*counts, now);
        }
        // More good answers than answers would make a deployment look better than one that never failed.
        self.elsewhere = Answers { well: answers.well.min(answers.all), ..answers };
    }

    /// Another instance rests it, or did so until a while ago.
    pub(crate) fn rests_elsewhere(&mut self, rest: &Rest, now: Duration) {
        if rest.until <= now && self.knows_better(rest.until, now) {
            return;
        }
        let until = match self.state {
            State::Resting(known) => known.max(rest.until),
            State::Open | State::Probing(_) | State::Ramping(_) => rest.until,
        };
        self.state = State::Resting(until);
        // Its probe is picked when it is over, however late this is heard.
        self.rested_at = self.rested_at.max(rest.until.min(now));
        self.relapses = self.relapses.max(rest.relapses.min(DOUBLINGS_MAX));
        self.void_probe_right();
        if let Some(outcome) = rest.reason {
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

/// Ramps that begin within this time may have begun in either order: clocks are compared through the others'.
const TOGETHER: Duration = Duration::from_secs(1);

/// Whether one of two ramps, each with its name and beginning, is the one that all instances go by.
fn begins_first((id, since): (u64, Duration), (known, known_since): (u64, Duration)) -> bool {
    if since.abs_diff(known_since) <= TOGETHER { id < known } else { since < known_since }
}

#[cfg(test)]
mod tests;
