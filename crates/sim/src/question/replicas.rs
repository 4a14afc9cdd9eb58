//! How many deployments a target needs.

use std::collections::HashSet;

use super::Asked;
use crate::estimate::Estimate;
use crate::metric::Metric;
use crate::{Engine, Scenario, Workload};

/// A figure that is to be reached.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Target {
    /// The figure.
    pub metric: Metric,
    /// What it may be at most; seconds for times.
    pub most: f64,
}

/// How many deployments a target needs, and how the figure goes with their number.
#[derive(Debug, Clone, PartialEq)]
pub struct Replicas {
    /// The numbers that were tried, from the lowest.
    pub tried: Vec<Tried>,
    /// The lowest number that reaches the target; `None` where none up to the most does.
    pub needed: Option<u32>,
    /// The lowest number that can bear the load at all; `None` where none up to the most can, and for a recorded
    /// trace, of which it is not known.
    pub least: Option<u32>,
    /// The names of those like it that stay as they are and are not counted, because they have troubles of their
    /// own.
    pub troubled: Vec<String>,
}

/// One number of deployments.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tried {
    /// The number.
    pub count: u32,
    /// The figure.
    pub estimate: Estimate,
    /// The load, as a share of what the fleet can do; `None` for a recorded trace.
    pub load: Option<f64>,
}

impl Replicas {
    /// Tries numbers of the scenario's deployments that are like the one at `place`, up to `most`, while the
    /// others and the load stay as they are. Copies have no troubles; those that have troubles are among the
    /// others, but for the one at `place`. The target counts as reached when the whole confidence interval lies
    /// within it and the fleet can bear the load: what is overloaded gets worse the longer one looks.
    ///
    /// It doubles the number until the target is reached and then halves the gap, so it takes for granted that
    /// more deployments are never worse.
    ///
    /// # Panics
    ///
    /// If there is no engine at `place`, or `most` is 0.
    #[must_use]
    pub fn needed(scenario: &Scenario, place: usize, target: Target, most: u32, asked: &Asked<'_>) -> Self {
        assert!(0 < most, "a fleet has a deployment at least");
        let least = least_that_bears(scenario, place, most);
        let mut tried: Vec<Tried> = Vec::new();
        let mut reaches = |count: u32| {
            let fleet = with(scenario, place, count);
            let estimate = asked.estimate(&fleet, target.metric);
            let this = Tried { count, estimate, load: load(&fleet) };
            tried.push(this);
            this.reaches(target)
        };
        let mut short = match least {
            Some(least) => least - 1,
            None if load(scenario).is_some() => most - 1,
            None => 0,
        };
        let mut enough = None;
        let mut step = 1;
        while short < most {
            let count = (short + step).min(most);
            if reaches(count) {
                enough = Some(count);
                break;
            }
            (short, step) = (count, step * 2);
        }
        if let Some(enough) = &mut enough {
            while short + 1 < *enough {
                let middle = short + (*enough - short) / 2;
                if reaches(middle) {
                    *enough = middle;
                } else {
                    short = middle;
                }
            }
        }
        tried.sort_by_key(|tried| tried.count);
        let troubled = troubled(scenario, place).map(|engine| engine.name.clone()).collect();
        Self { tried, needed: enough, least, troubled }
    }
}

impl Tried {
    /// Whether the fleet is asked for as much as it can do, or more.
    fn is_overloaded(&self) -> bool {
        self.load.is_some_and(|load| 1.0 <= load)
    }

    /// Whether the target is reached; never by a figure that is none (NaN).
    fn reaches(&self, target: Target) -> bool {
        !self.is_overloaded() && self.estimate.at_most() <= target.most
    }
}

/// The scenario with so many deployments like the one at `place`.
fn with(scenario: &Scenario, place: usize, count: u32) -> Scenario {
    let model = &scenario.engines[place];
    let others = scenario.engines.iter().filter(|engine| !is_like(model, engine));
    let mut engines: Vec<Engine> = others.chain(troubled(scenario, place)).cloned().collect();
    let base = model.name.trim_end_matches(|end: char| end.is_ascii_digit()).trim_end_matches('-');
    let taken: HashSet<String> = engines.iter().map(|engine| engine.name.clone()).collect();
    let names = (1_u64..).map(|number| format!("{base}-{number}")).filter(|name| !taken.contains(name));
    let copy = |name| Engine { name, episodes: Vec::new(), ..model.clone() };
    engines.extend(names.take(count as usize).map(copy));
    Scenario { engines, ..scenario.clone() }
}

/// Those like the one at `place` that have troubles of their own.
fn troubled(scenario: &Scenario, place: usize) -> impl Iterator<Item = &Engine> {
    let model = &scenario.engines[place];
    let others = scenario.engines.iter().enumerate().filter(move |(other, _)| *other != place);
    others.map(|(_, engine)| engine).filter(|engine| !engine.episodes.is_empty() && is_like(model, engine))
}

/// Whether two deployments differ in nothing but their name and what befalls them.
pub(super) fn is_like(one: &Engine, other: &Engine) -> bool {
    let bare = |engine: &Engine| Engine { name: String::new(), episodes: Vec::new(), ..engine.clone() };
    bare(one) == bare(other)
}

fn load(scenario: &Scenario) -> Option<f64> {
    let Workload::Drawn { arrivals, .. } = &scenario.workload else { return None };
    scenario.capacity().map(|capacity| arrivals.per_second() / capacity)
}

fn least_that_bears(scenario: &Scenario, place: usize, most: u32) -> Option<u32> {
    load(scenario)?;
    let bears = |count: u32| load(&with(scenario, place, count)).is_some_and(|load| load < 1.0);
    let (mut short, mut enough) = (0, most);
    while short + 1 < enough {
        let middle = short + (enough - short) / 2;
        *(if bears(middle) { &mut enough } else { &mut short }) = middle;
    }
    bears(enough).then_some(enough)
}

#[cfg(test)]
mod tests;
