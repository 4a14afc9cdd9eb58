//! Limits on requests in flight: alone, beside other instances, and counted elsewhere.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use leastbusy_balance::{
    Answers, Fleet, Group, GroupRules, Lease, Member, Outcome, Pick, Refusal, Seen, TieBreak, View, Weight,
};

const NOW: Duration = Duration::from_secs(5);

/// A group of members with these limits, 0 for none; the last is on a level of its own.
fn group(limits: &[u32]) -> (Arc<Fleet>, Group) {
    let fleet = Fleet::new();
    let last = limits.len() - 1;
    let member = |(at, limit): (usize, &u32)| Member {
        limit: NonZeroU32::new(*limit),
        order: i64::from(at == last),
        ..Member::new(fleet.deploy(), Weight::ONE)
    };
    let members = limits.iter().enumerate().map(member).collect();
    let group = fleet.group(members, TieBreak::Random);
    (fleet, group)
}

fn at(dice: u64) -> Pick<'static> {
    Pick { dice, now: NOW, ..Pick::default() }
}

/// Picks until nobody can be picked, and why that is.
fn fill(group: &Group) -> (Vec<Lease>, Refusal) {
    let mut leases = Vec::new();
    for dice in 0..100 {
        match group.pick(&at(dice)) {
            Ok(lease) => leases.push(lease),
            Err(refusal) => return (leases, refusal),
        }
    }
    panic!("there is no end: {}", leases.len());
}

/// The others have told of so many requests on each member.
fn others(fleet: &Fleet, group: &Group, in_flight: &[u32]) {
    let seen = |(member, in_flight): (&Member, &u32)| Seen {
        deployment: member.deployment,
        in_flight: *in_flight,
        age: Duration::ZERO,
        arrivals: 0.0,
        answers: Answers::default(),
    };
    let deployments = group.members().iter().zip(in_flight).map(seen).collect();
    fleet.see(View { at: NOW, others: 1, deployments, ..View::default() }, NOW);
}

#[test]
fn nobody_gets_more_than_its_limit_and_a_higher_level_takes_over() {
    let (fleet, group) = group(&[2, 3, 1]);
    let (mut leases, refusal) = fill(&group);
    assert_eq!((fleet.snapshot(), refusal), (vec![2, 3, 1], Refusal::AllFull));
    assert_eq!(leases[5].member(), 2, "the other level comes last");
    let freed = leases.swap_remove(0).member();
    assert_eq!(group.pick(&at(7)).expect("a free place").member(), freed);
}

#[test]
fn a_limit_holds_while_somebody_fails() {
    let (fleet, group) = group(&[2, 2, 2]);
    group.pick(&at(1)).expect("idle").end(Outcome::ServerError, NOW);
    let (leases, refusal) = fill(&group);
    assert_eq!((fleet.snapshot(), refusal), (vec![2, 2, 2], Refusal::AllFull));
    drop(leases);
    // Full matters only of those that the request was not on.
    let [a, b, c] = [0, 1, 2].map(|at| group.members()[at].deployment);
    let hold: Vec<_> =
        (0..2).map(|dice| group.pick(&Pick { tried: &[b, c], ..at(dice) }).expect("free")).collect();
    let refused = |tried: &[_]| group.pick(&Pick { tried, ..at(1) }).map(|_| ()).unwrap_err();
    assert_eq!(refused(&[b, c]), Refusal::AllFull);
    assert_eq!(refused(&[a, b, c]), Refusal::AllTried { untried: 0, soonest: None });
    drop(hold);
}

#[test]
fn one_that_rests_is_not_forced_beyond_its_limit() {
    let (_, group) = group(&[1, 0]);
    let lease = group.pick(&at(1)).expect("idle");
    let pick = Pick { even_resting: true, tried: &[group.members()[1].deployment], ..at(1) };
    assert_eq!(group.pick(&pick).map(|_| ()).unwrap_err(), Refusal::AllFull);
    drop(lease);
    group.pick(&at(1)).expect("idle").end(Outcome::ConnectionFailed, NOW);
    assert_eq!(group.pick(&pick).expect("it may be forced").member(), 0);
}

#[test]
fn what_others_told_counts_softly_and_own_requests_hard() {
    let (fleet, group) = group(&[3, 3, 0]);
    others(&fleet, &group, &[2, 0, 9]);
    let order: Vec<_> = (0..4).map(|dice| group.pick(&at(dice)).expect("not full")).collect();
    let own: Vec<_> = order.iter().map(Lease::member).collect();
    assert_eq!(own.iter().filter(|member| **member == 0).count(), 1, "{own:?}: it seems full with 2 + 1");
    assert_eq!(own.iter().filter(|member| **member == 1).count(), 3, "{own:?}");
    assert_eq!(
        group.pick(&at(9)).expect("soft").member(),
        0,
        "nobody else on this level is below its own limit"
    );
    drop(order);
    others(&fleet, &group, &[3, 3, 9]);
    assert_ne!(group.pick(&at(9)).expect("soft").member(), 2, "no other level for what may be wrong");
}

#[test]
fn who_seems_full_is_left_out_only_while_the_others_have_room_for_what_is_not_seen() {
    let of_the_first = |arrivals: f64, age: Duration| {
        let (fleet, group) = group(&[8, 8, 8]);
        let seen = |(member, in_flight): (&Member, u32)| Seen {
            deployment: member.deployment,
            in_flight,
            age,
            arrivals,
            answers: Answers::default(),
        };
        let deployments = group.members().iter().zip([8, 7, 0]).map(seen).collect();
        fleet.see(View { at: NOW, age, others: 3, deployments, ..View::default() }, NOW);
        let firsts =
            (0..100).filter(|dice| group.pick(&at(*dice)).expect("below its own limit").member() == 0);
        firsts.count()
    };
    assert_eq!(of_the_first(16.0, Duration::ZERO), 0, "nothing is unseen, and there is a free place");
    let many = of_the_first(16.0, Duration::from_secs(1));
    assert!(many > 20, "{many}: a dozen requests of others have come to one free place");
}

#[test]
fn those_that_may_be_chosen_come_in_classes() {
    let (fleet, group) = group(&[3, 0, 2]);
    others(&fleet, &group, &[3, 0, 0]);
    let eligible = group.eligible(&at(1)).expect("all are well");
    let told: Vec<_> =
        eligible.iter().map(|one| (one.member, one.class, one.limit.map(NonZeroU32::get))).collect();
    assert_eq!(told, [(0, 0, Some(3)), (1, 0, None), (2, 1, Some(2))], "what others told does not count");
    assert_eq!(fleet.snapshot(), [0, 0, 0]);
    let leases: Vec<_> = (0..4).map(|_| group.pick_exactly(&at(1), 0).expect("counted elsewhere")).collect();
    assert_eq!(fleet.snapshot(), [4, 0, 0]);
    drop(leases);
    let tried = Pick { tried: &[group.members()[0].deployment], ..at(1) };
    assert!(group.pick_exactly(&tried, 0).is_none());
}

#[test]
fn one_that_has_come_to_rest_meanwhile_is_not_picked_exactly() {
    let (_, group) = group(&[1, 0]);
    let until = group.pick(&at(1)).expect("idle").end(Outcome::ConnectionFailed, NOW).expect("it rests");
    assert!(group.pick_exactly(&at(1), 0).is_none());
    assert!(group.pick_exactly(&Pick { even_resting: true, ..at(1) }, 0).is_some());
    // Of those who were told that it may be probed one does it.
    let later = Pick { now: until, ..at(1) };
    let probe = group.pick_exactly(&later, 0).expect("its rest is over");
    assert!(probe.is_probe());
    assert!(group.pick_exactly(&later, 0).is_none());
}

/// One deployment with a limit, below a cap.
fn capped(limit: u32, cap: f64) -> (Arc<Fleet>, Group) {
    let fleet = Fleet::new();
    let member = Member { limit: NonZeroU32::new(limit), ..Member::new(fleet.deploy(), Weight::ONE) };
    let rules = GroupRules { cap_of_all: Some(cap), ..GroupRules::default() };
    let group = fleet.group(vec![member], rules);
    (fleet, group)
}

#[test]
fn a_cap_of_all_holds_back_what_the_others_have_filled() {
    for (cap, told, own) in [(1.0, 4, 0), (1.0, 3, 1), (1.5, 5, 1), (1.5, 6, 0), (2.0, 6, 1), (4.0, 0, 4)] {
        let (fleet, group) = capped(4, cap);
        others(&fleet, &group, &[told]);
        let (leases, refusal) = fill(&group);
        assert_eq!((leases.len(), refusal), (own, Refusal::AllFull), "cap {cap}, {told} of others");
    }
}

#[test]
fn one_view_gives_an_instance_its_part_of_the_places() {
    let (fleet, group) = capped(8, 1.5);
    others(&fleet, &group, &[2]);
    let (mut leases, _) = fill(&group);
    assert_eq!(leases.len(), 5, "half of the ten that are left below twelve; the other instance has as many");
    leases.truncate(3);
    assert_eq!(fill(&group).0.len(), 2, "its own places are free again");
    others(&fleet, &group, &[2]);
    leases.extend(fill(&group).0);
    assert_eq!(leases.len(), 3 + 4, "half of the seven that the next view shows");
    others(&fleet, &group, &[6]);
    leases.pop();
    assert_eq!(fill(&group).0.len(), 0, "with what the others have begun there are more than twelve");
}

#[test]
fn sixteen_instances_overrun_a_cap_by_one_request_each_at_most() {
    let instances: Vec<_> = (0..16).map(|_| capped(8, 1.5)).collect();
    let mut leases = Vec::new();
    for (rank, (fleet, group)) in (0..).zip(&instances) {
        // All see it idle.
        fleet.see(View { at: NOW, others: 15, rank, ..View::default() }, NOW);
        leases.extend(fill(group).0);
    }
    assert_eq!(leases.len(), 16, "twelve were free, and nobody is told that there is nothing for it");
}

#[test]
fn twice_as_many_may_usually_wait_as_can_be_served() {
    for (limits, usual) in [(&[3, 0, 2][..], 10), (&[0, 0], 100), (&[u32::MAX, 1], u32::MAX)] {
        assert_eq!(group(limits).1.usual_queue(), usual, "{limits:?}");
    }
}
