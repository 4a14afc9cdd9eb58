//! Virtual time.

use std::time::Duration;

/// A moment of a run: nanoseconds since its start, so that equal moments are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Moment(u64);

impl Moment {
    pub(crate) const START: Self = Self(0);
    pub(crate) const NEVER: Self = Self(u64::MAX);

    /// The first moment that is not before this many seconds.
    pub(crate) fn at(seconds: f64) -> Self {
        // A cast from f64 stops at the largest number: 584 years.
        Self((seconds * 1e9).ceil() as u64)
    }

    pub(crate) fn seconds(self) -> f64 {
        self.0 as f64 * 1e-9
    }

    pub(crate) fn since_start(self) -> Duration {
        Duration::from_nanos(self.0)
    }

    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    pub(crate) fn after(self, time: Duration) -> Self {
        Self(self.0.saturating_add(Self::from(time).0))
    }
}

impl From<Duration> for Moment {
    fn from(since_start: Duration) -> Self {
        Self(u64::try_from(since_start.as_nanos()).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests;
