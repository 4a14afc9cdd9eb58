use std::cell::Cell;
use std::num::NonZeroUsize;

use super::{Replicas, Target};
use crate::question::Asked;
use crate::{Arrivals, Engine, Measure, Metric, Policy, Scenario, Sizes, Statistic, Workload};

const SEEDS: [u64; 3] = [1, 2, 3];
const MEAN_WAIT: Metric = Metric::Of(Measure::Wait, Statistic::Mean);

fn asked(policy: Policy) -> Asked<'static> {
    Asked { policy, seeds: &SEEDS, threads: NonZeroUsize::MIN, done: &|| {} }
}

/// One slot each, exponential answers of a second: with one queue before all, M/M/c.
fn one_slot_each(per_second: f64) -> Scenario {
    let tokens = Sizes::Exponential { mean: 1.0 };
    Scenario::new(
        vec![Engine::new("vllm-1", 1, 1.0)],
        Workload::Drawn {
            arrivals: Arrivals::Poisson { per_second },
            prompt_tokens: Sizes::Fixed(0.0),
            output_tokens: tokens,
            requests: 40_000,
        },
    )
}

#[test]
fn the_number_is_the_one_that_erlang_would_have_given() {
    // Erlang's C formula for 4 a second: a mean wait of 0.55 s with 5 servers, 0.14 s with 6 and 0.045 s with 7.
    let target = Target { metric: MEAN_WAIT, most: 0.1 };
    let replicas = Replicas::needed(&one_slot_each(4.0), 0, target, 100, &asked(Policy::CentralQueue));
    assert_eq!((replicas.least, replicas.needed), (Some(5), Some(7)), "seeds {SEEDS:?}");
    let seven = replicas.tried.iter().find(|tried| tried.count == 7).expect("it was tried");
    assert!((seven.load.expect("drawn") - 4.0 / 7.0).abs() < 1e-9);
    assert!(replicas.tried.is_sorted_by_key(|tried| tried.count));
}

#[test]
fn what_no_number_reaches_has_no_answer_and_ends() {
    let mean_response = Metric::Of(Measure::Response, Statistic::Mean);
    let target = Target { metric: mean_response, most: 0.5 };
    let runs = Cell::new(0);
    let replicas = Replicas::needed(&one_slot_each(4.0), 0, target, 20, &asked(Policy::LeastBusy));
    runs.set(replicas.tried.len());
    assert_eq!(replicas.needed, None);
    assert_eq!(replicas.tried.last().map(|tried| tried.count), Some(20));
    assert!(runs.get() < 8, "doubling tries few numbers");
}

#[test]
fn other_deployments_stay_and_the_new_ones_are_named_in_a_row() {
    let mut scenario = one_slot_each(4.0);
    scenario.engines.push(Engine::new("large", 4, 1.0));
    scenario.engines.push(Engine::new("vllm-2", 1, 1.0));
    let names = |count| -> Vec<String> {
        super::with(&scenario, 0, count).engines.into_iter().map(|engine| engine.name).collect()
    };
    assert_eq!(names(3), ["large", "vllm-1", "vllm-2", "vllm-3"]);
    assert_eq!(names(1), ["large", "vllm-1"]);
}
