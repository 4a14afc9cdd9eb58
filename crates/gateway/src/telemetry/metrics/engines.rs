//! What engines told of their load.

use std::sync::Arc;
use std::time::Instant;

use leastbusy_balance::{DeploymentIndex, Fleet};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use super::DeploymentLabels;
use crate::engine_load::{Outcome, Reads, Source};
use crate::router::Table;

/// Gauges that are read off the fleet at each scrape, and what came of the readings.
#[derive(Debug)]
pub(super) struct Engines {
    fleet: Arc<Fleet>,
    /// The moment from which the fleet's times are counted.
    start: Instant,
    deployments: Vec<(DeploymentLabels, DeploymentIndex)>,
    reads: Arc<Reads>,
}

impl Engines {
    pub(super) fn of(table: &Table) -> Self {
        let deployments = table
            .deployments()
            .filter(|deployment| deployment.engine.is_some())
            .map(|deployment| (DeploymentLabels::of(deployment), deployment.counted_as))
            .collect();
        Self {
            fleet: Arc::clone(table.fleet()),
            start: table.start(),
            deployments,
            reads: Arc::clone(table.engine_reads()),
        }
    }
}

impl Collector for Engines {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let kind = ConstGauge::new(0_i64).metric_type();
        let now = self.start.elapsed();
        let loads: Vec<_> = self
            .deployments
            .iter()
            .map(|(labels, counted_as)| (labels, self.fleet.engine_load(*counted_as, now)))
            .collect();
        let help =
            "Requests that the engine has and that came past the gateway, as far as its word still counts";
        let mut elsewhere =
            encoder.encode_descriptor("deployment_engine_requests_elsewhere", help, None, kind)?;
        for (labels, load) in &loads {
            let requests = load.map_or(0.0, |load| load.requests_elsewhere);
            ConstGauge::new(requests).encode(elsewhere.encode_family(*labels)?)?;
        }
        let help = "The part of the engine's cache that is in use, as it said last";
        let mut kv_use = encoder.encode_descriptor("deployment_engine_kv_use", help, None, kind)?;
        for (labels, load) in &loads {
            let part = load.and_then(|load| load.kv_use).unwrap_or(0.0);
            ConstGauge::new(part).encode(kv_use.encode_family(*labels)?)?;
        }
        let kind = ConstCounter::new(0_u64).metric_type();
        let help = "Readings of engines' load, by where it was read and what came of it";
        let mut reads = encoder.encode_descriptor("engine_load_reads", help, None, kind)?;
        for (source, outcome) in
            Source::ALL.into_iter().flat_map(|source| Outcome::ALL.map(|outcome| (source, outcome)))
        {
            let labels = [("source", source.name()), ("outcome", outcome.name())];
            ConstCounter::new(self.reads.count(source, outcome)).encode(reads.encode_family(&labels)?)?;
        }
        Ok(())
    }
}
