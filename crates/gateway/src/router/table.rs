//! The routing table: every name a client may write, and the deployments it leads to.

use std::collections::HashMap;
use std::sync::Arc;

use http::HeaderValue;
use leastbusy_balance::{DeploymentIndex, Fleet, Group, Member, Weight};
use sha2::{Digest, Sha256};

use super::deployment::{Deployment, NotUsable, Place};
use super::observer::Observer;
use super::wildcard::Pattern;
use crate::config::{self, Config};
use crate::likeness;
use crate::upstream::Origin;

/// Where every request can go. Built once from a [`Config`], never changed.
#[derive(Debug)]
pub struct Table {
    fleet: Arc<Fleet>,
    groups: Vec<ModelGroup>,
    deployments: Vec<Arc<Deployment>>,
    /// For each deployment, the group of it alone.
    direct: Vec<usize>,
    names: HashMap<String, usize>,
    /// Aliases of names that only a wildcard serves.
    aliases: HashMap<String, String>,
    /// Most specific first.
    wildcards: Vec<(Pattern, usize)>,
    listed: Vec<String>,
    origins: Vec<Arc<Origin>>,
    observers: Vec<Arc<dyn Observer>>,
}

/// The deployments that answer one model name.
#[derive(Debug)]
pub struct ModelGroup {
    /// The `model_name` of its entries.
    pub name: String,
    pub(super) header: HeaderValue,
    pub(super) group: Group,
    /// In the order of the group's members.
    deployments: Vec<Arc<Deployment>>,
}

impl ModelGroup {
    /// The deployment behind one of the group's members.
    ///
    /// # Panics
    ///
    /// If the group has no such member.
    #[must_use]
    pub fn deployment(&self, member: usize) -> &Deployment {
        &self.deployments[member]
    }

    /// Its deployments, in the order of the configuration.
    pub fn deployments(&self) -> impl Iterator<Item = &Deployment> {
        self.deployments.iter().map(AsRef::as_ref)
    }
}

/// What a client's model name leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route<'a> {
    /// The group's place in [`Table::groups`].
    pub group: usize,
    /// What the stars of a wildcard group stand for.
    pub captures: Vec<&'a str>,
}

/// A physical deployment: entries that agree in all of this share one count.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Physical {
    provider: &'static str,
    api_base: String,
    model: String,
    api_version: Option<String>,
    organization: Option<String>,
    key: Option<[u8; 32]>,
}

impl Physical {
    fn with_model(&self, model: String) -> Self {
        Self { model, ..self.clone() }
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

    /// Where requests for `model` go: an id, an alias, a group, or a wildcard that fits.
    #[must_use]
    pub fn route<'a>(&'a self, model: &'a str) -> Option<Route<'a>> {
        if let Some(&group) = self.names.get(model) {
            return Some(Route { group, captures: Vec::new() });
        }
        let model = self.aliases.get(model).map_or(model, String::as_str);
        self.wildcards.iter().find_map(|(pattern, group)| {
            pattern.captures(model).map(|captures| Route { group: *group, captures })
        })
    }

    /// Names that a client may have meant: the one most like `model`, if any is like it.
    #[must_use]
    pub fn nearest(&self, model: &str) -> Vec<&str> {
        likeness::nearest(model, self.listed.iter().map(String::as_str)).into_iter().collect()
    }

    /// All groups: one for each model name, and one for each deployment that is called by its id.
    #[must_use]
    pub fn groups(&self) -> &[ModelGroup] {
        &self.groups
    }

    /// All deployments, in the order of the configuration.
    pub fn deployments(&self) -> impl Iterator<Item = &Deployment> {
        self.deployments.iter().map(AsRef::as_ref)
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

    pub(super) fn observers(&self) -> &[Arc<dyn Observer>] {
        &self.observers
    }
}

struct Entry<'a> {
    config: &'a config::Deployment,
    physical: Physical,
    deployment: Arc<Deployment>,
}

struct Builder<'a> {
    config: &'a Config,
    fleet: Arc<Fleet>,
    counted_as: HashMap<Physical, DeploymentIndex>,
    origins: Vec<Arc<Origin>>,
    entries: Vec<Entry<'a>>,
    groups: Vec<ModelGroup>,
    names: HashMap<String, usize>,
    wildcards: Vec<(Pattern, usize)>,
    listed: Vec<String>,
}

impl<'a> Builder<'a> {
    fn new(config: &'a Config, simulated: &HashMap<usize, String>) -> Result<Self, NotUsable> {
        let mut builder = Self {
            config,
            fleet: Fleet::new(),
            counted_as: HashMap::new(),
            origins: Vec::new(),
            entries: Vec::new(),
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
        let physical = Physical {
            provider: address.provider.name,
            api_base: api_base.clone(),
            model: address.model.clone(),
            api_version: entry.api_version.clone(),
            organization: entry.organization.clone(),
            key: entry.api_key.as_ref().map(|key| Sha256::digest(key.expose()).into()),
        };
        let fleet = &self.fleet;
        let counted_as = *self.counted_as.entry(physical.clone()).or_insert_with(|| fleet.deploy());
        let origin = self.origin(&api_base)?;
        let place = Place { provider: address.provider, model: address.model, api_base, origin, counted_as };
        let deployment = Arc::new(Deployment::new(entry, id, place, &self.config.router.timeouts)?);
        self.entries.push(Entry { config: entry, physical, deployment });
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

    fn build(mut self) -> Result<Table, NotUsable> {
        self.add_groups()?;
        let direct = self.add_ids()?;
        let aliases = self.add_aliases();
        self.wildcards.sort_by_key(|(pattern, _)| std::cmp::Reverse(pattern.specificity()));
        Ok(Table {
            fleet: self.fleet,
            groups: self.groups,
            deployments: self.entries.into_iter().map(|entry| entry.deployment).collect(),
            direct,
            names: self.names,
            aliases,
            wildcards: self.wildcards,
            listed: self.listed,
            origins: self.origins,
            observers: Vec::new(),
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
            let counted = entries.iter().map(|&at| self.entries[at].deployment.counted_as).collect();
            let group = self.add_group(name, &entries, counted)?;
            self.listed.push(name.to_owned());
            match Pattern::parse(name) {
                None => {
                    self.names.insert(name.to_owned(), group);
                }
                Some(pattern) => {
                    self.add_known_models(name, &pattern, &entries)?;
                    self.wildcards.push((pattern, group));
                }
            }
        }
        Ok(())
    }

    // A wildcard may lead to a physical deployment that another entry names outright. A request that
    // gets there through the wildcard must show up in that deployment's count, so such names get a
    // group of their own, with the named deployment's count in the wildcard entry's place.
    fn add_known_models(
        &mut self,
        name: &str,
        pattern: &Pattern,
        entries: &[usize],
    ) -> Result<(), NotUsable> {
        let mut known: Vec<String> = Vec::new();
        for &at in entries {
            let wildcard = &self.entries[at];
            let Some(model_pattern) = Pattern::parse(&wildcard.physical.model) else { continue };
            for other in &self.entries {
                if wildcard.physical.with_model(other.physical.model.clone()) == other.physical
                    && !other.physical.model.contains('*')
                    && let Some(captures) = model_pattern.captures(&other.physical.model)
                {
                    known.push(pattern.fill(&captures));
                }
            }
        }
        for request_name in known {
            let Some(captures) = pattern.captures(&request_name) else { continue };
            if self.names.contains_key(&request_name) {
                continue;
            }
            let counted = entries
                .iter()
                .map(|&at| {
                    let entry = &self.entries[at];
                    let exact = entry.physical.with_model(entry.deployment.model_for(&captures).into_owned());
                    self.counted_as.get(&exact).copied().unwrap_or(entry.deployment.counted_as)
                })
                .collect();
            let group = self.add_group(name, entries, counted)?;
            self.names.insert(request_name, group);
        }
        Ok(())
    }

    /// Gives each deployment a group of its own, which its id leads to.
    fn add_ids(&mut self) -> Result<Vec<usize>, NotUsable> {
        let mut direct = Vec::with_capacity(self.entries.len());
        for at in 0..self.entries.len() {
            let deployment = Arc::clone(&self.entries[at].deployment);
            let group = self.add_group(&deployment.model_name, &[at], vec![deployment.counted_as])?;
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

    fn add_group(
        &mut self,
        name: &str,
        entries: &[usize],
        counted: Vec<DeploymentIndex>,
    ) -> Result<usize, NotUsable> {
        let deployments: Vec<_> =
            entries.iter().map(|&at| Arc::clone(&self.entries[at].deployment)).collect();
        let members = deployments
            .iter()
            .zip(counted)
            .map(|(deployment, counted_as)| {
                let weight = Weight::new(deployment.weight)
                    .ok_or_else(|| NotUsable(format!("the weight of `{}` is not above 0", deployment.id)))?;
                Ok(Member { order: deployment.order, ..Member::new(counted_as, weight) })
            })
            .collect::<Result<_, NotUsable>>()?;
        let header = HeaderValue::from_str(name)
            .map_err(|_| NotUsable(format!("model_name `{name}` cannot stand in a header")))?;
        let group = self.fleet.group(members, self.config.router.tie_break);
        self.groups.push(ModelGroup { name: name.to_owned(), header, group, deployments });
        Ok(self.groups.len() - 1)
    }
}
