use std::cell::Cell;
use std::num::NonZeroUsize;

use std::time::Duration;

use super::{Replicas, Target, Tried};
use crate::question::Asked;
use crate::{
    Arrivals, Engine, Episode, Estimate, Measure, Metric, Policy, Scenario, Sizes, Statistic, Trouble,
    Workload,
};

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

#[test]
fn a_fleet_that_cannot_bear_the_load_is_never_enough() {
    // A target that every fleet reaches, and a run that ends before the queue is long.
    let target = Target { metric: MEAN_WAIT, most: 1e9 };
    let short = |per_second| {
        let mut scenario = one_slot_each(per_second);
        if let Workload::Drawn { requests, .. } = &mut scenario.workload {
            *requests = 200;
        }
        scenario
    };
    for per_second in [8.0, 9.5] {
        let replicas = Replicas::needed(&short(per_second), 0, target, 8, &asked(Policy::LeastBusy));
        assert_eq!((replicas.needed, replicas.least), (None, None), "{per_second} a second on 8 at most");
        let [Tried { count: 8, load, .. }] = replicas.tried[..] else { panic!("{:?}", replicas.tried) };
        assert!((load.expect("drawn") - per_second / 8.0).abs() < 1e-9);
    }
    let replicas = Replicas::needed(&short(7.9), 0, target, 8, &asked(Policy::LeastBusy));
    assert_eq!((replicas.needed, replicas.least), (Some(8), Some(8)));
}

#[test]
fn a_figure_that_is_none_reaches_no_target() {
    let target = Target { metric: MEAN_WAIT, most: 1.0 };
    let tried = |figures: &[f64]| Tried { count: 1, estimate: Estimate::of(figures), load: None };
    assert!(tried(&[0.5, 0.5]).reaches(target));
    assert!(!tried(&[0.5, f64::NAN]).reaches(target));
    assert!(!tried(&[f64::NAN]).reaches(target));
}

#[test]
fn those_with_troubles_of_their_own_stay_and_copies_have_none() {
    let mut scenario = one_slot_each(4.0);
    let down = Episode { from: Duration::ZERO, until: Duration::from_secs(9), trouble: Trouble::Down };
    let ill = |name: &str| Engine { episodes: vec![down.clone()], ..Engine::new(name, 1, 1.0) };
    scenario.engines.extend([ill("vllm-2"), Engine::new("vllm-3", 1, 1.0)]);
    let fleet = |place| -> Vec<(String, bool)> {
        let engines = super::with(&scenario, place, 2).engines;
        engines.into_iter().map(|engine| (engine.name, engine.episodes.is_empty())).collect()
    };
    let well = |name: &str, is_well| (name.to_owned(), is_well);
    assert_eq!(fleet(0), [well("vllm-2", false), well("vllm-1", true), well("vllm-3", true)]);
    assert_eq!(fleet(1), [well("vllm-1", true), well("vllm-2", true)], "named itself, it is a model as well");

    let target = Target { metric: MEAN_WAIT, most: 1.0 };
    let troubled = |place| Replicas::needed(&scenario, place, target, 8, &asked(Policy::LeastBusy)).troubled;
    assert_eq!(troubled(0), ["vllm-2"]);
    assert_eq!(troubled(1), Vec::<String>::new());
}
