//! The routing table: every name a client may write, and the deployments it leads to.

use std::borrow::Cow;
use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use leastbusy_balance::{
    Condition, DeploymentIndex, Fleet, Group, Lease, Outcome, Pick, Refusal, Standing, Strategy, Usage,
};

mod builder;

use self::builder::Builder;
use super::affinity::Affinity;
use super::deployment::{Deployment, NotUsable};
use super::engine::Engines;
use super::filters::HealthBoard;
use super::model_group::{ModelGroup, Waiting};
use super::observer::Observer;
use super::own_strategies::OwnStrategies;
use super::physical::Counts;
use super::reliability::Reliability;
use crate::config::Config;
use crate::shared::{DeploymentName, Strict};
use crate::upstream::Origin;
use crate::wildcard::Pattern;

/// Where every request can go. Built once from a [`Config`], never changed.
#[derive(Debug)]
pub struct Table {
    fleet: Arc<Fleet>,
    counts: Counts,
    groups: Vec<ModelGroup>,
    deployments: Vec<Arc<Deployment>>,
    /// For each deployment, the group of it alone.
    direct: Vec<usize>,
    names: HashMap<String, usize>,
    /// Who waits under which name; a routing group may have that of a model group.
    waiting: Vec<(String, Waiting)>,
    /// Aliases of names that only a wildcard serves.
    aliases: HashMap<String, String>,
    /// Most specific first.
    wildcards: Vec<(Pattern, usize)>,
    listed: Vec<String>,
    origins: Vec<Arc<Origin>>,
    observers: Vec<Arc<dyn Observer>>,
    counts_tokens: bool,
    /// Whether it matters what a request takes of a deployment.
    weighs_requests: bool,
    /// In strict mode, where requests ask for a place.
    strict: Option<Arc<Strict>>,
    health_board: Option<Arc<HealthBoard>>,
    /// Who served what, where requests that belong together stay together.
    affinity: Option<Affinity>,
    /// The moment from which the heart's time is counted.
    start: Instant,
    pub(super) engines: Engines,
    reliability: Reliability,
}

/// What a client's model name leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route<'a> {
    /// The group's place in [`Table::groups`].
    pub group: usize,
    /// What the stars of a wildcard group stand for.
    pub captures: Vec<&'a str>,
}

impl Route<'_> {
    /// The route to a group whose names have no stars.
    #[must_use]
    pub fn to(group: usize) -> Self {
        Self { group, captures: Vec::new() }
    }
}

impl Table {
    /// The table for a configuration that has no mistakes.
    ///
    /// # Errors
    ///
    /// [`NotUsable`] for an entry that `Config::check` would have reported.
    ///
    /// `simulated` holds the base URLs of the engines that run in this process, by the place of their
    /// entry in `config.deployments`.
    pub fn new(config: &Config, simulated: &HashMap<usize, String>) -> Result<Self, NotUsable> {
        Builder::new(config, simulated)?.build()
    }

    /// Adds an observer of all attempts.
    pub fn observe(&mut self, observer: Arc<dyn Observer>) {
        self.observers.push(observer);
    }

    /// From now on answers are watched for the tokens they take, which costs a look at their bytes.
    pub fn count_tokens(&mut self) {
        self.counts_tokens = true;
    }

    /// Whether answers are watched for the tokens they take.
    #[must_use]
    pub fn counts_tokens(&self) -> bool {
        self.counts_tokens
    }

    /// Whether it matters what a request takes of a deployment.
    pub(crate) fn weighs_requests(&self) -> bool {
        self.weighs_requests
    }

    /// Has the model groups that `strategies` knows choose by strategies of the program's own.
    pub fn choose_by(&mut self, strategies: &OwnStrategies) {
        // Those of one deployment come last; there is nothing to choose.
        let choosing = self.groups.len() - self.direct.len();
        for group in &mut self.groups[..choosing] {
            if let Some(choose) = strategies.of(&group.name) {
                group.choose_by(choose);
            }
        }
    }

    /// Has every pick ask for its place from now on.
    pub fn count_strictly(&mut self, strict: Arc<Strict>) {
        self.strict = Some(strict);
    }

    /// In strict mode, where requests ask for a place.
    pub(super) fn strict(&self) -> Option<&Arc<Strict>> {
        self.strict.as_ref()
    }

    /// Who served what, where that counts: in strict mode Redis chooses.
    pub(super) fn affinity(&self) -> Option<&Affinity> {
        self.affinity.as_ref().filter(|_| self.strict.is_none())
    }

    /// Where requests for `model` go: an id, an alias, a group, or a wildcard that fits.
    #[must_use]
    pub fn route<'a>(&'a self, model: &'a str) -> Option<Route<'a>> {
        if let Some(&group) = self.names.get(model) {
            return Some(Route::to(group));
        }
        let model = self.aliases.get(model).map_or(model, String::as_str);
        self.wildcards.iter().find_map(|(pattern, group)| {
            pattern.captures(model).map(|captures| Route { group: *group, captures })
        })
    }

    /// Where requests for a name that leads nowhere go: `default_fallbacks`, or those of `*`.
    #[must_use]
    pub fn route_of_unknown(&self, model: &str) -> Option<Route<'_>> {
        let targets = self.reliability.fallbacks.after(Outcome::NotFound, &[model]);
        targets.iter().find_map(|target| self.route(target))
    }

    /// Takes a lease on the least busy deployment that a route leads to, or on whom the group's strategy chooses, or the
    /// one that the request asks for.
    ///
    /// # Errors
    ///
    /// [`Refusal`] when there is none.
    pub(super) fn pick(
        &self,
        route: &Route<'_>,
        strategy: Option<Strategy>,
        pick: &Pick<'_>,
    ) -> Result<Lease, Refusal> {
        self.counting(route, strategy).pick(pick)
    }

    /// The group of a route, whose members are what its requests count on.
    pub(super) fn counting(&self, route: &Route<'_>, strategy: Option<Strategy>) -> Cow<'_, Group> {
        let group = self.groups[route.group].by(strategy);
        match self.counted_elsewhere(route, group) {
            Some(group) => Cow::Owned(group),
            None => Cow::Borrowed(group),
        }
    }

    // A wildcard may lead to a physical deployment that another entry names outright. A request that gets
    // there through the wildcard counts there, not among the wildcard's other models.
    fn counted_elsewhere(&self, route: &Route<'_>, group: &Group) -> Option<Group> {
        if route.captures.is_empty() {
            return None;
        }
        let mut members = group.members().to_vec();
        for (member, deployment) in members.iter_mut().zip(self.groups[route.group].deployments()) {
            let model = deployment.model_for(&route.captures);
            if let Some(counted_as) = self.counts.named(&deployment.physical, &model) {
                member.deployment = counted_as;
                member.limit = self.counts.limit_of(counted_as);
                member.terms = self.counts.terms_of(counted_as, &member.terms);
            }
        }
        (members != group.members()).then(|| group.with_members(members))
    }

    /// The name of the group that a route leads to.
    #[must_use]
    pub fn group_of(&self, route: &Route<'_>) -> &str {
        &self.groups[route.group].name
    }

    /// All groups: one for each model name, and one for each deployment that is called by its id.
    #[must_use]
    pub fn groups(&self) -> &[ModelGroup] {
        &self.groups
    }

    /// The names of model groups, each once, and who waits for it; who calls one deployment by its id waits for the group
    /// that it is listed under.
    pub fn waiting(&self) -> impl Iterator<Item = (&str, &Waiting)> {
        self.waiting.iter().map(|(name, waiting)| (name.as_str(), waiting))
    }

    /// All deployments, in the order of the configuration.
    pub fn deployments(&self) -> impl Iterator<Item = &Deployment> {
        self.deployments.iter().map(AsRef::as_ref)
    }

    /// The deployment at this place in the configuration.
    ///
    /// # Panics
    ///
    /// If there are not that many.
    #[must_use]
    pub fn deployment(&self, at: usize) -> &Deployment {
        &self.deployments[at]
    }

    /// The group of one deployment alone, for a request that is meant for it and no other.
    ///
    /// # Panics
    ///
    /// If there are not that many deployments.
    #[must_use]
    pub fn direct(&self, deployment: usize) -> usize {
        self.direct[deployment]
    }

    /// The names that `GET /v1/models` lists.
    #[must_use]
    pub fn listed(&self) -> &[String] {
        &self.listed
    }

    /// Every address requests may go to.
    #[must_use]
    pub fn origins(&self) -> &[Arc<Origin>] {
        &self.origins
    }

    /// The counts.
    #[must_use]
    pub fn fleet(&self) -> &Arc<Fleet> {
        &self.fleet
    }

    /// What instances call the deployments, when this one runs on `host`.
    pub fn names(&self, host: &str) -> impl Iterator<Item = (DeploymentIndex, DeploymentName)> {
        self.counts.names(host)
    }

    /// The moment from which the fleet's times are counted.
    #[must_use]
    pub fn start(&self) -> Instant {
        self.start
    }

    /// A moment as the heart counts it.
    pub(super) fn since_start(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.start)
    }

    /// How a deployment is now: its count, and whether requests go there.
    #[must_use]
    pub fn condition(&self, deployment: &Deployment) -> Condition {
        let condition = self.fleet.condition(deployment.counted_as, self.since_start(Instant::now()));
        let limit = self.counts.limit_of(deployment.counted_as);
        let is_full = limit.is_some_and(|limit| limit.get() <= self.in_flight_total(deployment));
        match condition.standing {
            Standing::Available if is_full => Condition { standing: Standing::Full, ..condition },
            _ => condition,
        }
    }

    /// The most requests in flight on a deployment, by whichever of its entries has the lowest limit.
    #[must_use]
    pub fn limit(&self, deployment: &Deployment) -> Option<u32> {
        self.counts.limit_of(deployment.counted_as).map(NonZeroU32::get)
    }

    /// Requests in flight on a deployment through all instances, as the others told last.
    #[must_use]
    pub fn in_flight_total(&self, deployment: &Deployment) -> u32 {
        self.fleet.in_flight_total(deployment.counted_as)
    }

    /// What a deployment was asked for in the last minute through all instances, as the others told last. There are no
    /// tokens unless they are counted.
    #[must_use]
    pub fn usage(&self, deployment: &Deployment) -> Usage {
        self.fleet.usage(deployment.counted_as, self.since_start(Instant::now()))
    }

    /// What background health checks find, where there are any.
    #[must_use]
    pub fn health_board(&self) -> Option<&Arc<HealthBoard>> {
        self.health_board.as_ref()
    }

    pub(super) fn reliability(&self) -> &Reliability {
        &self.reliability
    }

    pub(super) fn observers(&self) -> &[Arc<dyn Observer>] {
        &self.observers
    }
}
