//! The order of a line, by the numbers of those in it.

use std::sync::Arc;
use std::task::Waker;

use super::{Line, Place, QUANTUM, Waiter};
use crate::dice::Dice;
use crate::fleet::Fleet;
use crate::group::{Core, Group, Member, TieBreak};
use crate::load::Weight;
use crate::pick::{Demand, Pick};

/// A group of so many members.
fn core(members: usize) -> Arc<Core> {
    let fleet = Fleet::new();
    let members = (0..members).map(|_| Member::new(fleet.deploy(), Weight::ONE)).collect();
    let group: Group = fleet.group(members, TieBreak::Random);
    group.core
}

/// A line whose places can be told apart.
struct Stage {
    line: Line,
    core: Arc<Core>,
}

impl Stage {
    fn new() -> Self {
        Self { line: Line::default(), core: core(1) }
    }

    fn comes(&mut self, priority: i64, client: u64, tokens: u32) -> Place {
        let pick = Pick { demand: Demand { prompt: tokens, output: 0 }, ..Pick::default() };
        let waiter = Waiter::new(Arc::clone(&self.core), &pick, Waker::noop().clone());
        self.line.push((priority, client), waiter)
    }

    /// Whoever is next.
    fn serves(&mut self) -> Option<Place> {
        self.line.serve(|_| Some(())).map(|(place, _, ())| place)
    }

    fn order(&mut self) -> Vec<Place> {
        std::iter::from_fn(|| self.serves()).collect()
    }
}

#[test]
fn alone_it_is_first_come_first_served() {
    let mut stage = Stage::new();
    let came: Vec<_> = [100, 5000, 7, 0, 900_000].map(|tokens| stage.comes(0, 1, tokens)).into();
    assert_eq!(stage.order(), came);
}

#[test]
fn the_lowest_priority_number_goes_first() {
    let mut stage = Stage::new();
    let [late, usual, urgent] = [7, 0, -3].map(|priority| stage.comes(priority, 1, 10));
    assert_eq!(stage.order(), [urgent, usual, late]);
}

#[test]
fn clients_take_turns_however_many_one_has_waiting() {
    let mut stage = Stage::new();
    for _ in 0..100 {
        stage.comes(0, 1, 0);
    }
    for _ in 0..3 {
        stage.comes(0, 2, 0);
    }
    let clients: Vec<_> = stage.order().into_iter().take(8).map(|place| place.client).collect();
    assert_eq!(clients, [1, 2, 1, 2, 1, 2, 1, 1]);
}

#[test]
fn clients_get_as_many_tokens_whatever_their_requests_are_like() {
    let seed = 0x006c_6561_7374_2d36;
    let mut dice = Dice::new(seed);
    let mut stage = Stage::new();
    let longest = 4000;
    for _ in 0..2000 {
        // Long, short and mixed ones.
        stage.comes(0, 1, longest);
        stage.comes(0, 2, 300);
        stage.comes(0, 3, 300 + dice.below(longest - 300));
    }
    let mut served = [0_i64; 3];
    for number in 0..1500 {
        let place = stage.line.serve(|waiter| Some(waiter.cost())).map(|(place, _, cost)| (place, cost));
        let (place, cost) = place.expect("thousands wait");
        served[place.client as usize - 1] += cost;
        // Shreedhar and Varghese, lemma 2: at any moment two clients differ by less than a quantum and two of the
        // longest requests.
        let [most, least] = [served.iter().max(), served.iter().min()].map(|one| *one.expect("three"));
        let bound = QUANTUM + 2 * i64::from(longest);
        assert!(most - least < bound, "seed {seed:#x}, after {number}: {served:?}");
    }
}

#[test]
fn who_comes_back_brings_no_credit() {
    let mut stage = Stage::new();
    stage.comes(0, 1, 300);
    stage.serves();
    for _ in 0..4 {
        stage.comes(0, 2, 1024);
    }
    for _ in 0..4 {
        stage.comes(0, 1, 1024);
    }
    let clients: Vec<_> = stage.order().into_iter().map(|place| place.client).collect();
    assert_eq!(clients, [2, 1, 2, 1, 2, 1, 2, 1]);
}

#[test]
fn who_leaves_is_never_served_and_the_others_keep_their_order() {
    let mut stage = Stage::new();
    let came: Vec<_> = (0..6).map(|at| stage.comes(at % 2, 1 + at as u64 / 4, 0)).collect();
    let full = Stage::order(&mut Stage::with(&came));
    for left in &came {
        let mut stage = Stage::with(&came);
        assert!(stage.line.remove(*left).is_some());
        assert!(stage.line.remove(*left).is_none(), "only once");
        let rest: Vec<_> = full.iter().copied().filter(|place| place != left).collect();
        let served = stage.order();
        assert_eq!(served.len(), rest.len());
        assert!(!served.contains(left));
        assert_eq!(stage.line.waiting(), 0);
    }
}

impl Stage {
    fn with(places: &[Place]) -> Self {
        let mut stage = Self::new();
        for place in places {
            assert_eq!(stage.comes(place.priority, place.client, 0), *place);
        }
        stage
    }
}

#[test]
fn who_is_refused_keeps_its_place_and_the_next_one_is_asked() {
    let mut stage = Stage::new();
    let other = core(2);
    let first = stage.comes(0, 1, 0);
    let waiter = Waiter::new(other, &Pick::default(), Waker::noop().clone());
    let stranger = stage.line.push((0, 1), waiter);
    let last = stage.comes(0, 1, 0);
    let mut asked = 0;
    let home = Arc::clone(&stage.core);
    let served = stage.line.serve(|waiter| {
        asked += 1;
        (!Arc::ptr_eq(&waiter.core, &home)).then_some(())
    });
    assert_eq!(served.map(|(place, _, ())| place), Some(stranger));
    assert_eq!(asked, 2);
    assert_eq!(stage.order(), [first, last]);
}

#[test]
fn when_nobody_is_unusual_one_refusal_is_enough() {
    let mut stage = Stage::new();
    for client in 0..50 {
        stage.comes(0, client, 0);
    }
    let mut asked = 0;
    let served: Option<(_, _, ())> = stage.line.serve(|_| {
        asked += 1;
        None
    });
    assert!(served.is_none());
    assert_eq!((asked, stage.line.waiting()), (1, 50));
}

#[test]
fn long_requests_of_many_clients_take_no_more_than_two_rounds_of_looks() {
    let mut stage = Stage::new();
    for client in 0..2000 {
        stage.comes(0, client, u32::MAX);
    }
    // Each costs 64 quanta. All are as far, so they are served in turn.
    let clients: Vec<_> = (0..3).filter_map(|_| stage.serves()).map(|place| place.client).collect();
    assert_eq!(clients, [0, 1, 2]);
}

#[test]
fn of_many_kinds_a_few_are_asked() {
    let mut stage = Stage::new();
    for order in 0..100 {
        let pick = Pick { above_order: Some(order), ..Pick::default() };
        let waiter = Waiter::new(Arc::clone(&stage.core), &pick, Waker::noop().clone());
        stage.line.push((0, 0), waiter);
    }
    let mut asked = 0;
    let served: Option<(_, _, ())> = stage.line.serve(|_| {
        asked += 1;
        None
    });
    assert!(served.is_none());
    assert_eq!(asked, super::KINDS);
}
