//! What the gateway tried, which its clients do not see.

use std::sync::atomic::{AtomicUsize, Ordering};

use leastbusy_balance::Blame;

use crate::router::{AttemptEnd, AttemptStart, Observer};

/// Attempts of all requests.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    all: AtomicUsize,
    further: AtomicUsize,
    failed: AtomicUsize,
}

impl Attempts {
    pub(super) fn all(&self) -> usize {
        self.all.load(Ordering::Relaxed)
    }

    /// Those that were not a request's first.
    pub(super) fn further(&self) -> usize {
        self.further.load(Ordering::Relaxed)
    }

    /// Those that a deployment is to blame for.
    pub(super) fn failed(&self) -> usize {
        self.failed.load(Ordering::Relaxed)
    }
}

impl Observer for Attempts {
    fn pre_call(&self, attempt: &AttemptStart<'_>) {
        self.all.fetch_add(1, Ordering::Relaxed);
        self.further.fetch_add(usize::from(1 < attempt.number), Ordering::Relaxed);
    }

    fn failure(&self, _: &AttemptStart<'_>, end: &AttemptEnd) {
        self.failed.fetch_add(usize::from(end.outcome.blame() == Blame::Deployment), Ordering::Relaxed);
    }
}
