use std::num::NonZeroUsize;

use leastbusy_balance::Weight;

use super::{Trial, Weighed, Weights, choose, kinds, natural, to_try};
use crate::question::Asked;
use crate::{Arrivals, Engine, Measure, Metric, Policy, Scenario, Sizes, Statistic, Workload};

const SEEDS: [u64; 2] = [1, 2];

fn asked() -> Asked<'static> {
    Asked { policy: Policy::LeastBusy, seeds: &SEEDS, threads: NonZeroUsize::MIN, done: &|| {} }
}

/// Four slots beside sixteen, of the same speed.
fn small_and_large() -> Scenario {
    let engine = |name: &str, slots| Engine { weight: Weight::ONE, ..Engine::new(name, slots, 1.0) };
    Scenario::new(
        vec![engine("small-1", 4), engine("large-1", 16), engine("small-2", 4), engine("large-2", 16)],
        Workload::Drawn {
            arrivals: Arrivals::Poisson { per_second: 0.9 * 40.0 },
            prompt_tokens: Sizes::Fixed(0.0),
            output_tokens: Sizes::Lognormal { mean: 1.0, sigma: 1.2 },
            requests: 20_000,
        },
    )
}

#[test]
fn kinds_are_told_apart_by_everything_but_the_name() {
    let found: Vec<_> = kinds(&small_and_large()).into_iter().map(|kind| (kind.name, kind.places)).collect();
    assert_eq!(found, [("small-1".to_owned(), vec![0, 2]), ("large-1".to_owned(), vec![1, 3])]);
}

#[test]
fn slots_of_one_speed_want_weights_like_their_number() {
    let mean_wait = Metric::Of(Measure::Wait, Statistic::Mean);
    let weights = Weights::best(&small_and_large(), mean_wait, &asked());
    let [large] = weights.kinds.as_slice() else { panic!("one kind but the first") };
    assert_eq!((large.kind.name.as_str(), large.as_given), ("large-1", 1.0));
    assert!((2.8..=5.7).contains(&large.best), "{} where the slots say 4; seeds {SEEDS:?}", large.best);
    assert!(large.as_good.0 <= large.best && large.best <= large.as_good.1);
    assert!(weights.best.mean < 0.2 * weights.as_given.mean, "{weights:?}");
    assert_eq!(large.tried.len(), 17);
    assert!(!large.is_at_edge() && !large.is_indifferent);
}

#[test]
fn a_fleet_of_one_kind_has_no_weight_to_choose() {
    let mut scenario = small_and_large();
    scenario.engines.truncate(1);
    let weights = Weights::best(&scenario, Metric::Of(Measure::Wait, Statistic::Mean), &asked());
    assert!(weights.kinds.is_empty());
    assert_eq!(weights.best, weights.as_given);
}

#[test]
fn the_weight_given_is_tried_too_and_stays_where_others_are_better_by_chance_alone() {
    let mut scenario = small_and_large();
    for place in [1, 3] {
        // Beside the steps, and as good as the slots' own 4.
        scenario.engines[place].weight = Weight::new(4.1).expect("more than 0");
    }
    let weights = Weights::best(&scenario, Metric::Of(Measure::Wait, Statistic::Mean), &asked());
    let [large] = weights.kinds.as_slice() else { panic!("one kind but the first") };
    assert_eq!(large.tried.len(), 18);
    assert!(large.tried.is_sorted_by(|(light, _), (heavy, _)| light < heavy));
    assert!(large.tried.contains(&(4.1, weights.as_given)));
    assert_eq!((large.best, weights.best), (4.1, weights.as_given), "{large:?}; seeds {SEEDS:?}");
}

#[test]
fn a_difference_is_judged_run_by_run() {
    let trial = |weight, figures: [f64; 3]| Trial { weight, figures: figures.to_vec() };
    // Runs differ by 10; the second weight is better by 0.1 in each, the third by luck in one.
    let given = trial(1.0, [10.0, 20.0, 30.0]);
    let steady = trial(2.0, [9.9, 19.9, 29.9]);
    let lucky = trial(3.0, [10.0, 20.0, 21.0]);
    assert_eq!(choose(&[given.clone(), steady.clone()], 1.0).weight, 2.0);
    assert_eq!(choose(&[given.clone(), lucky], 1.0).weight, 1.0);
    assert_eq!(choose(&[given, steady], 2.0).weight, 2.0);
}

#[test]
fn a_figure_that_is_none_is_never_the_best() {
    for nan in [f64::NAN, -f64::NAN] {
        let none = Trial { weight: 1.0, figures: vec![nan, 1.0] };
        let some = Trial { weight: 2.0, figures: vec![5.0, 6.0] };
        assert_eq!(choose(&[none.clone(), some.clone()], 2.0).weight, 2.0);
        assert_eq!(choose(&[none.clone(), some], 1.0).weight, 2.0, "any figure is better than none");
        assert_eq!(choose(&[none.clone(), none], 1.0).weight, 1.0);
    }
}

#[test]
fn errors_that_nobody_gets_leave_the_weight_as_given() {
    let mut scenario = small_and_large();
    if let Workload::Drawn { requests, .. } = &mut scenario.workload {
        *requests = 500;
    }
    let weights = Weights::best(&scenario, Metric::Errors, &asked());
    let [large] = weights.kinds.as_slice() else { panic!("one kind but the first") };
    assert!(large.is_indifferent);
    assert_eq!(large.best, 1.0);
}

#[test]
fn a_best_weight_at_the_edge_is_told_from_one_within() {
    let figures = |weight: f64| vec![weight, weight + 1.0, weight + 0.5];
    let tried: Vec<Trial> =
        [1.0, 2.0, 3.0].map(|weight| Trial { weight, figures: figures(weight) }).into_iter().collect();
    let kind = kinds(&small_and_large()).remove(1);
    let mut weighed =
        Weighed { kind, as_given: 2.0, best: 2.0, as_good: (2.0, 2.0), tried: vec![], is_indifferent: true };
    weighed.note(&tried, &tried[1]);
    assert!(!weighed.is_at_edge() && !weighed.is_indifferent);
    weighed.note(&tried, choose(&tried, 2.0));
    assert!(weighed.is_at_edge(), "lighter is better: {weighed:?}");
}

#[test]
fn the_search_begins_at_places_times_speed() {
    let mut scenario = small_and_large();
    scenario.engines[1].full_speed = 8;
    let large = kinds(&scenario).remove(1);
    assert_eq!(natural(&scenario, &large), 8.0, "16 slots, of which 8 at full speed");
    let weighed = Weighed {
        kind: large,
        as_given: 2.0,
        best: 2.0,
        as_good: (2.0, 2.0),
        tried: vec![],
        is_indifferent: false,
    };
    let weights = to_try(2.0, &weighed);
    assert_eq!((weights.len(), weights[0], weights[8], weights[16]), (17, 0.5, 2.0, 8.0));
}
