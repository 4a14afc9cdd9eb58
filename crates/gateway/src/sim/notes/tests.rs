use std::time::Duration;

use leastbusy_sim::{Arrivals, Engine, Episode, Job, Policy, Scenario, Sizes, Trouble, Workload};

use super::{of, tell};
use crate::sim::Study;

fn study(engines: Vec<Engine>, workload: Workload) -> Study {
    Study {
        title: "a test".into(),
        scenario: Scenario::new(engines, workload),
        policies: vec![Policy::LeastBusy],
        seeds: vec![1],
        notes: Vec::new(),
    }
}

/// One slot that takes two seconds.
fn engine(name: &str) -> Engine {
    Engine::new(name, 1, 50.0)
}

fn drawn(per_second: f64, requests: usize) -> Workload {
    Workload::Drawn {
        arrivals: Arrivals::Poisson { per_second },
        prompt_tokens: Sizes::Fixed(0.0),
        output_tokens: Sizes::Fixed(100.0),
        requests,
    }
}

fn trace(seconds: &[u64]) -> Workload {
    let job = |seconds: &u64| Job {
        arrival: Duration::from_secs(*seconds),
        prompt_tokens: 0.0,
        output_tokens: 100.0,
    };
    Workload::Trace(seconds.iter().map(job).collect())
}

#[test]
fn more_than_the_deployments_can_do_is_told_of_a_trace_too() {
    let told = |workload| of(&study(vec![engine("a")], workload));
    let overload = |percent: u32| {
        [format!(
            "this is {percent} % of what the deployments can do: the queue grows as long as the run lasts"
        )]
    };
    assert_eq!(told(drawn(0.4, 10)), [""; 0]);
    assert_eq!(told(drawn(0.5, 10)), overload(100));
    assert_eq!(told(drawn(1.5, 10)), overload(300));
    assert_eq!(told(trace(&[0, 3, 6])), [""; 0]);
    assert_eq!(told(trace(&[0, 1, 2])), overload(200));
}

#[test]
fn notes_are_told_a_line_each() {
    let mut out = Vec::new();
    tell(&["one".into(), "two".into()], &mut out);
    assert_eq!(out, b"note: one\nnote: two\n");
}

#[test]
fn requests_of_one_moment_have_no_rate() {
    let notes = of(&study(vec![engine("a")], trace(&[0, 0])));
    assert_eq!(notes, ["all 2 requests come at one moment, so that they have no rate"]);
    assert_eq!(of(&study(vec![engine("a")], trace(&[0]))), [""; 0]);
}

#[test]
fn a_trouble_after_the_last_request_is_told_with_its_deployments() {
    let (from, until) = (Duration::from_secs(60), Duration::from_secs(90));
    let ill = |name: &str| Engine {
        episodes: vec![Episode { from, until, trouble: Trouble::Down }],
        ..engine(name)
    };
    let engines = || ["a", "b", "c", "d"].map(ill).into_iter().chain([engine("e")]).collect::<Vec<_>>();
    assert_eq!(of(&study(engines(), drawn(1.0, 61))), [""; 0]);
    assert_eq!(
        of(&study(engines(), drawn(1.0, 50))),
        ["the trouble of a, b, c and 1 more after 60 s is not seen: the last request comes after about 50 s"]
    );
    assert_eq!(
        of(&study(vec![ill("a")], trace(&[0, 59]))),
        ["the trouble of a after 60 s is not seen: the last request comes after about 59 s"]
    );
}
