//! Ways of choosing a deployment.

use std::time::Duration;

/// How the deployment for an attempt is chosen.
///
/// All but the last choose among those that are untried and not resting, by the production code, and take
/// their leases from it; retries, rests and returns are the same for all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// Each with a chance in proportion to its weight (LiteLLM's `simple-shuffle`).
    Random,
    /// One after the other, as often as their weights say (nginx's smooth round robin).
    RoundRobin,
    /// The first with the fewest requests, by counts that are a little old (LiteLLM's `least-busy`). Where that
    /// one rests or was tried, any of the others, as LiteLLM does.
    StaleFirst {
        /// How old the counts are.
        age: Duration,
    },
    /// The less busy of two drawn at random.
    TwoChoices,
    /// The lowest latency of the last ten answers (LiteLLM's `latency-based-routing`).
    LowestLatency,
    /// The fewest tokens in the last minute (LiteLLM's `usage-based-routing-v2`).
    LowestUsage,
    /// The lowest product of latency and requests, where a slow answer counts at once (Finagle's).
    PeakEwma,
    /// The least busy by own counts and by what the other instances told last, as if that were still so.
    OwnAndTold,
    /// The least busy: the production pick.
    LeastBusy,
    /// The least busy, told how many places each deployment has and how fast they are: the production pick by
    /// [`Capacity`](leastbusy_balance::Capacity).
    LeastBusyBySpeed,
    /// No choice at all: one queue before all, whose head goes to whoever is free first, the fastest if there are
    /// several. Where all slots are equally fast, no gateway can beat it that does not know how long answers will be;
    /// where they are not, or answers share a deployment's speed, it is only a good rule. Nothing fails here.
    CentralQueue,
}

impl Policy {
    /// All of them, from the worst to the best.
    pub const ALL: [Self; 11] = [
        Self::Random,
        Self::RoundRobin,
        Self::StaleFirst { age: Duration::from_millis(10) },
        Self::LowestLatency,
        Self::LowestUsage,
        Self::PeakEwma,
        Self::TwoChoices,
        Self::OwnAndTold,
        Self::LeastBusy,
        Self::LeastBusyBySpeed,
        Self::CentralQueue,
    ];

    /// Those that are compared where nobody says which: a gateway has them without being told any speeds.
    pub const USUAL: [Self; 6] = [
        Self::Random,
        Self::RoundRobin,
        Self::StaleFirst { age: Duration::from_millis(10) },
        Self::TwoChoices,
        Self::LeastBusy,
        Self::CentralQueue,
    ];

    /// Its name where a user writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::RoundRobin => "round-robin",
            Self::StaleFirst { .. } => "stale-first",
            Self::TwoChoices => "two-choices",
            Self::LowestLatency => "lowest-latency",
            Self::LowestUsage => "lowest-usage",
            Self::PeakEwma => "peak-ewma",
            Self::OwnAndTold => "own-and-told",
            Self::LeastBusy => "least-busy",
            Self::LeastBusyBySpeed => "least-busy-by-speed",
            Self::CentralQueue => "central-queue",
        }
    }

    /// What it is, in a few words.
    #[must_use]
    pub fn told(self) -> &'static str {
        match self {
            Self::Random => "each by its weight's chance (LiteLLM's simple-shuffle)",
            Self::RoundRobin => "one after the other",
            Self::StaleFirst { .. } => "the first with the lowest count 10 ms ago (LiteLLM's least-busy)",
            Self::TwoChoices => "the less busy of two at random",
            Self::LowestLatency => {
                "the lowest latency of the last ten answers (LiteLLM's latency-based-routing)"
            }
            Self::LowestUsage => "the fewest tokens in the last minute (LiteLLM's usage-based-routing-v2)",
            Self::PeakEwma => "the lowest latency times requests, a slow answer counting at once (Finagle's)",
            Self::OwnAndTold => {
                "the least busy by own counts and what other instances told last, however old"
            }
            Self::LeastBusy => "the least busy, counted in the same step: leastbusy",
            Self::LeastBusyBySpeed => "least busy, speeds known: a free place on the fastest first",
            Self::CentralQueue => "one queue before all deployments, for which nobody chooses",
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.name() == name)
    }
}

#[cfg(test)]
mod tests;
