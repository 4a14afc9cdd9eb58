//! A model name's deployments, and the ways to choose among them.

use std::collections::HashMap;
use std::mem::discriminant;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::HeaderValue;
use leastbusy_balance::{Choose, Fleet, Group, Strategy};

use super::deployment::Deployment;
use super::filters::Filters;
use super::pace::Pace;

/// The longest wait that anybody is told.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// The deployments that answer one model name.
#[derive(Debug)]
pub struct ModelGroup {
    /// The `model_name` of its entries.
    pub name: String,
    pub(super) header: HeaderValue,
    pub(super) group: Group,
    /// The same by a strategy of the program's own, for requests that ask for none.
    pub(super) own: Option<Group>,
    /// The same for requests that ask for another strategy; each is made when the first one does.
    pub(super) otherwise: Box<[(Strategy, OnceLock<Group>)]>,
    /// The most requests that may wait for a place.
    pub(super) queue_most: u32,
    /// Those that wait in strict mode, where each asks for itself.
    pub(super) asking: Arc<AtomicU32>,
    /// How fast places come to those.
    pub(super) pace: Pace,
    /// What leaves members out for a request; `None` where nothing ever does.
    pub(super) filters: Option<Box<Filters>>,
    /// In the order of the group's members.
    pub(super) deployments: Vec<Arc<Deployment>>,
}

/// The requests that wait under one name, in whatever groups have it.
#[derive(Debug, Clone, Default)]
pub struct Waiting(Vec<(Group, Arc<AtomicU32>)>);

impl Waiting {
    /// For each name of these groups, in their order, who waits under it.
    pub(super) fn by_name(groups: &[ModelGroup]) -> Vec<(String, Self)> {
        let mut places = HashMap::new();
        let mut names: Vec<(String, Self)> = Vec::new();
        for group in groups {
            let place = *places.entry(group.name.as_str()).or_insert(names.len());
            if place == names.len() {
                names.push((group.name.clone(), Self::default()));
            }
            names[place].1.0.push((group.group.clone(), Arc::clone(&group.asking)));
        }
        names
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.0.iter().map(|(group, asking)| group.waiting() + asking.load(Ordering::Relaxed)).sum()
    }
}

impl ModelGroup {
    /// Has requests that ask for no strategy go by one of the program's own.
    pub(super) fn choose_by(&mut self, choose: Box<dyn Choose>) {
        self.own = Some(self.group.choosing_by(choose));
    }

    /// The deployment behind one of the group's members.
    ///
    /// # Panics
    ///
    /// If the group has no such member.
    #[must_use]
    pub fn deployment(&self, member: usize) -> &Deployment {
        &self.deployments[member]
    }

    /// The group for a request that asks for this strategy, or for none.
    pub(super) fn by(&self, strategy: Option<Strategy>) -> &Group {
        let Some(asked) = strategy else { return self.own.as_ref().unwrap_or(&self.group) };
        match self.otherwise.iter().find(|(known, _)| discriminant(known) == discriminant(&asked)) {
            Some((strategy, group)) => group.get_or_init(|| self.group.with_strategy(*strategy)),
            None => &self.group,
        }
    }

    /// The time in which those that wait will probably have been served, those in strict mode included; at most an hour.
    pub(super) fn expected_wait(&self, fleet: &Fleet, now: Duration) -> Duration {
        self.group.expected_wait(now).max(self.expected_asking(fleet, now)).min(LONGEST_WAIT)
    }

    /// The same for those in strict mode alone: at the pace of the last seconds, or where nothing has moved yet, each place
    /// for as long as answers usually take.
    fn expected_asking(&self, fleet: &Fleet, now: Duration) -> Duration {
        let asking = self.asking.load(Ordering::Relaxed);
        if asking == 0 {
            return Duration::ZERO;
        }
        let each = self.pace.between(now).unwrap_or_else(|| {
            let places = self.group.members().iter().map(|member| fleet.in_flight(member.deployment));
            self.group.usual_answer() / places.sum::<u32>().max(1)
        });
        each.saturating_mul(asking)
    }

    /// Its deployments, in the order of the configuration.
    pub fn deployments(&self) -> impl Iterator<Item = &Deployment> {
        self.deployments.iter().map(AsRef::as_ref)
    }
}
