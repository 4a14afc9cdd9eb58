//! A running estimate of a quantile of durations, in eight bytes.

use std::time::Duration;

/// Follows one quantile: up a little when a sample is above, down when it is below, in the proportion
/// that balances at the quantile (Robbins and Monro's stochastic approximation, in the logarithm).
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Quantile {
    seconds: f64,
}

/// A step of 10 % in the wide direction: it follows a tenfold change within some 25 samples on its wrong side.
const STEP: f64 = 0.1;
/// Shorter durations are all alike, and zero could not be multiplied.
const SHORTEST: f64 = 1e-6;

impl Quantile {
    /// Takes in a sample; `quantile` is the share of samples below, between 0 and 1.
    pub(crate) fn add(&mut self, sample: Duration, quantile: f64) {
        let sample = sample.as_secs_f64().max(SHORTEST);
        if self.seconds == 0.0 {
            self.seconds = sample;
        } else if self.seconds < sample {
            self.seconds *= 1.0 + STEP * quantile;
        } else {
            self.seconds = (self.seconds * (1.0 - STEP * (1.0 - quantile))).max(SHORTEST);
        }
    }

    /// The estimate; `None` before the first sample.
    pub(crate) fn get(&self) -> Option<Duration> {
        (self.seconds != 0.0).then(|| Duration::from_secs_f64(self.seconds))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Quantile;
    use crate::dice::Dice;

    #[test]
    fn it_settles_at_the_quantile_of_uniform_samples() {
        for quantile in [0.5, 0.9, 0.95] {
            let (mut dice, mut estimate) = (Dice::new(7), Quantile::default());
            let (mut sum, rounds) = (0.0, 20_000);
            for round in 0..2 * rounds {
                estimate.add(Duration::from_millis(u64::from(dice.below(1000))), quantile);
                if rounds <= round {
                    sum += estimate.get().unwrap().as_secs_f64();
                }
            }
            let mean = sum / f64::from(rounds);
            assert!((mean - quantile).abs() < 0.05, "{mean} for {quantile}");
        }
    }

    #[test]
    fn it_starts_with_the_first_sample() {
        let mut estimate = Quantile::default();
        assert_eq!(estimate.get(), None);
        estimate.add(Duration::from_secs(3), 0.5);
        assert_eq!(estimate.get(), Some(Duration::from_secs(3)));
    }
}
