use proptest::prelude::*;

use super::{Sight, turn, water_level};
use crate::group::TieBreak;

fn seen(own: f64, all: f64, weight: f64) -> Sight {
    Sight { own, all, weight, turn: 0.0 }
}

fn choose(seen: &[Sight], unseen: f64, dice: u64) -> usize {
    super::choose(seen, unseen, TieBreak::Random, dice)
}

/// Where `sum of max(0, w * y - busy)` crosses what is to be spread, by halving.
fn level_by_halving(seen: &[Sight], to_spread: f64) -> f64 {
    let spread = |level: f64| seen.iter().map(|one| (one.weight * level - one.busy()).max(0.0)).sum::<f64>();
    let (mut low, mut high) = (0.0, 1e9);
    for _ in 0..200 {
        let middle = (low + high) / 2.0;
        if spread(middle) < to_spread {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

fn any_seen() -> impl Strategy<Value = Vec<Sight>> {
    let one = (0..20_u32, 0..40_u32, 1..14_u32, 0.0..1.0_f64).prop_map(|(own, others, weight, turn)| Sight {
        turn,
        ..seen(f64::from(own), f64::from(own + others), f64::from(weight))
    });
    (prop::collection::vec(one, 1..24), any::<bool>()).prop_map(|(mut seen, has_turns)| {
        seen.iter_mut().filter(|_| !has_turns).for_each(|one| one.turn = 0.0);
        seen
    })
}

/// How often each is chosen.
fn shares(seen: &[Sight], unseen: f64) -> Vec<f64> {
    let mut counts = vec![0.0; seen.len()];
    for dice in 0..20_000_u64 {
        counts[choose(seen, unseen, dice.wrapping_mul(0x9E37_79B9_7F4A_7C15))] += 1.0 / 20_000.0;
    }
    counts
}

proptest! {
    #[test]
    fn the_level_is_the_one_that_halving_finds(seen in any_seen(), unseen in 0.01..200.0_f64) {
        let (level, by_halving) = (water_level(&seen, 2.0 * unseen), level_by_halving(&seen, 2.0 * unseen));
        prop_assert!((level / by_halving - 1.0).abs() < 1e-9, "{} and {}", level, by_halving);
    }

    #[test]
    fn with_nothing_unseen_it_is_least_busy(seen in any_seen(), dice: u64) {
        let lowest = seen.iter().map(Sight::load).fold(f64::INFINITY, f64::min);
        prop_assert_eq!(seen[choose(&seen, 0.0, dice)].load(), lowest);
    }

    #[test]
    fn with_everything_unseen_own_counts_decide(seen in any_seen(), dice: u64) {
        let own = |one: &Sight| (one.own + one.turn) / one.weight;
        let least = seen.iter().map(own).fold(f64::INFINITY, f64::min);
        prop_assert_eq!(own(&seen[choose(&seen, 1e6, dice)]), least);
    }

    #[test]
    fn the_chosen_one_has_three_quarters_of_its_share_at_least(seen in any_seen(), unseen in 0.01..50.0_f64, dice: u64) {
        let level = level_by_halving(&seen, 2.0 * unseen);
        let chance = |one: &Sight| (one.weight * level - one.busy()).max(0.0) / (2.0 * unseen);
        let total: f64 = seen.iter().map(|one| one.weight).sum();
        let chances: Vec<f64> = seen.iter().map(chance).collect();
        prop_assert!((chances.iter().sum::<f64>() - 1.0).abs() < 1e-6);
        let chosen = choose(&seen, unseen, dice);
        prop_assert!(0.75 * seen[chosen].weight / total <= chances[chosen] + 1e-6);
        // And nobody with as good a chance has fewer own requests.
        let own = |one: &Sight| (one.own + one.turn) / one.weight;
        for (one, chance) in seen.iter().zip(&chances) {
            let is_eligible = 0.75 * one.weight / total + 1e-6 <= *chance;
            prop_assert!(!is_eligible || own(&seen[chosen]) <= own(one));
        }
    }
}

#[test]
fn two_deployments_in_closed_form() {
    // q of 3 and 1, A - 1 = 16: y = (32 + 7 + 3) / 2 = 21, chances of (21 - 7) / 32 = 7/16 and (21 - 3) / 32 = 9/16.
    // Both have three quarters of their half: own counts decide, and when these are equal the chances do.
    let level = water_level(&[seen(0.0, 3.0, 1.0), seen(0.0, 1.0, 1.0)], 32.0);
    assert!((level - 21.0).abs() < 1e-12);
    assert_eq!(choose(&[seen(0.0, 3.0, 1.0), seen(1.0, 1.0, 1.0)], 16.0, 5), 0);
    assert_eq!(choose(&[seen(2.0, 3.0, 1.0), seen(1.0, 1.0, 1.0)], 16.0, 5), 1);
    let shares = shares(&[seen(0.0, 3.0, 1.0), seen(0.0, 1.0, 1.0)], 16.0);
    assert!((shares[0] - 7.0 / 16.0).abs() < 0.02, "{shares:?}");
    // With A - 1 = 1 only the second is under water: y = 5, and the first has no chance.
    assert_eq!(choose(&[seen(0.0, 3.0, 1.0), seen(1.0, 1.0, 1.0)], 1.0, 5), 1);
    // With A - 1 = 4 the first has half of its half, which is too little.
    assert_eq!(choose(&[seen(0.0, 3.0, 1.0), seen(1.0, 1.0, 1.0)], 4.0, 5), 1);
}

#[test]
fn equals_are_chosen_evenly_whatever_is_unseen() {
    for unseen in [0.0, 0.3, 3.0, 300.0] {
        for share in shares(&[seen(1.0, 4.0, 2.0); 4], unseen) {
            // A standard deviation of 0.3 %.
            assert!((share - 0.25).abs() < 0.015, "{unseen}: {share}");
        }
    }
}

/// What instances that know nothing of each other have on each deployment, when each has so many requests.
fn together(weights: &[f64], instances: u32, requests: u32) -> Vec<f64> {
    let mut sums = vec![0.0; weights.len()];
    for rank in 0..instances {
        let one = |(member, weight): (usize, &f64)| Sight {
            turn: turn(member, rank, instances),
            ..seen(0.0, 0.0, *weight)
        };
        let mut seen: Vec<Sight> = weights.iter().enumerate().map(one).collect();
        for dice in 0..u64::from(requests) {
            let chosen = choose(&seen, 1e6, dice);
            seen[chosen].own += 1.0;
        }
        sums.iter_mut().zip(&seen).for_each(|(sum, seen)| *sum += seen.own);
    }
    sums
}

#[test]
fn instances_that_know_nothing_of_each_other_come_to_the_shares_by_weight_together() {
    let alternate = |one: f64, other: f64| -> Vec<f64> { [one, other].repeat(8) };
    for weights in
        [alternate(1.0, 1.0), alternate(13.0, 3.0), alternate(100.0, 1.0), vec![1.0, 3.0, 8.0, 20.0]]
    {
        let total: f64 = weights.iter().sum();
        for (instances, requests) in [(16, 3), (16, 7), (16, 25), (4, 20), (2, 40)] {
            let found = together(&weights, instances, requests);
            for (found, weight) in found.iter().zip(&weights) {
                let share = f64::from(instances * requests) * weight / total;
                assert!(
                    (found - share).abs() < 1.5 + 0.1 * share,
                    "{instances} of {requests}: {found} for {share}"
                );
            }
        }
    }
}

#[test]
fn turns_are_spread_evenly_over_instances_and_over_members() {
    let largest_gap = |mut turns: Vec<f64>| {
        turns.sort_unstable_by(f64::total_cmp);
        let gaps = turns.windows(2).map(|pair| pair[1] - pair[0]);
        gaps.fold(turns[0] + 1.0 - turns[turns.len() - 1], f64::max)
    };
    for count in [2, 3, 16, 100] {
        let even = 1.0 / f64::from(count);
        for fixed in [0, 1, 7, 63] {
            let over_instances = (0..count).map(|rank| turn(fixed as usize, rank, count)).collect();
            assert!((largest_gap(over_instances) - even).abs() < 1e-9);
            let over_members = (0..count).map(|member| turn(member as usize, fixed, 64)).collect();
            // Three gaps at most, the largest less than twice the mean and a half (the three-gap theorem).
            assert!(largest_gap(over_members) < 2.5 * even);
        }
    }
}
