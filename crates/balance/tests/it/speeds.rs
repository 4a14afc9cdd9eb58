//! Speeds that are learned from answers.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use leastbusy_balance::{
    Ending, Fleet, Group, GroupRules, Lease, Member, Outcome, Pick, Room, TieBreak, Weight,
};

const PLACES: u32 = 4;

fn group(learn_speeds: bool) -> (Arc<Fleet>, Group) {
    let fleet = Fleet::new();
    let room = Room { places: NonZeroU32::new(PLACES), ..Room::default() };
    let member = || Member { room, ..Member::new(fleet.deploy(), Weight::ONE) };
    let members = (0..3).map(|_| member()).collect();
    let rules = GroupRules { learn_speeds, tie_break: TieBreak::First, ..GroupRules::default() };
    let group = fleet.group(members, rules);
    (fleet, group)
}

/// Each member has given 30 answers of 100 tokens, at so many milliseconds a token.
fn answers(group: &Group, paces: [u64; 3], now: &mut Duration) {
    for _ in 0..30 {
        for (member, millis) in paces.into_iter().enumerate() {
            let others: Vec<_> = group.members().iter().map(|other| other.deployment).collect();
            let tried: Vec<_> = others.iter().copied().filter(|other| *other != others[member]).collect();
            let lease = group.pick(&Pick { now: *now, tried: &tried, ..Pick::default() }).expect("idle");
            *now += Duration::from_millis(100 * millis);
            let ending = Ending { output_tokens: 100, ..Outcome::Success.into() };
            lease.end(ending, *now);
        }
    }
}

fn burst(group: &Group, now: Duration, requests: u32) -> Vec<Lease> {
    (0..requests).map(|_| group.pick(&Pick { now, ..Pick::default() }).expect("no limit")).collect()
}

#[test]
fn free_places_on_the_fastest_go_first_and_then_the_soonest() {
    let (fleet, group) = group(true);
    let mut now = Duration::from_secs(1);
    answers(&group, [20, 5, 20], &mut now);
    let leases = burst(&group, now, PLACES);
    assert_eq!(fleet.snapshot(), [0, PLACES, 0], "all places of the fast one");
    let more = burst(&group, now, 2 * PLACES);
    assert_eq!(fleet.snapshot(), [PLACES; 3], "then those of the others");
    // Four times as fast, so four times as many wait for its places.
    let queued = burst(&group, now, 6 * PLACES);
    let snapshot = fleet.snapshot();
    assert!(snapshot[1] - PLACES >= 3 * (snapshot[0] - PLACES), "{snapshot:?}");
    drop((leases, more, queued));
}

#[test]
fn speeds_that_differ_a_little_are_one() {
    let (fleet, group) = group(true);
    let mut now = Duration::from_secs(1);
    answers(&group, [20, 19, 21], &mut now);
    let leases = burst(&group, now, 6);
    assert_eq!(fleet.snapshot(), [2; 3]);
    drop(leases);
}

#[test]
fn nothing_is_learned_unless_that_is_wanted() {
    let (fleet, group) = group(false);
    let mut now = Duration::from_secs(1);
    answers(&group, [20, 5, 20], &mut now);
    let leases = burst(&group, now, 6);
    assert_eq!(fleet.snapshot(), [2; 3]);
    drop(leases);
}
