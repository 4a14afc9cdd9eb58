use std::num::NonZeroUsize;
use std::time::Duration;

use super::{Several, Shared};
use crate::question::Asked;
use crate::{
    Arrivals, Engine, Instances, Measure, Metric, Policy, Scenario, Sizes, Spread, Statistic, Workload,
};

const MEAN_WAIT: Metric = Metric::Of(Measure::Wait, Statistic::Mean);

fn scenario() -> Scenario {
    let workload = Workload::Drawn {
        arrivals: Arrivals::Poisson { per_second: 0.9 * 32.0 },
        prompt_tokens: Sizes::Fixed(0.0),
        output_tokens: Sizes::Exponential { mean: 1.0 },
        requests: 4_000,
    };
    Scenario::new((0..8).map(|number| Engine::new(number.to_string(), 4, 1.0)).collect(), workload)
}

fn tried(scenario: &Scenario, counts: &[u32], milliseconds: &[u64]) -> Several {
    let asked = Asked {
        policy: Policy::LeastBusy,
        seeds: &[1, 2, 3],
        threads: NonZeroUsize::new(2).unwrap(),
        done: &|| (),
    };
    let intervals: Vec<_> = milliseconds.iter().copied().map(Duration::from_millis).collect();
    Several::tried(scenario, counts, &intervals, MEAN_WAIT, &asked)
}

#[test]
fn intervals_stand_in_their_order_and_nothing_shared_comes_last() {
    let several = tried(&scenario(), &[2, 9], &[500, 20, 500]);
    let every: Vec<_> = several.shared.iter().map(|shared| shared.every).collect();
    assert_eq!(every, [Some(Duration::from_millis(20)), Some(Duration::from_millis(500)), None]);
    assert!(several.shared.iter().all(|shared| shared.estimates.len() == 2));
}

#[test]
fn the_less_is_shared_and_the_more_they_are_the_longer_requests_wait() {
    let several = tried(&scenario(), &[2, 16], &[20]);
    let [Shared { estimates: often, .. }, Shared { estimates: nothing, .. }] = &several.shared[..] else {
        panic!("{several:?}")
    };
    assert!(several.alone.mean < often[1].mean && often[1].mean < nothing[1].mean, "{several:?}");
    assert!(nothing[0].mean < nothing[1].mean, "{several:?}");
}

#[test]
fn one_instance_is_the_same_whatever_is_shared() {
    let instances = Instances { spread: Spread::Runs(0.5), ..Instances::sharing(7, None) };
    let several = tried(&Scenario { instances, ..scenario() }, &[1], &[20]);
    assert!(several.shared.iter().all(|shared| shared.estimates == [several.alone]), "{several:?}");
}
