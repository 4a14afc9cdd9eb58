//! What happens when a deployment dies.

use std::f64::consts::TAU;
use std::time::Duration;

use super::Asked;
use crate::estimate::Estimate;
use crate::report::{Span, Timeline};
use crate::times::{Measurement, Times};
use crate::{Arrivals, Engine, Episode, Job, Scenario, Trouble, Workload};

/// A deployment that dies and comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage {
    /// Which of the scenario's deployments.
    pub place: usize,
    /// When, since the start.
    pub at: Duration,
    /// For how long.
    pub time: Duration,
}

/// How the requests fared.
#[derive(Debug, Clone, PartialEq)]
pub struct Survived {
    /// As long before as it lasted, or since the start.
    pub before: Part,
    /// While it lasted.
    pub during: Part,
    /// As long after, or to the last request.
    pub after: Part,
    /// The first run, span by span.
    pub timeline: Timeline,
}

/// The requests that came in a part of the run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Part {
    /// Requests.
    pub arrived: Estimate,
    /// Requests that got an error in it; they may have come before.
    pub errors: Estimate,
    /// Seconds to the first token that 99 % did not exceed; `None` where no run answered any.
    pub p99_first_token: Option<Estimate>,
    /// Seconds to the last token that 99 % did not exceed; `None` where no run answered any.
    pub p99_response: Option<Estimate>,
}

/// The spans of the timeline in an outage, where the run has not too many of them.
const SPANS: u32 = 20;
/// With fewer, a part could be off by more than a quarter of the outage: parts begin where a span does.
const FEWEST_SPANS: u32 = 4;
/// The most spans in a run: their notes take some 10 MB.
const MOST_SPANS: u32 = 40_000;

impl Outage {
    /// When the last request comes in the shortest of these runs.
    #[must_use]
    pub fn end(scenario: &Scenario, seeds: &[u64]) -> Duration {
        let last = |seed: &u64| scenario.jobs(*seed).last().map_or(Duration::ZERO, |last| last.arrival);
        seeds.iter().map(last).min().unwrap_or_default()
    }

    /// The moment of the highest load in a run that ends then: the first peak of a day if the run comes to it; of a
    /// trace, the begin of the span of this length in which most requests come; else the middle.
    #[must_use]
    pub fn peak(scenario: &Scenario, end: Duration, time: Duration) -> Duration {
        match &scenario.workload {
            Workload::Drawn { arrivals: Arrivals::Diurnal { period, .. }, .. } if *period / 4 < end => {
                *period / 4
            }
            Workload::Drawn { .. } => end / 2,
            Workload::Trace(_) => busiest(&scenario.jobs(0), time),
        }
    }

    /// The shortest outage that can be told in a run of this length: a ten-thousandth of it.
    #[must_use]
    pub fn shortest(end: Duration) -> Duration {
        end / (MOST_SPANS / FEWEST_SPANS)
    }

    /// The load at its begin as a share of what the others can do that are neither down nor rate limited then;
    /// more than 1 and the queue grows, infinite and nobody is left. `None` for a recorded trace.
    #[must_use]
    pub fn load_on_the_others(&self, scenario: &Scenario) -> Option<f64> {
        let Workload::Drawn { arrivals, .. } = &scenario.workload else { return None };
        let rate = match *arrivals {
            Arrivals::Diurnal { per_second, swing, period } => {
                let turns = self.at.as_secs_f64() / period.as_secs_f64();
                per_second * (1.0 + swing * (TAU * turns).sin())
            }
            Arrivals::Poisson { .. } | Arrivals::Bursts { .. } => arrivals.per_second(),
        };
        let is_away = |engine: &Engine| {
            let trouble = engine.trouble_at(self.at.into());
            matches!(trouble, Some(Trouble::Down | Trouble::RateLimits { .. }))
        };
        let others = scenario.engines.iter().enumerate();
        let others = others.filter(|(place, engine)| *place != self.place && !is_away(engine));
        let engines: Vec<Engine> = others.map(|(_, engine)| engine.clone()).collect();
        if engines.is_empty() {
            return Some(f64::INFINITY);
        }
        Scenario { engines, ..scenario.clone() }.capacity().map(|capacity| rate / capacity)
    }

    /// The scenario with the outage in it.
    ///
    /// # Panics
    ///
    /// If there is no deployment at its place.
    #[must_use]
    pub fn befalling(&self, scenario: &Scenario) -> Scenario {
        let mut befallen = scenario.clone();
        let episode =
            Episode { from: self.at, until: self.at.saturating_add(self.time), trouble: Trouble::Down };
        befallen.engines[self.place].episodes.insert(0, episode);
        befallen
    }

    /// Runs it. An outage that is shorter than [`Outage::shortest`] lies in spans longer than itself.
    ///
    /// # Panics
    ///
    /// If there is no deployment at its place.
    #[must_use]
    pub fn survived(&self, scenario: &Scenario, asked: &Asked<'_>) -> Survived {
        let befallen = self.befalling(scenario);
        let span = self.span(Self::end(scenario, asked.seeds));
        let run = |seed: &u64| {
            let report = befallen.replay(&befallen.jobs(*seed), asked.policy, *seed, Some(span));
            (asked.done)();
            report.timeline
        };
        let timelines: Vec<Timeline> = asked.seeds.iter().filter_map(run).collect();
        let end = self.at.saturating_add(self.time);
        let part = |from: Duration, until: Duration| Part::of(&timelines, from, until);
        Survived {
            before: part(self.at.saturating_sub(self.time), self.at),
            during: part(self.at, end),
            after: part(end, end.saturating_add(self.time)),
            timeline: timelines.first().cloned().unwrap_or(Timeline { span, spans: Vec::new() }),
        }
    }

    /// The length of a span in a run that ends then: a whole number of them in the outage, so that parts are sums
    /// of spans, and not too many in the run.
    fn span(&self, end: Duration) -> Duration {
        let finest = (end / MOST_SPANS).max(Duration::from_nanos(1));
        let fitting = u32::try_from(self.time.as_nanos() / finest.as_nanos()).unwrap_or(u32::MAX);
        match fitting.min(SPANS) {
            0 => finest,
            spans => self.time / spans,
        }
    }
}

/// The first of the requests that come within a span of this length, where they are most.
fn busiest(jobs: &[Job], time: Duration) -> Duration {
    let (mut first, mut most, mut begin) = (0, 0, Duration::ZERO);
    for (last, job) in jobs.iter().enumerate() {
        while time < job.arrival - jobs[first].arrival {
            first += 1;
        }
        if most < last - first + 1 {
            (most, begin) = (last - first + 1, jobs[first].arrival);
        }
    }
    begin
}

impl Part {
    fn of(timelines: &[Timeline], from: Duration, until: Duration) -> Self {
        // The span in which it dies, or comes back, is the first of the next part.
        let place = |moment: Duration, timeline: &Timeline| {
            usize::try_from(moment.as_nanos() / timeline.span.as_nanos()).unwrap_or(usize::MAX)
        };
        let of_runs: Vec<&[Span]> = timelines
            .iter()
            .map(|timeline| {
                let last = timeline.spans.len();
                let [from, until] = [from, until].map(|moment| place(moment, timeline).min(last));
                &timeline.spans[from..until]
            })
            .collect();
        let count = |of: fn(&Span) -> u64| {
            let counts: Vec<f64> =
                of_runs.iter().map(|spans| spans.iter().map(of).sum::<u64>() as f64).collect();
            Estimate::of(&counts)
        };
        let p99 = |of: fn(&Span) -> &Times| {
            let times = of_runs.iter().map(|spans| Times::pooled(spans.iter().map(of)));
            let figures: Vec<f64> =
                times.filter(|times| 0 < times.count()).map(|times| times.quantile(0.99).number()).collect();
            (!figures.is_empty()).then(|| Estimate::of(&figures))
        };
        Self {
            arrived: count(|span| span.arrived),
            errors: count(|span| span.errors),
            p99_first_token: p99(|span| &span.first_tokens),
            p99_response: p99(|span| &span.responses),
        }
    }
}

#[cfg(test)]
mod tests;
