//! How reading engines' load goes, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};

/// Where an engine's load was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Its `/metrics`.
    Metrics,
    /// A header of an answer.
    Header,
}

/// What came of a reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It told how busy it is.
    Ok,
    /// There was no answer within the interval.
    Timeout,
    /// There was no connection, or it broke.
    Connection,
    /// It answered with another status than 200.
    Status,
    /// What it answered does not say how busy it is.
    Unreadable,
}

impl Source {
    /// Every one once.
    pub const ALL: [Self; 2] = [Self::Metrics, Self::Header];

    /// In one word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Metrics => "metrics",
            Self::Header => "header",
        }
    }
}

impl Outcome {
    /// Every one once.
    pub const ALL: [Self; 5] = [Self::Ok, Self::Timeout, Self::Connection, Self::Status, Self::Unreadable];

    /// In one word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Timeout => "timeout",
            Self::Connection => "connection",
            Self::Status => "status",
            Self::Unreadable => "unreadable",
        }
    }
}

/// How many readings came to what.
#[derive(Debug, Default)]
pub struct Reads([[AtomicU64; Outcome::ALL.len()]; Source::ALL.len()]);

impl Reads {
    pub(crate) fn add(&self, source: Source, outcome: Outcome) {
        self.0[source as usize][outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How many there were of these.
    #[must_use]
    pub fn count(&self, source: Source, outcome: Outcome) -> u64 {
        self.0[source as usize][outcome as usize].load(Ordering::Relaxed)
    }
}
