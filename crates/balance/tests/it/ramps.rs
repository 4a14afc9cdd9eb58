//! A deployment comes back to all instances at once: one ramp, whose places they share.

use std::time::Duration;

use leastbusy_balance::{
    Answers, HealthRules, Lease, News, Outcome, Pick, RampCounts, Rest, Seen, Standing, View,
};

use crate::crowd::Crowd;

/// Requests of each instance on the other deployment, so that the returning one is the least busy.
const AT_PEER: usize = 60;

/// All instances are busy elsewhere, the first deployment rested, and the first instance's probe was answered well.
fn returning(instances: usize) -> Crowd {
    let mut crowd = Crowd::of(instances, 2, &HealthRules::default());
    for at in 0..instances {
        keep_busy(&mut crowd, at);
    }
    crowd.answers(0, 0, Outcome::RateLimited { retry_after: Some(Duration::from_secs(5)) });
    crowd.exchange();
    // What was held against it in the score is over as well.
    crowd.later(120.0);
    let mut probe = crowd.pick(0, 0);
    probe.answered(crowd.instances[0].clock(crowd.now));
    drop(probe);
    crowd.exchange();
    crowd
}

fn keep_busy(crowd: &mut Crowd, at: usize) {
    let leases: Vec<_> = (0..AT_PEER).map(|_| crowd.pick(at, 1)).collect();
    crowd.instances[at].leases.extend(leases);
}

/// As many requests as each instance gives the returning deployment before it has no place left.
fn given(crowd: &Crowd) -> Vec<Vec<Lease>> {
    let of = |at: usize| {
        let pick = || crowd.instances[at].pick(None, crowd.now).expect("nothing rests");
        std::iter::from_fn(|| Some(pick()).filter(|lease| lease.member() == 0)).take(200).collect()
    };
    (0..crowd.instances.len()).map(of).collect()
}

fn parts(crowd: &Crowd) -> Vec<usize> {
    given(crowd).iter().map(Vec::len).collect()
}

fn places(crowd: &Crowd) -> usize {
    parts(crowd).iter().sum()
}

/// All places are used, and every request succeeds.
fn all_succeed(crowd: &mut Crowd) {
    for (at, leases) in given(crowd).into_iter().enumerate() {
        let now = crowd.instances[at].clock(crowd.now);
        for lease in leases {
            lease.end(Outcome::Success, now);
        }
    }
    crowd.exchange();
}

fn ramp_of(crowd: &Crowd, at: usize) -> (u64, RampCounts) {
    let instance = &crowd.instances[at];
    let told = instance.fleet.tell(instance.clock(crowd.now));
    let told = told.into_iter().find(|told| told.deployment == instance.deployments[0]).expect("it ramps");
    told.answers.ramps[0]
}

fn repeat(crowd: &Crowd, at: usize) {
    crowd.fleet(at).repeat_news(crowd.instances[at].clock(crowd.now));
}

#[test]
fn the_parts_of_all_instances_add_up_to_the_cap_which_all_successes_raise() {
    for instances in 1..=4 {
        let mut crowd = returning(instances);
        let mut caps = Vec::new();
        for _ in 0..6 {
            let parts = parts(&crowd);
            let (least, most) = (parts.iter().min().unwrap(), parts.iter().max().unwrap());
            assert!(most - least <= 1, "{parts:?}");
            caps.push(parts.iter().sum::<usize>());
            all_succeed(&mut crowd);
        }
        assert_eq!(caps, [1, 2, 4, 8, 16, 32], "{instances} instances");
    }
}

#[test]
fn a_failure_at_one_halves_the_places_of_all() {
    let mut crowd = returning(3);
    (0..4).for_each(|_| all_succeed(&mut crowd));
    assert_eq!(places(&crowd), 16);
    crowd.answers(2, 0, Outcome::ServerError);
    crowd.exchange();
    assert_eq!(crowd.standings(0), [Standing::Ramping; 3]);
    assert_eq!(places(&crowd), 8);
}

#[test]
fn two_failures_at_two_instances_end_the_ramp_at_all() {
    let mut crowd = returning(3);
    (0..3).for_each(|_| all_succeed(&mut crowd));
    crowd.answers(0, 0, Outcome::ServerError);
    crowd.exchange();
    assert_eq!(crowd.rests(0), [None; 3]);
    crowd.answers(1, 0, Outcome::ServerError);
    assert!(crowd.rests(0)[1].is_some(), "two of the fleet's last eight");
    crowd.exchange();
    let rests = crowd.rests(0);
    // Doubled, within 20 %.
    assert!(rests.iter().all(|rest| *rest == rests[0] && (8.0..12.0).contains(&rest.unwrap())), "{rests:?}");

    // Eight successes between them, through whomever, and the ramp goes on.
    let mut crowd = returning(3);
    (0..4).for_each(|_| all_succeed(&mut crowd));
    crowd.answers(0, 0, Outcome::ServerError);
    crowd.exchange();
    all_succeed(&mut crowd);
    crowd.answers(1, 0, Outcome::ServerError);
    crowd.exchange();
    assert_eq!(crowd.rests(0), [None; 3]);
}

#[test]
fn one_that_joins_late_takes_its_part() {
    let mut crowd = returning(2);
    (0..4).for_each(|_| all_succeed(&mut crowd));
    crowd.join(2);
    keep_busy(&mut crowd, 2);
    repeat(&crowd, 0);
    // It hears of the ramp first, then of the counts, and is counted itself.
    crowd.exchange();
    crowd.exchange();
    assert_eq!((crowd.standings(0), places(&crowd)), (vec![Standing::Ramping; 3], 16));
}

#[test]
fn a_gateway_that_starts_ramps_nothing_that_the_others_do_not() {
    let mut crowd = Crowd::of(2, 2, &HealthRules::default());
    (0..2).for_each(|at| crowd.serves(at, 0));
    crowd.join(2);
    (0..2).for_each(|at| repeat(&crowd, at));
    crowd.exchange();
    assert_eq!(crowd.standings(0), [Standing::Available; 3]);
    assert_eq!(crowd.standings(1), [Standing::Available; 3]);
}

#[test]
fn one_that_has_ended_the_ramp_does_not_begin_it_again() {
    let mut crowd = returning(2);
    let news = News::Returns { ramp: ramp_of(&crowd, 0).0, since: crowd.now };
    crowd.later(21.0);
    crowd.exchange();
    // The first one asks for places and finds that the time is over; the second has no requests.
    assert!(AT_PEER < parts(&crowd)[0]);
    for _ in 0..2 {
        crowd.learn(0, 0, &news);
        repeat(&crowd, 1);
        crowd.exchange();
        assert_eq!(crowd.standings(0)[0], Standing::Available);
        // Nor when it has been idle for so long that it does not know how it answers.
        crowd.later(30.0);
    }
}

#[test]
fn probes_that_succeed_together_begin_one_ramp() {
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let mut crowd = Crowd::of(3, 2, &HealthRules::default());
        crowd.answers(0, 0, Outcome::RateLimited { retry_after: None });
        crowd.exchange();
        crowd.later(5.0);
        // Without a guard each probes for itself, a little after one another.
        for at in order {
            let now = crowd.instances[at].clock(crowd.now);
            let (all, on) = (&crowd.instances[at].deployments, crowd.instances[at].deployments[0]);
            let tried: Vec<_> = all.iter().copied().filter(|one| *one != on).collect();
            let dice = 100 + at as u64;
            let pick = Pick { tried: &tried, dice, now, ..Pick::default() };
            let mut probe = crowd.instances[at].group.pick(&pick).expect("it has rested");
            probe.answered(now);
            crowd.later(0.004);
        }
        crowd.exchange();
        let ramps: Vec<_> = (0..3).map(|at| ramp_of(&crowd, at).0).collect();
        assert_eq!(ramps, [100; 3], "in order {order:?}");
    }
}

#[test]
fn one_that_adds_a_deployment_late_does_not_take_it_from_those_it_serves() {
    let crowd = Crowd::of(2, 2, &HealthRules::default());
    crowd.serves(0, 0);
    let since = crowd.now;
    crowd.learn(0, 0, &News::Returns { ramp: 9, since });
    assert_eq!(crowd.standings(0)[0], Standing::Available);
    // In the middle of a ramp the one that began first goes on, and the later one joins it.
    let mut crowd = returning(2);
    let (first, _) = ramp_of(&crowd, 0);
    (0..3).for_each(|_| all_succeed(&mut crowd));
    crowd.later(3.0);
    crowd.learn(0, 0, &News::Returns { ramp: first - 1, since: crowd.now });
    assert_eq!(ramp_of(&crowd, 0).0, first);
}

#[test]
fn a_return_from_before_a_rest_does_not_end_it_and_counts_when_it_is_over() {
    let mut crowd = returning(2);
    // That of the last ramp, told again, and one that nobody here has heard of.
    for ramp in [ramp_of(&crowd, 0).0, 17] {
        let old = News::Returns { ramp, since: crowd.now };
        crowd.later(4.0);
        crowd.answers(1, 0, Outcome::RateLimited { retry_after: Some(Duration::from_secs(9)) });
        crowd.exchange();
        (0..2).for_each(|at| crowd.learn(at, 0, &old));
        assert!(crowd.rests(0).iter().all(Option::is_some), "{:?}", crowd.rests(0));
        // The others, who know of no rest, have it back and would let nobody probe it.
        crowd.later(120.0);
        assert_eq!(crowd.standings(0), [Standing::Ramping; 2]);
    }
}

#[test]
fn a_rest_after_a_return_that_is_awaited_ends_the_wait() {
    let mut crowd = returning(2);
    let old = News::Returns { ramp: 17, since: crowd.now };
    crowd.later(4.0);
    crowd.answers(1, 0, Outcome::RateLimited { retry_after: Some(Duration::from_secs(9)) });
    crowd.exchange();
    (0..2).for_each(|at| crowd.learn(at, 0, &old));
    let until = crowd.now + Duration::from_secs(11);
    let rest = News::Rests(Rest { until, reason: None, status: None, relapses: 0 });
    (0..2).for_each(|at| crowd.learn(at, 0, &rest));
    crowd.later(120.0);
    assert_eq!(crowd.standings(0), [Standing::Probing; 2]);
}

#[test]
fn a_return_from_before_the_last_ramp_does_not_restart_it() {
    let mut crowd = returning(2);
    let old = News::Returns { ramp: 17, since: crowd.now };
    crowd.later(4.0);
    crowd.answers(1, 0, Outcome::RateLimited { retry_after: Some(Duration::from_secs(9)) });
    crowd.exchange();
    crowd.later(60.0);
    crowd.serves(0, 0);
    crowd.exchange();
    let ramp = ramp_of(&crowd, 0).0;
    (0..2).for_each(|at| crowd.learn(at, 0, &old));
    assert_eq!([0, 1].map(|at| ramp_of(&crowd, at).0), [ramp; 2]);
}

#[test]
fn a_return_is_told_even_if_all_is_to_be_told_again() {
    let rules = HealthRules { ramp_time: Duration::ZERO, ..HealthRules::default() };
    let mut crowd = Crowd::of(1, 2, &rules);
    crowd.answers(0, 0, Outcome::RateLimited { retry_after: None });
    crowd.news(0, 0);
    crowd.later(5.0);
    crowd.serves(0, 0);
    repeat(&crowd, 0);
    assert!(matches!(crowd.news(0, 0), Some(News::Returns { .. })));
}

#[test]
fn a_rest_ends_the_ramp_at_all_and_the_relapses_are_told() {
    let mut crowd = returning(2);
    let until = crowd.now + Duration::from_secs(9);
    crowd.learn(1, 0, &News::Rests(Rest { until, reason: None, status: None, relapses: 2 }));
    crowd.later(9.0);
    let now = crowd.instances[1].clock(crowd.now);
    let rested = crowd.pick(1, 0).end(Outcome::ServerError, now).expect("the probe failed");
    // The third relapse: 5 s doubled three times, within 20 %.
    assert!((32.0..48.0).contains(&(rested - now).as_secs_f64()), "{:?}", rested - now);
}

#[test]
fn a_ramp_that_was_told_of_any_number_of_failures_goes_on_at_once() {
    let crowd = returning(2);
    let instance = &crowd.instances[1];
    let (ramp, _) = ramp_of(&crowd, 1);
    let now = instance.clock(crowd.now);
    for failures in [u32::MAX, 0, u32::MAX] {
        let counts = RampCounts { successes: u32::MAX, failures, begun: u32::MAX };
        let answers = Answers { ramps: vec![(ramp, counts)], ..Answers::default() };
        let (deployment, age) = (instance.deployments[0], Duration::ZERO);
        let seen = Seen { deployment, in_flight: 0, age, arrivals: 0.0, answers };
        let view = View { at: now, age, others: 1, deployments: vec![seen], ..View::default() };
        instance.fleet.see(view, now);
        assert_eq!(crowd.standings(0)[1], Standing::Ramping);
    }
}
