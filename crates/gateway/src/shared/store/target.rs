//! What to connect to, and how.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::config::Secret;

/// Where Redis is, who we are there, and how long we wait.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) topology: Topology,
    /// As whom we speak to the nodes that hold data.
    pub(crate) login: Login,
    /// The number of the database; a Cluster has only 0.
    pub(crate) database: u32,
    pub(crate) tls: Option<RedisTls>,
    /// For the whole way to a master: names, TCP, TLS, login, and asking Sentinel or the Cluster for it.
    pub(crate) connect_timeout: Duration,
    /// For a batch that is sent until all of its replies are here.
    pub(crate) response_timeout: Duration,
    /// Any key of the namespace: in a Cluster it tells which slot, hence which node, is ours.
    pub(crate) key: String,
}

/// How Redis is run.
#[derive(Debug, Clone)]
pub(crate) enum Topology {
    /// One server, or an address that always leads to the master.
    Standalone(Node),
    /// Sentinels, which know the master of the service.
    Sentinel {
        nodes: Vec<Node>,
        service: String,
        /// As whom we speak to the Sentinels themselves.
        login: Login,
    },
    /// Some nodes of a Redis Cluster.
    Cluster { nodes: Vec<Node> },
}

/// An address; printed as `host:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            return write!(f, "[{}]:{}", self.host, self.port);
        }
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Who we are; without a password there is no login at all.
#[derive(Debug, Clone, Default)]
pub(crate) struct Login {
    pub(crate) username: Option<String>,
    pub(crate) password: Option<Secret>,
}

/// TLS to every node, Sentinels included.
#[derive(Debug, Clone, Default)]
pub(crate) struct RedisTls {
    /// Whom to trust; the system's roots without it.
    pub(crate) ca_file: Option<PathBuf>,
    /// A certificate of our own, with [`RedisTls::key_file`].
    pub(crate) cert_file: Option<PathBuf>,
    pub(crate) key_file: Option<PathBuf>,
    /// Trusts whatever certificate the server shows.
    pub(crate) insecure: bool,
}
