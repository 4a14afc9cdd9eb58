//! When failures happened, as far as the tolerances ask.

use std::collections::VecDeque;
use std::time::Duration;

use crate::error_class::ErrorClass;

/// Failures by the tolerance that counts them. Empty where no tolerance is configured.
#[derive(Debug, Default)]
pub(super) struct FailureLog {
    /// Over which failures count.
    window: Duration,
    entries: Vec<(Counter, VecDeque<Duration>)>,
}

/// Each counter counts for itself: failures of a class that has a number of its own, and all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counter {
    /// Failures of this class.
    Class(ErrorClass),
    /// Failures of all classes that have no number of their own.
    Any,
}

impl FailureLog {
    /// Notes a failure; true when more than `tolerated` have now happened within `window`, with `elsewhere` of them
    /// through other instances.
    pub(super) fn exceeds(
        &mut self,
        counter: Counter,
        tolerated: u32,
        elsewhere: u32,
        (now, window): (Duration, Duration),
    ) -> bool {
        let at = self.entries.iter().position(|(known, _)| *known == counter).unwrap_or_else(|| {
            self.entries.push((counter, VecDeque::new()));
            self.entries.len() - 1
        });
        self.window = window;
        let times = &mut self.entries[at].1;
        times.push_back(now);
        // More than this many are never asked for.
        while times.len() > tolerated as usize + 1 || times.front().is_some_and(|time| *time + window <= now)
        {
            times.pop_front();
        }
        times.len() + elsewhere as usize > tolerated as usize
    }

    /// Failures within the window, by counter.
    pub(super) fn counts(&self, now: Duration) -> impl Iterator<Item = (Counter, u32)> {
        self.entries.iter().map(move |(counter, times)| {
            let recent = times.iter().filter(|time| now < **time + self.window).count();
            (*counter, u32::try_from(recent).unwrap_or(u32::MAX))
        })
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
    }
}
