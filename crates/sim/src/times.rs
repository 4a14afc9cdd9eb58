//! Many times, and the questions asked of them.

use std::time::Duration;

/// A collection of times, such as the waits of all requests; sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Times(Vec<Duration>);

impl Times {
    /// Their number.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Their mean; 0 when there are none.
    #[must_use]
    pub fn mean(&self) -> Duration {
        let count = self.0.len().max(1) as f64;
        Duration::from_secs_f64(self.0.iter().map(Duration::as_secs_f64).sum::<f64>() / count)
    }

    /// The smallest time that at least this share (0 to 1) of them does not exceed; 0 when there are none.
    ///
    /// Always one of the times themselves (nearest rank), never a value between two.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Duration {
        let rank = (share * self.0.len() as f64).ceil() as usize;
        let last = self.0.len().saturating_sub(1);
        self.0.get(rank.saturating_sub(1).min(last)).copied().unwrap_or(Duration::ZERO)
    }

    /// The largest; 0 when there are none.
    #[must_use]
    pub fn largest(&self) -> Duration {
        self.0.last().copied().unwrap_or(Duration::ZERO)
    }

    /// All times of several collections in one.
    #[must_use]
    pub fn pooled<'a>(all: impl IntoIterator<Item = &'a Self>) -> Self {
        all.into_iter().flat_map(|times| times.0.iter().copied()).collect()
    }
}

impl FromIterator<Duration> for Times {
    fn from_iter<I: IntoIterator<Item = Duration>>(times: I) -> Self {
        let mut times: Vec<Duration> = times.into_iter().collect();
        times.sort_unstable();
        Self(times)
    }
}

#[cfg(test)]
mod tests;
