//! What an answer says of its deployment's speed.

use std::time::Duration;

use super::Ended;
use crate::outcome::{Outcome, Verdict};

/// The two kinds of answers, whose latencies cannot be compared.
#[derive(Debug, Default)]
pub(super) struct ByKind<T> {
    whole: T,
    stream: T,
}

impl<T> ByKind<T> {
    pub(super) fn of(&self, stream: bool) -> &T {
        if stream { &self.stream } else { &self.whole }
    }

    pub(super) fn of_mut(&mut self, stream: bool) -> &mut T {
        if stream { &mut self.stream } else { &mut self.whole }
    }
}

/// What one lease has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// A latency: of a stream the time to its first byte; of a whole answer the time for each token that it wrote,
    /// or all of it where these are not known.
    Latency(Duration),
    /// That a time limit passed.
    TimedOut,
}

impl Ended {
    /// `None` where it says nothing of the speed, as one that failed fast.
    pub(super) fn shown(&self) -> Option<Shown> {
        if !self.counts {
            return None;
        }
        match (self.outcome, self.outcome.verdict()) {
            (Outcome::Timeout(_), _) => Some(Shown::TimedOut),
            (Outcome::Success, _) if self.stream => self.first_byte.map(Shown::Latency),
            (Outcome::Success, _) => {
                Some(Shown::Latency(self.duration.checked_div(self.output_tokens).unwrap_or(self.duration)))
            }
            // A stream that broke off, or whose client left, had begun all the same.
            (_, Verdict::Silent | Verdict::Ill) if self.stream => self.first_byte.map(Shown::Latency),
            _ => None,
        }
    }
}
