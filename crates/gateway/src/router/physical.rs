//! What makes two entries of the configuration one physical deployment, with one count.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use leastbusy_balance::{DeploymentIndex, Fleet};
use sha2::{Digest, Sha256};

use crate::config;
use crate::provider::Paths;

/// A physical deployment: entries that agree in all of this share one count.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Physical {
    /// Base URL, with scheme and host in lower case.
    api_base: String,
    azure: bool,
    /// The model; `*` for all those that a wildcard may ask for and nobody names.
    model: String,
    api_version: Option<String>,
    organization: Option<String>,
    key: Option<[u8; 32]>,
}

impl Physical {
    pub(super) fn new(entry: &config::Deployment, api_base: &str, model: &str, paths: Paths) -> Self {
        let (scheme, rest) = api_base.split_once("://").unwrap_or(("", api_base));
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        // Providers give each key its own limits, so two keys are two deployments. Plain HTTP is a machine of
        // one's own, which is as busy as it is whatever key it was asked with.
        let key = entry.api_key.as_ref().filter(|_| scheme.eq_ignore_ascii_case("https"));
        Self {
            api_base: format!("{}://{}{path}", scheme.to_ascii_lowercase(), host.to_ascii_lowercase()),
            azure: paths == Paths::Azure,
            model: if model.contains('*') { "*".to_owned() } else { model.to_owned() },
            api_version: entry.api_version.clone().filter(|_| paths == Paths::Azure),
            organization: entry.organization.clone(),
            key: key.map(|key| Sha256::digest(key.expose()).into()),
        }
    }
}

/// The count of every physical deployment.
#[derive(Debug)]
pub(super) struct Counts {
    fleet: Arc<Fleet>,
    counted_as: HashMap<Physical, DeploymentIndex>,
    /// Models that an entry names outright: a quick look before the search for one of them.
    named: HashSet<String>,
}

impl Counts {
    pub(super) fn new(fleet: Arc<Fleet>) -> Self {
        Self { fleet, counted_as: HashMap::new(), named: HashSet::new() }
    }

    /// The count of a deployment, a new one if no entry led to it before.
    pub(super) fn of(&mut self, physical: &Physical) -> DeploymentIndex {
        self.named.insert(physical.model.clone());
        *self.counted_as.entry(physical.clone()).or_insert_with(|| self.fleet.deploy())
    }

    /// The count of what a wildcard leads to when it asks for `model`, if an entry names that outright.
    pub(super) fn named(&self, wildcard: &Physical, model: &str) -> Option<DeploymentIndex> {
        if !self.named.contains(model) {
            return None;
        }
        self.counted_as.get(&Physical { model: model.to_owned(), ..wildcard.clone() }).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::Physical;
    use crate::config::{Deployment, Secret};
    use crate::provider::Paths;

    fn physical(api_base: &str, key: &str) -> Physical {
        let mut entry = Deployment::new("m", "openai/m");
        entry.api_key = Some(Secret::new(key));
        Physical::new(&entry, api_base, "m", Paths::OpenAi)
    }

    #[test]
    fn a_provider_counts_each_key_for_itself() {
        assert_ne!(physical("https://api.example/v1", "one"), physical("https://api.example/v1", "two"));
        assert_eq!(physical("https://api.example/v1", "one"), physical("https://api.example/v1", "one"));
    }

    #[test]
    fn a_machine_of_ones_own_is_one_whatever_the_key() {
        assert_eq!(physical("http://gpu-a:8000/v1", "one"), physical("http://GPU-A:8000/v1", "two"));
        assert_ne!(physical("http://gpu-a:8000/v1", "one"), physical("http://gpu-a:8000/V1", "one"));
    }
}
