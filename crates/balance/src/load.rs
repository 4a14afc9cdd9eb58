//! The score: how busy a deployment would be with this request on it.

use std::num::NonZeroU32;

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

/// What a deployment can do at once: so many requests at full speed.
///
/// Where it is known of every member of a group, a pick takes a free place on the fastest; when all places are
/// taken, the deployment where one will be free soonest, which is the one with the smallest
/// `(in flight + 1 - places) / (places * speed)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Capacity {
    places: NonZeroU32,
    speed: f64,
}

impl Capacity {
    /// `places` are requests that it serves at once at full speed, `speed` is that of one of them, in whatever unit
    /// the group's members have in common; `None` unless there is a place and `speed` is finite and more than 0.
    #[must_use]
    pub fn new(places: u32, speed: f64) -> Option<Self> {
        (speed.is_finite() && 0.0 < speed).then_some(Self { places: NonZeroU32::new(places)?, speed })
    }

    /// Requests that it serves at once at full speed.
    #[must_use]
    pub fn places(self) -> u32 {
        self.places.get()
    }

    /// The speed of one place.
    #[must_use]
    pub fn speed(self) -> f64 {
        self.speed
    }
}

/// How much less a deployment's speed counts when its places are full than when they are free: a real batch is
/// written slower as it fills, and deployments whose speeds differ by less than this share the load.
const FILLING: f64 = 0.1;

/// Lower is better.
// +1 judges a deployment as it will be once this request is on it; without it, idle deployments of
// weight 1 and 8 look alike (HAProxy, lb_fwlc.c). A true division, not a product with a reciprocal:
// division rounds the exact quotient, so that 3/3 and 1/1 tie.
pub(crate) fn load(busy: f64, weight: f64) -> f64 {
    (busy + 1.0) / weight
}

/// Lower is better: below 0 while there is a free place, at the speed that it will have; then the time until there
/// is one, of the group's typical answer.
pub(crate) fn load_by_speed(busy: f64, places: f64, speed: f64) -> f64 {
    if busy < places {
        -speed * (1.0 - FILLING * load(busy, places))
    } else {
        load(busy - places, places * speed)
    }
}
