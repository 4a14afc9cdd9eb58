//! Limits on requests and tokens of a minute.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use leastbusy_balance::{
    Demand, Ending, Fleet, Group, Member, Outcome, Pick, Queued, Refusal, Strategy, Terms, TieBreak,
    ToldUsage, UsedSecond, Wait, Weight,
};

const START: Duration = Duration::from_secs(1000);

fn at(seconds: u64) -> Pick<'static> {
    Pick { now: START + Duration::from_secs(seconds), ..Pick::default() }
}

fn group(terms: &[Terms]) -> (Arc<Fleet>, Group) {
    let fleet = Fleet::new();
    let member =
        |terms: &Terms| Member { terms: Arc::new(*terms), ..Member::new(fleet.deploy(), Weight::ONE) };
    let members = terms.iter().map(member).collect();
    let group = fleet.group(members, TieBreak::First);
    (fleet, group)
}

fn rpm(rpm: u64) -> Terms {
    Terms { rpm: Some(rpm), ..Terms::default() }
}

fn tpm(tpm: u64) -> Terms {
    Terms { tpm: Some(tpm), ..Terms::default() }
}

fn refused(group: &Group, pick: &Pick<'_>) -> Refusal {
    group.pick(pick).map(|lease| lease.member()).expect_err("nobody can be picked")
}

#[test]
fn by_every_strategy_one_that_had_its_minute_gets_nothing_until_a_second_of_it_has_left() {
    for strategy in [Strategy::LeastBusy, Strategy::Shuffle, Strategy::RoundRobin, Strategy::LowestCost] {
        let (_, group) = group(&[rpm(3), rpm(2)]);
        let group = group.with_strategy(strategy);
        let mut picked = [0, 0];
        // One a second; each ends at once, so that nothing but the minute limits them.
        for second in 0..5 {
            picked[group.pick(&at(second)).expect("within the minute").member()] += 1;
        }
        assert_eq!(picked, [3, 2], "{strategy:?}");
        let Refusal::AllSpent { soonest } = refused(&group, &at(5)) else { panic!("{strategy:?}") };
        assert_eq!(soonest, START + Duration::from_secs(60), "the first second leaves the minute");
        assert!(group.pick(&at(59)).is_err(), "{strategy:?}");
        assert!(group.pick(&at(60)).is_ok(), "{strategy:?}");
    }
}

#[test]
fn one_with_room_is_picked_though_it_is_busier() {
    let (_, group) = group(&[rpm(1), Terms::default()]);
    let leases: Vec<_> = (0..4).map(|_| group.pick(&at(0)).expect("one has no limit")).collect();
    let members: Vec<_> = leases.iter().map(|lease| lease.member()).collect();
    assert_eq!(members, [0, 1, 1, 1]);
}

#[test]
fn tokens_count_when_they_are_told_and_while_they_are_in_flight() {
    let (_, group) = group(&[tpm(1000)]);
    let demand = Demand { prompt: 400, output: 100 };
    let first = group.pick(&Pick { demand, ..at(0) }).expect("500 of 1000");
    let second = group.pick(&Pick { demand, ..at(0) }).expect("nothing is over yet");
    let Refusal::AllSpent { soonest } = refused(&group, &at(0)) else { panic!("1000 are in flight") };
    assert_eq!(soonest, START, "whatever ends next may change it");
    first.end(Ending { tokens: 600, ..Outcome::Success.into() }, at(1).now);
    assert!(matches!(refused(&group, &at(1)), Refusal::AllSpent { .. }));
    second.end(Ending { tokens: 300, ..Outcome::Success.into() }, at(2).now);
    let lease = group.pick(&at(3)).expect("900 of 1000");
    lease.end(Ending { tokens: 100, ..Outcome::Success.into() }, at(3).now);
    let Refusal::AllSpent { soonest } = refused(&group, &at(4)) else { panic!("1000 of 1000") };
    assert_eq!(soonest, at(61).now, "when the 600 leave");
}

#[test]
fn what_other_instances_have_sent_counts() {
    let (fleet, group) = group(&[rpm(5)]);
    let deployment = group.members()[0].deployment;
    let second = UsedSecond { age: Duration::from_secs(50), requests: 4, tokens: 0 };
    fleet.see_usage(vec![ToldUsage { deployment, seconds: vec![second] }], at(0).now);
    drop(group.pick(&at(0)).expect("the fifth"));
    let Refusal::AllSpent { soonest } = refused(&group, &at(0)) else { panic!("five of five") };
    assert_eq!(soonest, at(10).now);
    assert!(group.pick(&at(10)).is_ok());
}

#[test]
fn who_waits_gets_its_place_when_the_minute_has_moved_on_and_before_who_comes_then() {
    let (_, group) = group(&[rpm(1)]);
    drop(group.pick(&at(0)).expect("the first"));
    let wait = Wait { priority: 0, client: 0, most: 9, until: Duration::MAX, waker: Waker::noop().clone() };
    let Ok(Queued::Waiting(mut ticket)) = group.pick_or_queue(&at(1), wait) else { panic!("it is spent") };
    assert!(ticket.fetch(at(59).now, Waker::noop()).is_none());
    assert!(matches!(refused(&group, &at(60)), Refusal::AllSpent { .. }), "it is another's");
    assert!(ticket.fetch(at(60).now, Waker::noop()).is_some());
}

#[test]
fn what_was_chosen_before_does_not_go_past_the_minute() {
    let (_, group) = group(&[rpm(1)]);
    let eligible: Vec<_> = (0..20).map(|_| group.eligible(&at(0)).expect("nothing was sent yet")).collect();
    let picked = eligible.iter().filter_map(|found| group.pick_exactly(&at(0), found[0].member)).count();
    assert_eq!(picked, 1);
}
