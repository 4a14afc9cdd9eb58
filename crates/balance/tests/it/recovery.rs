//! Failing and coming back under load, in virtual time, with the figures that the design promises.

use std::time::Duration;

use leastbusy_balance::{
    Capacity, Fleet, Group, HealthRules, Lease, Member, Outcome, Pick, Standing, TieBreak, Weight,
};

use crate::virtual_load::{Answers, Load, always};

fn load<'a>(answers: Vec<Answers<'a>>, rules: &HealthRules) -> Load<'a> {
    let fleet = Fleet::new();
    let members = answers
        .iter()
        .map(|_| Member { rules: rules.clone().into(), ..Member::new(fleet.deploy(), Weight::ONE) })
        .collect();
    let group: Group = fleet.group(members, TieBreak::Random);
    Load::new(fleet, group, answers)
}

fn secs(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// A deployment that answers well, but for a span in which it fails at once.
fn fails_between<'a>(milliseconds: u64, from: Duration, to: Duration) -> Answers<'a> {
    Box::new(move |now, _| {
        if (from..to).contains(&now) {
            (Duration::from_millis(1), Outcome::ServerError)
        } else {
            (Duration::from_millis(milliseconds), Outcome::Success)
        }
    })
}

#[test]
fn failing_in_a_millisecond_draws_no_more_than_its_share_and_soon_next_to_nothing() {
    let failing_from = secs(110.0);
    let mut load = load(
        vec![
            always(200, Outcome::Success),
            always(200, Outcome::Success),
            fails_between(200, failing_from, secs(1000.0)),
        ],
        &HealthRules::default(),
    );
    load.run(30.0, 40.0);
    let first = load.attempts.iter().position(|attempt| failing_from <= attempt.at).unwrap();
    let mut on_it = 0;
    for (number, attempt) in load.attempts[first..].iter().enumerate() {
        on_it += usize::from(attempt.member == 2);
        // Its share of any number of attempts, and the one at which it happens to stand.
        assert!(on_it <= number / 3 + 3, "{on_it} of the first {} attempts", number + 1);
    }
    let (on_it, all) = (load.on(2, failing_from, (2.0, 30.0)), load.all(failing_from, (2.0, 30.0)));
    eprintln!("{on_it} of {all} attempts from 2 s after the first failure; {} lost", load.lost);
    assert!((on_it as f64) < 0.005 * all as f64, "{on_it} of {all}");
    assert_eq!(load.lost, 0);
}

#[test]
fn without_cooldowns_the_hold_and_the_success_rate_alone_keep_it_small() {
    let rules = HealthRules { cooldowns: false, ..HealthRules::default() };
    let mut load = load(
        vec![always(200, Outcome::Success), always(200, Outcome::Success), always(1, Outcome::ServerError)],
        &rules,
    );
    load.run(30.0, 60.0);
    let share = load.on(2, secs(100.0), (20.0, 60.0)) as f64 / load.all(secs(100.0), (20.0, 60.0)) as f64;
    eprintln!("{:.1} % of attempts on a deployment that always fails, without rests", share * 100.0);
    assert!(share < 0.05, "{share}");
    assert_eq!(load.lost, 0);
}

#[test]
fn a_deployment_that_fails_a_fifth_of_the_time_is_asked_visibly_less() {
    let sometimes: Answers<'_> = Box::new(|_, roll| {
        if roll % 5 == 0 {
            (Duration::from_millis(1), Outcome::ServerError)
        } else {
            (Duration::from_millis(200), Outcome::Success)
        }
    });
    let well = || always(200, Outcome::Success);
    let mut load = load(vec![well(), well(), well(), sometimes], &HealthRules::default());
    load.run(80.0, 120.0);
    let share = load.on(3, secs(100.0), (10.0, 120.0)) as f64 / load.all(secs(100.0), (10.0, 120.0)) as f64;
    eprintln!("{:.1} % of attempts on one of four that fails a fifth of the time", share * 100.0);
    assert!(share < 0.19, "{share}, where an equal share is 0.25");
    assert!(0.05 < share, "{share}: it still serves");
    assert_eq!(load.lost, 0);
}

#[test]
fn a_return_is_one_probe_then_a_ramp_to_an_equal_share_without_overshoot() {
    for (milliseconds, at_once) in [(1000, 40), (1000, 120), (300, 40), (5000, 40)] {
        let well = || always(milliseconds, Outcome::Success);
        let (from, to) = (secs(120.0), secs(124.0));
        let mut load = load(
            vec![well(), well(), well(), fails_between(milliseconds, from, to)],
            &HealthRules::default(),
        );
        load.run_closed(at_once, 60.0);
        let probes: Vec<_> = load.attempts.iter().filter(|attempt| attempt.is_probe).collect();
        assert!(!probes.is_empty(), "it was rested and probed");
        let returned = probes.iter().map(|probe| probe.at).find(|at| to <= *at).expect("it came back");
        let at_first = load.on(3, returned, (0.0, 0.1));
        assert!(at_first <= 2, "{at_first} requests in the first 100 ms");
        let share = at_once as f64 / 4.0;
        let after = load.attempts.iter().filter(|attempt| attempt.member == 3 && returned <= attempt.at);
        let most = after.clone().map(|attempt| attempt.in_flight).max().unwrap();
        let reached = after
            .clone()
            .find(|attempt| share * 0.9 <= f64::from(attempt.in_flight))
            .map(|attempt| attempt.at - returned);
        eprintln!(
            "{milliseconds} ms, {at_once} at once: {at_first} in the first 100 ms, an equal share after {reached:?}, at most {most} of {share}"
        );
        assert!(f64::from(most) <= share * 1.2, "{most} overshoots {share}");
        assert!(reached.expect("an equal share") <= secs(20.0));
        assert_eq!(load.lost, 0);
    }
}

#[test]
fn a_deployment_that_joins_is_ramped_like_one_that_comes_back() {
    let well = || always(1000, Outcome::Success);
    let fleet = Fleet::new();
    let mut members: Vec<_> = (0..3).map(|_| Member::new(fleet.deploy(), Weight::ONE)).collect();
    members.push(Member::new(fleet.deploy_gently(secs(100.0)), Weight::ONE));
    let new = members[3].deployment;
    let group = fleet.group(members, TieBreak::Random);
    let mut load = Load::new(fleet, group, vec![well(), well(), well(), well()]);
    assert_eq!(load.fleet.condition(new, load.now).standing, Standing::Probing);
    load.run_closed(40, 0.5);
    assert_eq!(load.on(3, secs(100.0), (0.0, 0.5)), 1, "the probe");
    load.run_closed(40, 1.0);
    assert_eq!(load.fleet.condition(new, load.now).standing, Standing::Ramping);
    load.run_closed(40, 20.0);
    assert_eq!(load.fleet.condition(new, load.now).standing, Standing::Available);
    assert!((9..=11).contains(&load.fleet.in_flight(new)));
}

#[test]
fn a_fleet_that_has_just_started_ramps_nothing() {
    let mut load =
        load(vec![always(1000, Outcome::Success), always(1000, Outcome::Success)], &HealthRules::default());
    load.run_closed(40, 0.5);
    assert_eq!((load.on(0, secs(100.0), (0.0, 0.5)), load.on(1, secs(100.0), (0.0, 0.5))), (20, 20));
}

#[test]
fn each_failed_return_doubles_the_rest_with_jitter_up_to_a_bound() {
    let mut load = load(
        vec![always(100, Outcome::Success), always(1, Outcome::ConnectionFailed)],
        &HealthRules::default(),
    );
    load.run(20.0, 4000.0);
    let probes: Vec<_> =
        load.attempts.iter().filter(|attempt| attempt.member == 1).map(|attempt| attempt.at).collect();
    let rests: Vec<f64> = probes.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64()).collect();
    eprintln!("rests of {rests:.1?} s");
    for (doublings, rest) in rests.iter().enumerate() {
        let plain = (5.0 * 2_f64.powi(doublings as i32)).min(300.0);
        let slack = 1.0; // until a request comes that happens to be the probe
        let jitter = if doublings == 0 { 1.0 } else { 0.8 };
        assert!(
            plain * jitter - 0.001 <= *rest && *rest <= (plain * 1.2).min(300.0) + slack,
            "{rest} after {doublings}"
        );
    }
    assert!(12 < rests.len(), "it is still asked");
    assert!(
        rests[2..5].iter().zip([20.0, 40.0, 80.0]).any(|(rest, plain)| (rest - plain).abs() > 0.5),
        "jitter"
    );
    assert_eq!(load.lost, 0);
}

#[test]
fn failing_again_on_the_way_back_halves_and_then_rests_longer() {
    // It answers one request in two when it is back, so that the probe may pass.
    let from = secs(110.0);
    let flapping: Answers<'_> = Box::new(move |now, roll| {
        if now < from || (now < secs(200.0) && roll % 2 == 0) {
            (Duration::from_millis(100), Outcome::Success)
        } else if now < secs(200.0) {
            (Duration::from_millis(1), Outcome::ServerError)
        } else {
            (Duration::from_millis(100), Outcome::Success)
        }
    });
    let well = || always(100, Outcome::Success);
    let mut load = load(vec![well(), well(), flapping], &HealthRules::default());
    load.run(60.0, 100.0);
    let share = load.on(2, from, (5.0, 90.0)) as f64 / load.all(from, (5.0, 90.0)) as f64;
    eprintln!("{:.1} % of attempts on one of three that fails every other request", share * 100.0);
    assert!(share < 0.05, "{share}");
    load.run(60.0, 400.0);
    let share = load.on(2, secs(100.0), (450.0, 500.0)) as f64 / load.all(secs(100.0), (450.0, 500.0)) as f64;
    assert!((0.3..0.37).contains(&share), "{share}: it has its share again");
    assert_eq!(load.lost, 0);
}

#[test]
fn with_no_ramp_time_a_probe_is_all_there_is() {
    let rules = HealthRules { ramp_time: Duration::ZERO, ..HealthRules::default() };
    let well = || always(1000, Outcome::Success);
    let mut load = load(vec![well(), fails_between(1000, secs(110.0), secs(111.0))], &rules);
    load.run_closed(40, 18.0);
    let back = load
        .attempts
        .iter()
        .filter(|attempt| attempt.is_probe)
        .map(|attempt| attempt.at)
        .next_back()
        .unwrap();
    assert_eq!(load.on(1, back, (0.001, 0.999)), 0, "nothing beside the probe");
    assert!(2 < load.on(1, back, (1.0, 1.1)), "and then its share at once");
}

/// One of two that has just come back, its probe's answer begun, and the other one with so many requests.
fn returned(capacity: Option<Capacity>, at_peer: usize) -> (Group, Vec<Lease>) {
    let fleet = Fleet::new();
    let peer = Member { capacity, ..Member::new(fleet.deploy(), Weight::ONE) };
    let back = Member { capacity, ..Member::new(fleet.deploy_gently(secs(1.0)), Weight::ONE) };
    let group = fleet.group(vec![peer, back], TieBreak::Random);
    let tried = [group.members()[1].deployment];
    let at_peer =
        (0..at_peer).map(|_| group.pick(&Pick { tried: &tried, ..Pick::default() }).expect("one is untried"));
    let mut leases: Vec<_> = at_peer.collect();
    let tried = [group.members()[0].deployment];
    leases.push(
        group.pick(&Pick { tried: &tried, now: secs(1.0), ..Pick::default() }).expect("one is untried"),
    );
    leases.last_mut().expect("the probe").answered(secs(1.0));
    (group, leases)
}

/// Requests of ten that the returned one gets at this moment; their answers begin at once or not.
fn given(group: &Group, leases: &mut Vec<Lease>, now: Duration, begins: bool) -> usize {
    let before = leases.len();
    for dice in 0..10 {
        let mut lease = group.pick(&Pick { dice, now, ..Pick::default() }).expect("one is untried");
        if begins {
            lease.answered(now);
        }
        leases.push(lease);
    }
    leases[before..].iter().filter(|lease| lease.member() == 1).count()
}

#[test]
fn the_first_eight_places_of_a_return_need_answers_that_begin_but_none_that_ends() {
    let given_at = |begins| {
        let (group, mut leases) = returned(None, 40);
        [1.0, 1.11, 1.21, 1.31, 1.41].map(|now| given(&group, &mut leases, secs(now), begins))
    };
    assert_eq!(given_at(true), [0, 1, 2, 4, 0], "doubled every 100 ms up to eight");
    assert_eq!(given_at(false), [0, 1, 0, 0, 0], "nothing begins but the probe's answer");
}

#[test]
fn a_ramp_gives_way_where_speeds_are_known_and_nobody_else_has_a_free_place() {
    let capacity = Capacity::new(8, 1.0);
    let (group, mut leases) = returned(capacity, 0);
    assert_eq!(
        given(&group, &mut leases, secs(1.0), false),
        0,
        "the other one has free places, then a short line"
    );
    // With 18 on 8 places the other's line is longer than one request behind another on a single place.
    let (group, mut leases) = returned(capacity, 18);
    assert!(0 < given(&group, &mut leases, secs(1.0), false));
    let (group, mut leases) = returned(None, 18);
    assert_eq!(given(&group, &mut leases, secs(1.0), false), 0, "unknown places are never full");
}
