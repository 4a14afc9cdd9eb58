//! What each instance may take of a limit while nobody can be asked.

use std::time::{Duration, Instant};

use leastbusy_balance::InstanceId;

use crate::shared::name::DeploymentName;

/// So long after an instance was heard of last it may still have what it had then: nearly all answers are shorter.
const MEMORY: Duration = Duration::from_secs(60);

/// What was known of all instances when Redis was heard of last.
///
/// Instances that knew the same have shares of a limit that are the limit together.
#[derive(Debug, Default)]
pub(super) struct Shares {
    /// All instances, this one included.
    instances: u64,
    /// How many of them have a lower name.
    rank: u64,
    /// What this instance had in flight on each deployment, and what all had together.
    in_flight: Vec<(u32, u32)>,
    heard: Option<Instant>,
}

impl Shares {
    pub(super) fn new(
        me: InstanceId,
        others: &[InstanceId],
        in_flight: Vec<(u32, u32)>,
        now: Instant,
    ) -> Self {
        let rank = others.iter().filter(|other| **other < me).count() as u64;
        Self { instances: others.len() as u64 + 1, rank, in_flight, heard: Some(now) }
    }

    /// The most that this instance may have in flight on a deployment.
    ///
    /// At first nobody takes more than an equal part of what was free: others may have had more than their shares, which
    /// they keep until their requests end.
    pub(super) fn of(&self, (at, deployment): (usize, DeploymentName), limit: u32, now: Instant) -> u32 {
        let share = self.part(limit, deployment);
        let is_fresh = self.heard.is_some_and(|heard| now.saturating_duration_since(heard) < MEMORY);
        let (own, all) = self.in_flight.get(at).copied().unwrap_or_default();
        match is_fresh {
            true => share.min(own + self.part(limit.saturating_sub(all), deployment)),
            false => share,
        }
    }

    /// An equal part; what is left over goes to other instances for each deployment, the same ones in everybody's eyes.
    fn part(&self, whole: u32, deployment: DeploymentName) -> u32 {
        let instances = self.instances.max(1);
        let turn = (self.rank + deployment.number() % instances) % instances;
        let part = u64::from(whole) / instances + u64::from(turn < u64::from(whole) % instances);
        u32::try_from(part).unwrap_or(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::{DeploymentName, Duration, InstanceId, Instant, MEMORY, Shares};

    #[test]
    fn shares_are_the_limit_together_however_it_was_used_before() {
        let now = Instant::now();
        for seed in 0..5000 {
            let mut random = fastrand::Rng::with_seed(seed);
            let ids: Vec<_> = (0..random.usize(1..9)).map(|_| InstanceId(random.u128(..))).collect();
            let limit = random.u32(1..20);
            let mut left = limit;
            let mut has = || {
                let has = random.u32(..=left);
                left -= has;
                has
            };
            let has: Vec<u32> = ids.iter().map(|_| has()).collect();
            let all = has.iter().sum();
            let name = DeploymentName::of(&seed.to_string());
            let share = |at: usize, in_flight: (u32, u32), after: Duration| {
                let others: Vec<_> = ids.iter().filter(|id| **id != ids[at]).copied().collect();
                Shares::new(ids[at], &others, vec![in_flight], now).of((0, name), limit, now + after)
            };
            let sum = |share: &dyn Fn(usize) -> u32| (0..ids.len()).map(share).sum::<u32>();
            assert_eq!(sum(&|at| share(at, (0, 0), Duration::ZERO)), limit, "seed {seed}: idle");
            assert_eq!(sum(&|at| share(at, (has[at], all), MEMORY)), limit, "seed {seed}: later");
            let most = sum(&|at| has[at].max(share(at, (has[at], all), Duration::ZERO)));
            assert!(most <= limit, "seed {seed}: {most} of {limit}");
        }
    }

    #[test]
    fn an_instance_that_never_heard_of_anybody_is_alone() {
        assert_eq!(Shares::default().of((0, DeploymentName::of("a")), 3, Instant::now()), 3);
    }
}
