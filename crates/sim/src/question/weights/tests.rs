use std::num::NonZeroUsize;

use leastbusy_balance::Weight;

use super::{Weights, kinds};
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
}

#[test]
fn a_fleet_of_one_kind_has_no_weight_to_choose() {
    let mut scenario = small_and_large();
    scenario.engines.truncate(1);
    let weights = Weights::best(&scenario, Metric::Of(Measure::Wait, Statistic::Mean), &asked());
    assert!(weights.kinds.is_empty());
    assert_eq!(weights.best, weights.as_given);
}
