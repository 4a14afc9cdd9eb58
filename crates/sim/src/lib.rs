//! Virtual time over the production heart: what a fleet would have done with the same arrivals.

mod dice;

pub use dice::Dice;
