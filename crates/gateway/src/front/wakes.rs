//! Wake-ups of a connection's task that would find nothing to do.
//!
//! hyper wakes the task that reads a request whenever a piece of its body is taken, so that it reads the next.
//! After the last piece there is none, and the task is the one that took it: it would run once more for
//! nothing, at a twentieth of what a short request costs in all.

use std::cell::Cell;
use std::sync::Arc;
use std::task::{Wake, Waker};

/// Wakes a connection's task, unless wake-ups are held back.
#[derive(Debug)]
pub(super) struct TaskWaker(Waker);

/// A waker for a connection whose wake-ups can be held back.
#[must_use]
pub fn waker(task: &Waker) -> Waker {
    Arc::new(TaskWaker(task.clone())).into()
}

thread_local! {
    static HOLDS: Cell<bool> = const { Cell::new(false) };
    static HELD: Cell<Option<Arc<TaskWaker>>> = const { Cell::new(None) };
}

impl TaskWaker {
    pub(super) fn wake_now(&self) {
        self.0.wake_by_ref();
    }
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        if !HOLDS.get() {
            return self.wake_now();
        }
        // One place is enough for the one body that is read meanwhile; what it does not hold goes through.
        if let Some(earlier) = HELD.replace(Some(self)) {
            earlier.wake_now();
        }
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if HOLDS.get() { Arc::clone(self).wake() } else { self.wake_now() }
    }
}

/// What `take` gives, and the task that it would have woken on this thread.
pub(super) fn held_back<T>(take: impl FnOnce() -> T) -> (T, Option<Arc<TaskWaker>>) {
    let holding = Holding::begin();
    let taken = take();
    drop(holding);
    (taken, HELD.take())
}

struct Holding;

impl Holding {
    fn begin() -> Self {
        HOLDS.set(true);
        Self
    }
}

impl Drop for Holding {
    // Even if what was called panics: a thread that held wake-ups back for ever would stand still.
    fn drop(&mut self) {
        HOLDS.set(false);
    }
}

#[cfg(test)]
mod tests;
