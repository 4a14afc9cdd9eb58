//! The keys of a namespace.

use leastbusy_balance::InstanceId;

use super::name;

/// The keys of a namespace. Their common hash tag puts them into one slot of a Cluster, so that one round trip reaches all.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    prefix: String,
}

impl Keys {
    pub(super) fn new(namespace: &str) -> Self {
        Self { prefix: format!("{{leastbusy:{namespace}}}") }
    }

    /// What an instance tells.
    pub(super) fn instance(&self, id: InstanceId) -> String {
        format!("{}:i:{}", self.prefix, name::written(id))
    }

    /// Sorted set of instances by when they were heard of last, in the server's time.
    pub(super) fn members(&self) -> String {
        format!("{}:m", self.prefix)
    }

    /// Hash of rests and returns, by deployment.
    pub(super) fn marks(&self) -> String {
        format!("{}:marks", self.prefix)
    }

    /// Sorted set of instances by when they told of their usage last, in the server's time.
    pub(super) fn usages(&self) -> String {
        format!("{}:u", self.prefix)
    }

    /// What an instance was asked for in the last minute.
    pub(super) fn usage(&self, id: InstanceId) -> String {
        format!("{}:u:{}", self.prefix, name::written(id))
    }

    /// Number that changes with the members and the marks.
    pub(super) fn version(&self) -> String {
        format!("{}:v", self.prefix)
    }

    /// Strict mode: hash of instances and their epochs.
    pub(super) fn strict_members(&self) -> String {
        format!("{}:s:members", self.prefix)
    }

    /// Strict mode: hash of deployments and their requests in flight through all instances.
    pub(super) fn strict_totals(&self) -> String {
        format!("{}:s:tot", self.prefix)
    }

    /// Strict mode: the same through one instance.
    pub(super) fn strict_own(&self, id: InstanceId) -> String {
        format!("{}:s:own:{}", self.prefix, name::written(id))
    }

    /// Strict mode: there as long as an instance is.
    pub(super) fn strict_alive(&self, id: InstanceId) -> String {
        format!("{}:s:alive:{}", self.prefix, name::written(id))
    }
}
