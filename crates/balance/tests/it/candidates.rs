//! A choice of one's own sees those that least busy chooses from.

use std::cell::RefCell;
use std::num::NonZeroU32;
use std::time::Duration;

use leastbusy_balance::{
    Candidate, Capacity, Eligible, Fleet, Group, Lease, Member, Outcome, Pick, Refusal, TieBreak, Weight,
};
use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};

const SEED: u8 = 11;

/// Least busy told anew: the first of the candidates with the lowest load.
fn first_least(candidates: &[Candidate]) -> usize {
    let load = |place: &usize| candidates[*place].load;
    (0..candidates.len()).min_by(|a, b| load(a).total_cmp(&load(b))).expect("it gets one at least")
}

fn group() -> Group {
    group_of(|_| None)
}

fn group_of(capacity: fn(u32) -> Option<Capacity>) -> Group {
    group_with(capacity, |_| None)
}

fn group_with(capacity: fn(u32) -> Option<Capacity>, limit: fn(u32) -> Option<NonZeroU32>) -> Group {
    let fleet = Fleet::new();
    let members = (0..6).map(|number| Member {
        order: i64::from(number == 5),
        capacity: capacity(number),
        limit: limit(number),
        ..Member::new(fleet.deploy(), Weight::new(f64::from(1 + number % 3)).expect("more than 0"))
    });
    fleet.group(members.collect(), TieBreak::First)
}

#[test]
fn the_least_of_the_candidates_is_whom_least_busy_picks_through_failures_rests_and_returns() {
    live_through(&[group(), group()], by_candidates);
}

#[test]
fn so_it_is_where_speeds_are_known() {
    let speed = |number| Capacity::new(1 + number % 4, f64::from(1 + number % 3));
    live_through(&[group_of(speed), group_of(speed)], by_candidates);
}

#[test]
fn so_it_is_where_there_are_limits_whoever_knows_them() {
    fn limit(number: u32) -> Option<NonZeroU32> {
        NonZeroU32::new(3 * (number % 3))
    }
    let limited = || group_with(|_| None, limit);
    live_through(&[limited(), limited()], by_candidates);
    live_through(&[limited(), limited()], |group, pick| {
        group.pick_within(pick, |member| member.limit.map(NonZeroU32::get))
    });
    live_through(&[limited(), group_with(|_| None, |_| None)], |group, pick| {
        group.pick_within(pick, |member| {
            let at = group.members().iter().position(|known| known.deployment == member.deployment);
            limit(at.expect("a member") as u32).map(NonZeroU32::get)
        })
    });
    live_through(&[limited(), limited()], |group, pick| {
        let eligible = group.eligible(pick)?;
        let counts = COUNTS.with_borrow(Clone::clone);
        let load = |one: &Eligible| (f64::from(counts[one.member]) + one.extra + 1.0) / one.weight;
        let best = |a: &&Eligible, b: &&Eligible| {
            a.class.cmp(&b.class).then(load(a).total_cmp(&load(b))).then(a.member.cmp(&b.member))
        };
        let chosen = eligible.iter().min_by(best).expect("there is one").member;
        Ok(group.pick_exactly(pick, chosen).expect("it was eligible"))
    });
}

thread_local! {
    /// Requests in flight on each member, for a rule that counts for itself.
    static COUNTS: RefCell<[u32; 6]> = const { RefCell::new([0; 6]) };
}

type Way = fn(&Group, &Pick<'_>) -> Result<Lease, Refusal>;

fn by_candidates(group: &Group, pick: &Pick<'_>) -> Result<Lease, Refusal> {
    group.pick_by(pick, first_least)
}

/// Two groups that live through the same, one picked from as ever and one in another way.
fn live_through(groups: &[Group; 2], other: Way) {
    let ways: [Way; 2] = [Group::pick, other];
    COUNTS.set([0; 6]);
    let mut random = TestRng::from_seed(RngAlgorithm::ChaCha, &[SEED; 32]);
    let mut below = |bound: u64| random.next_u64() % bound;
    let mut live: Vec<[Lease; 2]> = Vec::new();
    let (mut picked, mut refused) = (0, 0);
    let mut now = Duration::ZERO;
    for _ in 0..20_000 {
        now += Duration::from_millis(below(200));
        let failing = now.as_secs() / 20 % 2 == 1;
        if below(2) == 0 || live.is_empty() {
            let dice = below(u64::MAX);
            let tried: Vec<_> = groups[0]
                .members()
                .iter()
                .map(|member| member.deployment)
                .filter(|_| below(6) == 0)
                .collect();
            let pick = Pick { dice, now, tried: &tried, even_resting: below(12) == 0, ..Pick::default() };
            let [a, b] = [0, 1].map(|way| ways[way](&groups[way], &pick));
            match (a, b) {
                (Ok(a), Ok(b)) => {
                    assert_eq!((a.member(), a.is_probe()), (b.member(), b.is_probe()), "seed {SEED}");
                    COUNTS.with_borrow_mut(|counts| counts[a.member()] += 1);
                    picked += 1;
                    live.push([a, b]);
                }
                (a, b) => {
                    assert_eq!(a.err(), b.err(), "seed {SEED}");
                    refused += 1;
                }
            }
        } else {
            let at = below(live.len() as u64) as usize;
            let outcome = match below(8) {
                0..4 if failing => Outcome::ServerError,
                4 if failing => Outcome::RateLimited { retry_after: None },
                _ => Outcome::Success,
            };
            let leases = live.swap_remove(at);
            COUNTS.with_borrow_mut(|counts| counts[leases[0].member()] -= 1);
            for lease in leases {
                lease.end(outcome, now);
            }
        }
    }
    assert!(1000 < picked && 100 < refused, "{picked} picked, {refused} refused");
}

#[test]
fn only_those_with_a_free_place_on_the_lowest_level_are_shown_while_there_are_any() {
    let group = group();
    let shown = |tried: &[usize]| {
        let tried: Vec<_> = tried.iter().map(|member| group.members()[*member].deployment).collect();
        let mut members = Vec::new();
        let lease = group.pick_by(&Pick { tried: &tried, ..Pick::default() }, |candidates| {
            members.extend(candidates.iter().map(|candidate| candidate.member));
            0
        });
        lease.map(|_| members)
    };
    assert_eq!(shown(&[]), Ok(vec![0, 1, 2, 3, 4]));
    assert_eq!(shown(&[0, 3]), Ok(vec![1, 2, 4]));
    assert_eq!(shown(&[0, 1, 2, 3, 4]), Ok(vec![5]));
    assert_eq!(shown(&[0, 1, 2, 3, 4, 5]), Err(Refusal::AllTried { untried: 0, soonest: None }));
}

#[test]
fn two_entries_that_lead_to_one_deployment_rest_as_one() {
    let fleet = Fleet::new();
    let [open, resting] = [(); 2].map(|()| fleet.deploy());
    let members = [open, resting, resting].map(|deployment| Member::new(deployment, Weight::ONE));
    let group = fleet.group(members.into(), TieBreak::First);
    let now = Duration::from_secs(1);
    let lease = group.pick(&Pick { tried: &[open], now, ..Pick::default() }).expect("it is well");
    let until = lease.end(Outcome::ConnectionFailed, now);
    assert!(until.is_some());
    let refusal = group.pick(&Pick { tried: &[open], now, ..Pick::default() }).map(|_| ()).unwrap_err();
    assert_eq!(refusal, Refusal::AllTried { untried: 1, soonest: until });
}
