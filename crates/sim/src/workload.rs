//! The requests of a run: when they come and how long they are.

use std::f64::consts::TAU;
use std::time::Duration;

use crate::Dice;

/// One request: when it comes and how much work it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Job {
    /// Time since the start.
    pub arrival: Duration,
    /// Tokens to be read before the first answer; finite, 0 or more.
    pub prompt_tokens: f64,
    /// Tokens to be written; finite, 0 or more.
    pub output_tokens: f64,
}

/// Where the requests of a run come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Workload {
    /// Drawn by chance.
    Drawn {
        /// When they come.
        arrivals: Arrivals,
        /// How long their prompts are.
        prompt_tokens: Sizes,
        /// How long their answers are.
        output_tokens: Sizes,
        /// How many they are.
        requests: usize,
    },
    /// As they were recorded: the same in every run.
    Trace(Vec<Job>),
}

/// When requests come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Arrivals {
    /// Independently of each other, at a steady rate.
    Poisson {
        /// Requests a second.
        per_second: f64,
    },
    /// Several at one moment, the moments independent of each other.
    Bursts {
        /// Requests a second on average.
        per_second: f64,
        /// Requests in a burst; at least 1.
        size: u32,
    },
    /// Independently of each other, at a rate that rises and falls as a sine does.
    Diurnal {
        /// Requests a second on average.
        per_second: f64,
        /// The highest rate is `1 + swing` times the mean, the lowest `1 - swing`; 0 to 1.
        swing: f64,
        /// From one peak to the next. The first comes after a quarter of it.
        period: Duration,
    },
}

/// A distribution of tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sizes {
    /// Always the same.
    Fixed(f64),
    /// Memoryless: many small, few large.
    Exponential {
        /// The mean.
        mean: f64,
    },
    /// A heavy tail, as answers have it.
    Lognormal {
        /// The mean.
        mean: f64,
        /// The standard deviation of the logarithm; at 1.2, one in a hundred is eight times the mean.
        sigma: f64,
    },
    /// Two sizes.
    Bimodal {
        /// The usual size.
        small: f64,
        /// The other.
        large: f64,
        /// The share of the large ones, 0 to 1.
        share: f64,
    },
}

impl Workload {
    /// The requests by arrival; the same seed gives the same ones.
    #[must_use]
    pub fn jobs(&self, seed: u64) -> Vec<Job> {
        match self {
            Self::Drawn { arrivals, prompt_tokens, output_tokens, requests } => {
                // Streams of their own, so that another prompt length leaves the arrivals as they are.
                let mut dice = Dice::new(seed);
                let [mut coming, mut prompts, mut outputs] = [(); 3].map(|()| Dice::new(dice.roll()));
                let mut clock = Clock { arrivals: *arrivals, now: 0.0, left_of_burst: 0 };
                let job = |_| Job {
                    arrival: Duration::from_secs_f64(clock.next(&mut coming)),
                    prompt_tokens: prompt_tokens.draw(&mut prompts),
                    output_tokens: output_tokens.draw(&mut outputs),
                };
                (0..*requests).map(job).collect()
            }
            Self::Trace(jobs) => {
                let mut jobs = jobs.clone();
                jobs.sort_by_key(|job| job.arrival);
                jobs
            }
        }
    }
}

impl Arrivals {
    /// Requests a second on average.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        match *self {
            Self::Poisson { per_second }
            | Self::Bursts { per_second, .. }
            | Self::Diurnal { per_second, .. } => per_second,
        }
    }

    /// The same at another rate.
    #[must_use]
    pub fn at(self, per_second: f64) -> Self {
        match self {
            Self::Poisson { .. } => Self::Poisson { per_second },
            Self::Bursts { size, .. } => Self::Bursts { per_second, size },
            Self::Diurnal { swing, period, .. } => Self::Diurnal { per_second, swing, period },
        }
    }
}

struct Clock {
    arrivals: Arrivals,
    now: f64,
    left_of_burst: u32,
}

impl Clock {
    fn next(&mut self, dice: &mut Dice) -> f64 {
        match self.arrivals {
            Arrivals::Poisson { per_second } => self.now += dice.exponential(1.0 / per_second),
            Arrivals::Bursts { per_second, size } => {
                if self.left_of_burst == 0 {
                    self.left_of_burst = size.max(1);
                    self.now += dice.exponential(f64::from(self.left_of_burst) / per_second);
                }
                self.left_of_burst -= 1;
            }
            // Thinning (Lewis and Shedler, 1979): arrivals at the highest rate, of which those are kept
            // that the rate of the moment has.
            Arrivals::Diurnal { per_second, swing, period } => loop {
                self.now += dice.exponential(1.0 / (per_second * (1.0 + swing)));
                let rate = 1.0 + swing * (TAU * self.now / period.as_secs_f64()).sin();
                if dice.uniform() * (1.0 + swing) < rate {
                    break;
                }
            },
        }
        self.now
    }
}

impl Sizes {
    /// One of them.
    pub fn draw(&self, dice: &mut Dice) -> f64 {
        match *self {
            Self::Fixed(size) => size,
            Self::Exponential { mean } => dice.exponential(mean),
            Self::Lognormal { mean, sigma } => dice.lognormal(mean, sigma),
            Self::Bimodal { small, large, share } => {
                if dice.uniform() < share {
                    large
                } else {
                    small
                }
            }
        }
    }

    /// Their mean.
    #[must_use]
    pub fn mean(&self) -> f64 {
        match *self {
            Self::Fixed(size) => size,
            Self::Exponential { mean } | Self::Lognormal { mean, .. } => mean,
            Self::Bimodal { small, large, share } => small + (large - small) * share,
        }
    }
}

#[cfg(test)]
mod tests;
