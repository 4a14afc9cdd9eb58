//! All small histories, none left out: whatever happens first, the books are right after each step.

use leastbusy_balance::TieBreak;

use crate::choices::Choices;
use crate::model::{Plan, Seat, World};

/// A seat for each `(deployment, weight, order)`.
fn plan(seats: &[(usize, u32, i64)]) -> Plan {
    let seats =
        seats.iter().map(|&(deployment, weight, order)| Seat { deployment, weight, order, capacity: None });
    Plan { seats: seats.collect(), tie_break: TieBreak::Random }
}

/// Fleets of up to three deployments: how many, and the groups that lead to them.
fn fleets() -> Vec<(usize, Vec<Plan>)> {
    vec![
        (1, vec![plan(&[])]),
        (1, vec![plan(&[(0, 1, 0)])]),
        (2, vec![plan(&[(0, 1, 0), (1, 1, 0)])]),
        (2, vec![plan(&[(0, 1, 0), (1, 3, 0)])]),
        (2, vec![plan(&[(0, 1, 1), (1, 1, 0)])]),
        // One deployment on two seats of a group.
        (2, vec![plan(&[(0, 1, 0), (1, 1, 0), (0, 2, 0)])]),
        (3, vec![plan(&[(0, 1, 0), (1, 1, 0), (2, 1, 0)])]),
        (3, vec![plan(&[(0, 1, 0), (1, 2, 0), (2, 3, 0)])]),
        (3, vec![plan(&[(0, 1, 0), (1, 5, -1), (2, 2, 0)])]),
        (3, vec![plan(&[(0, 1, 2), (1, 1, 1), (2, 1, 0)])]),
        // Two groups that share one deployment, all of them, or give it another weight and order.
        (3, vec![plan(&[(0, 1, 0), (1, 1, 0)]), plan(&[(1, 1, 0), (2, 1, 0)])]),
        (2, vec![plan(&[(0, 1, 0), (1, 1, 0)]), plan(&[(1, 1, 0), (0, 1, 0)])]),
        (3, vec![plan(&[(0, 1, 0), (1, 3, 0)]), plan(&[(1, 1, 0), (2, 2, 1)])]),
    ]
}

/// Plays every history of `steps` steps on every fleet and returns how many there were.
///
/// A step picks from some group with one of `tried`, for each deployment that may win a tie in turn,
/// or ends any live lease.
pub(crate) fn play(
    fleets: Vec<(usize, Vec<Plan>)>,
    tie_break: TieBreak,
    steps: usize,
    tried: fn(usize) -> Vec<u32>,
) -> u64 {
    let mut histories = 0;
    for (deployments, mut plans) in fleets {
        plans.iter_mut().for_each(|plan| plan.tie_break = tie_break);
        let tried = tried(deployments);
        let picks = plans.len() * tried.len();
        let mut choices = Choices::default();
        while choices.advance() {
            let mut world = World::new(deployments, &plans);
            for _ in 0..steps {
                let step = choices.choose(picks + world.live());
                if let Some(lease) = step.checked_sub(picks) {
                    world.end(lease);
                } else {
                    let (group, tried) = (step % plans.len(), tried[step / plans.len()]);
                    let winners = world.winners(group, tried);
                    if tie_break == TieBreak::Random && 1 < winners.len() {
                        world.pick_seat(group, tried, winners[choices.choose(winners.len())]);
                    } else {
                        world.pick(group, tried, 0);
                    }
                }
                world.check();
            }
            world.end_all();
            histories += 1;
        }
    }
    histories
}

/// Nothing tried yet.
pub(crate) fn nothing(_deployments: usize) -> Vec<u32> {
    vec![0]
}

/// Every set of deployments a request may have been on.
pub(crate) fn every_set(deployments: usize) -> Vec<u32> {
    (0..1 << deployments).collect()
}

#[test]
fn every_history_of_picks_and_ends_keeps_the_books() {
    let histories =
        play(fleets(), TieBreak::Random, 7, nothing) + play(fleets(), TieBreak::First, 8, nothing);
    eprintln!("{histories} histories of picks and ends");
    assert!(200_000 < histories, "{histories} histories");
}

#[test]
fn every_history_of_retries_keeps_the_books_and_spares_the_tried() {
    let histories =
        play(fleets(), TieBreak::Random, 4, every_set) + play(fleets(), TieBreak::First, 4, every_set);
    eprintln!("{histories} histories of picks that were elsewhere before");
    assert!(200_000 < histories, "{histories} histories");
}
