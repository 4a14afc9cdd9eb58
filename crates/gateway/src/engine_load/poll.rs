//! Asking engines for their metrics, on a timer and beside all requests.
//!
//! What is asked for costs an engine no place and says nothing of its health, so it takes no lease: it is a page
//! of its server, as a monitoring system reads it. A reading that fails changes nothing; what was told before fades.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, StatusCode};
use http_body_util::BodyExt;
use leastbusy_balance::{DeploymentIndex, Fleet};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;

use super::reads::{Outcome, Reads, Source};
use super::{Told, exposition};
use crate::config::EngineKind;
use crate::upstream::{Limits, Origin, Pool, RequestBody, SendError, Target, send};

/// Engines that are asked at once. One that does not answer holds its place for an interval.
const AT_ONCE: usize = 16;

/// How much an interval is lengthened or shortened by chance, so that many gateways do not ask at once.
const JITTER: f64 = 0.1;

/// Names that may be looked up at once; one that the system does not answer is given up.
const LOOKUPS_MAX: usize = 4;

/// A page of metrics, and what is read from it.
#[derive(Debug)]
pub struct Scrape {
    /// Where the server is; requests of clients go by another one, so that this takes no connection from them.
    pub origin: Arc<Origin>,
    /// The page's path.
    pub path: PathAndQuery,
    /// What requests to the server carry, its key among it.
    pub headers: HeaderMap,
    /// Whose load it tells.
    pub followed: Vec<Followed>,
}

/// A deployment that a page tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Followed {
    /// Its count.
    pub deployment: DeploymentIndex,
    /// What its engine is.
    pub kind: EngineKind,
    /// What the engine calls its model.
    pub model: String,
}

/// The thread that asks. It ends when this is dropped.
#[derive(Debug)]
pub struct Polls {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Polls {
    /// Asks for each of these pages at every interval, and tells the fleet. `start` is the moment from which its time is
    /// counted.
    ///
    /// # Errors
    ///
    /// What the system said when a thread or a runtime could not be made.
    pub fn start(
        scrapes: Vec<Scrape>,
        interval: Duration,
        (fleet, start): (Arc<Fleet>, Instant),
        reads: Arc<Reads>,
    ) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(LOOKUPS_MAX)
            .build()?;
        let task = Arc::new(Task {
            interval,
            fleet,
            start,
            reads,
            pool: Pool::new(),
            places: Semaphore::new(AT_ONCE),
        });
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("engine-load".to_owned()).spawn(move || {
            runtime.block_on(async {
                let mut following = JoinSet::new();
                for scrape in scrapes {
                    following.spawn(Arc::clone(&task).follow(scrape));
                }
                // Ends when `stop` is dropped, too.
                let _ = stopped.await;
            });
            // A name that is being looked up is not waited for.
            runtime.shutdown_background();
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Polls {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What all readings have in common.
#[derive(Debug)]
struct Task {
    interval: Duration,
    fleet: Arc<Fleet>,
    start: Instant,
    reads: Arc<Reads>,
    pool: Arc<Pool>,
    places: Semaphore,
}

/// Why there is no reading. Nothing of the server's own words is told: they may be long, or secret.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("no answer within engine_load_interval")]
    Timeout,
    #[error("{0}")]
    Connection(String),
    #[error("it answered {0}")]
    Status(StatusCode),
    #[error("the page is longer than {} KiB", exposition::BYTES_MAX / 1024)]
    TooLong,
    #[error(
        "the page does not say how many requests are running: is it the engine that model_info.engine names?"
    )]
    Unreadable,
}

impl Failure {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Timeout => Outcome::Timeout,
            Self::Connection(_) => Outcome::Connection,
            Self::Status(_) => Outcome::Status,
            Self::TooLong | Self::Unreadable => Outcome::Unreadable,
        }
    }
}

impl Task {
    /// Reads one page again and again.
    async fn follow(self: Arc<Self>, scrape: Scrape) {
        let mut is_failing = false;
        loop {
            let began = Instant::now();
            let reading = {
                let _place = self.places.acquire().await.expect("the semaphore is never closed");
                let reading = tokio::time::timeout(self.interval, self.read(&scrape)).await;
                reading.unwrap_or(Err(Failure::Timeout))
            };
            let Scrape { origin, path, .. } = &scrape;
            self.reads.add(Source::Metrics, reading.as_ref().map_or_else(Failure::outcome, |()| Outcome::Ok));
            match &reading {
                Ok(()) if is_failing => tracing::info!("engine load: {origin}{path} is read again"),
                Err(failure) if !is_failing => {
                    tracing::warn!(
                        "engine load: {origin}{path} cannot be read, own counts decide: {failure}"
                    );
                }
                Ok(()) | Err(_) => {}
            }
            is_failing = reading.is_err();
            let jitter = 1.0 + JITTER * (2.0 * fastrand::f64() - 1.0);
            tokio::time::sleep_until((began + self.interval.mul_f64(jitter)).into()).await;
        }
    }

    /// Reads one page, and tells the fleet of each deployment that it speaks of.
    async fn read(&self, scrape: &Scrape) -> Result<(), Failure> {
        let before: Vec<u32> =
            scrape.followed.iter().map(|followed| self.fleet.in_flight_total(followed.deployment)).collect();
        let page = self.page(scrape).await?;
        let mut says_something = false;
        for (followed, before) in scrape.followed.iter().zip(before) {
            let told: Option<Told> = exposition::read(&page, followed.kind, &followed.model);
            if let Some(told) = told {
                says_something = true;
                let report = told.report(before, self.interval);
                self.fleet.see_engine(followed.deployment, &report, self.start.elapsed());
            }
        }
        if says_something { Ok(()) } else { Err(Failure::Unreadable) }
    }

    async fn page(&self, scrape: &Scrape) -> Result<BytesMut, Failure> {
        let Scrape { origin, path, headers, .. } = scrape;
        let mut message = || Some((headers.clone(), RequestBody::Empty));
        let target = Target { origin, method: Method::GET, path: path.clone(), message: &mut message };
        let limit = self.interval;
        let limits = Limits { connect: limit, first_byte: limit, idle: limit, total: limit };
        let mut timer = Box::pin(tokio::time::sleep(limit));
        let sent = send::send(&self.pool, target, &limits, tokio::time::Instant::now(), &mut timer).await;
        let exchange = sent.map_err(|error| match error {
            SendError::Timeout(_) => Failure::Timeout,
            other => Failure::Connection(other.to_string()),
        })?;
        if exchange.parts.status != StatusCode::OK {
            return Err(Failure::Status(exchange.parts.status));
        }
        let mut answer = exchange.answer;
        let mut page = BytesMut::new();
        while let Some(frame) = answer.frame().await {
            let frame = frame.map_err(|_| Failure::Connection("the answer broke off".to_owned()))?;
            if let Ok(data) = frame.into_data() {
                if exposition::BYTES_MAX < page.len() + data.len() {
                    return Err(Failure::TooLong);
                }
                page.extend_from_slice(&data);
            }
        }
        answer.finish(origin, Instant::now());
        Ok(page)
    }
}
