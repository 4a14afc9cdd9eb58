//! The score: how busy a deployment would be with this request on it.

/// The share of work a deployment takes relative to the others of its group: finite and more than 0.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Weight(f64);

impl Weight {
    /// The weight of a deployment nobody has weighed.
    pub const ONE: Self = Self(1.0);

    /// `None` unless `value` is finite and more than 0.
    #[must_use]
    pub fn new(value: f64) -> Option<Self> {
        (value.is_finite() && 0.0 < value).then_some(Self(value))
    }

    /// The number itself.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }
}

impl Default for Weight {
    fn default() -> Self {
        Self::ONE
    }
}

/// Lower is better.
// +1 judges a deployment as it will be once this request is on it; without it, idle deployments of
// weight 1 and 8 look alike (HAProxy, lb_fwlc.c). A true division, not a product with a reciprocal:
// division rounds the exact quotient, so that 3/3 and 1/1 tie.
pub(crate) fn load(busy: f64, weight: f64) -> f64 {
    (busy + 1.0) / weight
}
