//! One worker's upstream connections, kept alive between requests.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};

use super::body::RequestBody;
use super::connect::{self, ConnectError, Fresh};
use super::heard::Heard;
use super::origin::Origin;

/// How long an idle plain-HTTP connection is kept: below uvicorn's 5 s, which vLLM and most
/// self-hosted engines run on, so that we let go before they do.
const IDLE_PLAIN: Duration = Duration::from_secs(4);
/// How long an idle TLS connection is kept: below the 60 s that cloud load balancers use.
const IDLE_TLS: Duration = Duration::from_secs(55);
/// Requests on one HTTP/2 connection before another is opened; providers announce 100 and more.
const STREAMS_PER_CONNECTION: usize = 100;

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
    sender: http1::SendRequest<RequestBody>,
    heard: Heard,
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
    pub(super) fn reuse(self: &Arc<Self>, origin: &Arc<Origin>) -> Option<Checkout> {
        let mut lanes = self.lanes();
        let lane = lane(&mut lanes, origin);
        while let Some(idle) = lane.idle.pop() {
            if idle.sender.is_ready() && idle.since.elapsed() < keep(origin) {
                return Some(self.checkout(idle.sender, idle.heard));
            }
        }
        lane.shared.retain(|shared| !shared.sender.is_closed());
        let shared = lane.shared.iter_mut().find(|shared| shared.streams() < STREAMS_PER_CONNECTION)?;
        shared.since = Instant::now();
        Some(shared.checkout())
    }

    /// A connection when none is idle: a fresh one, or a place on one that another request just opened.
    ///
    /// `fresh_only` insists on a connection that nobody used before.
    pub(super) async fn connection(
        self: &Arc<Self>,
        origin: &Arc<Origin>,
        fresh_only: bool,
    ) -> Result<Checkout, ConnectError> {
        if fresh_only || origin.tls.is_none() {
            return self.fresh(origin).await;
        }
        let Some(connecting) = self.turn(origin) else {
            return self.fresh(origin).await;
        };
        let turn = connecting.lock().await;
        if let Some(checkout) = self.reuse(origin) {
            return Ok(checkout);
        }
        // Once the first connection has shown that the origin speaks HTTP/1.1, the others need not queue.
        let turn = self.turn(origin).map(|_| turn);
        let fresh = self.fresh(origin).await;
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
    async fn fresh(self: &Arc<Self>, origin: &Arc<Origin>) -> Result<Checkout, ConnectError> {
        let fresh = connect::connect(origin).await?;
        let mut lanes = self.lanes();
        let lane = lane(&mut lanes, origin);
        Ok(match fresh {
            Fresh::Http1(sender, heard) => {
                lane.speaks_http1 = true;
                self.checkout(sender, heard)
            }
            Fresh::Http2(sender) => {
                lane.speaks_http1 = false;
                let shared = Shared { sender, streams: Arc::new(()), since: Instant::now() };
                let checkout = shared.checkout();
                lane.shared.push(shared);
                checkout
            }
        })
    }

    fn checkout(self: &Arc<Self>, sender: http1::SendRequest<RequestBody>, heard: Heard) -> Checkout {
        let heard_before = heard.bytes();
        Checkout { link: Link::Http1 { sender, heard, heard_before, pool: Arc::clone(self) } }
    }

    fn give_back(&self, index: usize, sender: http1::SendRequest<RequestBody>, heard: Heard) {
        if let Some(lane) = self.lanes().get_mut(index) {
            lane.idle.push(Idle { sender, heard, since: Instant::now() });
        }
    }

    /// Closes connections that were idle for too long; called every few seconds.
    pub fn sweep(&self, origins: &[Arc<Origin>]) {
        let mut lanes = self.lanes();
        for origin in origins {
            if let Some(lane) = lanes.get_mut(origin.index) {
                let keep = keep(origin);
                lane.idle.retain(|idle| idle.sender.is_ready() && idle.since.elapsed() < keep);
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
        Checkout { link: Link::Http2 { sender, _stream: stream } }
    }
}

/// A connection in use by one request.
///
/// Dropping it closes an HTTP/1.1 connection; [`Checkout::finish`] keeps it for the next request.
#[derive(Debug)]
pub struct Checkout {
    link: Link,
}

#[derive(Debug)]
enum Link {
    Http1 {
        sender: http1::SendRequest<RequestBody>,
        heard: Heard,
        /// Bytes that had come before this request.
        heard_before: u64,
        pool: Arc<Pool>,
    },
    Http2 {
        sender: http2::SendRequest<RequestBody>,
        _stream: Arc<()>,
    },
}

impl Checkout {
    pub(super) fn is_http2(&self) -> bool {
        matches!(self.link, Link::Http2 { .. })
    }

    pub(super) async fn send(
        &mut self,
        request: Request<RequestBody>,
    ) -> Result<Response<Incoming>, hyper::Error> {
        match &mut self.link {
            Link::Http1 { sender, .. } => sender.send_request(request).await,
            Link::Http2 { sender, .. } => sender.send_request(request).await,
        }
    }

    /// Whether a request that failed like this may go out again: nothing of an answer has come, so that
    /// it was the connection that ended and not the work. HTTP/2 says of a connection that it ends; what
    /// breaks on it later is an answer, unless the request was never sent.
    pub(super) fn left_no_trace(&self, error: &hyper::Error) -> bool {
        match &self.link {
            Link::Http1 { heard, heard_before, .. } => heard.bytes() == *heard_before,
            Link::Http2 { .. } => error.is_canceled(),
        }
    }

    /// The answer was read to its end: keeps the connection for the next request.
    pub fn finish(self, origin: &Origin) {
        let Link::Http1 { mut sender, heard, pool, .. } = self.link else { return };
        let index = origin.index;
        if sender.is_ready() {
            pool.give_back(index, sender, heard);
        } else if !sender.is_closed() {
            when_ready(async move {
                if sender.ready().await.is_ok() {
                    pool.give_back(index, sender, heard);
                }
            });
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "ends when its connection is ready or closed")]
fn when_ready(waiting: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(waiting);
}
