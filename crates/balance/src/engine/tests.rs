use std::time::Duration;

use super::{EngineReport, Fading};
use crate::fleet::{DeploymentIndex, Fleet};
use crate::group::{Member, TieBreak};
use crate::load::Weight;
use crate::pick::Pick;

const THREE: Duration = Duration::from_secs(3);

fn at(millis: u64) -> Duration {
    Duration::from_secs(100) + Duration::from_millis(millis)
}

fn report(requests: u32) -> EngineReport {
    EngineReport { requests, at_least: false, in_flight_before: 0, kv_use: None, fades_after: THREE }
}

fn elsewhere(fleet: &Fleet, deployment: DeploymentIndex, now: Duration) -> f64 {
    fleet.engine_load(deployment, now).expect("it has told").requests_elsewhere
}

#[test]
fn a_report_counts_in_full_for_a_third_of_its_time_and_then_fades_evenly() {
    let fading = Fading::new(8.0, THREE, at(0));
    let told = [0, 500, 1000, 1250, 2000, 2750, 3000, 9000].map(|millis| fading.left(at(millis)));
    assert_eq!(told, [8.0, 8.0, 8.0, 7.0, 4.0, 1.0, 0.0, 0.0]);
    // The caller's clock may be a little late.
    assert_eq!(fading.left(at(0) - Duration::from_secs(1)), 8.0);
}

#[test]
fn what_is_left_never_rises_and_is_never_less_than_nothing() {
    let spans = [0, 1, 2, 3, 7, 100, 3_000, 180_000].map(Duration::from_millis);
    for fades_after in spans.into_iter().chain([Duration::from_nanos(1), Duration::MAX]) {
        for number in [0.0, 0.3, 1.0, 4e9] {
            let fading = Fading::new(number, fades_after, at(0));
            let left: Vec<f64> = (0..=4_000).map(|millis| fading.left(at(millis))).collect();
            assert!(left.windows(2).all(|pair| pair[1] <= pair[0]), "{number} over {fades_after:?}");
            assert!(left.iter().all(|left| (0.0..=number).contains(left)), "{number} over {fades_after:?}");
            let end = fading.left(at(0).saturating_add(fades_after));
            assert!(end == 0.0 || fades_after == Duration::MAX, "{number} over {fades_after:?}: {end}");
        }
    }
}

#[test]
fn only_what_is_not_known_here_came_from_elsewhere() {
    for own in 0..4_u32 {
        for before in 0..4 {
            for requests in (0..6).chain([u32::MAX]) {
                let fleet = Fleet::new();
                let one = fleet.deploy();
                let group = fleet.group(vec![Member::new(one, Weight::ONE)], TieBreak::Random);
                let _leases: Vec<_> =
                    (0..own).map(|_| group.pick(&Pick { now: at(0), ..Pick::default() }).unwrap()).collect();
                let told = EngineReport { in_flight_before: before, ..report(requests) };
                fleet.see_engine(one, &told, at(0));
                let expected = f64::from(requests) - f64::from(own.max(before));
                assert_eq!(elsewhere(&fleet, one, at(0)), expected.max(0.0), "{requests} of {own}, {before}");
            }
        }
    }
}

#[test]
fn a_report_takes_the_place_of_the_last_one_unless_it_tells_only_a_part() {
    let fleet = Fleet::new();
    let one = fleet.deploy();
    let part = |requests| EngineReport { at_least: true, kv_use: Some(0.5), ..report(requests) };
    fleet.see_engine(one, &report(6), at(0));
    fleet.see_engine(one, &part(2), at(500));
    assert_eq!(elsewhere(&fleet, one, at(500)), 6.0);
    assert_eq!(elsewhere(&fleet, one, at(2000)), 3.0, "it goes on fading");
    assert_eq!(fleet.engine_load(one, at(2000)).unwrap().kv_use, Some(0.375));
    assert_eq!(fleet.engine_load(one, at(2000)).unwrap().age, Duration::from_millis(1500));
    fleet.see_engine(one, &part(4), at(2000));
    assert_eq!(elsewhere(&fleet, one, at(3000)), 4.0, "more than is left counts");
    fleet.see_engine(one, &report(1), at(3000));
    assert_eq!(elsewhere(&fleet, one, at(3000)), 1.0);
    fleet.see_engine(one, &report(0), at(3000));
    assert_eq!(elsewhere(&fleet, one, at(3000)), 0.0);
}

#[test]
fn the_use_of_a_cache_is_a_part_of_it_or_unknown() {
    let fleet = Fleet::new();
    let one = fleet.deploy();
    assert_eq!(fleet.engine_load(one, at(0)), None);
    let told = [None, Some(f64::NAN), Some(0.25), Some(-1.0), Some(f64::INFINITY), Some(f64::NAN), None];
    let seen = told.map(|kv_use| {
        fleet.see_engine(one, &EngineReport { kv_use, ..report(0) }, at(0));
        fleet.engine_load(one, at(0)).unwrap().kv_use
    });
    assert_eq!(seen, [None, None, Some(0.25), Some(0.0), Some(1.0), Some(1.0), Some(1.0)]);
    assert_eq!(fleet.engine_load(one, at(3000)).unwrap().kv_use, None, "it has faded");
}
