use std::time::Duration;

use super::{FENCED, InstanceId, Roster};
use crate::fleet::DeploymentIndex;
use crate::health::Answers;
use crate::others::{Told, View};

const LEASE: Duration = Duration::from_secs(2);
const INTERVAL: Duration = Duration::from_millis(20);

fn secs(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

fn told(deployment: u32, in_flight: u32) -> Told {
    Told { deployment: DeploymentIndex(deployment), in_flight, arrivals: 0.0, answers: Answers::default() }
}

/// In flight on each deployment that anything was told of.
fn counts(view: &View) -> Vec<(u32, u32)> {
    view.deployments.iter().map(|seen| (seen.deployment.0, seen.in_flight)).collect()
}

#[test]
fn a_lower_or_the_same_number_is_no_news() {
    let mut roster = Roster::new(InstanceId(1), LEASE);
    for (number, in_flight, counted) in [(5, 3, 3), (4, 9, 3), (5, 9, 3), (6, 1, 1), (5, 9, 1)] {
        roster.heard(InstanceId(2), number, INTERVAL, vec![told(0, in_flight)], secs(10.0));
        assert_eq!(counts(&roster.view(secs(10.0))), [(0, counted)], "after number {number}");
    }
}

#[test]
fn what_one_that_is_gone_had_told_does_not_come_back() {
    // A replica that lags behind shows it again after its lease, or after it left.
    for leaves in [false, true] {
        let mut roster = Roster::new(InstanceId(1), LEASE);
        roster.heard(InstanceId(2), 5, INTERVAL, vec![told(0, 3)], secs(10.0));
        if leaves {
            roster.gone(InstanceId(2));
        }
        for (after, number) in [(12.0, 5), (12.1, 4), (3000.0, 5)] {
            roster.view(secs(after));
            assert!(!roster.is_news(InstanceId(2), number));
            roster.heard(InstanceId(2), number, INTERVAL, vec![told(0, 3)], secs(after));
            let view = roster.view(secs(after));
            assert_eq!((view.others, counts(&view)), (0, vec![]), "{after} s, number {number}");
        }
        // It was only paused, and wakes.
        roster.heard(InstanceId(2), 6, INTERVAL, vec![told(0, 4)], secs(3001.0));
        assert_eq!(counts(&roster.view(secs(3001.0))), [(0, 4)]);
    }
}

#[test]
fn those_who_are_gone_for_long_leave_nothing_behind() {
    let mut roster = Roster::new(InstanceId(1), LEASE);
    for id in 2..1000 {
        roster.heard(InstanceId(id), 1, INTERVAL, vec![told(0, 1)], secs(10.0));
    }
    roster.view(secs(10.0) + LEASE);
    assert_eq!((roster.instances.len(), roster.fences.len()), (0, 998));
    roster.view(secs(10.0) + LEASE + FENCED);
    assert_eq!(roster.fences.len(), 0);
}

#[test]
fn a_telling_counts_until_its_lease_has_passed_here() {
    let mut roster = Roster::new(InstanceId(1), LEASE);
    roster.heard(InstanceId(2), 1, INTERVAL, vec![told(0, 3)], secs(10.0));
    assert_eq!(roster.view(secs(11.999)).others, 1);
    assert_eq!(roster.view(secs(12.0)), View { at: secs(12.0), ..View::default() });
}

#[test]
fn the_own_telling_is_not_another_instances() {
    let mut roster = Roster::new(InstanceId(1), LEASE);
    roster.heard(InstanceId(1), 7, INTERVAL, vec![told(0, 3)], secs(10.0));
    assert_eq!(roster.view(secs(10.0)).others, 0);
}

#[test]
fn the_rank_is_the_number_of_names_before_ones_own() {
    let names = [4, 9, 12, 700];
    for (rank, own) in names.into_iter().enumerate() {
        let mut roster = Roster::new(InstanceId(own), LEASE);
        for other in names {
            roster.heard(InstanceId(other), 1, INTERVAL, Vec::new(), secs(1.0));
        }
        let view = roster.view(secs(1.0));
        assert_eq!((view.rank as usize, view.others), (rank, 3));
        let ids: Vec<_> = roster.ids().map(|id| id.0).collect();
        assert_eq!(ids, names.into_iter().filter(|name| *name != own).collect::<Vec<_>>());
    }
}

#[test]
fn ages_count_half_an_interval_and_are_weighed_by_requests() {
    let mut roster = Roster::new(InstanceId(1), LEASE);
    // 9 requests told 1 s ago by one that tells each 200 ms, 1 request told now by one that tells each 400 ms.
    roster.heard(InstanceId(2), 1, secs(0.2), vec![told(0, 9), told(1, 1)], secs(9.0));
    roster.heard(InstanceId(3), 1, secs(0.4), vec![told(0, 1)], secs(10.0));
    let view = roster.view(secs(10.0));
    assert!(view.age.abs_diff(secs((1.1 + 0.2) / 2.0)) < secs(1e-9), "{:?}", view.age);
    let ages: Vec<_> = view.deployments.iter().map(|seen| seen.age.as_secs_f64()).collect();
    assert!((ages[0] - (9.0 * 1.1 + 0.2) / 10.0).abs() < 1e-9, "{ages:?}");
    assert!((ages[1] - 1.1).abs() < 1e-9, "{ages:?}");
    let known: Vec<_> =
        roster.known(secs(10.5)).map(|known| (known.id.0, known.age, known.in_flight)).collect();
    assert_eq!(known, [(2, secs(1.5), 10), (3, secs(0.5), 1)]);
}
