//! Prometheus metrics, by model group and deployment. The only place that names metrics.

mod checks;
mod queue;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use leastbusy_balance::{DeploymentIndex, Fleet, Outcome, Standing};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use self::checks::Checks;
use self::queue::{GroupQueue, Queues};
use crate::openai::endpoint::{ENDPOINTS, EndpointIndex};
use crate::router::{
    AffinityResult, AttemptEnd, AttemptReason, AttemptStart, Deployment, Observer, QueueStay, Table,
};
use crate::shared::{Count, Status};
use crate::upstream::Origin;

mod engines;

use engines::Engines;

/// Upper bounds in seconds, from a proxy's own overhead to the length of a long answer.
const SECONDS: [f64; 16] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

type Histograms = Family<DeploymentLabels, Histogram, fn() -> Histogram>;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DeploymentLabels {
    model_group: String,
    deployment: String,
}

impl DeploymentLabels {
    fn of(deployment: &Deployment) -> Self {
        Self { model_group: deployment.model_name.clone(), deployment: deployment.id.clone() }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct GroupLabels {
    model_group: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AffinityLabels {
    model_group: String,
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    model_group: String,
    deployment: String,
    outcome: &'static str,
}

#[derive(Debug, EncodeLabelSet)]
struct StateLabels {
    model_group: String,
    deployment: String,
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    endpoint: &'static str,
    status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KeyLabels {
    key: String,
    status: &'static str,
}

/// The classes of statuses, by their first digit.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

fn class_of(status: u16) -> usize {
    usize::from(status / 100).clamp(1, CLASSES.len()) - 1
}

/// What is counted for one key of a client.
#[derive(Debug)]
pub struct KeyMetrics {
    name: String,
    requests: [Counter<u64, AtomicU64>; CLASSES.len()],
}

impl KeyMetrics {
    /// The key's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Counts an answer to a request that came with the key.
    pub fn answered(&self, status: u16) {
        self.requests[class_of(status)].inc();
    }
}

/// All metrics, with a handle resolved beforehand for every combination of labels that a request can meet.
///
/// Labels are model groups, deployments and keys of the configuration, never text that a client sent, so the
/// number of series is bounded.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    groups: Vec<GroupMetrics>,
    /// One for each name of model groups.
    queue_refused: Vec<Counter>,
    /// By endpoint (one more for everything else) and by the status' first digit.
    requests: Vec<[Counter<u64, AtomicU64>; CLASSES.len()]>,
    keys: Family<KeyLabels, Counter>,
}

#[derive(Debug)]
struct GroupMetrics {
    retries: Counter,
    fallbacks: Counter,
    hedges: Counter,
    affinity: [Counter; AffinityResult::ALL.len()],
    queue: GroupQueue,
    deployments: Vec<DeploymentMetrics>,
}

#[derive(Debug)]
struct DeploymentMetrics {
    picks: Counter,
    cooldowns: Counter,
    outcomes: [Counter; Outcome::KINDS.len()],
    first_byte: Histogram,
    duration: Histogram,
}

impl Metrics {
    /// Metrics for everything that `table` leads to, and for how its counts are shared if they are.
    #[must_use]
    pub fn new(table: &Table, sharing: Option<Arc<Status>>) -> Self {
        let mut registry = Registry::with_prefix("leastbusy");
        let picks = Family::<DeploymentLabels, Counter>::default();
        registry.register("picks", "Leases taken, one for each attempt", picks.clone());
        let outcomes = Family::<OutcomeLabels, Counter>::default();
        registry.register("attempts", "Attempts that have ended, by outcome", outcomes.clone());
        let retries = Family::<GroupLabels, Counter>::default();
        registry.register("retries", "Attempts after a failed one on the same model group", retries.clone());
        let fallbacks = Family::<GroupLabels, Counter>::default();
        let help = "Times that a model group, or a level of it, took over";
        registry.register("fallbacks", help, fallbacks.clone());
        let hedges = Family::<GroupLabels, Counter>::default();
        registry.register("hedges", "Attempts beside one that was slow to answer", hedges.clone());
        let affinity = Family::<AffinityLabels, Counter>::default();
        let help = "Requests with something to go by, by whether they went where the like was served before";
        registry.register("affinity", help, affinity.clone());
        let cooldowns = Family::<DeploymentLabels, Counter>::default();
        let help = "Attempts that made their deployment rest, or rest for longer";
        registry.register("cooldowns", help, cooldowns.clone());
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
        let keys = Family::<KeyLabels, Counter>::default();
        registry.register("key_requests", "Answers to clients, by key and status class", keys.clone());
        let queues = Queues::register(&mut registry, table);
        registry.register_collector(Box::new(Live::of(table)));
        if table.deployments().any(|deployment| deployment.engine.is_some()) {
            registry.register_collector(Box::new(Engines::of(table)));
        }
        if let Some(checks) = Checks::of(table) {
            registry.register_collector(Box::new(checks));
        }
        if let Some(status) = sharing {
            registry.register_collector(Box::new(Shared(status)));
        }

        let queue_refused = queues.refused(table);
        let groups = table
            .groups()
            .iter()
            .map(|group| {
                let of_group = GroupLabels { model_group: group.name.clone() };
                let deployments = group
                    .deployments()
                    .map(|deployment| {
                        let labels = DeploymentLabels {
                            model_group: group.name.clone(),
                            deployment: deployment.id.clone(),
                        };
                        DeploymentMetrics {
                            picks: picks.get_or_create_owned(&labels),
                            cooldowns: cooldowns.get_or_create_owned(&labels),
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
                    .collect();
                GroupMetrics {
                    retries: retries.get_or_create_owned(&of_group),
                    fallbacks: fallbacks.get_or_create_owned(&of_group),
                    hedges: hedges.get_or_create_owned(&of_group),
                    affinity: AffinityResult::ALL.map(|result| {
                        let (model_group, result) = (group.name.clone(), result.name());
                        affinity.get_or_create_owned(&AffinityLabels { model_group, result })
                    }),
                    queue: queues.of(&group.name),
                    deployments,
                }
            })
            .collect();
        let requests = ENDPOINTS
            .iter()
            .map(|endpoint| endpoint.path)
            .chain(["other"])
            .map(|endpoint| {
                CLASSES.map(|status| requests.get_or_create_owned(&RequestLabels { endpoint, status }))
            })
            .collect();
        Self { registry, groups, queue_refused, requests, keys }
    }

    /// Counts an answer to a client; `None` is any path that does not go upstream.
    pub fn answered(&self, endpoint: Option<EndpointIndex>, status: u16) {
        let row = endpoint.map_or(ENDPOINTS.len(), EndpointIndex::place);
        self.requests[row][class_of(status)].inc();
    }

    /// What is counted for the key of this name, from now on or further on.
    #[must_use]
    pub fn key(&self, name: &str) -> KeyMetrics {
        let labels = |status| KeyLabels { key: name.to_owned(), status };
        let requests = CLASSES.map(|status| self.keys.get_or_create_owned(&labels(status)));
        KeyMetrics { name: name.to_owned(), requests }
    }

    /// Stops showing a key that is gone.
    pub fn forget_key(&self, name: &str) {
        for status in CLASSES {
            self.keys.remove(&KeyLabels { key: name.to_owned(), status });
        }
    }

    /// Requests that were not let into a queue.
    #[must_use]
    pub fn rejected(&self) -> u64 {
        self.queue_refused.iter().map(Counter::get).sum()
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
        &self.groups[attempt.group_index].deployments[attempt.member_index]
    }

    fn ended(&self, attempt: &AttemptStart<'_>, end: &AttemptEnd) {
        let metrics = self.of(attempt);
        metrics.outcomes[end.outcome.kind()].inc();
        metrics.duration.observe(end.duration.as_secs_f64());
        if let Some(first_byte) = end.first_byte {
            metrics.first_byte.observe(first_byte.as_secs_f64());
        }
        if end.rested.is_some() {
            metrics.cooldowns.inc();
        }
    }
}

impl Observer for Metrics {
    fn pre_call(&self, attempt: &AttemptStart<'_>) {
        self.of(attempt).picks.inc();
        let group = &self.groups[attempt.group_index];
        match attempt.reason {
            AttemptReason::First => {}
            AttemptReason::Retry => _ = group.retries.inc(),
            AttemptReason::Fallback => _ = group.fallbacks.inc(),
            AttemptReason::Hedge => _ = group.hedges.inc(),
        }
        if let Some(result) = attempt.affinity {
            group.affinity[result as usize].inc();
        }
    }

    fn success(&self, attempt: &AttemptStart<'_>, end: &AttemptEnd) {
        self.ended(attempt, end);
    }

    fn failure(&self, attempt: &AttemptStart<'_>, end: &AttemptEnd) {
        self.ended(attempt, end);
    }

    fn queued(&self, stay: &QueueStay<'_>) {
        self.groups[stay.group_index].queue.left(stay);
    }
}

/// Gauges that are read off the leases at each scrape, so that they cannot drift from them.
#[derive(Debug)]
struct Live {
    fleet: Arc<Fleet>,
    /// The moment from which the fleet's times are counted.
    start: Instant,
    deployments: Vec<(DeploymentLabels, DeploymentIndex)>,
    origins: Vec<Arc<Origin>>,
    counts_tokens: bool,
}

impl Live {
    fn of(table: &Table) -> Self {
        let deployments = table
            .deployments()
            .map(|deployment| (DeploymentLabels::of(deployment), deployment.counted_as))
            .collect();
        Self {
            fleet: Arc::clone(table.fleet()),
            start: table.start(),
            deployments,
            origins: table.origins().to_vec(),
            counts_tokens: table.counts_tokens(),
        }
    }
}

impl Collector for Live {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let kind = ConstGauge::new(0_i64).metric_type();
        let now = self.start.elapsed();
        let conditions: Vec<_> = self
            .deployments
            .iter()
            .map(|(labels, counted_as)| (labels, self.fleet.condition(*counted_as, now)))
            .collect();
        let mut in_flight = encoder.encode_descriptor("in_flight", "Live leases", None, kind)?;
        for (labels, condition) in &conditions {
            ConstGauge::new(i64::from(condition.in_flight)).encode(in_flight.encode_family(*labels)?)?;
        }
        let help = "Live leases of all instances, as the others told last";
        let mut fleet = encoder.encode_descriptor("fleet_in_flight", help, None, kind)?;
        for (labels, counted_as) in &self.deployments {
            let in_flight = i64::from(self.fleet.in_flight_total(*counted_as));
            ConstGauge::new(in_flight).encode(fleet.encode_family(labels)?)?;
        }
        let usages: Vec<_> = self
            .deployments
            .iter()
            .map(|(labels, counted_as)| (labels, self.fleet.usage(*counted_as, now)))
            .collect();
        let help = "Attempts begun in the last minute by all instances";
        let mut requests = encoder.encode_descriptor("requests_last_minute", help, None, kind)?;
        for (labels, usage) in &usages {
            ConstGauge::new(usage.requests).encode(requests.encode_family(*labels)?)?;
        }
        if self.counts_tokens {
            let help = "Tokens of attempts that ended in the last minute at all instances";
            let mut tokens = encoder.encode_descriptor("tokens_last_minute", help, None, kind)?;
            for (labels, usage) in &usages {
                ConstGauge::new(usage.tokens).encode(tokens.encode_family(*labels)?)?;
            }
        }
        let help = "1 for the state that a deployment is in";
        let mut states = encoder.encode_descriptor("deployment_state", help, None, kind)?;
        for (DeploymentLabels { model_group, deployment }, condition) in &conditions {
            for standing in Standing::ALL {
                let labels = StateLabels {
                    model_group: model_group.clone(),
                    deployment: deployment.clone(),
                    state: standing.name(),
                };
                let is_in = i64::from(standing == condition.standing);
                ConstGauge::new(is_in).encode(states.encode_family(&labels)?)?;
            }
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

/// How counts are shared, read off at each scrape.
#[derive(Debug)]
struct Shared(Arc<Status>);

impl Collector for Shared {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let snapshot = self.0.snapshot();
        let mut gauge = |name: &str, help: &str, unit: Option<&Unit>, value: f64| {
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, unit, gauge.metric_type())?)
        };
        let help = "1 while Redis answers, 0 while each instance goes by its own counts";
        gauge("shared_state_up", help, None, if self.0.is_connected() { 1.0 } else { 0.0 })?;
        let help = "Instances that are alive, this one included";
        gauge("shared_state_instances", help, None, 1.0 + snapshot.others.len() as f64)?;
        let seconds = Some(&Unit::Seconds);
        let oldest = snapshot.others.iter().map(|other| other.age).max().unwrap_or_default();
        let help = "Time since the instance that was silent longest told something new";
        gauge("shared_state_oldest", help, seconds, oldest.as_secs_f64())?;
        gauge(
            "shared_state_interval",
            "Time between two exchanges",
            seconds,
            snapshot.interval.as_secs_f64(),
        )?;

        let mut counter = |name: &str, help: &str, unit: Option<&Unit>, value: f64| {
            let counter = ConstCounter::new(value);
            counter.encode(encoder.encode_descriptor(name, help, unit, counter.metric_type())?)
        };
        let count = |what| self.0.count(what) as f64;
        counter("shared_state_exchanges", "Exchanges with Redis", None, count(Count::Exchanges))?;
        counter("shared_state_failures", "Exchanges that failed", None, count(Count::Failures))?;
        counter("shared_state_commands", "Commands sent to Redis", None, count(Count::Commands))?;
        counter("shared_state_connections", "Connections opened to Redis", None, count(Count::Connections))?;
        let help = "Time that exchanges took, together";
        counter("shared_state_exchange", help, seconds, count(Count::Microseconds) / 1e6)?;
        let help = "Strict mode: picks that Redis answered";
        counter("shared_state_strict_answered", help, None, count(Count::Answered))?;
        let help =
            "Strict mode: picks by this instance's share of the limits, because no answer came in time";
        counter("shared_state_strict_unanswered", help, None, count(Count::Unanswered))?;
        let help = "CPU that Redis has used for all its clients since it started";
        counter("shared_state_redis_cpu", help, seconds, count(Count::RedisMicroseconds) / 1e6)
    }
}
