//! What to connect to, and how.

use std::time::Duration;

use crate::config::{Redis, Secret, SharedState};

/// Where Redis is, who we are there, and how long we wait.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) redis: Redis,
    /// For the whole way to a master: names, TCP, TLS, login, and asking Sentinel or the Cluster for it.
    pub(crate) connect_timeout: Duration,
    /// For a batch that is sent until all of its replies are here.
    pub(crate) response_timeout: Duration,
    /// Any key of the namespace: in a Cluster it tells which slot, hence which node, is ours.
    pub(crate) key: String,
}

impl Target {
    /// As the settings say, for the slot of a key.
    pub(crate) fn new(settings: &SharedState, key: impl Into<String>) -> Self {
        Self {
            redis: settings.redis.clone(),
            connect_timeout: settings.connect_timeout,
            response_timeout: settings.response_timeout,
            key: key.into(),
        }
    }
}

/// Who we are; without a password there is no login at all.
#[derive(Debug, Clone)]
pub(super) struct Login {
    pub(super) username: Option<String>,
    pub(super) password: Option<Secret>,
}

impl Login {
    pub(super) fn new(username: &Option<String>, password: &Option<Secret>) -> Self {
        Self { username: username.clone(), password: password.clone() }
    }
}
