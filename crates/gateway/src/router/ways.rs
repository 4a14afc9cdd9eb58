//! Where a request may go when an attempt has failed: the settings and its own wishes as the walk asks for them.

use std::cell::Cell;

use leastbusy_balance::{Directions, FallbackFor, Outcome, Remedy};

use super::call::Call;
use super::table::{Route, Table};
use crate::openai::{FallbackList, Overlay};

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
pub(super) struct Place<'a> {
    /// The name that led there.
    name: &'a str,
    pub(super) route: Route<'a>,
    /// What changes in the request on the way.
    pub(super) overlay: &'a Overlay,
    /// Where to go from here, a list for each of [`REASONS`].
    fallbacks: [Vec<usize>; 3],
}

impl<'a> Place<'a> {
    pub(super) fn new(name: &'a str, route: Route<'a>, overlay: &'a Overlay) -> Self {
        Self { name, route, overlay, fallbacks: Default::default() }
    }
}

/// For those that change nothing.
pub(super) static UNCHANGED: Overlay = Overlay::NONE;

/// The target that every request begins at.
pub(super) const FIRST: usize = 0;

/// What each list of [`Place::fallbacks`] is for, with an outcome for which it is read.
const REASONS: [(FallbackFor, Outcome); 3] = [
    (FallbackFor::Any, Outcome::ServerError),
    (FallbackFor::ContextWindow, Outcome::ContextWindow),
    (FallbackFor::ContentPolicy, Outcome::ContentPolicy),
];

impl<'a> Ways<'a> {
    pub(super) fn new(table: &'a Table, call: &'a Call<'a>, first: Place<'a>) -> Self {
        let mut ways = Self { table, call, places: vec![first], deployment_retries: Cell::new(None) };
        let mut at = 0;
        // Each place is looked at once, so circles end.
        while at < ways.places.len() && !call.extras.disable_fallbacks {
            for (list, (reason, outcome)) in REASONS.into_iter().enumerate() {
                ways.places[at].fallbacks[list] = ways.find(at, reason, outcome);
            }
            at += 1;
        }
        ways
    }

    /// A target.
    pub(super) fn place(&self, target: usize) -> &Place<'a> {
        &self.places[target]
    }

    /// Notes what the deployment that failed says of retries.
    pub(super) fn note_deployment(&self, num_retries: Option<u32>) {
        self.deployment_retries.set(num_retries);
    }

    fn find(&mut self, at: usize, reason: FallbackFor, outcome: Outcome) -> Vec<usize> {
        let (table, call) = (self.table, self.call);
        let place = &self.places[at];
        let names = [place.name, &table.groups()[place.route.group].name];
        if let Some(own) = own_list(table, call, reason) {
            let targets = own.targets(&names);
            return targets.iter().filter_map(|target| self.add(&target.model, &target.overlay)).collect();
        }
        let targets = table.reliability().fallbacks.after(outcome, &names);
        targets.iter().filter_map(|name| self.add(name, &UNCHANGED)).collect()
    }

    fn add(&mut self, name: &'a str, overlay: &'a Overlay) -> Option<usize> {
        let route = self.table.route(name)?;
        let known =
            self.places.iter().position(|place| place.route == route && std::ptr::eq(place.overlay, overlay));
        Some(known.unwrap_or_else(|| {
            self.places.push(Place::new(name, route, overlay));
            self.places.len() - 1
        }))
    }
}

/// Whether there are fallbacks for prompts that are too long, and for nothing else.
pub(super) fn lead_elsewhere_if_too_long(table: &Table, call: &Call<'_>) -> bool {
    let own = call.extras.fallbacks.as_deref().is_some_and(|own| own.context_window.is_some());
    !call.extras.disable_fallbacks && (own || !table.reliability().fallbacks.context_window.is_empty())
}

/// The list that the request brings itself, which takes the place of the configured one.
fn own_list<'a>(table: &Table, call: &'a Call<'a>, reason: FallbackFor) -> Option<&'a FallbackList> {
    let own = call.extras.fallbacks.as_deref()?;
    let configured = &table.reliability().fallbacks;
    let (special, is_configured) = match reason {
        FallbackFor::Any => return own.general.as_ref(),
        FallbackFor::ContextWindow => (&own.context_window, !configured.context_window.is_empty()),
        FallbackFor::ContentPolicy => (&own.content_policy, !configured.content_policy.is_empty()),
    };
    // Without a list of its own, such an error goes where any other goes.
    if is_configured { special.as_ref() } else { special.as_ref().or(own.general.as_ref()) }
}

impl Directions for Ways<'_> {
    fn retries(&self, target: usize, outcome: Outcome) -> u32 {
        let asked = self.call.extras.num_retries;
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
        let list = REASONS.iter().position(|(known, _)| *known == reason).unwrap_or_default();
        &self.places[target].fallbacks[list]
    }

    fn has_level_above(&self, target: usize, order: i64) -> bool {
        let group = &self.table.groups()[self.places[target].route.group];
        !self.call.extras.disable_fallbacks && group.deployments().any(|deployment| order < deployment.order)
    }
}
