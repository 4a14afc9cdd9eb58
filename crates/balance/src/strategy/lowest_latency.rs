//! The lowest latency, as the latest answers had it.

use std::cmp::Ordering;
use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroUsize;
use std::time::Duration;

use super::latencies::{ByKind, Shown};
use super::least::least;
use super::{Asked, Candidate, Choose, Ended};
use crate::fleet::DeploymentIndex;

/// What [`Strategy::LowestLatency`](super::Strategy::LowestLatency) goes by; the defaults are LiteLLM's.
///
/// A latency is that of a stream to its first byte; of a whole answer, the time for each token that it wrote. Streams are
/// compared with streams. A time limit that passed counts as 1000 s. A deployment of which nothing is known gets one
/// request; until that has an answer, it goes after the others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LowestLatency {
    /// How long an answer counts; default an hour.
    pub ttl: Duration,
    /// Who is at most so much slower than the fastest, as a share of its latency, is as good; default 0.
    pub buffer: f64,
    /// Answers of each deployment that count, the latest ones; default 10.
    pub samples: NonZeroUsize,
    /// Of streams, which of the latencies is compared: the share of them below it, between 0 and 1. `None`, the default, is
    /// their mean.
    pub stream_quantile: Option<f64>,
}

impl Default for LowestLatency {
    fn default() -> Self {
        const TEN: NonZeroUsize = NonZeroUsize::new(10).expect("not zero");
        Self { ttl: Duration::from_secs(3600), buffer: 0.0, samples: TEN, stream_quantile: None }
    }
}

/// What a time limit that passed counts as.
const TIMED_OUT: Duration = Duration::from_secs(1000);

#[derive(Debug)]
pub(super) struct ByLatency {
    rules: LowestLatency,
    measured: BTreeMap<DeploymentIndex, ByKind<Samples>>,
}

/// The latest latencies, each with its moment.
type Samples = VecDeque<(Duration, Duration)>;

impl ByLatency {
    pub(super) fn new(rules: LowestLatency) -> Self {
        Self { rules, measured: BTreeMap::new() }
    }

    /// The mean of what still counts, or the quantile that is asked for.
    fn latency(&self, candidate: &Candidate, asked: &Asked) -> Option<Duration> {
        let samples = self.measured.get(&candidate.deployment)?.of(asked.stream);
        let counting = samples.iter().filter(|(at, _)| asked.now.saturating_sub(*at) < self.rules.ttl);
        let counting = counting.map(|(_, latency)| *latency);
        match self.rules.stream_quantile.filter(|_| asked.stream) {
            None => {
                let (number, sum) =
                    counting.fold((0_u32, Duration::ZERO), |(number, sum), one| (number + 1, sum + one));
                sum.checked_div(number)
            }
            Some(quantile) => nearest_rank(counting.collect(), quantile),
        }
    }
}

/// The least latency that so large a share of all is not above.
fn nearest_rank(mut latencies: Vec<Duration>, quantile: f64) -> Option<Duration> {
    latencies.sort_unstable();
    let rank = (quantile * latencies.len() as f64).ceil() as usize;
    latencies.get(rank.saturating_sub(1)).or(latencies.last()).copied()
}

impl Choose for ByLatency {
    fn choose(&mut self, candidates: &[Candidate], asked: &Asked) -> usize {
        let fastest = candidates.iter().filter_map(|candidate| self.latency(candidate, asked)).min();
        let bound = fastest.map(|fastest| fastest.as_secs_f64() * (1.0 + self.rules.buffer));
        // Rank first; then the latency, where the good ones are all alike; then the load.
        let key = |candidate: &Candidate| match (self.latency(candidate, asked), bound) {
            (Some(known), Some(bound)) if known.as_secs_f64() <= bound || Some(known) == fastest => {
                (1, Duration::ZERO, 0.0)
            }
            (Some(known), _) => (2, known, 0.0),
            (None, _) if candidate.busy == 0.0 => (0, Duration::ZERO, 0.0),
            (None, _) => (3, Duration::ZERO, candidate.load),
        };
        least(candidates, asked, key, |a, b| match (a.0, a.1).cmp(&(b.0, b.1)) {
            Ordering::Equal => a.2.total_cmp(&b.2),
            decided => decided,
        })
    }

    fn ended(&mut self, ended: &Ended) {
        let latency = match ended.shown() {
            None => return,
            Some(Shown::Latency(latency)) => latency,
            Some(Shown::TimedOut) => TIMED_OUT,
        };
        let samples = self.measured.entry(ended.deployment).or_default().of_mut(ended.stream);
        if samples.len() == self.rules.samples.get() {
            samples.pop_front();
        }
        samples.push_back((ended.now, latency));
    }
}
