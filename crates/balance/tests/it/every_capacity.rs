//! All small histories of deployments whose speeds are known, none left out; and what becomes of a speed in trouble.

use std::time::Duration;

use leastbusy_balance::{Capacity, Fleet, Group, Member, Outcome, Pick, TieBreak, Weight};

use crate::every_history::{every_set, nothing, play};
use crate::model::{Plan, Seat};

/// A seat for each `(deployment, (places, speed), order)`.
fn plan(seats: &[(usize, (u32, u32), i64)]) -> Plan {
    let seat =
        |&(deployment, capacity, order)| Seat { deployment, weight: 1, order, capacity: Some(capacity) };
    Plan { seats: seats.iter().map(seat).collect(), tie_break: TieBreak::Random }
}

fn fleets() -> Vec<(usize, Vec<Plan>)> {
    let mut one_unknown = plan(&[(0, (1, 4), 0), (1, (2, 1), 0)]);
    one_unknown.seats[1].capacity = None;
    vec![
        (2, vec![plan(&[(0, (2, 1), 0), (1, (2, 1), 0)])]),
        (2, vec![plan(&[(0, (1, 4), 0), (1, (2, 1), 0)])]),
        // As fast as each other, but not as large; and nearly as fast, so that they share.
        (2, vec![plan(&[(0, (1, 1), 0), (1, (3, 1), 0)])]),
        (2, vec![plan(&[(0, (2, 20), 0), (1, (2, 19), 0)])]),
        (3, vec![plan(&[(0, (1, 4), 0), (1, (1, 4), 0), (2, (2, 1), 0)])]),
        (3, vec![plan(&[(0, (1, 1), 0), (1, (1, 9), 1), (2, (2, 4), 0)])]),
        (2, vec![one_unknown.clone()]),
        // Two groups over the same deployments, of which only one knows all speeds.
        (2, vec![plan(&[(0, (1, 4), 0), (1, (2, 1), 0)]), one_unknown]),
    ]
}

#[test]
fn every_history_of_picks_by_speed_keeps_the_books() {
    let histories =
        play(fleets(), TieBreak::Random, 8, nothing) + play(fleets(), TieBreak::First, 8, nothing);
    eprintln!("{histories} histories of picks by speed");
    assert!(50_000 < histories, "{histories} histories");
}

#[test]
fn every_history_of_retries_by_speed_keeps_the_books_and_spares_the_tried() {
    let histories =
        play(fleets(), TieBreak::Random, 4, every_set) + play(fleets(), TieBreak::First, 4, every_set);
    eprintln!("{histories} histories of picks by speed that were elsewhere before");
    assert!(50_000 < histories, "{histories} histories");
}

/// A group of deployments with so many places and such a speed.
fn group(capacities: &[(u32, f64)]) -> Group {
    let fleet = Fleet::new();
    let members = capacities.iter().map(|&(places, speed)| Member {
        capacity: Capacity::new(places, speed),
        ..Member::new(fleet.deploy(), Weight::ONE)
    });
    fleet.group(members.collect(), TieBreak::Random)
}

/// Which members so many picks fall on, one after the other, without an end.
fn order_of(group: &Group, picks: usize, now: Duration) -> Vec<usize> {
    let pick = |dice| group.pick(&Pick { dice, now, ..Pick::default() }).expect("nothing was tried");
    let leases: Vec<_> = (0..picks as u64).map(pick).collect();
    leases.iter().map(|lease| lease.member()).collect()
}

#[test]
fn free_places_on_the_fastest_go_first_and_then_the_place_that_is_free_soonest() {
    // Four times as fast: when all are taken, four wait at it before one waits at the other.
    let group = group(&[(2, 4.0), (2, 1.0)]);
    let order = order_of(&group, 9, Duration::ZERO);
    assert_eq!(order[..7], [0, 0, 1, 1, 0, 0, 0]);
    let counts = [0, 1].map(|member| order.iter().filter(|picked| **picked == member).count());
    assert_eq!(counts, [6, 3], "the fourth waits at either");
}

#[test]
fn a_deployment_that_fails_now_and_then_counts_as_slower() {
    let group = group(&[(4, 1.5), (4, 1.0)]);
    let now = Duration::from_secs(1);
    let mut failed = Vec::new();
    for dice in 0..4 {
        failed.push(group.pick(&Pick { dice, now, ..Pick::default() }).expect("nothing was tried"));
    }
    assert!(failed.iter().all(|lease| lease.member() == 0), "it is the faster one");
    failed.into_iter().for_each(|lease| {
        lease.end(Outcome::ServerError, now);
    });
    // Four phantoms until a typical answer would have ended, then 5 of 9 answers: 0.31 of its speed.
    assert_eq!(order_of(&group, 4, now), [1; 4]);
    let later = now + Duration::from_secs(2);
    assert_eq!(order_of(&group, 5, later), [1, 1, 1, 1, 0]);
    let forgotten = now + Duration::from_secs(20);
    assert_eq!(order_of(&group, 5, forgotten), [0, 0, 0, 0, 1]);
}

#[test]
fn a_known_capacity_is_a_positive_number_of_places_of_a_positive_finite_speed() {
    for (places, speed) in [(0, 1.0), (1, 0.0), (1, -1.0), (1, f64::NAN), (1, f64::INFINITY)] {
        assert_eq!(Capacity::new(places, speed), None, "{places} places of speed {speed}");
    }
    let capacity = Capacity::new(8, 50.0).expect("places and a speed");
    assert_eq!((capacity.places(), capacity.speed()), (8, 50.0));
}
