//! Random times and sizes that the same seed rolls again.

/// A seeded stream of random numbers.
///
/// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): passes BigCrush, any seed will do, and it is the
/// same stream on every machine. Not `Clone`, because two copies would roll the same numbers.
#[derive(Debug)]
pub struct Dice(u64);

impl Dice {
    /// The stream that belongs to `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 random bits.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number in `0.0..1.0`, each multiple of 2^-53 with the same chance.
    pub fn uniform(&mut self) -> f64 {
        (self.roll() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A number with an exponential distribution: the gap between two arrivals of a Poisson stream.
    pub fn exponential(&mut self, mean: f64) -> f64 {
        // 1 - u is never 0, so the logarithm is finite.
        -mean * (1.0 - self.uniform()).ln()
    }

    /// A number with a lognormal distribution: the heavy tail that answer lengths have.
    ///
    /// `sigma` is the standard deviation of its logarithm: at 1.2 the median is half the mean, and
    /// one number in a hundred is eight times the mean or more.
    pub fn lognormal(&mut self, mean: f64, sigma: f64) -> f64 {
        // Box and Muller's transform; its second number is thrown away to keep the stream simple.
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        let normal = radius * (std::f64::consts::TAU * self.uniform()).cos();
        // The mean of exp(sigma * normal) is exp(sigma^2 / 2).
        mean * (sigma * normal - sigma * sigma / 2.0).exp()
    }
}

#[cfg(test)]
mod tests;
