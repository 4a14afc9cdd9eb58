//! How much of a key is in use, and whether another request may begin.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::minute::Minute;
use crate::config::ClientKey;
use crate::openai::KeyLimit;

/// What a client is told to wait for a place: nobody knows how long the answers under way will be.
const WAIT_FOR_PLACE: Duration = Duration::from_secs(1);

/// The limits of a key; `None` is any number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    requests: Option<u64>,
    pub(super) tokens: Option<u64>,
    parallel: Option<u32>,
}

impl Limits {
    pub(super) fn of(key: &ClientKey) -> Self {
        Self { requests: key.rpm_limit, tokens: key.tpm_limit, parallel: key.max_parallel_requests }
    }
}

/// What is counted for one key, whatever its limits are at the moment.
#[derive(Debug)]
pub(super) struct Usage {
    start: Instant,
    books: Mutex<Books>,
}

#[derive(Debug, Default)]
struct Books {
    in_flight: u32,
    requests: Minute,
    tokens: Minute,
}

/// A limit, and how much of it is left.
pub(super) type Left = Option<(u64, u64)>;

/// What is left of a key's minute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Remaining {
    pub(super) requests: Left,
    pub(super) tokens: Left,
}

/// Why no further request may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full {
    pub(super) limit: KeyLimit,
    pub(super) wait: Duration,
}

/// One request under way on a key. Dropping it gives its place back.
#[derive(Debug)]
pub(super) struct Turn {
    usage: Arc<Usage>,
    /// The second of its books that it began in.
    second: u64,
}

impl Usage {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { start: Instant::now(), books: Mutex::default() })
    }

    /// The time on the clock of its books.
    pub(super) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a request if no limit is reached, and says what is left of the minute either way.
    pub(super) fn begin(self: &Arc<Self>, limits: Limits, now: Duration) -> (Result<Turn, Full>, Remaining) {
        let mut books = self.books();
        let full = books.full(limits, now);
        let begun = match full {
            Some(full) => Err(full),
            None => {
                books.in_flight += 1;
                Ok(books.requests.add(now, 1))
            }
        };
        let remaining = Remaining {
            requests: left(limits.requests, books.requests.sum(now)),
            tokens: left(limits.tokens, books.tokens.sum(now)),
        };
        drop(books);
        (begun.map(|second| Turn { usage: Arc::clone(self), second }), remaining)
    }
}

fn left(limit: Option<u64>, used: u64) -> Left {
    limit.map(|limit| (limit, limit.saturating_sub(used)))
}

impl Books {
    fn full(&mut self, limits: Limits, now: Duration) -> Option<Full> {
        let reached = |limit: Option<u64>, used: u64| limit.filter(|limit| *limit <= used);
        if let Some(limit) = reached(limits.requests, self.requests.sum(now)) {
            let wait = self.requests.below(now, limit);
            return Some(Full { limit: KeyLimit::Requests(limit), wait });
        }
        if let Some(limit) = reached(limits.tokens, self.tokens.sum(now)) {
            return Some(Full { limit: KeyLimit::Tokens(limit), wait: self.tokens.below(now, limit) });
        }
        let limit = limits.parallel.filter(|limit| *limit <= self.in_flight)?;
        Some(Full { limit: KeyLimit::Parallel(limit), wait: WAIT_FOR_PLACE })
    }
}

impl Turn {
    /// It went nowhere, so it is none of the minute's requests.
    pub(super) fn goes_nowhere(&self) {
        self.usage.books().requests.take_back(self.second, 1);
    }

    /// Counts the tokens of its answer.
    pub(super) fn spend(&self, tokens: u64, now: Duration) {
        self.usage.books().tokens.add(now, tokens);
    }

    /// The time on the clock of its key's books.
    pub(super) fn now(&self) -> Duration {
        self.usage.now()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.usage.books().in_flight -= 1;
    }
}

#[cfg(test)]
mod tests;
