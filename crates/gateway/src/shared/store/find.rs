//! Finding the master and connecting to it.
//!
//! Where several nodes can tell the way, one that is frozen or cut off must not hold up the search: a node that does not
//! lead to the master within a moment gets company by the next one, and the first that arrives wins.

use std::sync::Arc;
use std::time::Duration;

use redis::{ServerError, Value};
use rustls::ClientConfig;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use crate::config::{RedisNode, Topology};

use super::dial::dial;
use super::error::{StoreError, TimedOut};
use super::link::Link;
use super::reply;
use super::target::{Login, Target};
use super::tls;

/// Redirections that are followed. From any node that knows its Cluster it is one; during a failover it may be two.
const REDIRECTIONS_MAX: usize = 3;

/// After this long without a result the next node is tried beside: many times what a node takes in a network at hand.
const COMPANY_AFTER: Duration = Duration::from_millis(50);

/// Knows how to find the master.
#[derive(Debug)]
pub(super) struct Finder {
    nodes: Vec<RedisNode>,
    way: Arc<Way>,
}

/// What all attempts share.
#[derive(Debug)]
struct Way {
    lead: Lead,
    login: Login,
    database: i64,
    tls: Option<Arc<ClientConfig>>,
}

/// How a node leads to the master.
#[derive(Debug)]
enum Lead {
    /// It is the master.
    Itself,
    /// It names the service's master.
    Sentinel { service: String, login: Login },
    /// It has the key's slot, or says who has.
    Cluster { key: String },
}

impl Finder {
    pub(super) fn new(target: &Target) -> Result<Self, StoreError> {
        let redis = &target.redis;
        let nodes = redis.nodes().to_vec();
        if nodes.is_empty() {
            return Err(StoreError::NoNode);
        }
        let lead = match &redis.topology {
            Topology::Standalone(_) => Lead::Itself,
            Topology::Sentinel { service, username, password, .. } => {
                Lead::Sentinel { service: service.clone(), login: Login::new(username, password) }
            }
            Topology::Cluster { .. } => Lead::Cluster { key: target.key.clone() },
        };
        let tls = redis.tls.as_ref().map(tls::client_config).transpose()?;
        let login = Login::new(&redis.username, &redis.password);
        let way = Way { lead, login, database: redis.database, tls };
        Ok(Self { nodes, way: Arc::new(way) })
    }

    /// A connection to the master. When no node leads there in time, the most telling of their errors.
    pub(super) async fn find(&self, connect_timeout: Duration) -> Result<Link, StoreError> {
        let deadline = Instant::now() + connect_timeout;
        // The last node must have half of the time left.
        let company_after = COMPANY_AFTER.min(connect_timeout / (2 * self.nodes.len() as u32));
        let mut attempts = JoinSet::new();
        let mut nodes = self.nodes.iter();
        let mut failure: Option<StoreError> = None;
        loop {
            if let Some(node) = nodes.next() {
                let (way, node) = (Arc::clone(&self.way), node.clone());
                attempts.spawn(async move { way.follow(node).await });
            }
            let is_last = nodes.len() == 0;
            let until = if is_last { deadline } else { deadline.min(Instant::now() + company_after) };
            let error = match timeout_at(until, attempts.join_next()).await {
                Ok(Some(Ok(Ok(link)))) => return Ok(link),
                Ok(Some(Ok(Err(error)))) => error,
                Ok(Some(Err(_))) => StoreError::Protocol("no panic of the protocol's parser"),
                Ok(None) => return Err(failure.unwrap_or(StoreError::NoNode)),
                Err(_) if until < deadline => continue,
                Err(_) => {
                    let timeout = StoreError::Timeout { what: TimedOut::Connect, after: connect_timeout };
                    return Err(failure.unwrap_or(timeout));
                }
            };
            if failure.as_ref().is_none_or(|known| !known.is_answer() && error.is_answer()) {
                failure = Some(error);
            }
        }
    }
}

impl Way {
    async fn follow(&self, node: RedisNode) -> Result<Link, StoreError> {
        match &self.lead {
            Lead::Itself => self.open(&node).await,
            Lead::Sentinel { service, login } => self.ask_sentinel(&node, service, login).await,
            Lead::Cluster { key } => self.follow_slot(node, key).await,
        }
    }

    async fn open(&self, node: &RedisNode) -> Result<Link, StoreError> {
        Link::open(dial(node, self.tls.clone()).await?, &self.login, self.database).await
    }

    async fn ask_sentinel(&self, node: &RedisNode, service: &str, login: &Login) -> Result<Link, StoreError> {
        let mut sentinel = Link::open(dial(node, self.tls.clone()).await?, login, 0).await?;
        let mut question = redis::cmd("SENTINEL");
        question.arg("GET-MASTER-ADDR-BY-NAME").arg(service);
        let master = match sentinel.ask(&question).await? {
            Value::Nil => return Err(StoreError::UnknownService(service.to_owned())),
            Value::ServerError(error) => return Err((&error).into()),
            answer => named(answer)?,
        };
        drop(sentinel);
        let mut link = self.open(&master).await?;
        // A Sentinel that was cut off names the master of long ago.
        match link.ask(&redis::cmd("ROLE")).await? {
            Value::ServerError(error) if error.code() == "NOPERM" => Ok(link),
            Value::ServerError(error) => Err((&error).into()),
            role => match reply::list(role)?.into_iter().next().map(reply::text).transpose()?.as_deref() {
                Some("master") => Ok(link),
                _ => Err(StoreError::ReadOnly(format!("{master}, which Sentinel calls the master"))),
            },
        }
    }

    async fn follow_slot(&self, mut node: RedisNode, key: &str) -> Result<Link, StoreError> {
        let mut question = redis::cmd("EXISTS");
        question.arg(key);
        for _ in 0..=REDIRECTIONS_MAX {
            let mut link = self.open(&node).await?;
            node = match link.ask(&question).await? {
                Value::ServerError(error) => match error.code() {
                    "MOVED" => {
                        redirection(&error, &node).ok_or(StoreError::Protocol("MOVED to an address"))?
                    }
                    // The slot is being moved away, but is still this node's.
                    "ASK" | "TRYAGAIN" => return Ok(link),
                    _ => return Err((&error).into()),
                },
                _ => return Ok(link),
            };
        }
        Err(StoreError::Moved(format!("{REDIRECTIONS_MAX} redirections led nowhere")))
    }
}

/// A Sentinel's answer: host and port.
fn named(answer: Value) -> Result<RedisNode, StoreError> {
    let [host, port] = <[Value; 2]>::try_from(reply::list(answer)?)
        .map_err(|_| StoreError::Protocol("host and port of a master"))?;
    let port = reply::text(port)?.parse().map_err(|_| StoreError::Protocol("a port"))?;
    Ok(RedisNode { host: reply::text(host)?, port })
}

/// Where `MOVED slot host:port` leads; without a host it is another port of the node that says so.
fn redirection(moved: &ServerError, from: &RedisNode) -> Option<RedisNode> {
    let (_slot, address) = moved.details()?.split_once(' ')?;
    let (host, port) = address.rsplit_once(':')?;
    let host = match host {
        "" => from.host.clone(),
        // A node that does not know its own name.
        "?" => return None,
        host => host.to_owned(),
    };
    Some(RedisNode { host, port: port.parse().ok()? })
}
