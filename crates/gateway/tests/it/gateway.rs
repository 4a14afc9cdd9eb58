//! The gateway under test, in this process, and what it tells its observers.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use leastbusy_balance::{Condition, Outcome};
use leastbusy_gateway::config::{Config, Deployment, Retries, TieBreak};
use leastbusy_gateway::router::{AttemptEnd, AttemptStart, Observer, Table};
use leastbusy_gateway::serve::{self, Options, Running};

use super::wire::PATIENCE;

/// A gateway that runs.
#[derive(Debug)]
pub(crate) struct Gateway {
    running: Running,
    pub(crate) told: Arc<Told>,
}

/// What an observer was told.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pre_calls: AtomicUsize,
    ends: Mutex<Vec<End>>,
}

/// The end of one attempt.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct End {
    pub(crate) deployment: String,
    pub(crate) outcome: Outcome,
    pub(crate) status: Option<u16>,
    pub(crate) bytes: u64,
}

impl Told {
    pub(crate) fn pre_calls(&self) -> usize {
        self.pre_calls.load(Ordering::SeqCst)
    }

    /// Attempts that have ended, in the order of their ends.
    pub(crate) fn ends(&self) -> Vec<End> {
        self.ends.lock().unwrap().clone()
    }

    fn end(&self, start: &AttemptStart<'_>, end: &AttemptEnd) {
        self.ends.lock().unwrap().push(End {
            deployment: start.deployment.to_owned(),
            outcome: end.outcome,
            status: end.status,
            bytes: end.bytes,
        });
    }
}

impl Observer for Told {
    fn pre_call(&self, _: &AttemptStart<'_>) {
        self.pre_calls.fetch_add(1, Ordering::SeqCst);
    }

    fn success(&self, start: &AttemptStart<'_>, end: &AttemptEnd) {
        assert_eq!(end.outcome, Outcome::Success);
        self.end(start, end);
    }

    fn failure(&self, start: &AttemptStart<'_>, end: &AttemptEnd) {
        assert_ne!(end.outcome, Outcome::Success);
        self.end(start, end);
    }
}

/// A deployment of `openai/m` at `base` with the id `id`, in the group `m`.
pub(crate) fn deployment(id: &str, base: &str) -> Deployment {
    entry("m", "openai/m", id, base)
}

/// A deployment of `model` at `base` with the id `id`, in the group `group`.
pub(crate) fn entry(group: &str, model: &str, id: &str, base: &str) -> Deployment {
    Deployment { id: Some(id.to_owned()), api_base: Some(base.to_owned()), ..Deployment::new(group, model) }
}

/// A configuration of these deployments, on two workers, in which each request has one attempt.
pub(crate) fn config(deployments: impl IntoIterator<Item = Deployment>) -> Config {
    let mut config = Config { deployments: deployments.into_iter().collect(), ..Config::default() };
    config.general.workers = NonZeroUsize::new(2);
    config.router.retries.num_retries = 0;
    config
}

/// The same on one worker, whose upstream connections every request can reuse.
pub(crate) fn on_one_worker(deployments: impl IntoIterator<Item = Deployment>) -> Config {
    let mut config = config(deployments);
    config.general.workers = NonZeroUsize::new(1);
    config
}

/// A configuration of these deployments that retries as by default; of equals the first is asked, so that a test
/// knows whose turn it is.
pub(crate) fn retrying(deployments: impl IntoIterator<Item = Deployment>) -> Config {
    let mut config = on_one_worker(deployments);
    config.router.retries = Retries::default();
    config.router.tie_break = TieBreak::First;
    config
}

impl Gateway {
    pub(crate) fn start(config: &Config) -> Self {
        Self::start_on([127, 0, 0, 1], config)
    }

    pub(crate) fn start_on(host: [u8; 4], config: &Config) -> Self {
        Self::start_with(config, Options { host: host.into(), ..Options::default() })
    }

    /// Starts with `options`, but on a free port and with an observer of the test's.
    pub(crate) fn start_with(config: &Config, options: Options) -> Self {
        let told = Arc::new(Told::default());
        let observers = vec![Arc::clone(&told) as Arc<dyn Observer>];
        let options = Options { port: 0, observers, ..options };
        Self { running: serve::start(config, options).unwrap(), told }
    }

    /// A gateway before one deployment of the group `m`, with the id `a`.
    pub(crate) fn before(base: &str) -> Self {
        Self::start(&on_one_worker([deployment("a", base)]))
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.running.address()
    }

    pub(crate) fn table(&self) -> &Table {
        self.running.table()
    }

    /// Live leases of each deployment, in the order of the configuration.
    pub(crate) fn in_flight(&self) -> Vec<u32> {
        let table = self.table();
        table.deployments().map(|deployment| table.fleet().in_flight(deployment.counted_as)).collect()
    }

    /// How the deployment at this place in the configuration stands.
    pub(crate) fn condition(&self, place: usize) -> Condition {
        let table = self.running.table();
        let deployment = table.deployments().nth(place).unwrap();
        table.condition(deployment)
    }

    pub(crate) async fn stop(self) {
        self.running.stop().await;
    }

    /// Waits until the deployments have these counts.
    pub(crate) async fn counts(&self, expected: &[u32]) {
        eventually(&format!("{expected:?} in flight"), || self.in_flight() == expected).await;
    }

    /// Waits until every lease has ended, and checks that each was told of exactly once.
    pub(crate) async fn ends(&self) -> Vec<End> {
        eventually("no lease", || self.in_flight().iter().all(|&count| count == 0)).await;
        eventually("an end of every attempt", || self.told.ends().len() == self.told.pre_calls()).await;
        self.told.ends()
    }

    /// Who ended how, in order, once every lease has ended: `a: server_error`.
    pub(crate) async fn story(&self) -> Vec<String> {
        let ends = self.ends().await;
        ends.iter().map(|end| format!("{}: {}", end.deployment, end.outcome.name())).collect()
    }

    /// The outcome of the only attempt, once it is over.
    pub(crate) async fn only_outcome(&self) -> Outcome {
        eventually("an attempt", || 0 < self.told.pre_calls()).await;
        let ends = self.ends().await;
        assert_eq!(ends.len(), 1, "{ends:?}");
        ends[0].outcome
    }
}

/// Waits until `condition` holds; panics when it does not come to hold.
pub(crate) async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "there never was {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
