//! What a pick and its end cost, by size of the group and number of threads.
//!
//! `cargo bench -p leastbusy-balance` prints Markdown tables of nanoseconds a pick + drop: the best of
//! several rounds, because everything that disturbs a round makes it slower. The second is of a gateway that goes by
//! what 15 other instances told of the same deployments.

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
#![expect(clippy::print_stdout, reason = "its table is its product")]

use std::hint::black_box;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use leastbusy_balance::{Answers, Fleet, Group, Lease, Member, Pick, Seen, TieBreak, View, Weight};

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

fn main() {
    println!("One instance\n");
    table(group);
    println!("\nOne of sixteen\n");
    table(shared_group);
}
