//! Every key that may stand in the file, section by section, and what becomes of it.

mod client_key;
mod filters;
mod litellm;
mod model;
mod redis;
mod reliability;
mod sections;
mod strategy;

pub(super) use client_key::{CLIENT_KEY, KEYS_FILE, KEYS_FILES};
pub(super) use filters::{PRE_CALL_CHECKS, PRE_CALL_CHECKS_NOT_YET};
pub(super) use litellm::LITELLM_SETTINGS;
pub(super) use model::{ENTRY, LITELLM_PARAMS, MODEL_INFO, NO_DEFAULT, REQUEST_PARAMS, SIMULATED};
pub(super) use redis::{CACHE_TYPES, REDIS, REDIS_NODE, SHARED_STATE};
pub(super) use reliability::{ALLOWED_FAILS_POLICY, DEFAULT_RETRIES, RETRY_POLICY};
pub(super) use sections::{
    ADMISSION_QUEUE_TIMEOUT_SECONDS, GENERAL_SETTINGS, MAX_QUEUED_REQUESTS_PER_WORKER, ROUTER_SETTINGS, TOP,
};
pub(super) use strategy::{ROUTING_GROUP, ROUTING_STRATEGY_ARGS, STRATEGIES_NOT_YET};

use super::mask;
use crate::likeness::{alike, nearest};

/// A kind of file.
#[derive(Debug)]
pub(crate) struct Dialect {
    /// Its sections, in the order in which a misplaced key is looked for.
    pub(crate) sections: &'static [&'static Section],
    /// Whether values may be secrets; then they are not shown under a name that nobody knows.
    pub(crate) has_secrets: bool,
    /// Whether a time may be written with its unit, as `500ms`.
    pub(crate) has_units: bool,
    /// What is said of the keys in [`Section::not_yet`].
    pub(crate) not_yet: &'static str,
}

/// The `config.yaml` that LiteLLM reads, too.
pub(super) static LITELLMS: Dialect =
    Dialect { sections: &SECTIONS, has_secrets: true, has_units: false, not_yet: NOT_YET };

const NOT_YET: &str = "is known to LiteLLM; leastbusy does not serve it yet";

/// The keys that are right at one place of the file.
#[derive(Debug)]
pub(crate) struct Section {
    /// How a message calls the place.
    pub(crate) name: &'static str,
    /// Keys that do something.
    pub(crate) served: &'static [&'static str],
    /// Keys with a meaning that they do not have here yet; each gets one warning.
    pub(crate) not_yet: &'static [&'static str],
    /// Keys that have nothing to act on here, with the reason; accepted without a word.
    pub(crate) without_meaning: &'static [(&'static str, &'static str)],
}

/// What becomes of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Served,
    NotYet,
    WithoutMeaning,
    Unknown,
}

impl Section {
    pub(super) fn status(&self, key: &str) -> Status {
        let is_param = self.name == LITELLM_PARAMS.name && REQUEST_PARAMS.contains(&key);
        if self.served.contains(&key) || is_param {
            Status::Served
        } else if self.not_yet.contains(&key) || self.has_more(key) {
            Status::NotYet
        } else if self.without_meaning.iter().any(|(name, _)| *name == key) {
            Status::WithoutMeaning
        } else {
            Status::Unknown
        }
    }

    pub(super) fn knows(&self, key: &str) -> bool {
        self.status(key) != Status::Unknown
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        let without_meaning = self.without_meaning.iter().map(|(name, _)| *name);
        self.served.iter().chain(self.not_yet).copied().chain(without_meaning)
    }

    /// Whether a key belongs to a family that LiteLLM adds members to.
    fn has_more(&self, key: &str) -> bool {
        let has_prices = self.name == LITELLM_PARAMS.name || self.name == MODEL_INFO.name;
        // Ways to log in to ElastiCache without a password.
        let is_of_aws = self.name == REDIS.name && key.starts_with("aws_");
        (has_prices && is_price(key)) || is_of_aws
    }

    /// Whether its keys say where they belong; `host`, `type` or `models` may stand anywhere.
    fn has_own_words(&self) -> bool {
        ![REDIS.name, REDIS_NODE.name, CLIENT_KEY.name, KEYS_FILE.name].contains(&self.name)
    }
}

/// LiteLLM has about 150 names for prices; they all say so.
fn is_price(key: &str) -> bool {
    key.contains("cost_per_") || key.contains("token_cost") || key.ends_with("_pricing")
}

/// All sections of a configuration.
pub(super) const SECTIONS: [&Section; 17] = [
    &LITELLM_PARAMS,
    &ENTRY,
    &ROUTER_SETTINGS,
    &GENERAL_SETTINGS,
    &LITELLM_SETTINGS,
    &MODEL_INFO,
    &SIMULATED,
    &RETRY_POLICY,
    &ALLOWED_FAILS_POLICY,
    &TOP,
    &SHARED_STATE,
    &REDIS,
    &REDIS_NODE,
    &ROUTING_STRATEGY_ARGS,
    &ROUTING_GROUP,
    &CLIENT_KEY,
    &KEYS_FILE,
];

/// The right name and, if it is not `section`'s, the section it belongs to.
pub(super) fn suggestion(
    dialect: &Dialect,
    section: &Section,
    key: &str,
) -> Option<(&'static str, Option<&'static str>)> {
    let own: Vec<_> = section.names().chain(params(section)).collect();
    let others =
        || dialect.sections.iter().filter(|other| other.name != section.name && other.has_own_words());
    if let Some(elsewhere) = others().find(|other| other.knows(key)) {
        let name = elsewhere.names().find(|name| *name == key)?;
        return Some((name, Some(elsewhere.name)));
    }
    if let Some(near) = nearest(key, own.iter().copied()) {
        return Some((near, None));
    }
    others().find_map(|other| Some((nearest(key, other.served.iter().copied())?, Some(other.name))))
}

fn params(section: &Section) -> impl Iterator<Item = &'static str> + use<> {
    let all: &[&str] = if section.name == LITELLM_PARAMS.name { REQUEST_PARAMS } else { &[] };
    all.iter().copied()
}

/// Whether some section has a key of this name.
pub(super) fn is_known(key: &str) -> bool {
    SECTIONS.iter().any(|section| section.knows(key))
}

/// Whether what stands under an unknown key may be a secret: unless the key is a slip for a harmless one, nobody knows.
pub(super) fn may_hide_secret(key: &str) -> bool {
    let names = || SECTIONS.iter().flat_map(|section| section.names());
    let mut meant = alike(key, names()).peekable();
    meant.peek().is_none() || meant.any(|(_, name)| mask::is_secret_key(name))
}
