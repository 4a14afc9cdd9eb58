//! Counts shared with other instances: the Redis that they go through, and how.

pub(super) mod url;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use leastbusy_balance::Roster;
pub use url::BadUrl;

use super::Secret;

/// `shared_state`: how the instances of one gateway tell each other what is in flight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedState {
    /// Where they meet.
    pub redis: Redis,
    /// Whether a pick waits for Redis.
    pub mode: SharingMode,
    /// Whether the gateway refuses to start without Redis; default false.
    pub required: bool,
    /// Instances share what they have in flight with those of the same namespace: 1 to 128 printable ASCII characters
    /// without spaces and braces; default `default`.
    pub namespace: String,
    /// Time between two exchanges, 5 ms to 10 s; `None` adapts it to the number of instances
    /// (see [`interval_among`](Self::interval_among)).
    pub interval: Option<Duration>,
    /// How long what an instance said counts after it fell silent, 200 ms to 60 s and at least three intervals; `None`
    /// takes ten intervals (see [`lease_time`](Self::lease_time)).
    pub lease: Option<Duration>,
    /// How long a pick waits for Redis in strict mode, 1 ms to 10 s; default 10 ms.
    pub strict_timeout: Duration,
    /// TCP, TLS and login to a Redis, 1 ms to 60 s; default 300 ms.
    pub connect_timeout: Duration,
    /// How long Redis may take to answer a command, 1 ms to 60 s; default 200 ms.
    pub response_timeout: Duration,
}

impl SharedState {
    /// The longest lease.
    pub(super) const LEASE_MAX: Duration = Roster::LEASE_MAX;

    /// Sharing through `redis`, everything else at its default.
    #[must_use]
    pub fn through(redis: Redis) -> Self {
        Self { redis, ..Self::default() }
    }

    /// Time between two exchanges of an instance that sees so many, itself included: `interval`, else 20 ms up to 8
    /// instances and 50 ms above.
    #[must_use]
    pub fn interval_among(&self, instances: usize) -> Duration {
        self.interval.unwrap_or_else(|| Roster::usual_interval(instances))
    }

    /// How long what an instance said counts after it fell silent: `lease`, else ten of the longest intervals, at least
    /// 2 s and at most 60 s.
    #[must_use]
    pub fn lease_time(&self) -> Duration {
        let longest = self.interval_among(usize::MAX);
        self.lease.unwrap_or_else(|| Roster::usual_lease(longest))
    }
}

impl Default for SharedState {
    fn default() -> Self {
        Self {
            redis: Redis::default(),
            mode: SharingMode::Counts,
            required: false,
            namespace: "default".to_owned(),
            interval: None,
            lease: None,
            strict_timeout: Duration::from_millis(10),
            connect_timeout: Duration::from_millis(300),
            response_timeout: Duration::from_millis(200),
        }
    }
}

/// Whether a pick waits for Redis.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SharingMode {
    /// `default`: instances tell each other their counts beside the requests, and no request waits for Redis.
    #[default]
    Counts,
    /// `strict`: each pick and count is one step in Redis, which the request waits for.
    Strict,
}

impl SharingMode {
    /// The mode as it is written in the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Counts => "default",
            Self::Strict => "strict",
        }
    }
}

/// A Redis, and how to log in to it. Prints its hosts and no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redis {
    /// Which servers there are.
    pub topology: Topology,
    /// The user to log in as; `None` is Redis' user `default`.
    pub username: Option<String>,
    /// `None` does not log in.
    pub password: Option<Secret>,
    /// The number of the database; 0 in a cluster.
    pub database: i64,
    /// `None` speaks plain TCP.
    pub tls: Option<RedisTls>,
}

impl Redis {
    /// The port of a Redis that names none.
    pub const PORT: u16 = 6379;
    /// The port of a sentinel that names none.
    pub const SENTINEL_PORT: u16 = 26379;

    /// A Redis without a password.
    #[must_use]
    pub fn new(topology: Topology) -> Self {
        Self { topology, username: None, password: None, database: 0, tls: None }
    }

    /// The single server of a URL: `redis://user:password@host:port/database`, or `rediss://` for TLS. User, password,
    /// port and database may be missing; signs with a meaning in URLs are percent-encoded.
    ///
    /// # Errors
    ///
    /// When it is not such a URL; the error shows no part of it.
    pub fn from_url(url: &str) -> Result<Self, BadUrl> {
        url::parse(url).map(|url| url.redis)
    }

    /// Every server that the settings name.
    #[must_use]
    pub fn nodes(&self) -> &[RedisNode] {
        match &self.topology {
            Topology::Standalone(node) => std::slice::from_ref(node),
            Topology::Sentinel { nodes, .. } | Topology::Cluster { nodes } => nodes,
        }
    }
}

impl Default for Redis {
    /// The one on this machine.
    fn default() -> Self {
        Self::new(Topology::Standalone(RedisNode::new("localhost", Self::PORT)))
    }
}

impl fmt::Display for Redis {
    /// Hosts, ports and the database: `cache:6379`, `cluster a:6379, b:6379`, `mymaster of sentinels a:26379`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.topology {
            Topology::Standalone(_) => {}
            Topology::Sentinel { service, .. } => write!(f, "{service} of sentinels ")?,
            Topology::Cluster { .. } => f.write_str("cluster ")?,
        }
        for (index, node) in self.nodes().iter().enumerate() {
            write!(f, "{}{node}", if index == 0 { "" } else { ", " })?;
        }
        if self.database != 0 {
            write!(f, ", database {}", self.database)?;
        }
        match &self.tls {
            Some(_) => f.write_str(", TLS"),
            None => Ok(()),
        }
    }
}

/// Which servers there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Topology {
    /// One server.
    Standalone(RedisNode),
    /// Sentinels, which know the server that is the master now.
    Sentinel {
        /// The sentinels, at least one.
        nodes: Vec<RedisNode>,
        /// What they call the master, e.g. `mymaster`.
        service: String,
        /// The user to log in to the sentinels themselves as.
        username: Option<String>,
        /// The sentinels' own password; `None` does not log in to them.
        password: Option<Secret>,
    },
    /// A Redis Cluster.
    Cluster {
        /// Some of its servers, at least one; they name the others.
        nodes: Vec<RedisNode>,
    },
}

/// Host and port of a server. Prints as `host:port`, an IPv6 address in brackets.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RedisNode {
    /// A name or an address, an IPv6 address without brackets.
    pub host: String,
    /// Not 0.
    pub port: u16,
}

impl RedisNode {
    /// A server at this host and port.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self { host: host.into(), port }
    }
}

impl fmt::Display for RedisNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// TLS to a Redis.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RedisTls {
    /// `ssl_ca_certs`: PEM file of the authorities that are trusted; `None` trusts the system's.
    pub ca_file: Option<PathBuf>,
    /// `ssl_certfile`: PEM file of the certificate that this client shows; needs `key_file`.
    pub cert_file: Option<PathBuf>,
    /// `ssl_keyfile`: PEM file of its key; needs `cert_file`.
    pub key_file: Option<PathBuf>,
    /// `ssl_cert_reqs: none`: takes whatever certificate the server shows; default false.
    pub insecure: bool,
}
