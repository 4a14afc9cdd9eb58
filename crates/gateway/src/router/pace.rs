//! How fast places come to those that wait in strict mode, where each asks for itself.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The time that a pace is measured over.
const MEASURED: Duration = Duration::from_secs(10);

/// The most places that are remembered; where more come in [`MEASURED`], the pace is that of these.
const REMEMBERED: usize = 64;

/// The places that came in the last seconds.
#[derive(Debug, Default)]
pub(super) struct Pace(Mutex<Places>);

#[derive(Debug, Default)]
struct Places {
    /// Since when somebody waits, or when the oldest was that is forgotten.
    since: Duration,
    /// When each came, the latest last.
    came: VecDeque<Duration>,
}

impl Pace {
    /// Somebody waits, where nobody did.
    pub(super) fn begins(&self, now: Duration) {
        *self.lock() = Places { since: now, came: VecDeque::new() };
    }

    /// Somebody who waited has a place.
    pub(super) fn came(&self, now: Duration) {
        let mut places = self.lock();
        places.came.push_back(now);
        if REMEMBERED < places.came.len() {
            places.forget_first();
        }
    }

    /// The time between two places; `None` where none came lately.
    pub(super) fn between(&self, now: Duration) -> Option<Duration> {
        let mut places = self.lock();
        let from = now.saturating_sub(MEASURED);
        while places.came.front().is_some_and(|came| *came < from) {
            places.forget_first();
        }
        let count = u32::try_from(places.came.len()).unwrap_or(u32::MAX);
        now.saturating_sub(places.since.max(from)).checked_div(count)
    }

    fn lock(&self) -> MutexGuard<'_, Places> {
        // No code that may panic runs under it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Places {
    fn forget_first(&mut self) {
        self.since = self.came.pop_front().unwrap_or(self.since);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Pace, REMEMBERED};

    fn at(seconds: f64) -> Duration {
        Duration::from_secs_f64(100.0 + seconds)
    }

    #[test]
    fn it_is_the_time_between_two_places() {
        let pace = Pace::default();
        pace.begins(at(0.0));
        assert_eq!(pace.between(at(5.0)), None, "none came");
        for second in [1.0, 2.0, 6.0] {
            pace.came(at(second));
        }
        assert_eq!(pace.between(at(6.0)), Some(Duration::from_secs(2)));
        // Nothing has come since.
        assert_eq!(pace.between(at(9.0)), Some(Duration::from_secs(3)));
        assert_eq!(pace.between(at(14.0)), Some(Duration::from_secs(10)), "one in the last ten seconds");
        assert_eq!(pace.between(at(17.0)), None);
        pace.came(at(18.0));
        pace.begins(at(20.0));
        assert_eq!(pace.between(at(21.0)), None, "another queue");
    }

    #[test]
    fn of_many_the_last_tell_it() {
        let pace = Pace::default();
        pace.begins(at(0.0));
        for place in 1..=1000 {
            pace.came(at(5.0 + f64::from(place) / 1000.0));
        }
        assert_eq!(pace.between(at(6.0)), Some(Duration::from_millis(1)));
        assert_eq!(pace.0.lock().unwrap().came.len(), REMEMBERED);
    }
}
