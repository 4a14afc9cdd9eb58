//! The keys at the door: who a request comes from.
//!
//! A key that is shown is hashed before it is looked up, and hashes are compared in constant time, so that how
//! long an answer takes tells nothing about the keys there are.

mod caller;
mod client;
mod minute;
mod shown;
mod turns;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};

use http::HeaderMap;
use subtle::ConstantTimeEq;

pub(super) use self::caller::Caller;
use self::client::Client;
use self::shown::shown_keys;
use self::turns::Usage;
use crate::config::{ClientKey, Config, KeyHash, Secret};
use crate::telemetry::metrics::Metrics;

/// All keys, the same for every worker; those of clients can be replaced while requests come.
#[derive(Debug)]
pub struct Keys {
    master: Option<Secret>,
    /// `None` where there are none and never will be.
    clients: Option<Clients>,
}

#[derive(Debug)]
struct Clients {
    metrics: Arc<Metrics>,
    by_hash: RwLock<HashMap<KeyHash, Arc<Client>>>,
}

/// What a replacement of the keys has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replaced {
    /// Keys that there are now.
    pub all: usize,
    /// Those of them that are new.
    pub new: usize,
    /// Keys that were there before and are not any more.
    pub gone: usize,
}

/// Whom a request comes from.
#[derive(Debug)]
pub(super) enum Guest {
    /// The door is open, or the master key opened it.
    Operator,
    Client(Arc<Client>),
    /// None of the keys that it shows is known.
    Stranger,
}

impl Keys {
    /// The keys that stand in a configuration; those of a file are added by [`Keys::replace`].
    #[must_use]
    pub fn new(config: &Config, metrics: &Arc<Metrics>) -> Self {
        let clients = config
            .has_client_keys()
            .then(|| Clients { metrics: Arc::clone(metrics), by_hash: RwLock::default() });
        let keys = Self { master: config.general.master_key.clone(), clients };
        keys.replace(config.keys.iter().cloned());
        keys
    }

    /// Puts these keys in place of all keys of clients. What is counted for a key that stays, known by its hash, goes
    /// on; requests under way end as they would have.
    pub fn replace(&self, keys: impl IntoIterator<Item = ClientKey>) -> Replaced {
        let Some(clients) = &self.clients else { return Replaced { all: 0, new: 0, gone: 0 } };
        let before = clients.by_hash.read().unwrap_or_else(PoisonError::into_inner).clone();
        let mut by_hash = HashMap::new();
        for key in keys {
            let known = before.get(&key.hash);
            let usage = known.map_or_else(Usage::new, |known| Arc::clone(&known.usage));
            let metrics = match known.filter(|known| known.name() == key.name) {
                Some(known) => Arc::clone(&known.metrics),
                None => Arc::new(clients.metrics.key(&key.name)),
            };
            by_hash.insert(key.hash, Arc::new(Client::new(key, usage, metrics)));
        }
        let all = by_hash.len();
        let kept = by_hash.keys().filter(|hash| before.contains_key(*hash)).count();
        let names: HashSet<_> = by_hash.values().map(|client| client.name()).collect();
        for gone in before.values().filter(|old| !names.contains(old.name())) {
            clients.metrics.forget_key(gone.name());
        }
        *clients.by_hash.write().unwrap_or_else(PoisonError::into_inner) = by_hash;
        Replaced { all, new: all - kept, gone: before.len() - kept }
    }

    /// Whom a request with these headers comes from.
    pub(super) fn guest(&self, headers: &HeaderMap) -> Guest {
        if self.master.is_none() && self.clients.is_none() {
            return Guest::Operator;
        }
        let mut found = Guest::Stranger;
        for key in shown_keys(headers) {
            if self.master.as_ref().is_some_and(|master| bool::from(key.ct_eq(master.expose().as_bytes()))) {
                return Guest::Operator;
            }
            if let (Guest::Stranger, Some(clients)) = (&found, &self.clients)
                && let Some(client) = clients.find(key)
            {
                found = Guest::Client(client);
            }
        }
        found
    }
}

impl Clients {
    fn find(&self, key: &[u8]) -> Option<Arc<Client>> {
        let hash = KeyHash::of(key);
        self.by_hash.read().unwrap_or_else(PoisonError::into_inner).get(&hash).cloned()
    }
}

#[cfg(test)]
mod tests;
