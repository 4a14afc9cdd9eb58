//! Shuffle, round robin, two choices.

use proptest::prelude::*;

use super::stage::{Stage, chi_square, on_terms, weighing};
use crate::strategy::{Strategy, Terms};
use crate::{GroupRules, Pick, Refusal, TieBreak};

/// Limits as shares: far beyond what a test asks for.
const FAR: u64 = 1_000_000;

fn rpm(rpm: u64) -> Terms {
    Terms { rpm: Some(FAR * rpm), ..Terms::default() }
}

fn tpm(tpm: u64) -> Terms {
    Terms { tpm: Some(FAR * tpm), ..Terms::default() }
}

#[test]
fn shuffle_goes_by_the_weights_also_where_there_are_limits() {
    let members = [(1.0, rpm(900)), (2.0, rpm(1)), (3.0, tpm(5))];
    let counts = Stage::new(Strategy::Shuffle, &members).shares(30_000);
    assert!(chi_square(&counts, &[1.0, 2.0, 3.0]) < 18.4, "{counts:?}");
}

#[test]
fn where_weights_are_alike_shuffle_goes_by_rpm_and_else_by_tpm() {
    for (members, shares) in [
        ([rpm(100), rpm(200), rpm(300)], [1.0, 2.0, 3.0]),
        ([tpm(400), tpm(200), tpm(200)], [2.0, 1.0, 1.0]),
        ([Terms { tpm: tpm(9).tpm, ..rpm(1) }, Terms { tpm: tpm(1).tpm, ..rpm(1) }, rpm(2)], [1.0, 1.0, 2.0]),
        // One has none: nobody is left out, and all have the same chance.
        ([rpm(100), rpm(900), Terms::default()], [1.0, 1.0, 1.0]),
    ] {
        let counts = Stage::new(Strategy::Shuffle, &members.map(on_terms)).shares(30_000);
        assert!(chi_square(&counts, &shares) < 18.4, "{members:?}: {counts:?}");
    }
}

#[test]
fn round_robin_is_smooth() {
    // nginx's own example: of 5, 1 and 1 the heavy one never has its five turns in a row.
    let mut stage = Stage::new(Strategy::RoundRobin, &[5.0, 1.0, 1.0].map(weighing));
    let turns: Vec<_> = (0..14).map(|_| stage.pick().member()).collect();
    assert_eq!(turns, [0, 0, 1, 0, 2, 0, 0, 0, 0, 1, 0, 2, 0, 0]);
}

#[test]
fn round_robin_goes_on_where_it_was_for_all_who_pick_from_the_group() {
    let mut stage = Stage::of_equals(Strategy::RoundRobin, 3);
    let clone = stage.group.clone();
    let same_members = stage.group.with_members(stage.group.members().to_vec());
    let picks = [stage.pick(), clone.pick(&Pick::default()).unwrap(), stage.pick()];
    assert_eq!(picks.map(|lease| lease.member()), [0, 1, 2]);
    assert_eq!(same_members.pick(&Pick::default()).unwrap().member(), 0);
}

#[test]
fn two_choices_never_take_the_busiest_and_take_the_least_busy_of_three_twice_in_three() {
    let mut stage = Stage::of_equals(Strategy::TwoChoices, 3);
    let _held = [stage.hold(1), stage.hold(2), stage.hold(2)];
    let counts = stage.shares(30_000);
    assert_eq!(counts[2], 0.0);
    assert!(chi_square(&counts[..2], &[2.0, 1.0]) < 15.1, "{counts:?}");
}

#[test]
fn two_choices_of_two_are_the_less_busy_for_its_weight_and_of_equals_either() {
    let mut stage = Stage::new(Strategy::TwoChoices, &[3.0, 1.0].map(weighing));
    let _held = [stage.hold(0), stage.hold(0)];
    let even = stage.shares(20_000);
    assert!(chi_square(&even, &[1.0, 1.0]) < 15.1, "{even:?}");
    let _more = stage.hold(1);
    assert_eq!(stage.goes_to(), [0]);
}

#[test]
fn of_one_candidate_every_strategy_takes_that_and_of_none_it_says_why() {
    for strategy in super::ALL {
        let mut stage = Stage::of_equals(strategy, 2);
        let tried = [stage.group.members()[0].deployment];
        let again = Pick { tried: &tried, ..Pick::default() };
        assert_eq!(stage.pick_with(again).member(), 1, "{strategy:?}");
        let both: Vec<_> = stage.group.members().iter().map(|member| member.deployment).collect();
        let refused = stage.group.pick(&Pick { tried: &both, ..Pick::default() }).map(|_| ());
        assert_eq!(refused, Err(Refusal::AllTried { untried: 0, soonest: None }), "{strategy:?}");
        let empty = stage.fleet.group(Vec::new(), strategy).pick(&Pick::default()).map(|_| ());
        assert_eq!(empty, Err(Refusal::Empty), "{strategy:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn round_robin_is_never_a_whole_turn_away_from_the_weights(
        weights in prop::collection::vec(1..=20_u32, 1..8),
        picks in 1..300_usize,
    ) {
        let members: Vec<_> = weights.iter().map(|weight| weighing(f64::from(*weight))).collect();
        let mut stage = Stage::new(Strategy::RoundRobin, &members);
        let counts = stage.shares(picks);
        let total: f64 = weights.iter().copied().map(f64::from).sum();
        for (count, weight) in counts.iter().zip(&weights) {
            let due = picks as f64 * f64::from(*weight) / total;
            // Smooth round robin strays by less than the number of members (it keeps every credit within the total).
            prop_assert!((count - due).abs() < weights.len() as f64, "{weights:?} {counts:?}");
        }
    }

    #[test]
    fn every_strategy_picks_among_the_candidates_and_counts_its_pick(
        strategy in prop::sample::select(super::ALL.to_vec()),
        tried in 0..63_u32,
        orders in prop::collection::vec(0..3_i64, 6),
        held in prop::collection::vec(0..4_u32, 6),
        seed: u64,
    ) {
        let stage = Stage::of_equals(strategy, 6);
        let mut members = stage.group.members().to_vec();
        for (member, order) in members.iter_mut().zip(&orders) {
            member.order = *order;
            member.limit = std::num::NonZeroU32::new(3);
        }
        let rules = GroupRules { strategy, tie_break: TieBreak::Random, ..GroupRules::default() };
        let group = stage.fleet.group(members.clone(), rules);
        let mut leases = Vec::new();
        for (member, times) in held.iter().enumerate() {
            let alone = stage.fleet.group(vec![members[member].clone()], TieBreak::Random);
            leases.extend((0..*times).filter_map(|_| alone.pick(&Pick::default()).ok()));
        }
        let before = stage.fleet.snapshot();
        let tried: Vec<usize> = (0..6).filter(|member| tried >> member & 1 == 1).collect();
        let deployments: Vec<_> = tried.iter().map(|member| members[*member].deployment).collect();
        let may = |member: &usize| !tried.contains(member) && before[*member] < 3;
        let lowest = (0..6).filter(may).map(|member| orders[member]).min();
        let picked = group.pick(&Pick { tried: &deployments, dice: seed, ..Pick::default() });
        match (picked, lowest) {
            (Ok(lease), Some(lowest)) => {
                let member = lease.member();
                prop_assert!(may(&member) && orders[member] == lowest, "{member} of {orders:?}");
                prop_assert_eq!(stage.fleet.in_flight(lease.deployment()), before[member] + 1);
            }
            (picked, lowest) => prop_assert!(picked.is_err() && lowest.is_none(), "{picked:?} {lowest:?}"),
        }
        prop_assert_eq!(stage.fleet.snapshot(), before);
    }
}
