//! The lowest product of latency and requests, after Finagle's Peak EWMA.

use std::collections::BTreeMap;
use std::time::Duration;

use super::latencies::{ByKind, Shown};
use super::least::least;
use super::{Asked, Candidate, Choose, Ended};
use crate::fleet::DeploymentIndex;

/// What [`Strategy::PeakEwma`](super::Strategy::PeakEwma) goes by.
///
/// The cost of a deployment is `latency * (in flight + 1) / weight`, and the lowest is picked. Of a stream the latency is
/// the time to its first byte; of a whole answer, the time for each token that it wrote. One above the average counts at
/// once and in full; those below, and time without an answer, draw the average down. A deployment of which nothing is
/// known gets one request; until that has an answer, it goes after the others. A time limit that passed counts as
/// the time that it took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeakEwma {
    /// The time in which what was measured falls to a share of 1/e; more than 0, default 10 s, as in Finagle.
    pub decay_time: Duration,
}

impl Default for PeakEwma {
    fn default() -> Self {
        Self { decay_time: Duration::from_secs(10) }
    }
}

#[derive(Debug)]
pub(super) struct ByPeakEwma {
    rules: PeakEwma,
    measured: BTreeMap<DeploymentIndex, ByKind<Option<Average>>>,
}

/// A decaying average in seconds, as it was at a moment.
#[derive(Debug, Clone, Copy)]
struct Average {
    seconds: f64,
    at: Duration,
}

impl Average {
    /// What is left of it.
    fn at(&self, now: Duration, decay_time: Duration) -> f64 {
        self.seconds * left(self.at, now, decay_time)
    }

    fn add(&mut self, sample: f64, now: Duration, decay_time: Duration) {
        let left = left(self.at, now, decay_time);
        let average = self.seconds * left + sample * (1.0 - left);
        *self = Self { seconds: average.max(sample), at: self.at.max(now) };
    }
}

fn left(then: Duration, now: Duration, decay_time: Duration) -> f64 {
    (-now.saturating_sub(then).as_secs_f64() / decay_time.as_secs_f64()).exp()
}

impl ByPeakEwma {
    pub(super) fn new(rules: PeakEwma) -> Self {
        Self { rules, measured: BTreeMap::new() }
    }

    fn latency(&self, candidate: &Candidate, asked: &Asked) -> Option<f64> {
        let average = (*self.measured.get(&candidate.deployment)?.of(asked.stream))?;
        Some(average.at(asked.now, self.rules.decay_time))
    }
}

impl Choose for ByPeakEwma {
    fn choose(&mut self, candidates: &[Candidate], asked: &Asked) -> usize {
        let key = |candidate: &Candidate| {
            let requests = (candidate.busy + 1.0) / candidate.weight;
            match self.latency(candidate, asked) {
                Some(latency) => (false, latency * requests),
                None if candidate.busy == 0.0 => (false, 0.0),
                None => (true, requests),
            }
        };
        least(candidates, asked, key, |a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)))
    }

    fn ended(&mut self, ended: &Ended) {
        let sample = match ended.shown() {
            None => return,
            Some(Shown::Latency(latency)) => latency.as_secs_f64(),
            Some(Shown::TimedOut) => ended.duration.as_secs_f64(),
        };
        let average = self.measured.entry(ended.deployment).or_default().of_mut(ended.stream);
        match average {
            Some(average) => average.add(sample, ended.now, self.rules.decay_time),
            None => *average = Some(Average { seconds: sample, at: ended.now }),
        }
    }
}
