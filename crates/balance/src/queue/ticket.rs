//! A place in the queue.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use super::line::Place;
use super::{Grant, Opened, hand_on, wake};
use crate::group::Core;
use crate::lease::Lease;
use crate::pick::Refusal;

/// A request that waits for a lease. Dropping it leaves the queue.
#[must_use = "dropping a ticket leaves the queue"]
#[derive(Debug)]
pub struct Ticket {
    core: Arc<Core>,
    place: Place,
    ahead: u32,
    /// Whether it has its lease, or had to give way.
    over: bool,
}

/// What became of a request that may wait.
#[derive(Debug)]
pub enum Queued {
    /// It need not.
    Served(Lease),
    /// It does.
    Waiting(Ticket),
}

/// How soon a waiter looks again whether time has brought a place: one that rested returns, or a minute passes.
const LOOK: Duration = Duration::from_millis(20);
/// The longest time between two looks of a waiter.
const LONGEST_LOOK: Duration = Duration::from_secs(1);

impl Ticket {
    pub(super) fn new(core: Arc<Core>, place: Place, ahead: u32) -> Self {
        Self { core, place, ahead, over: false }
    }

    /// How many waited before it or were more urgent when it came.
    #[must_use]
    pub fn ahead(&self) -> u32 {
        self.ahead
    }

    /// The lease, if it is there; or why there is nothing to wait for: [`Refusal::QueueFull`] for one that had to give way, and
    /// what a pick says when deployments have come to rest. `waker` is woken when either is.
    ///
    /// Places that come free are handed on without this. What time alone brings, such as the end of a rest, is noticed
    /// here, for all who wait for the group: call it again after [`look_again`](Self::look_again).
    pub fn fetch(&mut self, now: Duration, waker: &Waker) -> Option<Result<Lease, Refusal>> {
        if self.over {
            return None;
        }
        let mut books = self.core.fleet.lock();
        let wakers = hand_on(&mut books, now, Opened::ByTime(self.core.index));
        let queue = books.queue(self.core.index);
        let grant = queue.granted.remove(&self.place);
        let refusal = queue.refused.remove(&self.place);
        let mut before = None;
        if grant.is_none()
            && let Some(waiter) = queue.line.get_mut(self.place)
            && !waiter.waker.will_wake(waker)
        {
            before = Some(std::mem::replace(&mut waiter.waker, waker.clone()));
        }
        drop(books);
        // Dropping a waker may run code of its task.
        drop(before);
        wake(wakers);
        self.over = grant.is_some() || refusal.is_some();
        grant.map(Grant::into_lease).map(Ok).or(refusal.map(Err))
    }

    /// When to call [`fetch`](Self::fetch) again: the more wait, the less often each looks, so that the looks of all are as
    /// many.
    #[must_use]
    pub fn look_again(&self) -> Duration {
        let waiting = self.core.fleet.lock().queue(self.core.index).line.waiting();
        LOOK.saturating_mul(waiting.max(1)).min(LONGEST_LOOK)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        let mut books = self.core.fleet.lock();
        let left = books.leave_queue(self.core.index, self.place);
        let queue = books.queue(self.core.index);
        queue.refused.remove(&self.place);
        let grant = queue.granted.remove(&self.place);
        drop(books);
        drop(left);
        // The next one gets it.
        drop(grant.map(Grant::into_lease));
    }
}
