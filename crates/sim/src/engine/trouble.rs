//! What may be wrong with a deployment, and when.

use std::time::Duration;

/// A span in which something is wrong with a deployment.
#[derive(Debug, Clone, PartialEq)]
pub struct Episode {
    /// Its begin, since the start of the run.
    pub from: Duration,
    /// Its end.
    pub until: Duration,
    /// What is wrong.
    pub trouble: Trouble,
}

/// What may be wrong with a deployment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Trouble {
    /// It is gone: what it was serving breaks off, and connections are refused.
    Down,
    /// It answers 500.
    Fails {
        /// The share of the requests that fail, 0 to 1.
        share: f64,
        /// The time after which they do.
        after: Duration,
    },
    /// It takes requests and never answers them.
    Hangs {
        /// The share of the requests that hang, 0 to 1.
        share: f64,
    },
    /// It answers 429.
    RateLimits {
        /// Its `Retry-After`.
        retry_after: Option<Duration>,
    },
    /// It is slow.
    Slow {
        /// Its speed in this span as a share of the usual one; more than 0.
        speed: f64,
    },
}

/// How a deployment comes back after it was down: slow at first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WarmUp {
    /// The share of its speed that it begins with; more than 0.
    pub speed: f64,
    /// The time until it is at full speed, rising steadily.
    pub time: Duration,
}

impl Episode {
    pub(crate) fn covers(&self, now: Duration) -> bool {
        self.from <= now && now < self.until
    }
}
