//! What makes two entries of the configuration one physical deployment, with one count.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use leastbusy_balance::{DeploymentIndex, Fleet, Terms};
use sha2::{Digest, Sha256};

use crate::config;
use crate::provider::Paths;
use crate::shared::DeploymentName;

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

impl Physical {
    /// What instances on other machines call it. `host` is this machine; a loopback address means another deployment on
    /// each.
    fn name(&self, host: &str, key_variable: Option<&str>) -> DeploymentName {
        let Self { api_base, azure, model, api_version, organization, key } = self;
        // The variable stays when the key in it is rotated, which instances do one after the other.
        let key = match (key, key_variable) {
            (None, _) => String::new(),
            (Some(_), Some(variable)) => format!("in {variable}"),
            (Some(digest), None) => digest.iter().map(|byte| format!("{byte:02x}")).collect(),
        };
        let parts = [
            if is_loopback(api_base) { host } else { "" },
            api_base,
            if *azure { "azure" } else { "" },
            model,
            api_version.as_deref().unwrap_or_default(),
            organization.as_deref().unwrap_or_default(),
            &key,
        ];
        // With their lengths, no two lists of parts are one text. Another release must make the same of them.
        let description: String = parts.iter().map(|part| format!("{}:{part},", part.len())).collect();
        DeploymentName::of(&description)
    }
}

fn is_loopback(api_base: &str) -> bool {
    let Ok(uri) = api_base.parse::<http::Uri>() else { return false };
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The count of every physical deployment.
#[derive(Debug)]
pub(super) struct Counts {
    fleet: Arc<Fleet>,
    counted_as: HashMap<Physical, DeploymentIndex>,
    /// The variables that the keys of physical deployments come from: the first in the alphabet, so that the order of
    /// entries does not matter.
    key_variables: HashMap<DeploymentIndex, String>,
    /// The lowest of the limits that entries give a physical deployment.
    limits: HashMap<DeploymentIndex, NonZeroU32>,
    /// The same of requests and tokens of a minute.
    minutes: HashMap<DeploymentIndex, Minute>,
    /// Models that an entry names outright: a quick look before the search for one of them.
    named: HashSet<String>,
}

impl Counts {
    pub(super) fn new(fleet: Arc<Fleet>) -> Self {
        Self {
            fleet,
            counted_as: HashMap::new(),
            key_variables: HashMap::new(),
            limits: HashMap::new(),
            minutes: HashMap::new(),
            named: HashSet::new(),
        }
    }

    /// Notes that an entry gives a deployment a limit.
    pub(super) fn limit(&mut self, deployment: DeploymentIndex, limit: Option<NonZeroU32>) {
        if let Some(limit) = limit {
            let known = self.limits.entry(deployment).or_insert(limit);
            *known = limit.min(*known);
        }
    }

    /// The most requests in flight on a deployment, whichever of its entries they come by.
    pub(super) fn limit_of(&self, deployment: DeploymentIndex) -> Option<NonZeroU32> {
        self.limits.get(&deployment).copied()
    }

    /// Notes what an entry says of a deployment's limits by the minute.
    pub(super) fn limit_by_minute(&mut self, deployment: DeploymentIndex, terms: &Terms) {
        let known = self.minutes.entry(deployment).or_default();
        known.rpm = lower(known.rpm, terms.rpm);
        known.tpm = lower(known.tpm, terms.tpm);
    }

    /// An entry's terms with the limits of the deployment, whichever of its entries they stand in.
    pub(super) fn terms_of(&self, deployment: DeploymentIndex, terms: &Arc<Terms>) -> Arc<Terms> {
        let Minute { rpm, tpm } = self.minutes.get(&deployment).copied().unwrap_or_default();
        match (rpm, tpm) == (terms.rpm, terms.tpm) {
            true => Arc::clone(terms),
            false => Arc::new(Terms { rpm, tpm, ..**terms }),
        }
    }

    /// The count of a deployment, a new one if no entry led to it before.
    pub(super) fn of(&mut self, physical: &Physical, key_variable: Option<&str>) -> DeploymentIndex {
        self.named.insert(physical.model.clone());
        let deployment = *self.counted_as.entry(physical.clone()).or_insert_with(|| self.fleet.deploy());
        if let Some(variable) = key_variable {
            let known = self.key_variables.entry(deployment).or_insert_with(|| variable.to_owned());
            if variable < known.as_str() {
                variable.clone_into(known);
            }
        }
        deployment
    }

    /// What instances call each count.
    pub(super) fn names(&self, host: &str) -> impl Iterator<Item = (DeploymentIndex, DeploymentName)> {
        self.counted_as.iter().map(move |(physical, deployment)| {
            (*deployment, physical.name(host, self.key_variables.get(deployment).map(String::as_str)))
        })
    }

    /// The count of what a wildcard leads to when it asks for `model`, if an entry names that outright.
    pub(super) fn named(&self, wildcard: &Physical, model: &str) -> Option<DeploymentIndex> {
        if !self.named.contains(model) {
            return None;
        }
        self.counted_as.get(&Physical { model: model.to_owned(), ..wildcard.clone() }).copied()
    }
}

/// The most that a provider grants in a minute.
#[derive(Debug, Clone, Copy, Default)]
struct Minute {
    rpm: Option<u64>,
    tpm: Option<u64>,
}

fn lower(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    [one, other].into_iter().flatten().min()
}

#[cfg(test)]
mod tests {
    use leastbusy_balance::Fleet;

    use super::{Counts, Physical};
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
    fn instances_agree_on_a_name_whatever_key_they_send() {
        let name = |physical: &Physical, host, variable| physical.name(host, variable);
        let (old, new) =
            (physical("https://api.example/v1", "old"), physical("https://api.example/v1", "new"));
        assert_eq!(name(&old, "a", Some("KEY")), name(&new, "b", Some("KEY")));
        assert_ne!(name(&old, "a", Some("KEY")), name(&old, "a", Some("OTHER_KEY")));
        assert_ne!(name(&old, "a", None), name(&new, "a", None));
        let engine = physical("http://gpu-a:8000/v1", "one");
        assert_eq!(name(&engine, "a", None), name(&engine, "b", None));
    }

    #[test]
    fn a_name_stays_the_same_from_release_to_release() {
        let mut entry = Deployment::new("m", "openai/m");
        entry.api_key = Some(Secret::new("one"));
        entry.organization = Some("org".to_owned());
        let physical = Physical::new(&entry, "https://api.example/v1", "m", Paths::OpenAi);
        // The first 48 bits of the SHA-256 of `0:,22:https://api.example/v1,0:,1:m,0:,3:org,6:in KEY,`.
        assert_eq!(physical.name("a", Some("KEY")).to_string(), "92d10726e9bc");
    }

    #[test]
    fn the_order_of_entries_changes_no_name() {
        let physical = physical("https://api.example/v1", "one");
        let name = |variables: [Option<&str>; 3]| {
            let mut counts = Counts::new(Fleet::new());
            let deployments = variables.map(|variable| counts.of(&physical, variable));
            assert!(deployments.iter().all(|deployment| *deployment == deployments[0]));
            counts.names("a").map(|(_, name)| name).collect::<Vec<_>>()
        };
        let first = [physical.name("a", Some("A_KEY"))];
        for variables in
            [["A_KEY", "B_KEY", "C_KEY"], ["C_KEY", "B_KEY", "A_KEY"], ["B_KEY", "A_KEY", "C_KEY"]]
        {
            assert_eq!(name(variables.map(Some)), first, "{variables:?}");
        }
        assert_eq!(name([None, Some("B_KEY"), Some("A_KEY")]), first);
    }

    #[test]
    fn a_loopback_address_is_another_deployment_on_each_machine() {
        for base in ["http://127.0.0.1:8000/v1", "http://localhost:8000/v1", "http://[::1]:8000/v1"] {
            let engine = physical(base, "one");
            assert_ne!(engine.name("a", None), engine.name("b", None), "{base}");
            assert_eq!(engine.name("a", None), engine.name("a", None), "{base}");
        }
    }

    #[test]
    fn a_machine_of_ones_own_is_one_whatever_the_key() {
        assert_eq!(physical("http://gpu-a:8000/v1", "one"), physical("http://GPU-A:8000/v1", "two"));
        assert_ne!(physical("http://gpu-a:8000/v1", "one"), physical("http://gpu-a:8000/V1", "one"));
    }
}
