//! Metrics of background health checks, read off their board at each scrape.

use std::sync::Arc;

use leastbusy_balance::DeploymentIndex;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use super::DeploymentLabels;
use crate::router::{HealthBoard, HealthCounts, Table};

#[derive(Debug, EncodeLabelSet)]
struct CheckLabels {
    model_group: String,
    deployment: String,
    outcome: &'static str,
}

/// What stands on a table's board.
#[derive(Debug)]
pub(super) struct Checks {
    board: Arc<HealthBoard>,
    /// All deployments, since one that is not checked itself may be the same as one that is.
    deployments: Vec<(DeploymentLabels, DeploymentIndex)>,
    /// Those of them that are checked.
    checked: Vec<usize>,
}

impl Checks {
    pub(super) fn of(table: &Table) -> Option<Self> {
        let board = Arc::clone(table.health_board()?);
        let deployments = table
            .deployments()
            .map(|deployment| (DeploymentLabels::of(deployment), deployment.counted_as))
            .collect();
        Some(Self { checked: board.checked().to_vec(), board, deployments })
    }
}

impl Collector for Checks {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let help = "1 for a deployment that the last background health check found up, 0 for one it did not";
        let mut healthy =
            encoder.encode_descriptor("deployment_health_check", help, None, MetricType::Gauge)?;
        for (labels, counted_as) in &self.deployments {
            if let Some(check) = self.board.last(*counted_as) {
                ConstGauge::new(i64::from(check.healthy)).encode(healthy.encode_family(labels)?)?;
            }
        }
        let help = "Background health checks, by what they found";
        let mut checks = encoder.encode_descriptor("health_checks", help, None, MetricType::Counter)?;
        for (labels, counted_as) in self.checked.iter().map(|&at| &self.deployments[at]) {
            let HealthCounts { healthy, unhealthy, ignored } = self.board.counts(*counted_as);
            for (outcome, count) in [("healthy", healthy), ("unhealthy", unhealthy), ("ignored", ignored)] {
                let DeploymentLabels { model_group, deployment } = labels.clone();
                let labels = CheckLabels { model_group, deployment, outcome };
                ConstCounter::new(count).encode(checks.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}
