//! Equally busy deployments share evenly, and in the old order only for those who ask for it.

use std::sync::Arc;

use leastbusy_balance::{Fleet, Group, Member, Pick, TieBreak, Weight};

/// Printed by each test, so that a failure can be replayed with it.
const SEED: u64 = 0x1EA5_7B05;

/// xorshift64* (Vigna, 2016): a stream of dice that is not the heart's own generator.
fn dice(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed.max(1);
    move || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        state.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }
}

fn equal(deployments: usize, tie_break: TieBreak) -> (Arc<Fleet>, Group) {
    let fleet = Fleet::new();
    let members = (0..deployments).map(|_| Member::new(fleet.deploy(), Weight::ONE)).collect();
    let group = fleet.group(members, tie_break);
    (fleet, group)
}

/// Picks one at a time, each over before the next, and counts who got them.
fn idle_picks(group: &Group, picks: u32, mut dice: impl FnMut() -> u64) -> Vec<u32> {
    let mut got = vec![0; group.members().len()];
    for _ in 0..picks {
        got[group.pick(&Pick { dice: dice(), ..Pick::default() }).expect("nothing was tried").member()] += 1;
    }
    got
}

/// Pearson's statistic against equal shares.
fn chi_square(got: &[u32]) -> f64 {
    let expected = f64::from(got.iter().sum::<u32>()) / got.len() as f64;
    got.iter().map(|&count| (f64::from(count) - expected).powi(2) / expected).sum()
}

#[test]
fn three_hundred_requests_to_three_idle_deployments_are_shared_as_by_fair_dice() {
    let (_fleet, group) = equal(3, TieBreak::Random);
    let got = idle_picks(&group, 300, dice(SEED));
    // 13.82: exceeded by fair dice once in 1000 seeds (2 degrees of freedom).
    assert!(chi_square(&got) < 13.82, "seed {SEED:#x}: {got:?}, chi-square {}", chi_square(&got));
}

#[test]
fn any_seed_shares_fairly_not_just_a_lucky_one() {
    let (_fleet, group) = equal(3, TieBreak::Random);
    let unfair = (0..1000)
        .filter(|number| {
            let got = idle_picks(&group, 300, dice(SEED.wrapping_add(*number)));
            // 5.99: exceeded by fair dice 50 times in 1000 (2 degrees of freedom).
            5.99 < chi_square(&got)
        })
        .count();
    // A binomial(1000, 0.05) leaves 25..=75 three times in 10,000.
    assert!((25..=75).contains(&unfair), "seeds from {SEED:#x}: {unfair} of 1000 beyond the 5 % line");
}

#[test]
fn numbers_that_only_count_up_are_dice_enough() {
    let (_fleet, group) = equal(3, TieBreak::Random);
    let mut number = 0;
    let got = idle_picks(&group, 30_000, || {
        number += 1;
        number
    });
    assert!(chi_square(&got) < 13.82, "{got:?}, chi-square {}", chi_square(&got));
}

#[test]
fn the_first_of_four_idle_deployments_gets_a_quarter() {
    let (_fleet, group) = equal(4, TieBreak::Random);
    let got = idle_picks(&group, 100_000, dice(SEED));
    for count in &got {
        assert!((24_000..=26_000).contains(count), "seed {SEED:#x}: {got:?}");
    }
}

#[test]
fn a_tie_between_unlike_weights_is_as_even_as_any() {
    let fleet = Fleet::new();
    let (small, large) = (fleet.deploy(), fleet.deploy());
    let one_third = Weight::new(1.0 / 3.0).expect("positive");
    let group =
        fleet.group(vec![Member::new(small, one_third), Member::new(large, Weight::ONE)], TieBreak::Random);
    // Two on the large one: (0 + 1) / (1/3) ties with (2 + 1) / 1.
    let _held = [(); 2].map(|()| group.pick(&Pick::default()).expect("nothing was tried"));
    assert_eq!((fleet.in_flight(small), fleet.in_flight(large)), (0, 2));
    let got = idle_picks(&group, 100_000, dice(SEED));
    assert!((49_000..=51_000).contains(&got[0]), "seed {SEED:#x}: {got:?}");
}

#[test]
fn the_first_of_the_idle_wins_every_tie_only_where_the_old_order_is_asked_for() {
    let (_fleet, group) = equal(4, TieBreak::First);
    assert_eq!(idle_picks(&group, 1000, dice(SEED)), [1000, 0, 0, 0]);

    let (fleet, group) = equal(4, TieBreak::First);
    let held: Vec<_> = (0..6).map(|_| group.pick(&Pick::default()).expect("nothing was tried")).collect();
    assert_eq!(held.iter().map(leastbusy_balance::Lease::member).collect::<Vec<_>>(), [0, 1, 2, 3, 0, 1]);
    assert_eq!(fleet.snapshot(), [2, 2, 1, 1]);

    let (_fleet, group) = equal(4, TieBreak::default());
    let got = idle_picks(&group, 1000, dice(SEED));
    assert!(got.iter().all(|&count| 0 < count), "seed {SEED:#x}: {got:?}");
}
