//! Requests and tokens of the last minute, as providers' limits count them.

use std::cmp::Reverse;
use std::mem;
use std::time::Duration;

use crate::fleet::{Books, DeploymentIndex, Fleet};
use crate::strategy::Terms;
use crate::window::Window;

#[cfg(test)]
mod tests;

/// The seconds that a minute is counted in.
const SECONDS: usize = 60;
const MINUTE: Duration = Duration::from_secs(SECONDS as u64);

/// What a deployment was asked for in the running second and the 59 before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Attempts that were begun, whatever became of them.
    pub requests: u64,
    /// Tokens of the attempts that have ended, as their [`Ending`](crate::Ending)s said.
    pub tokens: u64,
}

/// What an instance tells of one deployment's usage: absolute, so that whatever is lost or repeated does no harm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldUsage {
    /// The deployment that it is about.
    pub deployment: DeploymentIndex,
    /// The seconds of the last minute in which it was asked for anything.
    pub seconds: Vec<UsedSecond>,
}

/// One second of usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsedSecond {
    /// Time since it began; at a minute it counts no more.
    pub age: Duration,
    /// Attempts that were begun in it.
    pub requests: u32,
    /// Tokens of attempts that ended in it.
    pub tokens: u32,
}

/// One deployment's usage.
#[derive(Debug)]
pub(crate) struct Tally {
    /// Requests and tokens of this instance.
    own: Window<SECONDS>,
    others: Others,
}

/// What the other instances told of a deployment.
#[derive(Debug, Default)]
struct Others {
    /// When each second leaves the minute, and its counts: the one that leaves first is the last.
    seconds: Vec<(Duration, [u32; 2])>,
    /// The sums of `seconds`.
    sums: [u64; 2],
}

impl Tally {
    pub(crate) const fn new() -> Self {
        Self { own: Window::new(), others: Others { seconds: Vec::new(), sums: [0; 2] } }
    }

    pub(crate) fn requested(&mut self, now: Duration) {
        self.own.add(now, 1, 0);
    }

    pub(crate) fn took(&mut self, tokens: u32, now: Duration) {
        self.own.add(now, 0, tokens);
    }

    /// What all instances have asked for. Costs a comparison or two while no second leaves.
    pub(crate) fn usage(&mut self, now: Duration) -> Usage {
        let (requests, tokens) = self.own.sums(now);
        let [others_requests, others_tokens] = self.others.sums(now);
        Usage { requests: requests + others_requests, tokens: tokens + others_tokens }
    }
}

impl Tally {
    /// When enough seconds will have left the minute that what is left of requests and tokens is not over any more.
    fn frees(&mut self, now: Duration, is_over: impl Fn(u64, u64) -> bool) -> Duration {
        let Usage { mut requests, mut tokens } = self.usage(now);
        let own =
            self.own.seconds(now).map(|(age, counts)| (now.saturating_add(MINUTE - age.min(MINUTE)), counts));
        let mut leaving: Vec<_> = own.chain(self.others.seconds.iter().copied()).collect();
        leaving.sort_unstable_by_key(|(leaves, _)| *leaves);
        for (leaves, counts) in leaving {
            requests = requests.saturating_sub(counts[0].into());
            tokens = tokens.saturating_sub(counts[1].into());
            if !is_over(requests, tokens) {
                return leaves;
            }
        }
        // Only what is in flight is left, which ends when it ends.
        now
    }
}

impl Others {
    fn new(mut seconds: Vec<(Duration, [u32; 2])>) -> Self {
        seconds.sort_unstable_by_key(|(leaves, _)| Reverse(*leaves));
        let sums = seconds.iter().fold([0; 2], |sums, (_, counts)| plus(sums, *counts));
        Self { seconds, sums }
    }

    fn sums(&mut self, now: Duration) -> [u64; 2] {
        while let Some((_, gone)) = self.seconds.pop_if(|(leaves, _)| *leaves <= now) {
            self.sums = [self.sums[0] - u64::from(gone[0]), self.sums[1] - u64::from(gone[1])];
        }
        self.sums
    }
}

impl Books {
    /// Whether a deployment was asked for all that its terms allow in a minute. Tokens in flight count as if they had been
    /// told, or a burst would pass before its first answer.
    pub(crate) fn is_spent(&mut self, deployment: DeploymentIndex, terms: &Terms, now: Duration) -> bool {
        if !terms.has_limit() {
            return false;
        }
        let in_flight = self.burden(deployment).tokens;
        let Usage { requests, tokens } = self.tally(deployment).usage(now);
        terms.is_over(requests, tokens.saturating_add(in_flight))
    }

    /// When one that is may be asked again.
    pub(crate) fn spent_until(
        &mut self,
        deployment: DeploymentIndex,
        terms: &Terms,
        now: Duration,
    ) -> Duration {
        let in_flight = self.burden(deployment).tokens;
        let is_over = |requests, tokens: u64| terms.is_over(requests, tokens.saturating_add(in_flight));
        self.tally(deployment).frees(now, is_over)
    }
}

fn plus(sums: [u64; 2], counts: [u32; 2]) -> [u64; 2] {
    [sums[0] + u64::from(counts[0]), sums[1] + u64::from(counts[1])]
}

impl Fleet {
    /// What a deployment was asked for in the last minute, by all instances as far as they told.
    ///
    /// # Panics
    ///
    /// If the deployment is not one of this fleet.
    #[must_use]
    pub fn usage(&self, deployment: DeploymentIndex, now: Duration) -> Usage {
        self.lock().tally(deployment).usage(now)
    }

    /// What this instance tells the others of the last minute: the deployments that were asked for anything.
    #[must_use]
    pub fn tell_usage(&self, now: Duration) -> Vec<ToldUsage> {
        // The lock is taken for one deployment at a time: a minute of all would keep picks waiting.
        let deployments = self.lock().deployments();
        (0..deployments)
            .map(DeploymentIndex::at)
            .filter_map(|deployment| {
                let mut own = self.lock().tally(deployment).own.clone();
                let seconds: Vec<_> = own
                    .seconds(now)
                    .map(|(age, [requests, tokens])| UsedSecond { age, requests, tokens })
                    .collect();
                (!seconds.is_empty()).then_some(ToldUsage { deployment, seconds })
            })
            .collect()
    }

    /// Counts what other instances have asked for, too; it takes the place of what was told before. Each second counts
    /// until a minute after it began, without another telling.
    ///
    /// Several instances may tell of the same deployment. What is about a deployment of another fleet is left out.
    ///
    /// ```
    /// use std::time::Duration;
    /// use leastbusy_balance::{Fleet, ToldUsage, Usage, UsedSecond};
    ///
    /// let fleet = Fleet::new();
    /// let deployment = fleet.deploy();
    /// let now = Duration::from_secs(7);
    /// let second = UsedSecond { age: Duration::from_secs(48), requests: 3, tokens: 900 };
    /// fleet.see_usage(vec![ToldUsage { deployment, seconds: vec![second] }], now);
    ///
    /// let after = |seconds| fleet.usage(deployment, now + Duration::from_secs(seconds));
    /// assert_eq!(after(11), Usage { requests: 3, tokens: 900 });
    /// assert_eq!(after(12), Usage::default());
    /// ```
    pub fn see_usage(&self, told: Vec<ToldUsage>, now: Duration) {
        let deployments = self.lock().deployments();
        let mut seen: Vec<Vec<(Duration, [u32; 2])>> = vec![Vec::new(); deployments];
        for ToldUsage { deployment, seconds } in told {
            let Some(seen) = seen.get_mut(deployment.0 as usize) else { continue };
            seen.extend(
                seconds.into_iter().filter(|second| second.age < MINUTE).map(|second| {
                    (now.saturating_add(MINUTE - second.age), [second.requests, second.tokens])
                }),
            );
        }
        for (at, seconds) in seen.into_iter().enumerate() {
            let others = Others::new(seconds);
            let before = mem::replace(&mut self.lock().tally(DeploymentIndex::at(at)).others, others);
            // Given back to the system without the lock.
            drop(before);
        }
    }
}
