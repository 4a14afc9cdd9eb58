//! What a weight should be.

use std::cmp::Ordering;

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
    /// The best one found; the given one, unless another is better by more than chance makes it.
    pub best: f64,
    /// Those that are hardly worse: by 1 % at most.
    pub as_good: (f64, f64),
    /// The weights that were tried, from the lowest, with the best weights of the others.
    pub tried: Vec<(f64, Estimate)>,
    /// Whether the figure is the same in every run, whatever weight was tried.
    pub is_indifferent: bool,
}

/// Steps of the weight to either side of places times speed, an octave each four.
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
    /// valleys are flat ([`Weighed::as_good`]). A weight gives way to another only where the other is better by more
    /// than the margin of their difference, run by run; of a single run, where it is better at all.
    #[must_use]
    pub fn best(scenario: &Scenario, metric: Metric, asked: &Asked<'_>) -> Self {
        let mut kinds = kinds(scenario);
        let first = kinds.remove(0);
        let relative = |kind: &Kind| weight(scenario, kind) / weight(scenario, &first);
        let mut found: Vec<Weighed> = kinds
            .into_iter()
            .map(|kind| {
                let as_given = relative(&kind);
                let (best, as_good, tried) = (as_given, (as_given, as_given), Vec::new());
                Weighed { kind, as_given, best, as_good, tried, is_indifferent: false }
            })
            .collect();
        let as_given = asked.estimate(&weighed(scenario, &first, &found), metric);
        let mut best = as_given;
        let passes = if found.len() == 1 { 1 } else { 2 };
        for _ in 0..passes {
            for place in 0..found.len() {
                let centre = natural(scenario, &found[place].kind) / natural(scenario, &first);
                let mut trial = found.clone();
                let tried: Vec<Trial> = to_try(centre, &found[place])
                    .into_iter()
                    .map(|weight| {
                        trial[place].best = weight;
                        let figures = asked.figures(&weighed(scenario, &first, &trial), metric);
                        Trial { weight, figures }
                    })
                    .collect();
                let chosen = choose(&tried, found[place].best);
                best = chosen.estimate();
                found[place].note(&tried, chosen);
            }
        }
        Self { kinds: found, as_given, best }
    }
}

impl Weighed {
    /// Whether the best one is the lightest or the heaviest that was tried, so that one beyond may be better.
    #[must_use]
    pub fn is_at_edge(&self) -> bool {
        let is_best = |tried: Option<&(f64, Estimate)>| tried.is_some_and(|(weight, _)| *weight == self.best);
        is_best(self.tried.first()) || is_best(self.tried.last())
    }

    fn note(&mut self, tried: &[Trial], chosen: &Trial) {
        let most = HARDLY * chosen.estimate().mean;
        let good = tried.iter().filter(|trial| trial.estimate().mean <= most);
        self.best = chosen.weight;
        self.as_good = good.fold((chosen.weight, chosen.weight), |(low, high), trial| {
            (trial.weight.min(low), trial.weight.max(high))
        });
        self.tried = tried.iter().map(|trial| (trial.weight, trial.estimate())).collect();
        self.is_indifferent = tried.windows(2).all(|two| two[0].is_same(&two[1]));
    }
}

/// A weight, and the figure of each run with it.
#[derive(Debug, Clone)]
struct Trial {
    weight: f64,
    figures: Vec<f64>,
}

impl Trial {
    fn estimate(&self) -> Estimate {
        Estimate::of(&self.figures)
    }

    /// Their order by figure; one that is none (NaN, of either sign) is the last.
    fn order(&self, other: &Self) -> Ordering {
        let [this, that] = [self, other].map(|trial| trial.estimate().mean);
        this.is_nan().cmp(&that.is_nan()).then(this.total_cmp(&that))
    }

    fn is_same(&self, other: &Self) -> bool {
        let mut pairs = self.figures.iter().zip(&other.figures);
        pairs.all(|(this, that)| this == that || this.is_nan() && that.is_nan())
    }

    /// Whether it is better than the other by more than the margin of their difference. The runs see the same
    /// requests, so most of their chance is in both and not in the difference.
    fn is_clearly_better_than(&self, other: &Self) -> bool {
        if other.estimate().mean.is_nan() {
            return !self.estimate().mean.is_nan();
        }
        let gains: Vec<f64> =
            self.figures.iter().zip(&other.figures).map(|(this, that)| that - this).collect();
        let gain = Estimate::of(&gains);
        gain.margin.unwrap_or(0.0) < gain.mean
    }
}

/// The steps around a centre, the weight given and the one that is the best so far, from the lowest.
fn to_try(centre: f64, weighed: &Weighed) -> Vec<f64> {
    let steps = (-STEPS..=STEPS).map(|step| centre * (f64::from(step) / STEPS_AN_OCTAVE).exp2());
    let kept = [weighed.as_given, weighed.best];
    // A step that differs from a weight by rounding alone would be tried twice.
    let is_kept = |step: f64| kept.iter().any(|kept| (step / kept - 1.0).abs() < 1e-9);
    let mut weights: Vec<f64> = steps.filter(|step| !is_kept(*step)).chain(kept).collect();
    weights.sort_by(f64::total_cmp);
    weights.dedup();
    weights
}

/// The lowest, if it is clearly better than the one so far; else that.
fn choose(tried: &[Trial], so_far: f64) -> &Trial {
    let so_far = tried.iter().find(|trial| trial.weight == so_far).expect("the weight so far was tried");
    let lowest = tried.iter().min_by(|one, other| one.order(other)).expect("weights were tried");
    if lowest.is_clearly_better_than(so_far) { lowest } else { so_far }
}

fn weight(scenario: &Scenario, kind: &Kind) -> f64 {
    scenario.engines[kind.places[0]].weight.get()
}

/// What a deployment can do: places ([`Engine::places`](crate::Engine::places)) times speed.
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
