//! Where a request may go when an attempt has failed: the settings and its own wishes as the walk asks for them.

use std::cell::Cell;

use leastbusy_balance::{Directions, FallbackFor, Outcome, Remedy};

use super::dispatch::Call;
use super::table::{Route, Table};

/// The ways of one request. Made when the first attempt has failed; most requests never need them.
#[derive(Debug)]
pub(super) struct Ways<'a> {
    table: &'a Table,
    call: &'a Call<'a>,
    /// The first is what the client asked for; the others are what fallbacks lead to, near ones first.
    places: Vec<Place<'a>>,
    /// `num_retries` of the deployment that failed last.
    deployment_retries: Cell<Option<u32>>,
}

/// What a walk calls a target.
#[derive(Debug)]
struct Place<'a> {
    /// The name that led there.
    name: &'a str,
    route: Route<'a>,
    /// Where to go from here: whatever failed, for requests too long, for requests too bold.
    fallbacks: [Vec<usize>; 3],
}

/// The target that every request begins at.
pub(super) const FIRST: usize = 0;

/// An outcome for which each list is read, in the order of [`Place::fallbacks`].
const REASONS: [Outcome; 3] = [Outcome::ServerError, Outcome::ContextWindow, Outcome::ContentPolicy];

impl<'a> Ways<'a> {
    pub(super) fn new(table: &'a Table, call: &'a Call<'a>) -> Self {
        let first = Place { name: call.model, route: call.route.clone(), fallbacks: Default::default() };
        let mut ways = Self { table, call, places: vec![first], deployment_retries: Cell::new(None) };
        let mut at = 0;
        // Each place is looked at once, so circles end.
        while at < ways.places.len() {
            for (list, outcome) in REASONS.into_iter().enumerate() {
                ways.places[at].fallbacks[list] = ways.find(at, outcome);
            }
            at += 1;
        }
        ways
    }

    /// The route of a target.
    pub(super) fn route(&self, target: usize) -> &Route<'a> {
        &self.places[target].route
    }

    /// Notes what the deployment that failed says of retries.
    pub(super) fn note_deployment(&self, num_retries: Option<u32>) {
        self.deployment_retries.set(num_retries);
    }

    fn find(&mut self, at: usize, outcome: Outcome) -> Vec<usize> {
        let place = &self.places[at];
        let names = [place.name, &self.table.groups()[place.route.group].name];
        let targets = self.table.reliability().fallbacks.after(outcome, &names);
        targets.iter().filter_map(|name| self.place(name)).collect()
    }

    fn place(&mut self, name: &'a str) -> Option<usize> {
        let route = self.table.route(name)?;
        let known = self.places.iter().position(|place| place.route == route);
        Some(known.unwrap_or_else(|| {
            self.places.push(Place { name, route, fallbacks: Default::default() });
            self.places.len() - 1
        }))
    }
}

impl Directions for Ways<'_> {
    fn retries(&self, target: usize, outcome: Outcome) -> u32 {
        let asked: Option<u32> = None;
        if asked == Some(0) {
            return 0;
        }
        let retries = &self.table.reliability().retries;
        let place = &self.places[target];
        let policy = retries.policy_for(&[place.name, &self.table.groups()[place.route.group].name]);
        if let Some(number) = outcome.class().and_then(|class| policy.retries(class)) {
            return number;
        }
        if outcome.remedy() == Remedy::OtherGroup {
            return 0;
        }
        asked.or(self.deployment_retries.get()).unwrap_or(retries.num_retries)
    }

    fn fallbacks(&self, target: usize, reason: FallbackFor) -> &[usize] {
        let list = match reason {
            FallbackFor::Any => 0,
            FallbackFor::ContextWindow => 1,
            FallbackFor::ContentPolicy => 2,
        };
        &self.places[target].fallbacks[list]
    }

    fn has_level_above(&self, target: usize, order: i64) -> bool {
        let group = &self.table.groups()[self.places[target].route.group];
        group.deployments().any(|deployment| order < deployment.order)
    }
}
