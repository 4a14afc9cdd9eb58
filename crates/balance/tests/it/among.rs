//! Picks among some members only, and picks that prefer one.

use std::sync::Arc;
use std::time::Duration;

use leastbusy_balance::{
    Fleet, Group, Lease, Member, Outcome, Pick, Preference, Refusal, Strategy, TieBreak, Weight,
};

const NOW: Duration = Duration::from_secs(5);

fn group(weights: &[f64]) -> (Arc<Fleet>, Group) {
    let fleet = Fleet::new();
    let member =
        |weight: &f64| Member::new(fleet.deploy(), Weight::new(*weight).expect("a weight of the test"));
    let members = weights.iter().map(member).collect();
    let group = fleet.group(members, TieBreak::Random);
    (fleet, group)
}

fn at(dice: u64) -> Pick<'static> {
    Pick { dice, now: NOW, ..Pick::default() }
}

#[test]
fn members_that_are_left_out_get_nothing_by_any_strategy() {
    let (fleet, group) = group(&[1.0, 1.0, 1.0]);
    for group in [group.clone(), group.with_strategy(Strategy::Shuffle)] {
        let among = [false, true, true];
        let leases: Vec<_> = (0..40)
            .map(|dice| group.pick(&Pick { among: Some(&among), ..at(dice) }).expect("two are left"))
            .collect();
        assert_eq!(fleet.snapshot()[0], 0);
        drop(leases);
    }
}

#[test]
fn with_nobody_left_the_group_is_as_good_as_empty() {
    let (_, group) = group(&[1.0, 1.0]);
    let nobody = [false, false];
    let refusal = group.pick(&Pick { among: Some(&nobody), ..at(1) }).map(|_| ()).unwrap_err();
    assert_eq!(refusal, Refusal::Empty);
    // The same when somebody is ill, which is found out another way.
    group.pick(&at(1)).expect("idle").end(Outcome::ServerError, NOW);
    let refusal = group.pick(&Pick { among: Some(&nobody), ..at(1) }).map(|_| ()).unwrap_err();
    assert_eq!(refusal, Refusal::Empty);
}

/// Sends all requests to the first member if its load allows it, and says how many it got after each.
fn all_to_the_first(group: &Group, bound: f64, requests: u64) -> (Vec<Lease>, Vec<u32>) {
    let preferred = group.members()[0].deployment;
    let prefer = Some(Preference { deployment: preferred, bound });
    let (mut leases, mut counts) = (Vec::new(), Vec::new());
    for dice in 0..requests {
        leases.push(group.pick(&Pick { prefer, ..at(dice) }).expect("nobody is full"));
        counts.push(leases.iter().filter(|lease| lease.member() == 0).count() as u32);
    }
    (leases, counts)
}

#[test]
fn the_preferred_one_gets_as_much_as_the_bound_allows_and_no_more() {
    for members in 2..6 {
        for bound in [1.0, 1.25, 2.0, 100.0] {
            let (_, group) = group(&vec![1.0; members]);
            let (leases, counts) = all_to_the_first(&group, bound, 60);
            for (before, count) in counts.iter().enumerate() {
                let mean = (before + 1) as f64 / members as f64;
                let most = (bound * mean).ceil();
                let case = format!("{members} members, bound {bound}, request {}", before + 1);
                assert!(f64::from(*count) <= most, "{case}: {count} of at most {most}");
                // Nobody else wants it, so it has all that it may have.
                assert_eq!(f64::from(*count), most.min((before + 1) as f64), "{case}");
            }
            drop(leases);
        }
    }
}

#[test]
fn a_bound_counts_by_weight() {
    let (fleet, group) = group(&[3.0, 1.0]);
    let (leases, _) = all_to_the_first(&group, 1.0, 40);
    assert_eq!(fleet.snapshot(), [30, 10]);
    drop(leases);
}

#[test]
fn a_preference_for_one_that_rests_or_was_tried_or_is_unknown_changes_nothing() {
    let (fleet, group) = group(&[1.0, 1.0]);
    let stranger = fleet.deploy();
    let [first, second] = [0, 1].map(|at| group.members()[at].deployment);
    let prefer = |deployment| Some(Preference { deployment, bound: 2.0 });
    let lease = group.pick(&Pick { prefer: prefer(stranger), ..at(1) }).expect("idle");
    drop(lease);
    let lease = group.pick(&Pick { prefer: prefer(first), tried: &[first], ..at(1) }).expect("idle");
    assert_eq!(lease.deployment(), second);
    drop(lease);
    group
        .pick(&Pick { prefer: prefer(first), ..at(1) })
        .expect("idle")
        .end(Outcome::RateLimited { retry_after: Some(Duration::from_secs(9)) }, NOW);
    let lease = group.pick(&Pick { prefer: prefer(first), ..at(1) }).expect("one is well");
    assert_eq!(lease.deployment(), second);
}
