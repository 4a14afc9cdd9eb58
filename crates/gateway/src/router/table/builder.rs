//! From a configuration to a routing table.

use std::collections::HashMap;
use std::mem::discriminant;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use http::HeaderValue;
use leastbusy_balance::{Fleet, GroupRules, Member, Strategy, Weight};

use super::Table;
use crate::config::{self, Config};
use crate::router::affinity::Affinity;
use crate::router::deployment::{Deployment, NotUsable, Place};
use crate::router::engine::Engines;
use crate::router::filters::{Filters, HealthBoard};
use crate::router::model_group::{ModelGroup, Waiting};
use crate::router::pace::Pace;
use crate::router::physical::{Counts, Physical};
use crate::router::reliability::Reliability;
use crate::router::rules;
use crate::strategy;
use crate::upstream::Origin;
use crate::wildcard::Pattern;

struct Entry<'a> {
    config: &'a config::Deployment,
    deployment: Arc<Deployment>,
}

pub(super) struct Builder<'a> {
    config: &'a Config,
    fleet: Arc<Fleet>,
    counts: Counts,
    origins: Vec<Arc<Origin>>,
    entries: Vec<Entry<'a>>,
    health_board: Option<Arc<HealthBoard>>,
    groups: Vec<ModelGroup>,
    names: HashMap<String, usize>,
    wildcards: Vec<(Pattern, usize)>,
    listed: Vec<String>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(config: &'a Config, simulated: &HashMap<usize, String>) -> Result<Self, NotUsable> {
        let fleet = Fleet::new();
        let mut builder = Self {
            config,
            counts: Counts::new(Arc::clone(&fleet)),
            fleet,
            origins: Vec::new(),
            entries: Vec::new(),
            health_board: None,
            groups: Vec::new(),
            names: HashMap::new(),
            wildcards: Vec::new(),
            listed: Vec::new(),
        };
        for (at, (entry, id)) in config.deployments.iter().zip(config.ids()).enumerate() {
            builder.add_entry(entry, id, simulated.get(&at))?;
        }
        Ok(builder)
    }

    fn add_entry(
        &mut self,
        entry: &'a config::Deployment,
        id: String,
        simulated: Option<&String>,
    ) -> Result<(), NotUsable> {
        let address = entry.address().map_err(|error| NotUsable(error.to_string()))?;
        let api_base = address
            .api_base
            .or_else(|| simulated.cloned())
            .ok_or_else(|| NotUsable(format!("the simulated engine of `{id}` is not running")))?;
        let physical = Physical::new(entry, &api_base, &address.model, address.provider.paths);
        let counted_as = self.counts.of(&physical, entry.api_key_variable.as_deref());
        let origin = self.origin(&api_base)?;
        let (provider, model) = (address.provider, address.model);
        let place = Place { provider, model, api_base, origin, counted_as, physical };
        let deployment = Arc::new(Deployment::new(entry, id, place, &self.config.router)?);
        self.counts.limit(counted_as, deployment.limit);
        self.counts.limit_by_minute(counted_as, &deployment.terms);
        self.entries.push(Entry { config: entry, deployment });
        Ok(())
    }

    fn origin(&mut self, api_base: &str) -> Result<Arc<Origin>, NotUsable> {
        let unusable = |error: &dyn std::fmt::Display| NotUsable(format!("api_base `{api_base}`: {error}"));
        let uri: http::Uri = api_base.parse().map_err(|error| unusable(&error))?;
        let limit = self.config.general.max_upstream_connections;
        let origin = Origin::new(&uri, self.origins.len(), limit).map_err(|error| unusable(&error))?;
        if let Some(known) = self.origins.iter().find(|known| known.is_same_address(&origin)) {
            return Ok(Arc::clone(known));
        }
        let origin = Arc::new(origin);
        self.origins.push(Arc::clone(&origin));
        Ok(origin)
    }

    pub(super) fn build(mut self) -> Result<Table, NotUsable> {
        let counted_as = self.entries.iter().map(|entry| entry.deployment.counted_as);
        self.health_board = HealthBoard::of(self.config, counted_as);
        self.add_groups()?;
        self.add_routing_groups()?;
        let direct = self.add_ids()?;
        let aliases = self.add_aliases();
        let router = &self.config.router;
        self.wildcards.sort_by_key(|(pattern, _)| std::cmp::Reverse(pattern.specificity()));
        Ok(Table {
            fleet: self.fleet,
            counts: self.counts,
            waiting: Waiting::by_name(&self.groups),
            groups: self.groups,
            deployments: self.entries.into_iter().map(|entry| entry.deployment).collect(),
            direct,
            names: self.names,
            aliases,
            wildcards: self.wildcards,
            listed: self.listed,
            origins: self.origins,
            observers: Vec::new(),
            counts_tokens: false,
            weighs_requests: rules::weighs_requests(self.config),
            strict: None,
            health_board: self.health_board,
            affinity: Affinity::new(router.affinity),
            start: Instant::now(),
            engines: Engines::new(router.engine_load.interval),
            reliability: Reliability::new(router),
        })
    }

    fn add_groups(&mut self) -> Result<(), NotUsable> {
        let mut names: Vec<&str> = Vec::new();
        for entry in &self.entries {
            if !names.contains(&entry.config.model_name.as_str()) {
                names.push(&entry.config.model_name);
            }
        }
        for &name in &names {
            let entries: Vec<usize> =
                (0..self.entries.len()).filter(|&at| self.entries[at].config.model_name == name).collect();
            let strategy = self.config.router.strategy_of(name);
            let group = self.add_group(name, &entries, strategy)?;
            self.listed.push(name.to_owned());
            match Pattern::parse(name) {
                None => {
                    self.names.insert(name.to_owned(), group);
                }
                Some(pattern) => self.wildcards.push((pattern, group)),
            }
        }
        Ok(())
    }

    /// Gives each routing group the deployments of all its models, under its own name.
    fn add_routing_groups(&mut self) -> Result<(), NotUsable> {
        for routing in &self.config.router.routing_groups {
            // Behind a wildcard the group's name does not say which model to ask for.
            let is_in = |entry: &Entry<'_>| {
                routing.models.contains(&entry.config.model_name) && !entry.deployment.model.contains('*')
            };
            let entries: Vec<usize> =
                (0..self.entries.len()).filter(|&at| is_in(&self.entries[at])).collect();
            if entries.is_empty() {
                continue;
            }
            let group = self.add_group(&routing.name, &entries, routing.strategy)?;
            self.names.insert(routing.name.clone(), group);
            if !self.listed.contains(&routing.name) {
                self.listed.push(routing.name.clone());
            }
        }
        Ok(())
    }

    /// Gives each deployment a group of its own, which its id leads to.
    fn add_ids(&mut self) -> Result<Vec<usize>, NotUsable> {
        let mut direct = Vec::with_capacity(self.entries.len());
        for at in 0..self.entries.len() {
            let deployment = Arc::clone(&self.entries[at].deployment);
            // There is nothing to choose.
            let group = self.add_group(&deployment.model_name, &[at], Strategy::LeastBusy)?;
            self.groups[group].filters = Filters::of_one(self.entries[at].config);
            // Behind a wildcard an id alone does not say which model to ask for.
            if !deployment.model.contains('*') {
                self.names.entry(deployment.id.clone()).or_insert(group);
            }
            direct.push(group);
        }
        Ok(direct)
    }

    /// Adds the aliases of exact names; returns those that need a wildcard.
    fn add_aliases(&mut self) -> HashMap<String, String> {
        let mut through_wildcards = HashMap::new();
        for (name, alias) in &self.config.aliases {
            if let Some(&group) = self.names.get(&alias.model) {
                self.names.insert(name.clone(), group);
            } else {
                through_wildcards.insert(name.clone(), alias.model.clone());
            }
            if !alias.hidden && !self.listed.contains(name) {
                self.listed.push(name.clone());
            }
        }
        through_wildcards
    }

    fn add_group(&mut self, name: &str, entries: &[usize], strategy: Strategy) -> Result<usize, NotUsable> {
        let deployments: Vec<_> =
            entries.iter().map(|&at| Arc::clone(&self.entries[at].deployment)).collect();
        let rooms = deployments.iter().map(|deployment| &deployment.room);
        let by_places = rules::shares_by_places(&self.config.router, rooms);
        let members: Vec<_> = deployments
            .iter()
            .map(|deployment| {
                let places =
                    deployment.room.places.filter(|_| by_places).map_or(1.0, |places| places.get().into());
                let weight = Weight::new(deployment.weight * places)
                    .ok_or_else(|| NotUsable(format!("the weight of `{}` is not above 0", deployment.id)))?;
                Ok(Member {
                    order: deployment.order,
                    limit: self.counts.limit_of(deployment.counted_as),
                    rules: Arc::clone(&deployment.rules),
                    terms: self.counts.terms_of(deployment.counted_as, &deployment.terms),
                    room: deployment.room,
                    capacity: deployment.capacity,
                    ..Member::new(deployment.counted_as, weight)
                })
            })
            .collect::<Result<_, NotUsable>>()?;
        let header = HeaderValue::from_str(name)
            .map_err(|_| NotUsable(format!("model_name `{name}` cannot stand in a header")))?;
        let router = &self.config.router;
        let rules =
            GroupRules { cap_of_all: rules::cap_of_all(self.config), ..rules::of_groups(router, strategy) };
        let group = self.fleet.group(members, rules);
        let queue_most = rules::queue_most(&router.queue, &group);
        let others = strategy::all()
            .map(|(_, other)| router.as_configured(other))
            .into_iter()
            .filter(|other| discriminant(other) != discriminant(&strategy));
        let otherwise = match entries {
            [_] => Box::default(),
            _ => others.map(|other| (other, OnceLock::new())).collect(),
        };
        let filters = Filters::new(
            &entries.iter().map(|&at| self.entries[at].config).collect::<Vec<_>>(),
            &deployments.iter().map(|deployment| deployment.counted_as).collect::<Vec<_>>(),
            (router, self.health_board.as_ref()),
        )?;
        self.groups.push(ModelGroup {
            name: name.to_owned(),
            header,
            group,
            own: None,
            otherwise,
            queue_most,
            asking: Arc::new(AtomicU32::new(0)),
            pace: Pace::default(),
            filters,
            deployments,
        });
        Ok(self.groups.len() - 1)
    }
}
