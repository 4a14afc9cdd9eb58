//! The places that this instance has, however they were taken.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::Notify;

/// How many places this instance has on each deployment.
#[derive(Debug)]
pub(super) struct Held {
    counts: Box<[AtomicU32]>,
    changed: Notify,
}

/// A place on a deployment that this instance has; dropped, it is given back to all.
///
/// Dropping it waits for nothing: what is owed to Redis is the difference between two counts, however many places come
/// and go while it does not answer.
#[derive(Debug)]
#[must_use = "dropping a reservation gives its place back"]
pub struct Reservation {
    held: Arc<Held>,
    at: usize,
}

impl Held {
    pub(super) fn new(deployments: usize) -> Arc<Self> {
        let counts = (0..deployments).map(|_| AtomicU32::new(0)).collect();
        Arc::new(Self { counts, changed: Notify::new() })
    }

    /// Holds a place that Redis has counted, or is to be told of.
    pub(super) fn take(self: &Arc<Self>, at: usize) -> Reservation {
        self.counts[at].fetch_add(1, Ordering::Relaxed);
        Reservation { held: Arc::clone(self), at }
    }

    /// The same, which Redis does not know.
    pub(super) fn take_untold(self: &Arc<Self>, at: usize) -> Reservation {
        let reservation = self.take(at);
        self.changed.notify_one();
        reservation
    }

    /// The places on each deployment.
    pub(super) fn counts(&self) -> impl Iterator<Item = u32> {
        self.counts.iter().map(|count| count.load(Ordering::Relaxed))
    }

    /// Waits until a place was given back or taken that Redis does not know.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.held.counts[self.at].fetch_sub(1, Ordering::Relaxed);
        self.held.changed.notify_one();
    }
}
