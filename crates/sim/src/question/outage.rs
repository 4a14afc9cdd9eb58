//! What happens when a deployment dies.

use std::time::Duration;

use super::Asked;
use crate::estimate::Estimate;
use crate::report::{Report, Timeline};
use crate::times::{Measurement, Times};
use crate::{Arrivals, Episode, Scenario, Trouble, Workload};

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
    /// As long before as it lasted.
    pub before: Part,
    /// While it lasted.
    pub during: Part,
    /// As long after.
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
    /// Seconds to the first token that 99 % did not exceed.
    pub p99_first_token: Estimate,
    /// Seconds to the last token that 99 % did not exceed.
    pub p99_response: Estimate,
}

/// The spans of the timeline in an outage.
const SPANS: u32 = 60;

impl Outage {
    /// The moment of a scenario's highest load: the first peak of a day, else the middle of the run.
    #[must_use]
    pub fn peak(scenario: &Scenario) -> Duration {
        if let Workload::Drawn { arrivals: Arrivals::Diurnal { period, .. }, .. } = scenario.workload {
            return period / 4;
        }
        scenario.jobs(0).last().map_or(Duration::ZERO, |last| last.arrival / 2)
    }

    /// The share of the load that the others would have to bear while it lasts, of what they can do; more than 1
    /// and the queue grows. `None` for a recorded trace.
    #[must_use]
    pub fn load_on_the_others(&self, scenario: &Scenario) -> Option<f64> {
        let Workload::Drawn { arrivals, .. } = &scenario.workload else { return None };
        let rate = match *arrivals {
            Arrivals::Diurnal { per_second, swing, .. } => per_second * (1.0 + swing),
            Arrivals::Poisson { .. } | Arrivals::Bursts { .. } => arrivals.per_second(),
        };
        let mut engines = scenario.engines.clone();
        engines.remove(self.place);
        let others = Scenario { engines, ..scenario.clone() };
        others.capacity().map(|capacity| rate / capacity)
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

    /// Runs it.
    ///
    /// # Panics
    ///
    /// If there is no deployment at its place.
    #[must_use]
    pub fn survived(&self, scenario: &Scenario, asked: &Asked<'_>) -> Survived {
        let befallen = self.befalling(scenario);
        // A whole number of spans in each part, so that parts are sums of spans.
        let span = (self.time / (SPANS / 3)).max(Duration::from_nanos(1));
        let run = |seed: &u64| {
            let report = befallen.replay(&befallen.jobs(*seed), asked.policy, *seed, Some(span));
            (asked.done)();
            report
        };
        let reports: Vec<Report> = asked.seeds.iter().map(run).collect();
        let timelines: Vec<&Timeline> =
            reports.iter().filter_map(|report| report.timeline.as_ref()).collect();
        let end = self.at.saturating_add(self.time);
        let part = |from: Duration, until: Duration| Part::of(&timelines, from, until);
        Survived {
            before: part(self.at.saturating_sub(self.time), self.at),
            during: part(self.at, end),
            after: part(end, end.saturating_add(self.time)),
            timeline: timelines
                .first()
                .map_or_else(|| Timeline { span, spans: Vec::new() }, |&first| first.clone()),
        }
    }
}

impl Part {
    fn of(timelines: &[&Timeline], from: Duration, until: Duration) -> Self {
        // The span in which it dies, or comes back, is the first of the next part.
        let place = |moment: Duration, timeline: &Timeline| {
            usize::try_from(moment.as_nanos() / timeline.span.as_nanos()).unwrap_or(usize::MAX)
        };
        let figure = |of: &dyn Fn(&[crate::report::Span]) -> f64| {
            let figures: Vec<f64> = timelines
                .iter()
                .map(|timeline| {
                    let last = timeline.spans.len();
                    let [from, until] = [from, until].map(|moment| place(moment, timeline).min(last));
                    of(&timeline.spans[from..until])
                })
                .collect();
            Estimate::of(&figures)
        };
        let p99 = |times: Times| times.quantile(0.99).number();
        Self {
            arrived: figure(&|spans| spans.iter().map(|span| span.arrived as f64).sum()),
            errors: figure(&|spans| spans.iter().map(|span| span.errors as f64).sum()),
            p99_first_token: figure(&|spans| p99(Times::pooled(spans.iter().map(|span| &span.first_tokens)))),
            p99_response: figure(&|spans| p99(Times::pooled(spans.iter().map(|span| &span.responses)))),
        }
    }
}

#[cfg(test)]
mod tests;
