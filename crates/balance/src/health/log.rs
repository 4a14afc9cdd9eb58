//! When failures happened, as far as the tolerances ask.

use std::collections::VecDeque;
use std::time::Duration;

use crate::error_class::ErrorClass;

/// Failures by the tolerance that counts them. Empty where no tolerance is configured.
#[derive(Debug, Default)]
pub(super) struct FailureLog {
    entries: Vec<(Counter, VecDeque<Duration>)>,
}

/// Each counter counts for itself: failures of a class that has a number of its own, and all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counter {
    Class(ErrorClass),
    Any,
}

impl FailureLog {
    /// Notes a failure; true when more than `tolerated` have now happened within `window`.
    pub(super) fn exceeds(
        &mut self,
        counter: Counter,
        tolerated: u32,
        now: Duration,
        window: Duration,
    ) -> bool {
        let at = self.entries.iter().position(|(known, _)| *known == counter).unwrap_or_else(|| {
            self.entries.push((counter, VecDeque::new()));
            self.entries.len() - 1
        });
        let times = &mut self.entries[at].1;
        times.push_back(now);
        // More than this many are never asked for.
        while times.len() > tolerated as usize + 1 || times.front().is_some_and(|time| *time + window <= now)
        {
            times.pop_front();
        }
        times.len() > tolerated as usize
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
    }
}
