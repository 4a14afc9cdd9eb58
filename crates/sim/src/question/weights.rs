//! What a weight should be.

use leastbusy_balance::Weight;

use super::Asked;
use super::replicas::is_like;
use crate::Scenario;
use crate::estimate::Estimate;
use crate::metric::Metric;

/// Deployments that are alike.
#[derive(Debug, Clone, PartialEq)]
pub struct Kind {
    /// The name of the first.
    pub name: String,
    /// Their places in the scenario.
    pub places: Vec<usize>,
}

/// The weights that make a figure lowest, the first kind's being 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    /// One for each kind but the first.
    pub kinds: Vec<Weighed>,
    /// The figure by the scenario's own weights.
    pub as_given: Estimate,
    /// The figure by the best ones found.
    pub best: Estimate,
}

/// The weight of one kind.
#[derive(Debug, Clone, PartialEq)]
pub struct Weighed {
    /// The kind.
    pub kind: Kind,
    /// Its weight in the scenario, the first kind's being 1.
    pub as_given: f64,
    /// The best one found.
    pub best: f64,
    /// Those that are hardly worse: by 1 % at most.
    pub as_good: (f64, f64),
    /// The weights that were tried, from the lowest, with the best weights of the others.
    pub tried: Vec<(f64, Estimate)>,
}

/// Steps of the weight to either side of slots times speed, an octave each four.
const STEPS: i32 = 8;
const STEPS_AN_OCTAVE: f64 = 4.0;
/// A figure that is higher by this is hardly worse.
const HARDLY: f64 = 1.01;

/// The kinds of deployments in a scenario, by first appearance.
#[must_use]
pub fn kinds(scenario: &Scenario) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = Vec::new();
    for (place, engine) in scenario.engines.iter().enumerate() {
        match kinds.iter_mut().find(|kind| is_like(&scenario.engines[kind.places[0]], engine)) {
            Some(kind) => kind.places.push(place),
            None => kinds.push(Kind { name: engine.name.clone(), places: vec![place] }),
        }
    }
    kinds
}

impl Weights {
    /// Tries weights of each kind in turn, twice, over the same requests.
    ///
    /// A search along one weight at a time: it finds the valley, not to the last digit. That is enough, because
    /// valleys are flat ([`Weighed::as_good`]).
    #[must_use]
    pub fn best(scenario: &Scenario, metric: Metric, asked: &Asked<'_>) -> Self {
        let mut kinds = kinds(scenario);
        let first = kinds.remove(0);
        let relative = |kind: &Kind| weight(scenario, kind) / weight(scenario, &first);
        let mut found: Vec<Weighed> = kinds
            .into_iter()
            .map(|kind| {
                let as_given = relative(&kind);
                Weighed { kind, as_given, best: as_given, as_good: (as_given, as_given), tried: Vec::new() }
            })
            .collect();
        let as_given = asked.estimate(&weighed(scenario, &first, &found), metric);
        let mut best = as_given;
        let passes = if found.len() == 1 { 1 } else { 2 };
        for _ in 0..passes {
            for place in 0..found.len() {
                let centre = natural(scenario, &found[place].kind) / natural(scenario, &first);
                let mut tried = Vec::new();
                for step in -STEPS..=STEPS {
                    let weight = centre * (f64::from(step) / STEPS_AN_OCTAVE).exp2();
                    found[place].best = weight;
                    tried.push((weight, asked.estimate(&weighed(scenario, &first, &found), metric)));
                }
                let lowest = tried.iter().copied().min_by(|(_, a), (_, b)| a.mean.total_cmp(&b.mean));
                let (weight, estimate) = lowest.expect("weights were tried");
                let good = || tried.iter().filter(|(_, at)| at.mean <= HARDLY * estimate.mean);
                let as_good = good()
                    .fold((weight, weight), |(low, high), (weight, _)| (weight.min(low), weight.max(high)));
                best = estimate;
                found[place] = Weighed { best: weight, as_good, tried, ..found[place].clone() };
            }
        }
        Self { kinds: found, as_given, best }
    }
}

fn weight(scenario: &Scenario, kind: &Kind) -> f64 {
    scenario.engines[kind.places[0]].weight.get()
}

/// What a deployment can do: slots times speed.
fn natural(scenario: &Scenario, kind: &Kind) -> f64 {
    let engine = &scenario.engines[kind.places[0]];
    f64::from(engine.places()) * engine.tokens_per_second
}

fn weighed(scenario: &Scenario, first: &Kind, found: &[Weighed]) -> Scenario {
    let mut scenario = scenario.clone();
    let mut weigh = |kind: &Kind, weight: f64| {
        for place in &kind.places {
            scenario.engines[*place].weight = Weight::new(weight).expect("a weight tried is more than 0");
        }
    };
    weigh(first, 1.0);
    for weighed in found {
        weigh(&weighed.kind, weighed.best);
    }
    scenario
}

#[cfg(test)]
mod tests;
