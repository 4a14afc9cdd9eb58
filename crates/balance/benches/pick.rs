//! What a pick and its end cost, by size of the group and number of threads.
//!
//! `cargo bench -p leastbusy-balance` prints Markdown tables of nanoseconds a pick + drop: the best of
//! several rounds, because everything that disturbs a round makes it slower. The second is of a gateway that goes by
//! what 15 other instances told of the same deployments, the third of one where requests wait.

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
#![expect(clippy::print_stdout, reason = "its table is its product")]

use std::collections::VecDeque;
use std::hint::black_box;
use std::num::NonZeroU32;
use std::sync::{Arc, Barrier};
use std::task::Waker;
use std::thread;
use std::time::{Duration, Instant};

use leastbusy_balance::{
    Answers, Fleet, Group, Lease, Member, Pick, Queued, Seen, Ticket, TieBreak, View, Wait, Weight,
};

const SIZES: [usize; 5] = [4, 16, 64, 100, 1000];
const ROUNDS: usize = 25;
/// Members looked at in a round: sizes take about the same time, some 10 ms.
const SCANNED: usize = 4_000_000;

/// How the members of the group differ.
#[derive(Debug, Clone, Copy)]
enum Fleets {
    /// All alike and idle: a tie at every member, the dearest case for the dice.
    Idle,
    /// Loaded to different counts, weights 1 to 4.
    Mixed,
}

fn group(size: usize, fleets: Fleets) -> (Group, Vec<Lease>) {
    group_of(&Fleet::new(), size, fleets)
}

/// The same where the others told of all deployments 20 ms ago: seven requests on each.
fn shared_group(size: usize, fleets: Fleets) -> (Group, Vec<Lease>) {
    let fleet = Fleet::new();
    let (group, load) = group_of(&fleet, size, fleets);
    let age = Duration::from_millis(20);
    let seen = group.members().iter().map(|member| Seen {
        deployment: member.deployment,
        in_flight: 7,
        age,
        arrivals: 7.0,
        answers: Answers::default(),
    });
    let deployments = seen.collect();
    fleet.see(View { age, others: 15, rank: 4, deployments, ..View::default() }, Duration::ZERO);
    (group, load)
}

fn group_of(fleet: &Arc<Fleet>, size: usize, fleets: Fleets) -> (Group, Vec<Lease>) {
    let members: Vec<_> = (0..size)
        .map(|number| {
            let weight = match fleets {
                Fleets::Idle => 1.0,
                Fleets::Mixed => (1 + number * 7 % 4) as f64,
            };
            Member::new(fleet.deploy(), Weight::new(weight).expect("positive"))
        })
        .collect();
    let mut load = Vec::new();
    if let Fleets::Mixed = fleets {
        for (number, member) in members.iter().enumerate() {
            let alone = fleet.group(vec![member.clone()], TieBreak::Random);
            let pick = |_| alone.pick(&Pick::default()).expect("nothing was tried");
            load.extend((0..number * 31 % 9).map(pick));
        }
    }
    (fleet.group(members, TieBreak::Random), load)
}

/// Nanoseconds of wall clock for one pick and drop: what the slowest thread took, over all picks.
fn round(group: &Group, threads: usize, picks: usize) -> f64 {
    let start = Barrier::new(threads);
    let hand = |number: usize| {
        start.wait();
        let begin = Instant::now();
        for dice in 0..(picks / threads) as u64 {
            let dice = dice.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ number as u64;
            drop(black_box(group.pick(black_box(&Pick { dice, ..Pick::default() }))));
        }
        begin.elapsed()
    };
    let hand = &hand;
    let slowest = thread::scope(|scope| {
        let hands: Vec<_> = (0..threads).map(|number| scope.spawn(move || hand(number))).collect();
        hands.into_iter().map(|hand| hand.join().expect("no pick panics")).max().expect("a thread")
    });
    slowest.as_nanos() as f64 / picks as f64
}

fn table(group: fn(usize, Fleets) -> (Group, Vec<Lease>)) {
    println!("| deployments | idle, 1 thread | mixed, 1 thread | idle, 2 threads | mixed, 2 threads |");
    println!("|---:|---:|---:|---:|---:|");
    for size in SIZES {
        print!("| {size} |");
        for threads in [1, 2] {
            for fleets in [Fleets::Idle, Fleets::Mixed] {
                let (group, _load) = group(size, fleets);
                let picks = SCANNED / size.max(16);
                let best = (0..ROUNDS).map(|_| round(&group, threads, picks)).fold(f64::INFINITY, f64::min);
                print!(" {best:.0} ns |");
            }
        }
        println!();
    }
}

/// A full group with so many waiters, all alike or each unlike the others, and another group beside it.
struct Waiting {
    full: Group,
    beside: Group,
    leases: VecDeque<Lease>,
    tickets: VecDeque<Ticket>,
    /// Orders that the waiters are above of, so that each is of another kind.
    kinds: Vec<i64>,
}

impl Waiting {
    fn new(waiters: usize, unlike: bool) -> Self {
        let fleet = Fleet::new();
        let member = || Member { limit: NonZeroU32::new(1), ..Member::new(fleet.deploy(), Weight::ONE) };
        let full = fleet.group((0..16).map(|_| member()).collect(), TieBreak::Random);
        let beside = (0..16).map(|_| Member::new(fleet.deploy(), Weight::ONE)).collect();
        let beside = fleet.group(beside, TieBreak::Random);
        let leases = (0..16).map(|_| full.pick(&Pick::default()).expect("a place for each")).collect();
        let kinds = (0..waiters).map(|number| if unlike { -1 - number as i64 } else { -1 }).collect();
        let mut waiting = Self { full, beside, leases, tickets: VecDeque::new(), kinds };
        (0..waiters).for_each(|number| waiting.queue(number));
        waiting
    }

    fn queue(&mut self, number: usize) {
        let until = Duration::MAX;
        let wait = Wait { priority: 0, client: 0, most: u32::MAX, until, waker: Waker::noop().clone() };
        let above_order = Some(self.kinds[number]);
        match self.full.pick_or_queue(&Pick { above_order, ..Pick::default() }, wait) {
            Ok(Queued::Waiting(ticket)) => self.tickets.push_back(ticket),
            other => panic!("{other:?}"),
        }
    }

    /// A lease ends, the next waiter gets its place, and another one comes.
    fn hand_on(&mut self, number: usize) {
        drop(self.leases.pop_front());
        let mut first = self.tickets.pop_front().expect("somebody waits");
        let lease = first.fetch(Duration::ZERO, Waker::noop()).expect("it was handed on").expect("a place");
        self.leases.push_back(lease);
        self.queue(number);
    }
}

fn best_of(rounds: usize, turns: usize, mut turn: impl FnMut(usize)) -> f64 {
    let mut round = || {
        let begin = Instant::now();
        (0..turns).for_each(&mut turn);
        begin.elapsed().as_nanos() as f64 / turns as f64
    };
    (0..rounds).map(|_| round()).fold(f64::INFINITY, f64::min)
}

fn waiting_table() {
    println!(
        "| waiters | a place handed on, and one more comes | the same, no two alike | a pick + drop in another group |"
    );
    println!("|---:|---:|---:|---:|");
    for waiters in [1, 100, 2000] {
        let mut alike = Waiting::new(waiters, false);
        let mut unlike = Waiting::new(waiters, true);
        println!(
            "| {waiters} | {:.0} ns | {:.0} ns | {:.0} ns |",
            best_of(ROUNDS, 2000, |turn| alike.hand_on(turn % waiters)),
            best_of(ROUNDS, 2000, |turn| unlike.hand_on(turn % waiters)),
            best_of(ROUNDS, 20_000, |dice| {
                let dice = dice as u64;
                drop(black_box(unlike.beside.pick(&Pick { dice, ..Pick::default() })));
            }),
        );
    }
}

fn main() {
    println!("One instance\n");
    table(group);
    println!("\nOne of sixteen\n");
    table(shared_group);
    println!("\nSixteen full deployments\n");
    waiting_table();
}
