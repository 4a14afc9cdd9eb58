//! Instances that share through a Redis whose time the test makes.

use std::time::Duration;

use leastbusy_balance::{Ending, Outcome, Standing};

use super::world::{LEASE, MS, Trouble, World, name_of};
use crate::shared::exchange::{Change, Note};

/// 20 ms and a fifth.
const INTERVAL_MAX: Duration = Duration::from_millis(24);
const ROUND_TRIP: Duration = Duration::from_millis(2);

const SECOND: Duration = Duration::from_secs(1);

/// A world in which so many instances know each other, and nothing has gone wrong.
fn calm(seed: u64, instances: usize) -> World {
    let mut world = World::new(seed, instances);
    world.run(3 * SECOND);
    world
}

#[test]
fn what_begins_or_ends_is_known_to_all_within_an_interval() {
    for seed in 0..20 {
        let mut world = calm(seed, 5);
        world.has_traffic = false;
        world.run(SECOND);
        world.expect_exact("after a second of silence");
        let mut leases = Vec::new();
        for round in 0..20 {
            let now = world.now;
            let at = world.rng.usize(..5);
            leases.push(world.instances[at].takes(round % 4, now));
            if round % 3 == 0 {
                drop(leases.swap_remove(world.rng.usize(..leases.len())));
            }
            // One interval until it is told, and one until it is read.
            world.run(2 * INTERVAL_MAX + ROUND_TRIP);
            world.expect_exact("an interval later");
        }
    }
}

#[test]
fn one_that_is_alone_asks_only_who_is_there() {
    let mut world = World::new(1, 1);
    world.run(SECOND);
    let before = world.instances[0].turns_in_all;
    world.run(60 * SECOND);
    let turns = world.instances[0].turns_in_all - before;
    // Each third of a lease, 80 to 120 % of it.
    eprintln!("{turns} turns in a minute alone");
    assert!((75..=113).contains(&turns), "{turns}");
    // The others leave: for a lease they may come back any time, then it is quiet again.
    world.join();
    world.run(3 * SECOND);
    world.stop(1, true);
    world.run(LEASE + SECOND);
    let before = world.instances[0].turns_in_all;
    world.run(60 * SECOND);
    assert!((75..=113).contains(&(world.instances[0].turns_in_all - before)));
}

#[test]
fn a_rest_is_known_to_all_within_an_interval_whatever_the_clocks_say() {
    for seed in 0..6 {
        let mut world = calm(seed, 4);
        for round in 0..6 {
            // Two of them rest it at once, and the longer rest counts.
            let now = world.now;
            let first = world.rng.usize(..4);
            let second = (first + world.rng.usize(1..4)) % 4;
            let seconds = [3, 20 + round];
            for (at, seconds) in [first, second].into_iter().zip(seconds) {
                let one = &mut world.instances[at];
                let lease = one.takes(round as usize % 4, now);
                let outcome = Outcome::RateLimited { retry_after: Some(Duration::from_secs(seconds)) };
                let local = one.local(now);
                lease.end(Ending { status: Some(429), ..outcome.into() }, local);
                one.nudge();
            }
            world.run(INTERVAL_MAX + 4 * ROUND_TRIP);
            for one in &world.instances {
                let local = one.local(world.now);
                let deployment = one.deployments[round as usize % 4];
                let cooldown = one.fleet.condition(deployment, local).cooldown.expect("it rests");
                let until = world.now + cooldown.remaining;
                let expected = now + Duration::from_secs(seconds[1]);
                let off = until.max(expected) - until.min(expected);
                assert!(
                    off <= 100 * MS + 2 * ROUND_TRIP,
                    "seed {seed}, round {round}: {until:?}, not {expected:?}"
                );
                assert_eq!((cooldown.reason.name(), cooldown.status), ("rate_limited", Some(429)));
            }
            world.clock_ms = (world.clock_ms as i64 + world.rng.i64(-3_600_000..3_600_000)) as u64;
            world.disturbed = world.now;
            world.run(25 * SECOND);
        }
    }
}

#[test]
fn a_deployment_comes_back_to_all_after_one_probe() {
    for seed in 0..10 {
        let mut world = calm(seed, 4);
        let now = world.now;
        for at in 0..4 {
            let one = &mut world.instances[0];
            let lease = one.takes(at, now);
            let local = one.local(now);
            let retry_after = Some(Duration::from_secs(1 + at as u64));
            lease.end(Outcome::RateLimited { retry_after }, local);
            one.nudge();
        }
        world.run(8 * SECOND);
        for one in &world.instances {
            for deployment in &one.deployments {
                let standing = one.fleet.condition(*deployment, one.local(world.now)).standing;
                assert!(
                    matches!(standing, Standing::Ramping | Standing::Available | Standing::Full),
                    "seed {seed}: {standing:?}"
                );
            }
        }
    }
}

/// A quarter of the probes last 1 to 5 s: the world fails where another one is picked within 2 s of one that is out.
#[test]
fn however_long_a_probe_lasts_no_other_instance_joins_it_early() {
    let mut by_right = 0;
    for seed in 0..10 {
        let mut world = calm(seed, 4);
        world.trouble = Trouble { bad_answer: 4, ..Trouble::default() };
        world.run(60 * SECOND);
        by_right += world.checked;
    }
    eprintln!("{by_right} probes by right");
    assert!(50 < by_right, "{by_right} probes by right");
}

#[test]
fn the_right_to_probe_passes_on_when_its_holder_dies() {
    let mut world = calm(7, 2);
    world.has_traffic = false;
    let hold = 2 * SECOND;
    let note = (name_of(0), Note::Probe { hold });
    let [first, second] = [world.instances[0].id, world.instances[1].id];
    let now = world.server_ms();
    assert_eq!(world.board.note(now, first, note.0, &note.1), 2000);
    world.stop(0, false);
    assert_eq!(world.board.note(now + 1999, second, note.0, &note.1), 0);
    assert_eq!(world.board.note(now + 2000, second, note.0, &note.1), 2000);
    assert_eq!(world.board.note(now + 2001, first, note.0, &note.1), 0);
}

#[test]
fn each_outage_is_lost_and_back_once_and_then_the_view_is_exact() {
    for seed in 0..20 {
        let mut world = calm(seed, 4);
        world.has_traffic = false;
        let now = world.now;
        let _leases: Vec<_> = (0..4).map(|at| world.instances[at].takes(at, now)).collect();
        world.run(SECOND);
        world.expect_exact("before the outage");
        let forgets = seed % 2 == 0;
        world.is_up = false;
        let outage = Duration::from_secs(world.rng.u64(4..20));
        world.run(outage);
        for one in &world.instances {
            assert!(matches!(one.changes[..], [Change::Lost { .. }]), "{:?}", one.changes);
            assert!(one.exchange.others(one.local(world.now)).is_empty());
            let own: Vec<_> = one.deployments.iter().map(|of| one.fleet.in_flight_total(*of)).collect();
            assert_eq!(own, one.fleet.snapshot(), "own counts only");
        }
        if forgets {
            world.board = Default::default();
        }
        world.is_up = true;
        // Each tries again within 300 ms; the last of them is seen an interval later.
        world.run(300 * MS + INTERVAL_MAX + 3 * ROUND_TRIP);
        world.expect_exact("after the outage");
        world.run(10 * SECOND);
        for one in &world.instances {
            assert!(
                matches!(one.changes[..], [Change::Lost { .. }, Change::Back { .. }]),
                "{:?}",
                one.changes
            );
        }
    }
}

#[test]
fn a_jump_of_the_servers_clock_hides_nobody_for_longer_than_a_few_intervals() {
    for seed in 0..10 {
        let mut world = calm(seed, 4);
        world.has_traffic = false;
        world.run(SECOND);
        let now = world.now;
        let _leases: Vec<_> = (0..4).map(|at| world.instances[at].takes(at, now)).collect();
        for jump_ms in [7_200_000_i64, -3_600_000, 5_000, -5_000] {
            world.clock_ms = (world.clock_ms as i64 + jump_ms) as u64;
            world.disturbed = world.now;
            // All that was told runs out and is told again; later a roll call strikes everybody off, and all answer it.
            let mut wrong = Duration::ZERO;
            for _ in 0..3000 {
                world.run(MS);
                let totals = world.totals();
                let sees = |one: &super::world::Instance| {
                    one.deployments.iter().map(|of| one.fleet.in_flight_total(*of)).collect::<Vec<_>>()
                };
                if world.instances.iter().any(|one| sees(one) != totals) {
                    wrong += MS;
                }
            }
            assert!(
                wrong <= 4 * INTERVAL_MAX + 8 * ROUND_TRIP,
                "seed {seed}, {jump_ms} ms: wrong for {wrong:?}"
            );
            world.expect_exact("after the jump");
        }
    }
}

#[test]
fn one_that_was_paused_overwrites_only_its_own() {
    for seed in 0..10 {
        let mut world = calm(seed, 3);
        world.instances[0].frozen_until = world.now + 10 * SECOND;
        world.run(5 * SECOND);
        for one in &world.instances[1..] {
            let others = one.exchange.others(one.local(world.now));
            assert!(
                others.iter().all(|(known, _)| known.id != world.instances[0].id),
                "its lease has run out"
            );
        }
        world.run(6 * SECOND);
        world.has_traffic = false;
        world.run(SECOND);
        world.expect_exact("after it woke");
        assert_eq!(world.instances[0].exchange.others(world.instances[0].local(world.now)).len(), 2);
    }
}

/// Everything that can go wrong, at once and for long, then silence.
#[test]
fn whatever_happens_the_view_is_exact_when_it_is_over() {
    for seed in 0..25 {
        let mut world = World::new(seed, 4);
        let mut replica = world.board.clone();
        for _ in 0..12 {
            let mut of = |most: u32| if world.rng.bool() { world.rng.u32(0..most) } else { 0 };
            world.trouble = Trouble {
                request_lost: of(300),
                reply_lost: of(200),
                executed_twice: of(300),
                executed_late: of(200),
                slow: of(300),
                bad_answer: of(150),
            };
            let living: Vec<_> =
                (0..world.instances.len()).filter(|at| world.instances[*at].is_alive).collect();
            let one = living[world.rng.usize(..living.len())];
            match world.rng.u32(..9) {
                0 => world.join(),
                1 | 2 if 2 < living.len() => {
                    let orderly = world.rng.bool();
                    world.stop(one, orderly);
                }
                3 => world.instances[one].frozen_until = world.now + MS * world.rng.u32(10..6000),
                4 => world.is_up = !world.is_up,
                5 => {
                    world.board = Default::default();
                    world.disturbed = world.now;
                }
                6 => {
                    world.board = replica.clone();
                    world.disturbed = world.now;
                }
                7 => {
                    world.clock_ms = (world.clock_ms as i64 + world.rng.i64(-600_000..600_000)) as u64;
                    world.disturbed = world.now;
                }
                _ => replica = world.board.clone(),
            }
            let time = MS * world.rng.u32(50..3000);
            world.run(time);
        }
        world.is_up = true;
        world.has_traffic = false;
        world.trouble = Trouble::default();
        // What is late comes, what is dead runs out, who sleeps wakes.
        world.run(10 * SECOND);
        world.expect_exact(&format!("with seed {seed}"));
        // And nothing is shut for ever.
        world.has_traffic = true;
        world.run(12 * SECOND);
        for one in world.instances.iter().filter(|one| one.is_alive) {
            for deployment in &one.deployments {
                let standing = one.fleet.condition(*deployment, one.local(world.now)).standing;
                let is_open = matches!(standing, Standing::Ramping | Standing::Available | Standing::Full);
                assert!(is_open, "seed {seed}: {standing:?} at {:?}", one.id);
            }
        }
        let turns: u64 = world.instances.iter().map(|one| one.turns_in_all).sum();
        eprintln!(
            "seed {seed}: {} instances, {turns} turns in {:?}, {} probes by right",
            world.instances.len(),
            world.now,
            world.checked
        );
    }
}

#[test]
fn pauses_spread_over_a_fifth_either_way() {
    let world = calm(3, 3);
    let one = &world.instances[0].exchange;
    let pauses = [0.0, 0.5, 1.0].map(|dice| one.pause(dice).as_micros());
    assert_eq!(pauses, [16_000, 20_000, 24_000]);
    assert_eq!(one.pause_min(), 5 * MS);
}
