//! One worker's upstream connections, kept alive between requests.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hyper::client::conn::http2;

use super::body::RequestBody;
use super::checkout::{Checkout, Link};
use super::connect::{self, ConnectError, Fresh};
use super::http1::Connection;
use super::origin::Origin;

/// How long an idle plain-HTTP connection is kept: below uvicorn's 5 s, which vLLM and most
/// self-hosted engines run on, so that we let go before they do.
const IDLE_PLAIN: Duration = Duration::from_secs(4);
/// How long an idle TLS connection is kept: below the 60 s that cloud load balancers use.
const IDLE_TLS: Duration = Duration::from_secs(55);
/// Requests on one HTTP/2 connection before another is opened; providers announce 100 and more.
const STREAMS_PER_CONNECTION: usize = 100;

/// What a request needs of its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Any will do.
    Any,
    /// Nobody used it before.
    Fresh,
    /// The same, and the request's body is still arriving from the client.
    FreshForStream,
}

/// Idle connections of one worker, by origin.
///
/// A worker's requests use its own pool, so the locks here are uncontended unless the work-stealing
/// runtime shares one pool over all threads.
#[derive(Debug, Default)]
pub struct Pool {
    lanes: Mutex<Vec<Lane>>,
}

#[derive(Debug, Default)]
struct Lane {
    idle: Vec<Idle>,
    shared: Vec<Shared>,
    /// Held while connecting to an origin that may speak HTTP/2, so that a burst opens one
    /// connection and not one for each request.
    connecting: Arc<tokio::sync::Mutex<()>>,
    speaks_http1: bool,
}

#[derive(Debug)]
struct Idle {
    connection: Box<Connection>,
    since: Instant,
}

#[derive(Debug)]
struct Shared {
    sender: http2::SendRequest<RequestBody>,
    streams: Arc<()>,
    since: Instant,
}

impl Pool {
    /// A pool without connections.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// A connection that was used before, if one is idle.
    pub(super) fn reuse(self: &Arc<Self>, origin: &Arc<Origin>, now: Instant) -> Option<Checkout> {
        let mut lanes = self.lanes();
        let lane = lane(&mut lanes, origin);
        while let Some(mut idle) = lane.idle.pop() {
            if now.saturating_duration_since(idle.since) < keep(origin) && idle.connection.is_idle() {
                return Some(self.checkout(idle.connection));
            }
        }
        lane.shared.retain(|shared| !shared.sender.is_closed());
        let shared = lane.shared.iter_mut().find(|shared| shared.streams() < STREAMS_PER_CONNECTION)?;
        shared.since = now;
        Some(shared.checkout())
    }

    /// A connection when none is idle: a fresh one, or a place on one that another request just opened.
    ///
    /// `wanted` may insist on a connection that nobody used before.
    pub(super) async fn connection(
        self: &Arc<Self>,
        origin: &Arc<Origin>,
        wanted: Wanted,
    ) -> Result<Checkout, ConnectError> {
        if wanted != Wanted::Any || origin.tls.is_none() {
            return self.fresh(origin, wanted).await;
        }
        let Some(connecting) = self.turn(origin) else {
            return self.fresh(origin, wanted).await;
        };
        let turn = connecting.lock().await;
        if let Some(checkout) = self.reuse(origin, Instant::now()) {
            return Ok(checkout);
        }
        // Once the first connection has shown that the origin speaks HTTP/1.1, the others need not queue.
        let turn = self.turn(origin).map(|_| turn);
        let fresh = self.fresh(origin, wanted).await;
        drop(turn);
        fresh
    }

    /// The lock to connect under, while the origin may still turn out to speak HTTP/2.
    fn turn(&self, origin: &Origin) -> Option<Arc<tokio::sync::Mutex<()>>> {
        let mut lanes = self.lanes();
        let lane = lane(&mut lanes, origin);
        (!lane.speaks_http1).then(|| Arc::clone(&lane.connecting))
    }

    /// A connection nobody used before.
    async fn fresh(self: &Arc<Self>, origin: &Arc<Origin>, wanted: Wanted) -> Result<Checkout, ConnectError> {
        let fresh = connect::connect(origin, wanted == Wanted::FreshForStream).await?;
        let mut lanes = self.lanes();
        let lane = lane(&mut lanes, origin);
        lane.speaks_http1 = !matches!(fresh, Fresh::Http2(_));
        Ok(match fresh {
            Fresh::Http1(connection) => self.checkout(connection),
            Fresh::Streaming(sender) => Checkout::new(Link::Streaming { sender }),
            Fresh::Http2(sender) => {
                let shared = Shared { sender, streams: Arc::new(()), since: Instant::now() };
                let checkout = shared.checkout();
                lane.shared.push(shared);
                checkout
            }
        })
    }

    fn checkout(self: &Arc<Self>, connection: Box<Connection>) -> Checkout {
        Checkout::new(Link::Http1 { connection, pool: Arc::clone(self) })
    }

    /// Keeps a connection for the next request.
    pub(super) fn give_back(&self, origin: &Origin, connection: Box<Connection>, now: Instant) {
        lane(&mut self.lanes(), origin).idle.push(Idle { connection, since: now });
    }

    /// Closes connections that were idle for too long; called every few seconds.
    pub fn sweep(&self, origins: &[Arc<Origin>]) {
        let mut lanes = self.lanes();
        for origin in origins {
            if let Some(lane) = lanes.get_mut(origin.index) {
                let keep = keep(origin);
                lane.idle.retain_mut(|idle| idle.since.elapsed() < keep && idle.connection.is_idle());
                lane.shared.retain(|shared| {
                    !shared.sender.is_closed() && (0 < shared.streams() || shared.since.elapsed() < keep)
                });
            }
        }
    }

    fn lanes(&self) -> MutexGuard<'_, Vec<Lane>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn keep(origin: &Origin) -> Duration {
    if origin.tls.is_some() { IDLE_TLS } else { IDLE_PLAIN }
}

fn lane<'a>(lanes: &'a mut Vec<Lane>, origin: &Origin) -> &'a mut Lane {
    if lanes.len() <= origin.index {
        lanes.resize_with(origin.index + 1, Lane::default);
    }
    &mut lanes[origin.index]
}

impl Shared {
    fn streams(&self) -> usize {
        Arc::strong_count(&self.streams) - 1
    }

    fn checkout(&self) -> Checkout {
        let (sender, stream) = (self.sender.clone(), Arc::clone(&self.streams));
        Checkout::new(Link::Http2 { sender, stream })
    }
}
