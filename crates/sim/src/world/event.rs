//! What will happen in a run, and when.

use std::cmp::Ordering;

use leastbusy_balance::Outcome;

use crate::clock::Moment;
use crate::slab::Key;

/// What may happen.
#[derive(Debug, Clone, Copy)]
pub(super) enum Event {
    FirstToken(Key),
    /// A machine's answer is whole, if the announcement still holds.
    Whole(usize, u32),
    Fails(Key, Outcome),
    /// What a request may take in all has passed.
    TimeIsUp(Key),
    /// A wait of a walk is over.
    Waited(Key),
    /// A request that waits for a place looks whether time has brought one, in the wait of this number.
    Looks(Key, u64),
    /// A machine's trouble or speed changes.
    Turn(usize),
    SpanEnds,
    /// An instance tells the others and hears them.
    Exchange(usize),
}

/// Something that will happen; of two at one moment, the one that was planned first comes first.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) at: Moment,
    pub(super) number: u64,
    pub(super) event: Event,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}
