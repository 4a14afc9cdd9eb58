//! Larger worlds than enumeration reaches, drawn by proptest, against the same model.

use leastbusy_balance::{Capacity, Fleet, Member, Pick, TieBreak, Weight};
use proptest::prelude::*;

use crate::model::{Plan, Seat, World};

const DEPLOYMENTS: usize = 8;

#[derive(Debug, Clone)]
enum Step {
    Pick {
        group: usize,
        tried: u32,
        dice: u64,
    },
    /// Ends a live lease, if there is one: the number is taken modulo how many are alive.
    End(usize),
}

fn seat() -> impl Strategy<Value = Seat> {
    // Up to 8 places, speeds 19 and 20 never come to the same score by chance, nor do the others.
    let capacity = (1..=8_u32, prop_oneof![Just(1), Just(7), Just(19), Just(20)]);
    (0..DEPLOYMENTS, 1..=12_u32, -1..=1_i64, capacity).prop_map(|(deployment, weight, order, capacity)| {
        Seat { deployment, weight, order, capacity: Some(capacity) }
    })
}

/// Half of the groups know no capacity, and some know all but one.
fn plan(tie_break: impl Strategy<Value = TieBreak>) -> impl Strategy<Value = Plan> {
    let unknown = prop_oneof![5 => Just(usize::MAX), 4 => Just(0), 1 => Just(1)];
    (prop::collection::vec(seat(), 0..12), tie_break, unknown).prop_map(|(mut seats, tie_break, unknown)| {
        seats.iter_mut().take(unknown).for_each(|seat| seat.capacity = None);
        Plan { seats, tie_break }
    })
}

fn step(groups: usize) -> impl Strategy<Value = Step> {
    // Half of the picks are first attempts; the others were on any of the deployments before.
    let tried = prop_oneof![Just(0), 0..1_u32 << DEPLOYMENTS];
    prop_oneof![
        3 => (0..groups, tried, any::<u64>()).prop_map(|(group, tried, dice)| Step::Pick { group, tried, dice }),
        2 => any::<usize>().prop_map(Step::End),
    ]
}

/// Groups that share deployments, and what happens to them.
fn story(tie_break: impl Strategy<Value = TieBreak>) -> impl Strategy<Value = (Vec<Plan>, Vec<Step>)> {
    prop::collection::vec(plan(tie_break), 1..4).prop_flat_map(|plans| {
        let steps = prop::collection::vec(step(plans.len()), 1..120);
        (Just(plans), steps)
    })
}

/// Each step is judged inside [`World`]: the pick is one of the model's least busy, the count is the live leases.
fn play(plans: &[Plan], steps: &[Step]) {
    let mut world = World::new(DEPLOYMENTS, plans);
    for step in steps {
        match *step {
            Step::Pick { group, tried, dice } => {
                world.pick(group, tried, dice);
            }
            Step::End(lease) if 0 < world.live() => world.end(lease % world.live()),
            Step::End(_) => {}
        }
        world.check();
    }
    world.end_all();
}

fn spread(counts: &[u32]) -> u32 {
    let most = counts.iter().max().expect("there are deployments");
    most - counts.iter().min().expect("there are deployments")
}

/// Picks on equal deployments, none of which ever has two more than another.
fn pick_evenly(
    deployments: usize,
    capacity: Option<Capacity>,
    picks: usize,
    seed: u64,
) -> Result<(), TestCaseError> {
    let fleet = Fleet::new();
    let members = (0..deployments).map(|_| Member { capacity, ..Member::new(fleet.deploy(), Weight::ONE) });
    let group = fleet.group(members.collect(), TieBreak::Random);
    let mut leases = Vec::new();
    for number in 0..picks as u64 {
        let dice = seed.wrapping_add(number);
        leases.push(group.pick(&Pick { dice, ..Pick::default() }).expect("nothing was tried"));
        let counts = fleet.snapshot();
        prop_assert!(spread(&counts) <= 1, "{counts:?}");
    }
    prop_assert_eq!(fleet.snapshot().iter().sum::<u32>() as usize, picks);
    Ok(())
}

proptest! {
    // A failure prints its seed and the smallest story that still fails; nothing is written to disk.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_pick_is_least_busy_and_every_count_is_the_live_leases(
        (plans, steps) in story(prop_oneof![Just(TieBreak::Random), Just(TieBreak::First)])
    ) {
        play(&plans, &steps);
    }

    #[test]
    fn tie_break_first_takes_the_first_of_the_least_busy_whatever_the_dice(
        (plans, steps) in story(Just(TieBreak::First))
    ) {
        play(&plans, &steps);
    }

    #[test]
    fn equal_deployments_differ_by_at_most_one_after_any_number_of_picks(
        deployments in 1..=64_usize,
        picks in 0..500_usize,
        seed: u64,
    ) {
        pick_evenly(deployments, None, picks, seed)?;
    }

    #[test]
    fn equal_deployments_of_known_capacity_differ_by_at_most_one_below_and_above_it(
        deployments in 1..=64_usize,
        places in 1..=16_u32,
        picks in 0..1000_usize,
        seed: u64,
    ) {
        pick_evenly(deployments, Capacity::new(places, 50.0), picks, seed)?;
    }

    #[test]
    fn held_picks_divide_by_weight_as_evenly_as_whole_requests_can(
        weights in prop::collection::vec(1..=20_u32, 2..10),
        picks in 1..400_usize,
        seed: u64,
    ) {
        let seats = weights.iter().enumerate().map(|(deployment, &weight)| {
            Seat { deployment, weight, order: 0, capacity: None }
        });
        let plan = Plan { seats: seats.collect(), tie_break: TieBreak::Random };
        let mut world = World::new(weights.len(), &[plan]);
        let mut counts = vec![0_u64; weights.len()];
        for number in 0..picks as u64 {
            let seat = world.pick(0, 0, seed.wrapping_add(number)).expect("nothing was tried");
            counts[seat] += 1;
        }
        // Greedy by (count + 1) / weight: nobody's last request would have been better off elsewhere.
        for (a, &count_a) in counts.iter().enumerate() {
            for (b, &count_b) in counts.iter().enumerate() {
                prop_assert!(
                    count_a * u64::from(weights[b]) <= (count_b + 1) * u64::from(weights[a]),
                    "weights {weights:?}, counts {counts:?}"
                );
            }
        }
    }
}
