//! Many measurements, and the questions asked of them.

use std::cmp::Ordering;
use std::time::Duration;

/// Many times, such as the waits of all requests.
pub type Times = Sorted<Duration>;

/// A collection of measurements, sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sorted<T>(Vec<T>);

/// What can be sorted and averaged.
pub trait Measurement: Copy + Default {
    /// Their order.
    fn order(&self, other: &Self) -> Ordering;
    /// As a number.
    fn number(self) -> f64;
    /// The measurement nearest to a number.
    fn from_number(number: f64) -> Self;
}

impl Measurement for Duration {
    fn order(&self, other: &Self) -> Ordering {
        self.cmp(other)
    }

    fn number(self) -> f64 {
        self.as_secs_f64()
    }

    fn from_number(number: f64) -> Self {
        Self::from_secs_f64(number)
    }
}

impl Measurement for f64 {
    fn order(&self, other: &Self) -> Ordering {
        self.total_cmp(other)
    }

    fn number(self) -> f64 {
        self
    }

    fn from_number(number: f64) -> Self {
        number
    }
}

impl<T: Measurement> Sorted<T> {
    /// Their number.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Their mean; 0 when there are none.
    #[must_use]
    pub fn mean(&self) -> T {
        let count = self.0.len().max(1) as f64;
        T::from_number(self.0.iter().map(|one| one.number()).sum::<f64>() / count)
    }

    /// The smallest one that at least this share (0 to 1) of them does not exceed; 0 when there are none.
    ///
    /// Always one of the measurements themselves (nearest rank), never a value between two.
    #[must_use]
    pub fn quantile(&self, share: f64) -> T {
        // 0.07 * 100 is a little more than 7 in binary; its rank is 7 all the same.
        let rank = (share * self.0.len() as f64 * (1.0 - 4.0 * f64::EPSILON)).ceil() as usize;
        let last = self.0.len().saturating_sub(1);
        self.0.get(rank.saturating_sub(1).min(last)).copied().unwrap_or_default()
    }

    /// The largest; 0 when there are none.
    #[must_use]
    pub fn largest(&self) -> T {
        self.0.last().copied().unwrap_or_default()
    }

    /// All of several collections in one.
    #[must_use]
    pub fn pooled<'a>(all: impl IntoIterator<Item = &'a Self>) -> Self
    where
        T: 'a,
    {
        all.into_iter().flat_map(|sorted| sorted.0.iter().copied()).collect()
    }
}

impl<T: Measurement> FromIterator<T> for Sorted<T> {
    fn from_iter<I: IntoIterator<Item = T>>(all: I) -> Self {
        let mut all: Vec<T> = all.into_iter().collect();
        all.sort_unstable_by(T::order);
        Self(all)
    }
}

#[cfg(test)]
mod tests;
