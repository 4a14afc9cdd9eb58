//! What an answer's header says of the load of the engine that gave it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderName, HeaderValue};
use leastbusy_balance::EngineLoad;

use super::deployment::Deployment;
use super::table::Table;
use crate::engine_load::{Outcome, Reads, Source, orca};

const ASKED_BY: HeaderName = HeaderName::from_static(orca::ASKED_BY);
const REPORT: HeaderName = HeaderName::from_static(orca::REPORT);

/// Asks for a load report, where the deployment's are wanted. A client that asks has its own format, which is read as well.
pub(super) fn ask(deployment: &Deployment, headers: &mut HeaderMap) {
    if deployment.asks_for_load {
        headers.entry(ASKED_BY).or_insert(HeaderValue::from_static(orca::FORMAT));
    }
}

/// Tells the heart what a report says. It goes no further, unless the client asked for one itself.
pub(super) fn hear(table: &Table, deployment: &Deployment, answer: &mut HeaderMap, client: &HeaderMap) {
    if !deployment.asks_for_load {
        return;
    }
    let Some(report) = answer.get(REPORT) else { return };
    let told = orca::read(report.as_bytes());
    table.engine_reads().add(Source::Header, told.map_or(Outcome::Unreadable, |_| Outcome::Ok));
    if let Some(told) = told {
        // The request itself is still in flight: it is known, whatever the engine makes of it.
        let report = told.report(0, table.engine_interval());
        table.fleet().see_engine(deployment.counted_as, &report, table.since_start(Instant::now()));
    }
    if !client.contains_key(ASKED_BY) {
        answer.remove(REPORT);
    }
}

/// What a table keeps of engines' load.
#[derive(Debug)]
pub(super) struct Engines {
    interval: Duration,
    reads: Arc<Reads>,
}

impl Engines {
    pub(super) fn new(interval: Duration) -> Self {
        Self { interval, reads: Arc::default() }
    }
}

impl Table {
    /// How often engines are asked for their load.
    #[must_use]
    pub fn engine_interval(&self) -> Duration {
        self.engines.interval
    }

    /// How reading engines' load goes.
    #[must_use]
    pub fn engine_reads(&self) -> &Arc<Reads> {
        &self.engines.reads
    }

    /// What is left of the reports of a deployment's engine; `None` where there was none.
    #[must_use]
    pub fn engine_load(&self, deployment: &Deployment) -> Option<EngineLoad> {
        self.fleet().engine_load(deployment.counted_as, self.since_start(Instant::now()))
    }
}
