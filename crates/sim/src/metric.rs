//! The figures that runs are compared by.

use std::fmt;

use crate::report::Report;
use crate::times::{Measurement, Sorted};

/// One figure of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Metric {
    /// A figure of what requests saw.
    Of(Measure, Statistic),
    /// How uneven the load was; see [`Report::imbalance`].
    Imbalance,
    /// The most requests that any deployment had at once.
    LargestInFlight,
    /// The share of the requests that got an error.
    Errors,
    /// The share of the requests that were refused; see [`Report::refused`].
    Refused,
    /// Retries for each request.
    Retries,
}

/// What a request saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Measure {
    /// From arrival to the last token, in seconds.
    Response,
    /// From arrival to a slot, in seconds.
    Wait,
    /// In the gateway's queue, in seconds.
    Queue,
    /// From arrival to the first token, in seconds.
    FirstToken,
    /// The response as a multiple of that of an idle fleet.
    Slowdown,
}

/// What is told of many requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Statistic {
    /// The mean.
    Mean,
    /// What so many in a thousand do not exceed.
    PerMille(u16),
}

impl Measure {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Response, Self::Wait, Self::Queue, Self::FirstToken, Self::Slowdown];

    /// Its name where a user writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Response => "response",
            Self::Wait => "wait",
            Self::Queue => "queue",
            Self::FirstToken => "ttft",
            Self::Slowdown => "slowdown",
        }
    }
}

impl Statistic {
    /// Those that are told.
    pub const ALL: [Self; 5] =
        [Self::Mean, Self::PerMille(500), Self::PerMille(950), Self::PerMille(990), Self::PerMille(999)];

    pub(crate) fn of<T: Measurement>(self, all: &Sorted<T>) -> f64 {
        match self {
            _ if all.count() == 0 => f64::NAN,
            Self::Mean => all.mean().number(),
            Self::PerMille(share) => all.quantile(f64::from(share) / 1000.0).number(),
        }
    }
}

impl fmt::Display for Statistic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mean => f.pad("mean"),
            Self::PerMille(share) if share % 10 == 0 => f.pad(&format!("p{}", share / 10)),
            Self::PerMille(share) => f.pad(&format!("p{}.{}", share / 10, share % 10)),
        }
    }
}

impl Metric {
    /// All figures, in the order in which they are told.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let of = |measure| Statistic::ALL.map(|statistic| Self::Of(measure, statistic));
        let others = [Self::Imbalance, Self::LargestInFlight, Self::Errors, Self::Refused, Self::Retries];
        Measure::ALL.into_iter().flat_map(of).chain(others).collect()
    }

    /// The figure of this name, such as `p99_ttft` or `errors`.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|metric| metric.to_string() == name)
    }

    /// Whether it is a time in seconds.
    #[must_use]
    pub fn is_time(self) -> bool {
        matches!(self, Self::Of(Measure::Response | Measure::Wait | Measure::Queue | Measure::FirstToken, _))
    }

    /// The figure of one run; not a number where it is one of answers and there were none.
    #[must_use]
    pub fn of(self, report: &Report) -> f64 {
        let share = |count: u64| count as f64 / report.requests().max(1) as f64;
        match self {
            Self::Of(Measure::Response, statistic) => statistic.of(&report.responses),
            Self::Of(Measure::Wait, statistic) => statistic.of(&report.waits),
            Self::Of(Measure::Queue, statistic) => statistic.of(&report.queues),
            Self::Of(Measure::FirstToken, statistic) => statistic.of(&report.first_tokens),
            Self::Of(Measure::Slowdown, statistic) => statistic.of(&report.slowdowns),
            Self::Imbalance => report.imbalance,
            Self::LargestInFlight => f64::from(report.largest_in_flight.iter().copied().max().unwrap_or(0)),
            Self::Errors => share(report.errors),
            Self::Refused => share(report.refused),
            Self::Retries => share(report.retries),
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Of(measure, statistic) => f.pad(&format!("{statistic}_{}", measure.name())),
            Self::Imbalance => f.pad("imbalance"),
            Self::LargestInFlight => f.pad("largest_in_flight"),
            Self::Errors => f.pad("errors"),
            Self::Refused => f.pad("refused"),
            Self::Retries => f.pad("retries"),
        }
    }
}

#[cfg(test)]
mod tests;
