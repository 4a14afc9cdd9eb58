//! What has changed since the others were told, so that a burst need not wait for the next exchange.

use std::sync::atomic::{AtomicI64, Ordering};

use tokio::sync::Notify;

/// What has changed since the others were told. Cheap enough for every request: one addition.
#[derive(Debug)]
pub struct Nudge {
    /// Requests begun less requests ended.
    change: AtomicI64,
    /// A change of so many is worth telling at once.
    enough: AtomicI64,
    notify: Notify,
}

/// The least change that is worth an exchange of its own ...
const CHANGE_MIN: i64 = 4;
/// ... and the part of what is in flight that is: with more, the others would see a picture that is wrong by a quarter.
const CHANGE_PART: i64 = 4;

impl Nudge {
    pub(super) fn new() -> Self {
        Self { change: AtomicI64::new(0), enough: AtomicI64::new(i64::MAX), notify: Notify::new() }
    }

    /// A request has begun.
    pub fn begun(&self) {
        self.changed(1);
    }

    /// A request has ended.
    pub fn ended(&self) {
        self.changed(-1);
    }

    /// Something has happened that the others are to know at once.
    pub fn now(&self) {
        self.notify.notify_one();
    }

    fn changed(&self, by: i64) {
        let change = self.change.fetch_add(by, Ordering::Relaxed) + by;
        // Equal, not more: one call of many crosses the line.
        if change.abs() == self.enough.load(Ordering::Relaxed) {
            self.notify.notify_one();
        }
    }

    /// The others are told now; `in_flight` is what they are told, `None` where there is nobody to tell.
    pub(super) fn told(&self, in_flight: Option<u64>) {
        self.change.store(0, Ordering::Relaxed);
        let part = |in_flight: u64| i64::try_from(in_flight).unwrap_or(i64::MAX) / CHANGE_PART;
        let enough = in_flight.map_or(i64::MAX, |in_flight| part(in_flight).max(CHANGE_MIN) + 1);
        self.enough.store(enough, Ordering::Relaxed);
    }

    pub(super) async fn wait(&self) {
        self.notify.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;

    use super::Nudge;

    fn is_nudged(nudge: &Nudge) -> bool {
        let mut wait = std::pin::pin!(nudge.wait());
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        wait.as_mut().poll(&mut context).is_ready()
    }

    #[test]
    fn more_than_four_or_a_quarter_is_worth_a_word() {
        for (in_flight, enough) in [(0, 5), (16, 5), (100, 26)] {
            let nudge = Nudge::new();
            nudge.told(Some(in_flight));
            for _ in 1..enough {
                nudge.begun();
            }
            assert!(!is_nudged(&nudge), "{in_flight}");
            nudge.begun();
            assert!(is_nudged(&nudge), "{in_flight}");
            nudge.told(Some(in_flight));
            (0..enough).for_each(|_| nudge.ended());
            assert!(is_nudged(&nudge), "{in_flight}");
        }
    }

    #[test]
    fn with_nobody_to_tell_only_news_is() {
        let nudge = Nudge::new();
        nudge.told(None);
        (0..1000).for_each(|_| nudge.begun());
        assert!(!is_nudged(&nudge));
        nudge.now();
        assert!(is_nudged(&nudge));
    }
}
