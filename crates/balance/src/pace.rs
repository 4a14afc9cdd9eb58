//! How fast deployments write, as their answers show it.

use std::time::Duration;

use crate::fleet::{Books, DeploymentIndex};
use crate::quantile::Quantile;

#[cfg(test)]
mod tests;

/// How long an answer says something of a deployment's speed: one that nobody picks because it was slow once gets
/// another chance.
const COUNTS_FOR: Duration = Duration::from_secs(300);
/// Speeds within a step are alike. Paces are estimates; without steps, whoever seems a little faster by chance would
/// be filled before the others.
const STEP: f64 = 1.25;

/// Answers of fewer tokens do not tell of speed.
const LEAST_TOKENS: u32 = 8;

/// The time that one deployment takes for a token.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Pace {
    median: Quantile,
    /// Its latest answer.
    at: Duration,
}

impl Pace {
    /// Takes in an answer of so many tokens, more than 0, that took this time to write.
    pub(crate) fn add(&mut self, took: Duration, tokens: u32, now: Duration) {
        if COUNTS_FOR <= now.saturating_sub(self.at) {
            self.median = Quantile::default();
        }
        self.median.add(took / tokens.max(1), 0.5);
        self.at = self.at.max(now);
    }

    /// Its speed where the group's is 1, in steps of a quarter; 1 where it is not known.
    pub(crate) fn speed(&self, group: &Quantile, now: Duration) -> f64 {
        let is_known = now.saturating_sub(self.at) < COUNTS_FOR;
        match (self.median.get().filter(|_| is_known), group.get()) {
            (Some(own), Some(usual)) => {
                let times = usual.as_secs_f64() / own.as_secs_f64();
                STEP.powf(times.log(STEP).round())
            }
            _ => 1.0,
        }
    }
}

impl Books {
    /// Takes in an answer of a group's.
    pub(crate) fn wrote(
        &mut self,
        (group, deployment): (usize, DeploymentIndex),
        took: Duration,
        tokens: u32,
        now: Duration,
    ) {
        // The first token of a few says more of the queue than of the speed.
        if LEAST_TOKENS <= tokens {
            self.paces[deployment.0 as usize].add(took, tokens, now);
            self.group(group).pace.add(took / tokens, 0.5);
        }
    }

    /// How fast a deployment writes, where a group's answers are at 1.
    pub(crate) fn speed(&mut self, group: usize, deployment: DeploymentIndex, now: Duration) -> f64 {
        let pace = self.paces[deployment.0 as usize];
        pace.speed(&self.group(group).pace, now)
    }
}
