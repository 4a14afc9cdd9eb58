use std::time::Duration;

use super::{Scenario, pooled};
use crate::{Arrivals, Engine, Episode, Policy, Rules, Sizes, Trouble, Workload};

fn scenario(engines: Vec<Engine>) -> Scenario {
    let workload = Workload::Drawn {
        arrivals: Arrivals::Poisson { per_second: 3.5 },
        prompt_tokens: Sizes::Fixed(0.0),
        output_tokens: Sizes::Exponential { mean: 1.0 },
        requests: 2_000,
    };
    Scenario::new(engines, workload)
}

fn sharing(full_speed: u32) -> Engine {
    Engine { full_speed, ..Engine::new("shared", 100, 1.0) }
}

#[test]
fn the_same_seed_gives_the_same_report_and_another_seed_another() {
    let scenario = scenario(vec![Engine::new("one", 2, 1.0), Engine::new("other", 2, 1.0)]);
    for policy in Policy::ALL {
        assert_eq!(scenario.run(policy, 1), scenario.run(policy, 1));
        assert_ne!(scenario.run(policy, 1), scenario.run(policy, 2));
    }
}

#[test]
fn the_first_requests_are_served_but_not_counted() {
    let counted = |uncounted| {
        let scenario = Scenario { uncounted, ..scenario(vec![Engine::new("one", 8, 1.0)]) };
        scenario.run(Policy::LeastBusy, 1).requests()
    };
    assert_eq!([0.0, 0.15, 0.5, 1.0].map(counted), [2_000, 1_700, 1_000, 0]);
    let all = Scenario { uncounted: 0.0, ..scenario(vec![Engine::new("one", 4, 1.0)]) };
    let most = Scenario { uncounted: 0.5, ..all.clone() };
    // What is left out is the first half, not some of everything.
    let jobs = all.jobs(1);
    let [all, most] = [all, most].map(|one| one.replay(&jobs, Policy::LeastBusy, 1, None).waits);
    let sum = |waits: &crate::Times| waits.mean().as_secs_f64() * waits.count() as f64;
    assert!(sum(&most) < sum(&all) && most.count() == 1_000);
}

#[test]
fn the_bound_of_shared_speeds_is_one_engine_with_all_of_it() {
    let together = pooled(&[sharing(1), sharing(3)]).expect("alike but for their size");
    assert_eq!((together.slots, together.full_speed, together.places()), (200, 4, 4));
    let mixed = Engine { tokens_per_second: 2.0, ..sharing(1) };
    assert_eq!(pooled(&[sharing(1), mixed]), None);
    assert_eq!(pooled(&[sharing(1), Engine::new("slots", 4, 1.0)]), None);
    assert_eq!(pooled(&[]), None);
    let down = Episode { from: Duration::ZERO, until: Duration::from_secs(1), trouble: Trouble::Down };
    assert_eq!(pooled(&[Engine { episodes: vec![down], ..sharing(1) }]), None);
}

#[test]
fn nothing_fails_at_the_bound() {
    let full = Engine { requests_max: Some(2), ..sharing(2) };
    let mut scenario = scenario(vec![full.clone(), full]);
    scenario.rules = Rules { request_timeout: Some(Duration::from_secs(1)), ..Rules::default() };
    let report = scenario.run(Policy::CentralQueue, 1);
    assert_eq!((report.errors, report.retries, report.requests()), (0, 0, 1_700));
    assert!(0 < scenario.run(Policy::LeastBusy, 1).errors);
}

#[test]
fn one_that_fails_a_few_requests_does_not_weaken_the_bound() {
    let fleet =
        |episodes| vec![Engine { episodes, ..Engine::new("one", 2, 1.0) }, Engine::new("other", 2, 1.0)];
    let fails = Episode {
        from: Duration::ZERO,
        until: Duration::from_secs(1_000_000),
        trouble: Trouble::Fails { share: 0.01, after: Duration::ZERO },
    };
    let [well, failing] =
        [vec![], vec![fails]].map(|episodes| scenario(fleet(episodes)).run(Policy::CentralQueue, 1));
    assert_eq!(well, failing);
}

#[test]
fn capacity_is_known_of_drawn_requests_alone() {
    let drawn = scenario(vec![Engine::new("one", 8, 2.0), Engine::new("other", 1, 1.0)]);
    assert_eq!(drawn.capacity(), Some(17.0));
    assert_eq!(Scenario { workload: Workload::Trace(drawn.jobs(1)), ..drawn }.capacity(), None);
}
