//! Prometheus metrics, by model group and deployment. The only file that names metrics.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use leastbusy_balance::{DeploymentIndex, Fleet, Outcome};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::openai::endpoint::{ENDPOINTS, EndpointIndex};
use crate::router::{AttemptEnd, AttemptStart, Observer, Table};
use crate::upstream::Origin;

/// Upper bounds in seconds, from a proxy's own overhead to the length of a long answer.
const SECONDS: [f64; 16] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

type Histograms = Family<DeploymentLabels, Histogram, fn() -> Histogram>;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DeploymentLabels {
    model_group: String,
    deployment: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    model_group: String,
    deployment: String,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    endpoint: &'static str,
    status: &'static str,
}

/// All metrics, with a handle resolved beforehand for every combination of labels that a request can meet.
///
/// Labels are model groups and deployments of the configuration, never text that a client sent, so the
/// number of series is bounded.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    groups: Vec<Vec<DeploymentMetrics>>,
    /// By endpoint (one more for everything else) and by the status' first digit.
    requests: Vec<[Counter<u64, AtomicU64>; 5]>,
}

#[derive(Debug)]
struct DeploymentMetrics {
    picks: Counter,
    outcomes: [Counter; Outcome::KINDS.len()],
    first_byte: Histogram,
    duration: Histogram,
}

impl Metrics {
    /// Metrics for everything that `table` leads to.
    #[must_use]
    pub fn new(table: &Table) -> Self {
        let mut registry = Registry::with_prefix("leastbusy");
        let picks = Family::<DeploymentLabels, Counter>::default();
        registry.register("picks", "Leases taken, one for each attempt", picks.clone());
        let outcomes = Family::<OutcomeLabels, Counter>::default();
        registry.register("attempts", "Attempts that have ended, by outcome", outcomes.clone());
        let histogram: fn() -> Histogram = || Histogram::new(SECONDS);
        let first_byte = Histograms::new_with_constructor(histogram);
        registry.register_with_unit(
            "first_byte",
            "From the pick to the head of the answer",
            Unit::Seconds,
            first_byte.clone(),
        );
        let duration = Histograms::new_with_constructor(histogram);
        registry.register_with_unit(
            "attempt_duration",
            "From the pick to the end of the lease",
            Unit::Seconds,
            duration.clone(),
        );
        let requests = Family::<RequestLabels, Counter>::default();
        registry.register("requests", "Answers to clients, by endpoint and status class", requests.clone());
        registry.register_collector(Box::new(Live::of(table)));

        let groups = table
            .groups()
            .iter()
            .map(|group| {
                group
                    .deployments()
                    .map(|deployment| {
                        let labels = DeploymentLabels {
                            model_group: group.name.clone(),
                            deployment: deployment.id.clone(),
                        };
                        DeploymentMetrics {
                            picks: picks.get_or_create_owned(&labels),
                            outcomes: Outcome::KINDS.map(|outcome| {
                                outcomes.get_or_create_owned(&OutcomeLabels {
                                    model_group: group.name.clone(),
                                    deployment: deployment.id.clone(),
                                    outcome,
                                })
                            }),
                            first_byte: first_byte.get_or_create_owned(&labels),
                            duration: duration.get_or_create_owned(&labels),
                        }
                    })
                    .collect()
            })
            .collect();
        let requests = ENDPOINTS
            .iter()
            .map(|endpoint| endpoint.path)
            .chain(["other"])
            .map(|endpoint| {
                ["1xx", "2xx", "3xx", "4xx", "5xx"]
                    .map(|status| requests.get_or_create_owned(&RequestLabels { endpoint, status }))
            })
            .collect();
        Self { registry, groups, requests }
    }

    /// Counts an answer to a client; `None` is any path that does not go upstream.
    pub fn answered(&self, endpoint: Option<EndpointIndex>, status: u16) {
        let row = endpoint.map_or(ENDPOINTS.len(), EndpointIndex::place);
        let class = usize::from(status / 100).clamp(1, 5) - 1;
        self.requests[row][class].inc();
    }

    /// The text that a scrape gets (OpenMetrics).
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)
            .expect("writing to a string does not fail");
        text
    }

    fn of(&self, attempt: &AttemptStart<'_>) -> &DeploymentMetrics {
        &self.groups[attempt.group_index][attempt.member_index]
    }

    fn ended(&self, attempt: &AttemptStart<'_>, end: &AttemptEnd) {
        let metrics = self.of(attempt);
        metrics.outcomes[end.outcome.kind()].inc();
        metrics.duration.observe(end.duration.as_secs_f64());
        if let Some(first_byte) = end.first_byte {
            metrics.first_byte.observe(first_byte.as_secs_f64());
        }
    }
}

impl Observer for Metrics {
    fn pre_call(&self, attempt: &AttemptStart<'_>) {
        self.of(attempt).picks.inc();
    }

    fn success(&self, attempt: &AttemptStart<'_>, end: &AttemptEnd) {
        self.ended(attempt, end);
    }

    fn failure(&self, attempt: &AttemptStart<'_>, end: &AttemptEnd) {
        self.ended(attempt, end);
    }
}

/// Gauges that are read off the leases at each scrape, so that they cannot drift from them.
#[derive(Debug)]
struct Live {
    fleet: Arc<Fleet>,
    deployments: Vec<(DeploymentLabels, DeploymentIndex)>,
    origins: Vec<Arc<Origin>>,
}

impl Live {
    fn of(table: &Table) -> Self {
        let deployments = table
            .deployments()
            .map(|deployment| {
                let (model_group, deployment_id) = (deployment.model_name.clone(), deployment.id.clone());
                (DeploymentLabels { model_group, deployment: deployment_id }, deployment.counted_as)
            })
            .collect();
        Self { fleet: Arc::clone(table.fleet()), deployments, origins: table.origins().to_vec() }
    }
}

impl Collector for Live {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let kind = ConstGauge::new(0_i64).metric_type();
        let mut in_flight = encoder.encode_descriptor("in_flight", "Live leases", None, kind)?;
        for (labels, counted_as) in &self.deployments {
            let leases = i64::from(self.fleet.in_flight(*counted_as));
            ConstGauge::new(leases).encode(in_flight.encode_family(labels)?)?;
        }
        let help = "Connections open to upstreams";
        let mut connections = encoder.encode_descriptor("upstream_connections", help, None, kind)?;
        for origin in &self.origins {
            let open = i64::try_from(origin.connections()).unwrap_or(i64::MAX);
            let labels = [("upstream", origin.to_string())];
            ConstGauge::new(open).encode(connections.encode_family(&labels)?)?;
        }
        Ok(())
    }
}
