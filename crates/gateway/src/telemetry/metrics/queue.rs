//! Metrics of the queues where requests wait for a place.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::{GroupLabels, SECONDS};
use crate::router::{QueueEnd, QueueStay, Table, Waiting};

/// Upper bounds for places in a queue.
const AHEAD: [f64; 10] = [0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 500.0, 1000.0];

type Histograms = Family<GroupLabels, Histogram, fn() -> Histogram>;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndLabels {
    model_group: String,
    end: &'static str,
}

/// The metrics of all queues.
pub(super) struct Queues {
    ends: Family<EndLabels, Counter>,
    wait: Histograms,
    ahead: Histograms,
}

/// Those of one model group.
#[derive(Debug)]
pub(super) struct GroupQueue {
    ends: [Counter; QueueEnd::ALL.len()],
    wait: Histogram,
    ahead: Histogram,
}

impl Queues {
    pub(super) fn register(registry: &mut Registry, table: &Table) -> Self {
        let queues = Self {
            ends: Family::default(),
            wait: Histograms::new_with_constructor(|| Histogram::new(SECONDS)),
            ahead: Histograms::new_with_constructor(|| Histogram::new(AHEAD)),
        };
        let help = "Requests that have left a queue, or were not let in, by how that ended";
        registry.register("queue_left", help, queues.ends.clone());
        let help = "Time that requests waited for a place";
        registry.register_with_unit("queue_wait", help, Unit::Seconds, queues.wait.clone());
        let help = "Requests that were to be served before one that began to wait";
        registry.register("queue_ahead", help, queues.ahead.clone());
        registry.register_collector(Box::new(Lengths::of(table)));
        queues
    }

    pub(super) fn of(&self, model_group: &str) -> GroupQueue {
        let labels = GroupLabels { model_group: model_group.to_owned() };
        GroupQueue {
            ends: QueueEnd::ALL.map(|end| self.end(model_group, end)),
            wait: self.wait.get_or_create_owned(&labels),
            ahead: self.ahead.get_or_create_owned(&labels),
        }
    }

    /// The counters of those that were not let in, one for each name of model groups.
    pub(super) fn refused(&self, table: &Table) -> Vec<Counter> {
        table.waiting().map(|(name, _)| self.end(name, QueueEnd::Refused)).collect()
    }

    fn end(&self, model_group: &str, end: QueueEnd) -> Counter {
        self.ends.get_or_create_owned(&EndLabels { model_group: model_group.to_owned(), end: end.name() })
    }
}

impl GroupQueue {
    /// A request has left the queue, or was not let in.
    pub(super) fn left(&self, stay: &QueueStay<'_>) {
        self.ends[stay.end as usize].inc();
        if stay.end != QueueEnd::Refused {
            self.wait.observe(stay.duration.as_secs_f64());
            self.ahead.observe(stay.ahead.into());
        }
    }
}

/// How many wait, counted at each scrape.
#[derive(Debug)]
struct Lengths(Vec<(GroupLabels, Waiting)>);

impl Lengths {
    fn of(table: &Table) -> Self {
        let labels = |name: &str| GroupLabels { model_group: name.to_owned() };
        Self(table.waiting().map(|(name, waiting)| (labels(name), waiting.clone())).collect())
    }
}

impl Collector for Lengths {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let kind = ConstGauge::new(0_i64).metric_type();
        let mut waiting =
            encoder.encode_descriptor("queue_waiting", "Requests that wait for a place", None, kind)?;
        for (labels, group) in &self.0 {
            ConstGauge::new(i64::from(group.count())).encode(waiting.encode_family(labels)?)?;
        }
        Ok(())
    }
}
