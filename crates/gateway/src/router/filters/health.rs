//! Background health checks: what they found, and whom that leaves out.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use leastbusy_balance::DeploymentIndex;

use super::left::Left;
use crate::config::{Config, HealthChecks};
use crate::router::probe::{Life, Probe};

/// What background health checks found, for each physical deployment.
#[derive(Debug)]
pub struct HealthBoard {
    settings: HealthChecks,
    /// The deployments that are checked, by their places in the configuration: one entry for each physical one.
    checked: Vec<usize>,
    found: Mutex<HashMap<DeploymentIndex, Found>>,
}

#[derive(Debug, Clone, Default)]
struct Found {
    last: Option<HealthCheck>,
    counts: HealthCounts,
}

/// What the last check of a deployment found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthCheck {
    /// Whether it is up and took our key.
    pub healthy: bool,
    /// What was seen, in a few words.
    pub seen: String,
    /// When.
    pub at: Instant,
}

/// How often checks of a deployment ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HealthCounts {
    /// It was up.
    pub healthy: u64,
    /// It was not.
    pub unhealthy: u64,
    /// The answer was left out of account: the deployment was busy.
    pub ignored: u64,
}

impl HealthBoard {
    /// The board for deployments that are counted so, in the order of the configuration; `None` where none is checked.
    pub(in crate::router) fn of(
        config: &Config,
        counted_as: impl Iterator<Item = DeploymentIndex>,
    ) -> Option<Arc<Self>> {
        let settings = config.router.filters.health_checks.as_ref()?;
        let is_in = |name: &String| settings.groups.is_empty() || settings.groups.contains(name);
        let mut seen = HashSet::new();
        let entries = config.deployments.iter().zip(counted_as).enumerate();
        let checked = entries
            .filter(|(_, (entry, _))| !entry.blocked && !entry.unchecked && is_in(&entry.model_name))
            .filter(|(_, (_, counted_as))| seen.insert(*counted_as))
            .map(|(at, _)| at)
            .collect();
        Some(Arc::new(Self::new(settings.clone(), checked)))
    }

    /// A board on which nothing stands yet.
    fn new(settings: HealthChecks, checked: Vec<usize>) -> Self {
        Self { settings, checked, found: Mutex::default() }
    }

    /// Which deployments are to be checked, by their places in the configuration.
    #[must_use]
    pub fn checked(&self) -> &[usize] {
        &self.checked
    }

    /// The time from one check of a deployment to the next.
    #[must_use]
    pub fn interval(&self) -> Duration {
        self.settings.interval
    }

    /// The age from which a check counts no more.
    #[must_use]
    pub fn staleness(&self) -> Duration {
        self.settings.staleness.unwrap_or(2 * self.settings.interval)
    }

    /// What the last check of a deployment found; `None` before the first one, and for those that are not checked.
    #[must_use]
    pub fn last(&self, deployment: DeploymentIndex) -> Option<HealthCheck> {
        self.lock().get(&deployment).and_then(|found| found.last.clone())
    }

    /// How often checks of a deployment ended how.
    #[must_use]
    pub fn counts(&self, deployment: DeploymentIndex) -> HealthCounts {
        self.lock().get(&deployment).map_or_else(HealthCounts::default, |found| found.counts)
    }

    /// Notes what a check found. Says whether that is news: the first word on a deployment, or a change.
    pub fn note(&self, deployment: DeploymentIndex, probe: Probe, now: Instant) -> bool {
        let mut board = self.lock();
        let found = board.entry(deployment).or_default();
        let is_ignored = match probe.life {
            Life::Shown | Life::NotShown => false,
            Life::Busy => self.settings.ignore_transient,
            // A deployment that is full of our own requests serves them.
            Life::NotAsked => true,
        };
        if is_ignored {
            found.counts.ignored += 1;
            return false;
        }
        let was = found.last.as_ref().map(|check| check.healthy);
        let healthy = probe.is_healthy();
        match healthy {
            true => found.counts.healthy += 1,
            false => found.counts.unhealthy += 1,
        }
        found.last = Some(HealthCheck { healthy, seen: probe.seen, at: now });
        was != Some(healthy)
    }

    // A panic while it was held cannot have left more than a count behind.
    fn lock(&self) -> MutexGuard<'_, HashMap<DeploymentIndex, Found>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The members of one group, as the checks know them.
#[derive(Debug)]
pub(super) struct Checked {
    board: Arc<HealthBoard>,
    members: Vec<DeploymentIndex>,
}

impl Checked {
    /// The filter for a group; `None` where checks do not decide on requests.
    pub(super) fn new(board: Option<&Arc<HealthBoard>>, members: Vec<DeploymentIndex>) -> Option<Self> {
        let board = Arc::clone(board.filter(|board| board.settings.routing)?);
        Some(Self { board, members })
    }

    /// Leaves out those whose last check failed and is not too old, unless that is all who are left.
    pub(super) fn keep(&self, left: &mut Left, now: Instant) {
        let staleness = self.board.staleness();
        let board = self.board.lock();
        let is_out = |member: usize| {
            let last = board.get(&self.members[member]).and_then(|found| found.last.as_ref());
            last.is_some_and(|check| !check.healthy && now.saturating_duration_since(check.at) < staleness)
        };
        left.keep_if_any(|member| !is_out(member));
    }
}

#[cfg(test)]
mod tests;
