//! Background health checks: what they found, and whom that leaves out.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
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
    lines: HashMap<DeploymentIndex, Arc<Line>>,
    /// From here the lines count time.
    start: Instant,
}

/// What stands on the board about one deployment.
#[derive(Debug, Default)]
struct Line {
    found: Mutex<Found>,
    /// Until when requests leave it out, in nanoseconds since the board's start; 0 where they do not. Picks of all workers
    /// read it.
    out_until: AtomicU64,
}

#[derive(Debug, Default)]
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
            .map(|(at, (_, counted_as))| (at, counted_as));
        Some(Arc::new(Self::new(settings.clone(), checked)))
    }

    /// A board on which nothing stands yet, for deployments at these places in the configuration.
    fn new(settings: HealthChecks, checked: impl Iterator<Item = (usize, DeploymentIndex)>) -> Self {
        let (checked, lines) = checked.map(|(at, counted_as)| (at, (counted_as, Arc::default()))).unzip();
        Self { settings, checked, lines, start: Instant::now() }
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
        self.lines.get(&deployment)?.lock().last.clone()
    }

    /// How often checks of a deployment ended how.
    #[must_use]
    pub fn counts(&self, deployment: DeploymentIndex) -> HealthCounts {
        self.lines.get(&deployment).map(|line| line.lock().counts).unwrap_or_default()
    }

    /// Notes what a check found. Says whether that is news: the first word on a deployment that is checked, or a change.
    pub fn note(&self, deployment: DeploymentIndex, probe: Probe, now: Instant) -> bool {
        let Some(line) = self.lines.get(&deployment) else { return false };
        let mut found = line.lock();
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
        let out_until = if healthy { 0 } else { self.nanos(now).saturating_add(nanos(self.staleness())) };
        line.out_until.store(out_until, Ordering::Relaxed);
        found.last = Some(HealthCheck { healthy, seen: probe.seen, at: now });
        was != Some(healthy)
    }

    fn nanos(&self, now: Instant) -> u64 {
        nanos(now.saturating_duration_since(self.start))
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl Line {
    // A panic while it was held cannot have left more than a count behind.
    fn lock(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The members of one group, as the checks know them.
#[derive(Debug)]
pub(super) struct Checked {
    board: Arc<HealthBoard>,
    /// `None` for those that are not checked.
    members: Vec<Option<Arc<Line>>>,
}

impl Checked {
    /// The filter for a group; `None` where checks do not decide on requests.
    pub(super) fn new(board: Option<&Arc<HealthBoard>>, members: &[DeploymentIndex]) -> Option<Self> {
        let board = Arc::clone(board.filter(|board| board.settings.routing)?);
        let members = members.iter().map(|member| board.lines.get(member).cloned()).collect();
        Some(Self { board, members })
    }

    /// Leaves out those whose last check failed and is not too old, unless that is all who are left.
    pub(super) fn keep(&self, left: &mut Left<'_>, now: Instant) {
        let now = self.board.nanos(now);
        let out_until = |line: &Arc<Line>| line.out_until.load(Ordering::Relaxed);
        left.keep_if_any(|member| self.members[member].as_ref().map_or(0, out_until) <= now);
    }
}

#[cfg(test)]
mod tests;
