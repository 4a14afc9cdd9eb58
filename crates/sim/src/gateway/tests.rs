use std::time::Duration;

use leastbusy_balance::{Lease, Outcome, Pick};

use super::Gateway;
use crate::clock::Moment;
use crate::{Engine, Policy, Rules};

/// A gateway before engines of these weights.
fn gateway(policy: Policy, weights: &[f64], seed: u64) -> Gateway {
    let engines: Vec<_> = weights.iter().map(|weight| Engine::new("engine", 1, *weight)).collect();
    Gateway::new(&engines, &Rules::default(), policy, seed)
}

fn pick(gateway: &mut Gateway, now: f64) -> Lease {
    gateway.pick(Moment::at(now), Pick::default()).expect("nobody rests")
}

/// A request on this member, whatever the choice: all others were tried.
fn load(gateway: &mut Gateway, member: usize) -> Lease {
    let members = gateway.group.members().iter().map(|member| member.deployment);
    let others: Vec<_> =
        members.enumerate().filter(|(other, _)| *other != member).map(|(_, one)| one).collect();
    gateway.pick(Moment::START, Pick { tried: &others, ..Pick::default() }).expect("one is untried")
}

/// How often each was picked, every request ending at once.
fn picked(gateway: &mut Gateway, members: usize, picks: usize) -> Vec<f64> {
    let mut counts = vec![0.0; members];
    for _ in 0..picks {
        counts[pick(gateway, 0.0).member()] += 1.0;
    }
    counts
}

fn chi_square(counts: &[f64], shares: &[f64]) -> f64 {
    let total: f64 = counts.iter().sum();
    counts.iter().zip(shares).map(|(count, share)| (count - share * total).powi(2) / (share * total)).sum()
}

#[test]
fn random_goes_by_the_weights() {
    for seed in 1..=5 {
        let counts = picked(&mut gateway(Policy::Random, &[1.0, 2.0, 3.0], seed), 3, 30_000);
        // Two degrees of freedom: beyond 18.4 once in ten thousand.
        let chi_square = chi_square(&counts, &[1.0 / 6.0, 2.0 / 6.0, 3.0 / 6.0]);
        assert!(chi_square < 18.4, "seed {seed}: {chi_square} {counts:?}");
    }
}

#[test]
fn round_robin_is_smooth() {
    // nginx's own example: of 5, 1 and 1 the heavy one never has its five turns in a row.
    let mut gateway = gateway(Policy::RoundRobin, &[5.0, 1.0, 1.0], 1);
    let turns: Vec<_> = (0..14).map(|_| pick(&mut gateway, 0.0).member()).collect();
    assert_eq!(turns, [0, 0, 1, 0, 2, 0, 0, 0, 0, 1, 0, 2, 0, 0]);
}

#[test]
fn round_robin_keeps_the_weights_whatever_they_are() {
    let weights = [0.3, 7.0, 1.1, 2.6];
    let counts = picked(&mut gateway(Policy::RoundRobin, &weights, 1), 4, 11_000);
    for (count, weight) in counts.iter().zip(weights) {
        assert!((count - 1000.0 * weight).abs() < 2.0, "{counts:?}");
    }
}

#[test]
fn two_choices_never_take_the_busiest_and_take_the_least_busy_of_three_twice_in_three() {
    let mut gateway = gateway(Policy::TwoChoices, &[1.0; 3], 7);
    let _held = [load(&mut gateway, 1), load(&mut gateway, 2), load(&mut gateway, 2)];
    let counts = picked(&mut gateway, 3, 30_000);
    assert_eq!(counts[2], 0.0);
    let chi_square = chi_square(&counts[..2], &[2.0 / 3.0, 1.0 / 3.0]);
    // One degree of freedom: beyond 15.1 once in ten thousand.
    assert!(chi_square < 15.1, "{chi_square} {counts:?}");
}

#[test]
fn two_choices_of_two_are_the_less_busy_one_and_of_equals_either() {
    let mut gateway = gateway(Policy::TwoChoices, &[1.0; 2], 3);
    let even = picked(&mut gateway, 2, 20_000);
    let chi_square = chi_square(&even, &[0.5, 0.5]);
    assert!(chi_square < 15.1, "{chi_square} {even:?}");
    let _held = load(&mut gateway, 0);
    assert_eq!(picked(&mut gateway, 2, 100), [0.0, 100.0]);
}

#[test]
fn stale_counts_are_seen_at_their_age_and_not_before() {
    let age = Duration::from_millis(10);
    let mut gateway = gateway(Policy::StaleFirst { age }, &[1.0; 3], 5);
    let members = |gateway: &mut Gateway, moments: [f64; 3]| {
        moments.map(|now| {
            let lease = pick(gateway, now);
            (lease.member(), lease)
        })
    };
    // Three come within 10 ms: all of them see three idle ones, and go to the first.
    let first = members(&mut gateway, [0.000, 0.004, 0.009_999]);
    assert_eq!(first.each_ref().map(|(member, _)| *member), [0, 0, 0]);
    // The first pick is seen now: one on the first, so the second is the first of the fewest; again for all.
    let second = members(&mut gateway, [0.010, 0.012, 0.019_999]);
    assert_eq!(second.each_ref().map(|(member, _)| *member), [1, 1, 1]);
    // Seen: three on the first, three on the second.
    let third = pick(&mut gateway, 0.030);
    assert_eq!(third.member(), 2);
    // All of the first end at 0.1 s; until that is seen, the third has the fewest.
    for (member, lease) in first {
        gateway.ended(Moment::at(0.1), member);
        lease.end(Outcome::Success, Duration::from_millis(100));
    }
    assert_eq!([0.105, 0.109_999, 0.110].map(|now| gateway_first(&mut gateway, now)), [2, 2, 0]);
}

/// Whom a request at this moment goes to; it ends at once, and nobody sees it.
fn gateway_first(gateway: &mut Gateway, now: f64) -> usize {
    let lease = pick(gateway, now);
    gateway.ended(Moment::at(now), lease.member());
    lease.member()
}

#[test]
fn stale_counts_without_age_are_the_counts() {
    let mut gateway = gateway(Policy::StaleFirst { age: Duration::ZERO }, &[1.0; 3], 5);
    let held: Vec<_> = (0..7).map(|_| pick(&mut gateway, 1.0)).collect();
    let members: Vec<_> = held.iter().map(Lease::member).collect();
    assert_eq!(members, [0, 1, 2, 0, 1, 2, 0]);
}

#[test]
fn where_the_first_of_the_fewest_rests_any_other_is_taken() {
    let mut gateway = gateway(Policy::StaleFirst { age: Duration::ZERO }, &[1.0; 3], 5);
    let lease = pick(&mut gateway, 1.0);
    assert_eq!(lease.member(), 0);
    gateway.ended(Moment::at(1.0), 0);
    lease.end(Outcome::RateLimited { retry_after: None }, Duration::from_secs(1));
    // It has no request, so it is the first of the fewest as long as it rests: five seconds.
    let mut counts = [0.0; 3];
    for _ in 0..10_000 {
        counts[gateway_first(&mut gateway, 2.0)] += 1.0;
    }
    assert_eq!(counts[0], 0.0);
    let chi_square = chi_square(&counts[1..], &[0.5, 0.5]);
    assert!(chi_square < 15.1, "{chi_square} {counts:?}");
}

#[test]
fn every_choice_leaves_out_who_rests_and_who_was_tried() {
    for policy in Policy::ALL {
        let mut gateway = gateway(policy, &[1.0; 4], 9);
        let now = Duration::from_secs(1);
        load(&mut gateway, 2).end(Outcome::RateLimited { retry_after: None }, now);
        let tried = [gateway.group.members()[1].deployment];
        let again = |gateway: &mut Gateway| {
            let pick = Pick { tried: &tried, ..Pick::default() };
            gateway.pick(Moment::at(2.0), pick).expect("two are left").member()
        };
        let picked: Vec<_> = (0..200).map(|_| again(&mut gateway)).collect();
        assert!(picked.iter().all(|member| [0, 3].contains(member)), "{policy:?} {picked:?}");
    }
}
