//! What instances tell each other of a deployment's answers.

use std::mem;
use std::time::Duration;

use super::{Counter, Health, RampCounts, State};

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

impl Health {
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

    /// Takes in what the others have seen of its answers, and leaves what they had seen before in its place.
    pub(crate) fn others_saw(&mut self, answers: &mut Answers, now: Duration) {
        if let State::Ramping(ramp) = &mut self.state
            && let Some((_, counts)) = answers.ramps.iter().find(|(id, _)| *id == ramp.id())
        {
            ramp.heard(*counts, now);
        }
        // More good answers than answers would make a deployment look better than one that never failed.
        answers.well = answers.well.min(answers.all);
        mem::swap(&mut self.elsewhere, answers);
    }
}
