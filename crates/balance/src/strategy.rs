//! Ways of choosing among those that may be picked.
//!
//! # The problem
//!
//! Least busy is the best rule for most fleets. Some have reasons for another one: contracts with a price, limits
//! by the minute, latencies that differ because of the distance and not of the load.
//!
//! # The rule
//!
//! A strategy decides nothing but who of the [`Candidate`]s is picked. Who is one is the same for all: untried, not
//! resting, below its limit, of the lowest order, and with a free place if anybody has one. So are leases, health,
//! retries and fallbacks. The choice and the count are one step under the fleet's lock.
//!
//! What a strategy remembers is the group's, so that all who pick from it agree. It sees the end of every lease of
//! the group, whoever picked it. A strategy of one's own is a [`Choose`].

mod latencies;
mod least;
mod lowest_cost;
mod lowest_latency;
mod lowest_usage;
mod peak_ewma;
mod round_robin;
mod shuffle;
mod two_choices;

use std::fmt;
use std::time::Duration;

pub use lowest_latency::LowestLatency;
pub use peak_ewma::PeakEwma;

use crate::candidate::Candidate;
use crate::fleet::DeploymentIndex;
use crate::group::TieBreak;
use crate::outcome::Outcome;

/// How a group chooses among those that may be picked.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum Strategy {
    /// The fewest requests in flight for its weight ([`Group::pick`](crate::Group::pick)), by what all instances know.
    #[default]
    LeastBusy,
    /// The less busy of two drawn at random.
    TwoChoices,
    /// Each with a chance in proportion to its weight; where all weights are alike, to its `rpm`, or else its `tpm`,
    /// as far as all candidates have one.
    Shuffle,
    /// One after the other, as often as their weights say, and never the same one several times in a row while others'
    /// turns are due.
    RoundRobin,
    /// The lowest latency, as its latest answers had it.
    LowestLatency(LowestLatency),
    /// The fewest tokens in the last minute; of equals the less busy.
    LowestUsage,
    /// The cheapest; of equals the less busy.
    LowestCost,
    /// The lowest product of latency and requests, where a slow answer counts at once and is forgotten slowly.
    PeakEwma(PeakEwma),
}

impl Strategy {
    /// What carries it out; `None` for the pick that is built in.
    pub(crate) fn choose(self) -> Option<Box<dyn Choose>> {
        Some(match self {
            Self::LeastBusy => return None,
            Self::TwoChoices => Box::new(two_choices::TwoChoices),
            Self::Shuffle => Box::new(shuffle::Shuffle),
            Self::RoundRobin => Box::<round_robin::RoundRobin>::default(),
            Self::LowestLatency(rules) => Box::new(lowest_latency::ByLatency::new(rules)),
            Self::LowestUsage => Box::new(lowest_usage::LowestUsage),
            Self::LowestCost => Box::new(lowest_cost::LowestCost),
            Self::PeakEwma(rules) => Box::new(peak_ewma::ByPeakEwma::new(rules)),
        })
    }

    /// Whether it goes by the tokens that answers took.
    #[must_use]
    pub fn counts_tokens(self) -> bool {
        match self {
            Self::LeastBusy | Self::TwoChoices | Self::Shuffle | Self::RoundRobin => false,
            // Both have limits of tokens to keep below, latencies are by the token.
            Self::LowestLatency(_) | Self::LowestUsage | Self::LowestCost | Self::PeakEwma(_) => true,
        }
    }
}

/// What a deployment's provider grants and asks.
///
/// Nothing is sent to a deployment that has had its requests or tokens of the last minute, whatever the strategy.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Terms {
    /// Requests that it takes in a minute; `None` where there is no such limit.
    pub rpm: Option<u64>,
    /// Tokens that it takes in a minute; `None` where there is no such limit.
    pub tpm: Option<u64>,
    /// What a token read and a token written cost together, in whatever unit the group's members have in common;
    /// `None` where nobody knows.
    pub cost: Option<f64>,
}

impl Terms {
    /// Whether so many requests and tokens of a minute leave room for no other.
    pub(crate) fn is_over(&self, requests: u64, tokens: u64) -> bool {
        self.rpm.is_some_and(|rpm| rpm <= requests) || self.tpm.is_some_and(|tpm| tpm <= tokens)
    }

    pub(crate) fn has_limit(&self) -> bool {
        self.rpm.is_some() || self.tpm.is_some()
    }
}

/// A strategy of one's own: whom of the candidates a pick goes to. See [`Group::choosing_by`](crate::Group::choosing_by).
///
/// Both methods run under the fleet's lock, so they need no lock of their own, and must be quick: they must not wait,
/// pick, ask the fleet or drop a lease.
pub trait Choose: fmt::Debug + Send {
    /// The place in `candidates`, of which there is at least one, of whom is picked.
    fn choose(&mut self, candidates: &[Candidate], asked: &Asked) -> usize;

    /// A lease of the group has ended, whichever strategy picked it. Leases that are dropped are not told of.
    fn ended(&mut self, ended: &Ended) {
        let _ = ended;
    }
}

impl Choose for Box<dyn Choose> {
    fn choose(&mut self, candidates: &[Candidate], asked: &Asked) -> usize {
        (**self).choose(candidates, asked)
    }

    fn ended(&mut self, ended: &Ended) {
        (**self).ended(ended);
    }
}

/// What a choice is made for.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// Whether the answer will be a stream.
    pub stream: bool,
    /// A random number of this pick.
    pub dice: u64,
    /// The moment of the pick.
    pub now: Duration,
    /// What decides between equals.
    pub tie_break: TieBreak,
}

/// How a lease of the group ended.
#[derive(Debug, Clone, Copy)]
pub struct Ended {
    /// The deployment it was on.
    pub deployment: DeploymentIndex,
    /// How the attempt ended.
    pub outcome: Outcome,
    /// False where the client is to blame although the outcome's kind says otherwise.
    pub counts: bool,
    /// Whether the answer was to be a stream.
    pub stream: bool,
    /// From the pick to the first content that was worth sending on; `None` where there was none.
    pub first_byte: Option<Duration>,
    /// From the pick to the end.
    pub duration: Duration,
    /// Tokens that the answer wrote; 0 where that is not known.
    pub output_tokens: u32,
    /// The moment of the end.
    pub now: Duration,
}

#[cfg(test)]
mod tests;
