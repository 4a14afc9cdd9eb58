//! Uniform numbers below a bound, from one number the caller rolled.

/// A short stream of random numbers that one pick uses up.
///
/// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014), so that one good 64-bit number is enough for any
/// number of ties.
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number in `0..bound`; `bound` is at least 1.
    // The multiply-shift maps 64 random bits to the range with a bias below bound / 2^32.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        ((u64::from((self.next() >> 32) as u32) * u64::from(bound)) >> 32) as u32
    }

    /// A place in a list of so many, at least one.
    pub(crate) fn place(&mut self, places: usize) -> usize {
        // Nobody lists 2^32; of more, the first ones would do.
        self.below(u32::try_from(places).unwrap_or(u32::MAX)) as usize
    }

    /// A number between 0 and 1.
    pub(crate) fn unit(&mut self) -> f64 {
        // 53 bits are what an f64 holds exactly.
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}
