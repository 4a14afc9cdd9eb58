//! The promises under real threads: pick and count are one step, and every lease ends once.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;

use leastbusy_balance::{DeploymentIndex, Fleet, Group, Lease, Member, Pick, TieBreak, Weight};

const HELD: [usize; 5] = [2, 3, 10, 64, 1000];
const THREADS: [usize; 2] = [2, 8];

/// A stream of numbers from a seed (Weyl sequence through a finalizer), one for each thread.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 32)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
        mixed ^ (mixed >> 32)
    }
}

fn deploy(fleet: &Fleet, deployments: usize) -> Vec<DeploymentIndex> {
    (0..deployments).map(|_| fleet.deploy()).collect()
}

fn equals(fleet: &Arc<Fleet>, deployments: impl IntoIterator<Item = DeploymentIndex>) -> Group {
    let members = deployments.into_iter().map(|deployment| Member::new(deployment, Weight::ONE));
    fleet.group(members.collect(), TieBreak::Random)
}

fn spread(counts: &[u32]) -> u32 {
    counts.iter().max().expect("a deployment") - counts.iter().min().expect("a deployment")
}

/// Picks `picks` times from `threads` threads that start together; thread t uses group t modulo the
/// number of groups. Nothing is given back.
fn hold(groups: &[Group], threads: usize, picks: usize) -> Vec<Lease> {
    let start = Barrier::new(threads);
    thread::scope(|scope| {
        let hands: Vec<_> = (0..threads)
            .map(|number| {
                let (group, start) = (&groups[number % groups.len()], &start);
                let mine = picks / threads + usize::from(number < picks % threads);
                scope.spawn(move || {
                    let mut dice = Numbers(number as u64);
                    start.wait();
                    let pick = |_| group.pick(&Pick { dice: dice.next(), ..Pick::default() });
                    (0..mine).map(pick).collect::<Result<Vec<_>, _>>().expect("nothing was tried")
                })
            })
            .collect();
        hands.into_iter().flat_map(|hand| hand.join().expect("no pick panics")).collect()
    })
}

#[test]
fn simultaneous_picks_on_equal_deployments_differ_by_at_most_one() {
    for threads in THREADS {
        for deployments in [1, 2, 3, 7, 16] {
            for picks in HELD {
                let fleet = Fleet::new();
                let all = deploy(&fleet, deployments);
                let leases = hold(&[equals(&fleet, all)], threads, picks);
                let counts = fleet.snapshot();
                assert_eq!(counts.iter().sum::<u32>() as usize, picks);
                assert!(spread(&counts) <= 1, "{threads} threads, {picks} picks: {counts:?}");
                drop(leases);
                assert_eq!(fleet.snapshot(), vec![0; deployments]);
            }
        }
    }
}

#[test]
fn groups_that_share_all_deployments_spread_as_one() {
    for threads in THREADS {
        for picks in HELD {
            let fleet = Fleet::new();
            let all = deploy(&fleet, 5);
            let groups = [equals(&fleet, all.iter().copied()), equals(&fleet, all.iter().rev().copied())];
            let leases = hold(&groups, threads, picks);
            let counts = fleet.snapshot();
            assert_eq!(counts.iter().sum::<u32>() as usize, leases.len());
            assert!(spread(&counts) <= 1, "{threads} threads, {picks} picks: {counts:?}");
        }
    }
}

#[test]
fn groups_that_share_one_deployment_see_its_one_count() {
    for threads in THREADS {
        for picks in HELD {
            let fleet = Fleet::new();
            let [left, shared, right] = [(); 3].map(|()| fleet.deploy());
            let leases =
                hold(&[equals(&fleet, [left, shared]), equals(&fleet, [shared, right])], threads, picks);
            let [left, shared, right] = [left, shared, right].map(|deployment| fleet.in_flight(deployment));
            assert_eq!((left + shared + right) as usize, leases.len());
            // Whoever took the last place on a deployment saw none in its group that was less busy.
            assert!(
                left <= shared + 1 && right <= shared + 1 && shared <= left.max(right) + 1,
                "{threads} threads, {picks} picks: {left} {shared} {right}"
            );
        }
    }
}

#[test]
fn the_spread_is_at_most_one_at_every_moment_while_threads_pick() {
    let fleet = Fleet::new();
    let all = deploy(&fleet, 4);
    let groups = [equals(&fleet, all)];
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut looks = 0;
            while !done.load(Ordering::Relaxed) {
                let counts = fleet.snapshot();
                assert!(spread(&counts) <= 1, "{counts:?}");
                looks += 1;
            }
            looks
        });
        let leases = hold(&groups, 8, 100_000);
        done.store(true, Ordering::Relaxed);
        assert!(0 < watcher.join().expect("no look saw a wider spread"));
        assert_eq!(fleet.snapshot(), [25_000; 4]);
        drop(leases);
    });
    assert_eq!(fleet.snapshot(), [0; 4]);
}

#[test]
fn a_million_leases_that_end_in_every_way_leave_nothing_in_flight() {
    const SEED: u64 = 7;
    const THREADS: u64 = 8;
    const ENDS: u64 = 1_000_000 / THREADS;
    let fleet = Fleet::new();
    let [a, b, c] = [(); 3].map(|()| fleet.deploy());
    let groups = [equals(&fleet, [a, b]), equals(&fleet, [b, c]), equals(&fleet, [a, b, c])];
    let panics = AtomicU64::new(0);
    thread::scope(|scope| {
        // Leases also end on a thread that did not take them.
        let (elsewhere, arrivals) = mpsc::sync_channel::<Lease>(64);
        scope.spawn(move || arrivals.into_iter().for_each(drop));
        for number in 0..THREADS {
            let (groups, panics, elsewhere) = (&groups, &panics, elsewhere.clone());
            scope.spawn(move || {
                let mut numbers = Numbers(SEED + number);
                let mut held: Vec<Lease> = Vec::new();
                for _ in 0..ENDS {
                    let roll = numbers.next();
                    let tried: &[_] = if roll & 1 == 0 { &[] } else { &[b] };
                    let lease = groups[(roll >> 8) as usize % groups.len()]
                        .pick(&Pick { tried, dice: numbers.next(), ..Pick::default() })
                        .expect("every group has a deployment besides the tried one");
                    match (roll >> 16) % 64 {
                        0 => {
                            // As a panic, but without the hook that would print it.
                            let panicked = catch_unwind(AssertUnwindSafe(|| {
                                let _lease = lease;
                                resume_unwind(Box::new("the request's task panics"));
                            }));
                            assert!(panicked.is_err());
                            panics.fetch_add(1, Ordering::Relaxed);
                        }
                        1..8 => elsewhere.send(lease).expect("the other thread waits for all senders"),
                        8..40 => {
                            held.push(lease);
                            if 32 < held.len() {
                                drop(held.swap_remove((roll >> 32) as usize % held.len()));
                            }
                        }
                        _ => drop(lease),
                    }
                }
            });
        }
    });
    assert_eq!(fleet.snapshot(), [0; 3], "seed {SEED}");
    let panics = panics.into_inner();
    assert!((10_000..25_000).contains(&panics), "seed {SEED}: {panics} panics");
}

#[test]
fn a_thread_that_panics_gives_its_lease_back_and_spoils_nothing() {
    let fleet = Fleet::new();
    let [deployment] = [fleet.deploy()];
    let group = Arc::new(equals(&fleet, [deployment]));
    let theirs = Arc::clone(&group);
    let ended = thread::spawn(move || {
        let _lease = theirs.pick(&Pick::default()).expect("nothing was tried");
        panic!("this panic is part of the test");
    })
    .join();
    assert!(ended.is_err());
    assert_eq!(fleet.in_flight(deployment), 0);
    let lease = group.pick(&Pick::default()).expect("nothing was tried");
    assert_eq!((lease.in_flight_at_pick(), fleet.in_flight(deployment)), (1, 1));
}

#[test]
fn a_panic_over_a_foreign_deployment_leaves_the_books_usable() {
    let (fleet, larger) = (Fleet::new(), Fleet::new());
    let mine = fleet.deploy();
    let [_, foreign] = [(); 2].map(|()| larger.deploy());
    let asked = catch_unwind(AssertUnwindSafe(|| fleet.in_flight(foreign)));
    assert!(asked.is_err(), "the fleet has no such deployment");
    let lease = equals(&fleet, [mine]).pick(&Pick::default()).expect("nothing was tried");
    assert_eq!(fleet.in_flight(mine), 1);
    drop(lease);
    assert_eq!(fleet.in_flight(mine), 0);
}

#[test]
fn weights_three_to_one_hold_and_serve_three_to_one_when_saturated() {
    const SEED: u64 = 31;
    const THREADS: u64 = 8;
    const TURNS: u64 = 100_000;
    let fleet = Fleet::new();
    let (large, small) = (fleet.deploy(), fleet.deploy());
    let three = Weight::new(3.0).expect("positive");
    let group =
        fleet.group(vec![Member::new(large, three), Member::new(small, Weight::ONE)], TieBreak::Random);
    let held = hold(std::slice::from_ref(&group), THREADS as usize, 400);
    assert_eq!((fleet.in_flight(large), fleet.in_flight(small)), (300, 100));

    // Each turn ends any of the requests in flight, whoever sent it, and sends another.
    let (held, served) = (Mutex::new(held), AtomicU64::new(0));
    thread::scope(|scope| {
        for number in 0..THREADS {
            let (group, held, served) = (&group, &held, &served);
            scope.spawn(move || {
                let mut numbers = Numbers(SEED + number);
                let held = || held.lock().expect("no turn panics");
                for _ in 0..TURNS / THREADS {
                    let ended = {
                        let mut held = held();
                        let any = numbers.next() as usize % held.len();
                        held.swap_remove(any)
                    };
                    drop(ended);
                    let lease = group.pick(&Pick { dice: numbers.next(), ..Pick::default() });
                    let lease = lease.expect("nothing was tried");
                    served.fetch_add(u64::from(lease.deployment() == large), Ordering::Relaxed);
                    held().push(lease);
                }
            });
        }
    });
    // The standard deviation of the share is 0.14 %.
    let share = served.into_inner() as f64 / TURNS as f64;
    assert!((0.74..0.76).contains(&share), "seed {SEED}: {share} of the requests on the large deployment");
}
