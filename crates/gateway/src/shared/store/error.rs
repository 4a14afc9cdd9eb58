//! Why Redis did not answer, by causes that callers can tell apart.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use redis::ServerError;

use crate::config::RedisNode;

/// What took too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimedOut {
    /// Finding the master and connecting to it.
    Connect,
    /// The replies to a batch.
    Response,
}

/// Why there is no answer. None holds a password or what was sent with a login.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("{}: {source}: it must be a readable PEM file", path.display())]
    Certificate { path: PathBuf, source: rustls::pki_types::pem::Error },
    #[error("the TLS settings do not work: {0}")]
    Tls(String),
    #[error("no address of a Redis node is set: name at least one")]
    NoNode,
    #[error("cannot connect to Redis at {node}: {source}")]
    Connect { node: RedisNode, source: io::Error },
    #[error("no TLS with Redis at {node}: {source}; is this its TLS port, and who signed its certificate?")]
    Handshake { node: RedisNode, source: io::Error },
    #[error("{}", timeout_text(*what, *after))]
    Timeout { what: TimedOut, after: Duration },
    #[error(
        "Redis closed the connection ({0}): it may have been stopped, be at its maxclients, or want TLS or a client certificate"
    )]
    Disconnected(String),
    #[error(
        "Redis refused the login ({0}): check the username and the password, or set none where none is wanted"
    )]
    Authentication(String),
    #[error("Redis forbids this user what we need ({0}): extend its ACL")]
    Forbidden(String),
    #[error("Redis refused database {database} ({code}): a Cluster has only database 0")]
    Database { database: i64, code: String },
    #[error(
        "Redis is a replica and takes no writes ({0}): a new master is looked for with the next connection"
    )]
    ReadOnly(String),
    #[error("Redis is out of memory: raise its maxmemory, or let it evict expiring keys (volatile-lru)")]
    OutOfMemory,
    #[error("Redis is loading its data set and will answer when it is done")]
    Loading,
    #[error("the Redis Cluster is down or lacks the node of our slot ({0})")]
    ClusterDown(String),
    #[error("our slot of the Redis Cluster is now elsewhere ({0}): the next connection goes there")]
    Moved(String),
    #[error("Sentinel knows no service {0:?}: check the name that it monitors")]
    UnknownService(String),
    #[error("Redis answered {0}")]
    Server(String),
    #[error("Redis answered in a shape we do not know: expected {0}")]
    Protocol(&'static str),
}

fn timeout_text(what: TimedOut, after: Duration) -> String {
    match what {
        TimedOut::Connect => format!(
            "no Redis was reached within {after:?}: check its address, the firewall and whether it speaks TLS, or raise \
             shared_state.connect_timeout"
        ),
        TimedOut::Response => {
            format!("Redis did not answer within {after:?}: it is frozen, overloaded or cut off")
        }
    }
}

/// More of a server's words than this is not shown.
const DETAIL_CHARS_MAX: usize = 200;

impl StoreError {
    /// The cause in one word, for logs and as a metric's label.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Certificate { .. } | Self::Tls(_) | Self::Handshake { .. } => "tls",
            Self::NoNode => "no_node",
            Self::Connect { .. } => "connect",
            Self::Timeout { what: TimedOut::Connect, .. } => "connect_timeout",
            Self::Timeout { what: TimedOut::Response, .. } => "timeout",
            Self::Disconnected(_) => "disconnected",
            Self::Authentication(_) => "authentication",
            Self::Forbidden(_) => "forbidden",
            Self::Database { .. } => "database",
            Self::ReadOnly(_) => "read_only",
            Self::OutOfMemory => "out_of_memory",
            Self::Loading => "loading",
            Self::ClusterDown(_) => "cluster_down",
            Self::Moved(_) => "moved",
            Self::UnknownService(_) => "unknown_service",
            Self::Server(_) => "server",
            Self::Protocol(_) => "protocol",
        }
    }

    /// Whether a node spoke to us: of several errors, what it said tells more than others' silence.
    pub(super) fn is_answer(&self) -> bool {
        !matches!(self, Self::Connect { .. } | Self::Timeout { .. } | Self::Disconnected(_))
    }
}

/// By the code that begins every error of Redis.
impl From<&ServerError> for StoreError {
    fn from(error: &ServerError) -> Self {
        let code = error.code().to_owned();
        match error.code() {
            "NOAUTH" | "WRONGPASS" => Self::Authentication(code),
            "NOPERM" => Self::Forbidden(text(error)),
            "READONLY" | "MASTERDOWN" => Self::ReadOnly(code),
            "OOM" => Self::OutOfMemory,
            "LOADING" => Self::Loading,
            "CLUSTERDOWN" => Self::ClusterDown(text(error)),
            "MOVED" | "ASK" | "TRYAGAIN" => Self::Moved(text(error)),
            _ => Self::Server(text(error)),
        }
    }
}

fn text(error: &ServerError) -> String {
    let words = error.details().unwrap_or_default();
    format!("{} {words}", error.code()).trim_end().chars().take(DETAIL_CHARS_MAX).collect()
}

/// What ends a connection: nothing that a server said.
impl From<redis::RedisError> for StoreError {
    fn from(error: redis::RedisError) -> Self {
        if error.kind() == redis::ErrorKind::Parse {
            return Self::Protocol("the Redis protocol");
        }
        Self::Disconnected(error.to_string().chars().take(DETAIL_CHARS_MAX).collect())
    }
}
