use std::time::Duration;

use super::{Sharing, View};
use crate::fleet::DeploymentIndex;
use crate::health::Answers;
use crate::others::{Seen, Told};

const DEPLOYMENT: DeploymentIndex = DeploymentIndex(0);

/// A fleet that began a while after the moment that its times count from.
const START: Duration = Duration::from_secs(1000);

/// What is told of the only deployment at `now`.
fn told(sharing: &mut Sharing, in_flight: u32, now: Duration) -> Option<Told> {
    let mut told = Vec::new();
    sharing.tell([(in_flight, Answers::default())].into_iter(), now, &mut told);
    assert!(told.len() <= 1);
    told.pop()
}

/// The arrivals told after so many seconds of `per_second` even picks, told every `interval`, from the fifteenth second on.
fn estimates(per_second: u32, interval: Duration, seconds: u32) -> Vec<f64> {
    let (mut sharing, mut estimates) = (Sharing::default(), Vec::new());
    let mut next_telling = START;
    for number in 0..per_second * seconds {
        let now = START + Duration::from_secs(1) * number / per_second;
        while next_telling <= now {
            let arrivals = told(&mut sharing, 0, next_telling).map_or(0.0, |told| told.arrivals);
            if START + Duration::from_secs(15) <= next_telling {
                estimates.push(arrivals);
            }
            next_telling += interval;
        }
        sharing.picked(DEPLOYMENT);
    }
    estimates
}

#[test]
fn steady_traffic_is_told_as_it_is_however_often_it_is_told() {
    for interval in [20, 50, 100, 1000].map(Duration::from_millis) {
        for per_second in [10, 37, 1000, 20_000] {
            let estimates = estimates(per_second, interval, 20);
            let off = estimates.iter().map(|told| (told / f64::from(per_second) - 1.0).abs());
            let worst = off.fold(0.0, f64::max);
            assert!(worst < 0.05, "{per_second} a second told each {interval:?}: off by {worst}");
        }
    }
}

#[test]
fn a_burst_is_forgotten_within_seconds() {
    let mut sharing = Sharing::default();
    told(&mut sharing, 0, START);
    (0..1000).for_each(|_| sharing.picked(DEPLOYMENT));
    let after = |sharing: &mut Sharing, seconds| {
        told(sharing, 0, START + Duration::from_secs(seconds)).map_or(0.0, |told| told.arrivals)
    };
    let at_once = after(&mut sharing, 1);
    assert!((200.0..1000.0).contains(&at_once), "{at_once}");
    assert!(after(&mut sharing, 10) < at_once / 15.0);
    assert_eq!(after(&mut sharing, 60), 0.0);
    assert_eq!(told(&mut sharing, 0, START + Duration::from_secs(61)), None, "there is nothing to tell");
}

#[test]
fn tellings_at_one_moment_or_out_of_order_change_nothing() {
    let (mut once, mut often) = (Sharing::default(), Sharing::default());
    for sharing in [&mut once, &mut often] {
        told(sharing, 0, START);
        (0..50).for_each(|_| sharing.picked(DEPLOYMENT));
    }
    // A clock read before the lock was taken, then the same moment again.
    for early in [START - Duration::from_millis(5), START, START] {
        told(&mut often, 0, early);
    }
    let later = START + Duration::from_secs(1);
    let [once, often] =
        [told(&mut once, 0, later), told(&mut often, 0, later)].map(|told| told.unwrap().arrivals);
    assert!((once / often - 1.0).abs() < 0.01, "{once} and {often}");
}

#[test]
fn what_is_told_is_what_is_there_now() {
    let mut sharing = Sharing::default();
    for in_flight in [3, 3, 1, 7] {
        assert_eq!(told(&mut sharing, in_flight, START).unwrap().in_flight, in_flight);
    }
    assert_eq!(told(&mut sharing, 0, START), None);
}

#[test]
fn a_view_takes_the_place_of_the_one_before() {
    let view = |deployment, in_flight| View {
        others: 1,
        deployments: vec![Seen {
            deployment: DeploymentIndex(deployment),
            in_flight,
            age: Duration::ZERO,
            arrivals: 1.0,
            answers: Answers::default(),
        }],
        ..View::default()
    };
    let mut sharing = Sharing::default();
    sharing.see(&view(2, 5));
    sharing.see(&view(1, 4));
    let in_flight = |at| sharing.others(DeploymentIndex(at)).in_flight;
    assert_eq!([0, 1, 2, 3].map(in_flight), [0, 4, 0, 0]);
    sharing.see(&View::default());
    assert!(sharing.view().is_none());
    assert_eq!(sharing.others(DeploymentIndex(1)).in_flight, 0);
}
