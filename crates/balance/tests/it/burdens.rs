//! Least busy by prompts and caches: what the leases own, and whom a pick goes to.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use leastbusy_balance::{
    BusyBy, Demand, Ending, Fleet, Group, GroupRules, Lease, LowestLatency, Member, Outcome, PeakEwma, Pick,
    Room, Strategy, TieBreak, View, Weight,
};

const NOW: Duration = Duration::from_secs(5);

fn group(room: Room, busy_by: BusyBy) -> (Arc<Fleet>, Group) {
    let fleet = Fleet::new();
    let member = || Member { room, ..Member::new(fleet.deploy(), Weight::ONE) };
    let members = (0..2).map(|_| member()).collect();
    let rules = GroupRules { busy_by, tie_break: TieBreak::First, ..GroupRules::default() };
    let group = fleet.group(members, rules);
    (fleet, group)
}

fn pick(group: &Group, demand: Demand) -> Lease {
    group.pick(&Pick { now: NOW, demand, ..Pick::default() }).expect("nobody is full")
}

const LONG: Demand = Demand { prompt: 8000, output: 0 };
const SHORT: Demand = Demand { prompt: 100, output: 0 };

fn prefill() -> (Arc<Fleet>, Group) {
    let places = NonZeroU32::new(4);
    let room = Room { places, prefill_rate: Some(10_000.0), kv_tokens: None };
    group(room, BusyBy { prefill: true, kv: false })
}

#[test]
fn a_long_prompt_is_kept_away_from_until_it_was_read() {
    let (fleet, group) = prefill();
    let mut long = pick(&group, LONG);
    assert_eq!(long.member(), 0);
    // 8000 tokens are 1.6 times what counts as full: as much as six requests.
    let short: Vec<_> = (0..6).map(|_| pick(&group, SHORT)).collect();
    assert_eq!(fleet.snapshot(), [1, 6]);
    long.answered(NOW);
    let after = pick(&group, SHORT);
    assert_eq!(after.member(), 0, "its prompt was read, and one request is fewer than six");
    drop((short, after, long));
}

#[test]
fn however_a_lease_ends_its_prompt_goes_with_it() {
    let ends: [fn(Lease); 4] = [
        drop,
        |lease| _ = lease.end(Outcome::Success, NOW),
        |mut lease| {
            lease.answered(NOW);
            lease.answered(NOW);
            lease.end(Outcome::ClientLeft, NOW);
        },
        |mut lease| {
            lease.answered(NOW);
            drop(lease);
        },
    ];
    for (number, end) in ends.into_iter().enumerate() {
        let (_, group) = prefill();
        end(pick(&group, LONG));
        let leases: Vec<_> = (0..4).map(|_| pick(&group, SHORT).member()).collect();
        assert_eq!(
            leases, [0; 4],
            "each is over at once, and the first of two idle ones is picked: {number}"
        );
    }
}

#[test]
fn a_cache_that_fills_up_counts_by_how_long_answers_are() {
    let room = Room { places: NonZeroU32::new(4), prefill_rate: None, kv_tokens: Some(10_000) };
    let (fleet, group) = group(room, BusyBy { prefill: false, kv: true });
    let learn = pick(&group, SHORT);
    let ending = Ending { output_tokens: 1000, ..Outcome::Success.into() };
    learn.end(ending, NOW);
    // Whatever the client allows, an answer is expected to take 1000 tokens.
    let large = Demand { prompt: 7500, output: 100_000 };
    let leases: Vec<_> =
        [large, SHORT, SHORT, SHORT].into_iter().map(|demand| pick(&group, demand)).collect();
    let members: Vec<_> = leases.iter().map(Lease::member).collect();
    assert_eq!(members, [0, 1, 1, 1], "the first one's cache is nine tenths full: as much as four requests");
    assert_eq!(fleet.snapshot(), [1, 3]);
}

#[test]
fn requests_alone_decide_unless_more_is_asked_for() {
    let room = Room { places: NonZeroU32::new(4), prefill_rate: Some(1.0), kv_tokens: Some(1) };
    let (fleet, group) = group(room, BusyBy::default());
    let leases: Vec<_> = [LONG, SHORT, SHORT].into_iter().map(|demand| pick(&group, demand)).collect();
    assert_eq!(fleet.snapshot(), [2, 1]);
    drop(leases);
}

#[test]
fn one_that_nobody_knows_is_idle_however_long_the_prompt_is() {
    for strategy in
        [Strategy::LowestLatency(LowestLatency::default()), Strategy::PeakEwma(PeakEwma::default())]
    {
        let (_, group) = prefill();
        let group = group.with_strategy(strategy);
        pick(&group, LONG).end(Outcome::Success, NOW + Duration::from_millis(100));
        let long = pick(&group, LONG);
        assert_eq!(long.member(), 1, "{strategy:?}: the first has answered, this one gets its first request");
        assert_eq!(pick(&group, LONG).member(), 0, "{strategy:?}: until it has answered");
    }
}

#[test]
fn tokens_take_no_place_of_a_limit() {
    let (fleet, group) = prefill();
    let mut members = group.members().to_vec();
    members[0].limit = NonZeroU32::new(4);
    let group = group.with_members(members);
    fleet.see(View { at: NOW, others: 1, ..View::default() }, NOW);
    // One request whose prompt counts as 3.2, beside seven.
    let _long = group
        .pick_exactly(&Pick { now: NOW, demand: Demand { prompt: 4000, output: 0 }, ..Pick::default() }, 0);
    let _others: Vec<_> =
        (0..7).map(|_| group.pick_exactly(&Pick { now: NOW, ..Pick::default() }, 1)).collect();
    assert_eq!(pick(&group, SHORT).member(), 0, "it has three places left");
}
