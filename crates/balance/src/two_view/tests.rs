use proptest::prelude::*;

use super::{Seen, water_level};
use crate::group::TieBreak;

fn seen(own: f64, all: f64, weight: f64) -> Seen {
    Seen { own, all, weight }
}

fn choose(seen: &[Seen], unseen: f64, dice: u64) -> usize {
    super::choose(seen, unseen, TieBreak::Random, dice)
}

/// Where `sum of max(0, w * y - busy)` crosses what is to be spread, by halving.
fn level_by_halving(seen: &[Seen], to_spread: f64) -> f64 {
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

fn any_seen() -> impl Strategy<Value = Vec<Seen>> {
    let one = (0..20_u32, 0..40_u32, 1..14_u32)
        .prop_map(|(own, others, weight)| seen(f64::from(own), f64::from(own + others), f64::from(weight)));
    prop::collection::vec(one, 1..24)
}

/// How often each is chosen.
fn shares(seen: &[Seen], unseen: f64) -> Vec<f64> {
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
        let lowest = seen.iter().map(Seen::load).fold(f64::INFINITY, f64::min);
        prop_assert_eq!(seen[choose(&seen, 0.0, dice)].load(), lowest);
    }

    #[test]
    fn with_everything_unseen_own_counts_decide(seen in any_seen(), dice: u64) {
        let own = |one: &Seen| one.own / one.weight;
        let least = seen.iter().map(own).fold(f64::INFINITY, f64::min);
        prop_assert_eq!(own(&seen[choose(&seen, 1e6, dice)]), least);
    }

    #[test]
    fn the_chosen_one_has_half_its_share_at_least(seen in any_seen(), unseen in 0.01..50.0_f64, dice: u64) {
        let level = level_by_halving(&seen, 2.0 * unseen);
        let chance = |one: &Seen| (one.weight * level - one.busy()).max(0.0) / (2.0 * unseen);
        let total: f64 = seen.iter().map(|one| one.weight).sum();
        let chances: Vec<f64> = seen.iter().map(chance).collect();
        prop_assert!((chances.iter().sum::<f64>() - 1.0).abs() < 1e-6);
        let chosen = choose(&seen, unseen, dice);
        prop_assert!(0.5 * seen[chosen].weight / total <= chances[chosen] + 1e-6);
        // And nobody with as good a chance has fewer own requests.
        let own = |one: &Seen| one.own / one.weight;
        for (one, chance) in seen.iter().zip(&chances) {
            let is_eligible = 0.5 * one.weight / total + 1e-6 <= *chance;
            prop_assert!(!is_eligible || own(&seen[chosen]) <= own(one));
        }
    }
}

#[test]
fn two_deployments_in_closed_form() {
    // q of 3 and 1, A - 1 = 4: y = (8 + 7 + 3) / 2 = 9, chances of (9 - 7) / 8 = 1/4 and (9 - 3) / 8 = 3/4.
    // Both have half of their half: own counts decide, and when these are equal the chances do.
    let level = water_level(&[seen(0.0, 3.0, 1.0), seen(0.0, 1.0, 1.0)], 8.0);
    assert!((level - 9.0).abs() < 1e-12);
    assert_eq!(choose(&[seen(0.0, 3.0, 1.0), seen(1.0, 1.0, 1.0)], 4.0, 5), 0);
    assert_eq!(choose(&[seen(2.0, 3.0, 1.0), seen(1.0, 1.0, 1.0)], 4.0, 5), 1);
    let shares = shares(&[seen(0.0, 3.0, 1.0), seen(0.0, 1.0, 1.0)], 4.0);
    assert!((shares[0] - 0.25).abs() < 0.02, "{shares:?}");
    // With A - 1 = 1 only the second is under water: y = 5, and the first has no chance.
    assert_eq!(choose(&[seen(0.0, 3.0, 1.0), seen(1.0, 1.0, 1.0)], 1.0, 5), 1);
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
