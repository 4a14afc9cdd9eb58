//! What strategies are called, in the configuration and in requests.

use leastbusy_balance::{LowestLatency, PeakEwma, Strategy};

/// A strategy's name, and what it stands for with nothing else set.
pub(crate) type Named = (&'static str, Strategy);

/// Every strategy, the first of several names being its own.
pub(crate) fn all() -> [Named; 8] {
    [
        ("least-busy", Strategy::LeastBusy),
        ("simple-shuffle", Strategy::Shuffle),
        ("latency-based-routing", Strategy::LowestLatency(LowestLatency::default())),
        ("usage-based-routing-v2", Strategy::LowestUsage),
        // LiteLLM's two differ in how they count, which is done in one way here.
        ("usage-based-routing", Strategy::LowestUsage),
        ("cost-based-routing", Strategy::LowestCost),
        ("round-robin", Strategy::RoundRobin),
        ("peak-ewma", Strategy::PeakEwma(PeakEwma::default())),
    ]
}

/// The strategy of this name.
pub(crate) fn named(name: &str) -> Option<Strategy> {
    all().into_iter().find(|(known, _)| *known == name).map(|(_, strategy)| strategy)
}
