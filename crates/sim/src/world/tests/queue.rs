//! Deployments with limits, and the gateway's queue before them.

use std::num::NonZeroU32;
use std::time::Duration;

use super::{at, engine, job, seconds, troubled};
use crate::{Client, Engine, Instances, Job, Policy, Queue, Report, Rules, Run, Trouble};

/// An engine of one token a second that is sent no more than it has slots for.
fn limited(slots: u32) -> Engine {
    Engine { limit: NonZeroU32::new(slots), ..engine(slots) }
}

fn run(engines: &[Engine], rules: &Rules, clients: &[Client], jobs: &[Job]) -> Report {
    let (policy, instances) = (Policy::LeastBusy, &Instances::default());
    Run { engines, rules, instances, clients, policy, seed: 1, uncounted: 0, span: None }.report(jobs)
}

fn queue(queue: Queue) -> Rules {
    Rules { queue, ..Rules::default() }
}

#[test]
fn whoever_waits_takes_the_place_that_comes_free_first() {
    // Pushed on, the third would go to one of two that look alike, and in half of the runs wait for the long one.
    let jobs = [job(0.0, 9.0), job(0.0, 1.0), job(0.5, 1.0), job(0.6, 1.0)];
    let report = run(&[limited(1), limited(1)], &Rules::default(), &[], &jobs);
    assert_eq!(seconds(&report.waits), [0.0, 0.0, 0.5, 1.4]);
    assert_eq!(seconds(&report.queues), [0.0, 0.0, 0.5, 1.4]);
    assert_eq!((report.largest_in_flight, report.errors), (vec![1, 1], 0));
}

#[test]
fn what_finds_the_queue_full_or_waits_too_long_is_refused() {
    let rules = queue(Queue { most: Some(2), timeout: at(1.5), ..Queue::default() });
    // The first is served, the next two wait, one of them too long; for the fourth there is no place.
    let jobs = [job(0.0, 1.0), job(0.0, 1.0), job(0.0, 1.0), job(0.0, 1.0)];
    let report = run(&[limited(1)], &rules, &[], &jobs);
    assert_eq!((report.errors, report.refused), (2, 2));
    assert_eq!(seconds(&report.waits), [0.0, 1.0]);
}

#[test]
fn without_a_queue_what_is_full_refuses() {
    let none = queue(Queue { most: Some(0), ..Queue::default() });
    let report = run(&[limited(1)], &none, &[], &[job(0.0, 1.0), job(0.5, 1.0), job(1.0, 1.0)]);
    assert_eq!((report.refused, report.served), (1, vec![2]));
}

#[test]
fn as_many_may_wait_as_twice_the_limits_come_to() {
    let report = run(&[limited(2), limited(1)], &Rules::default(), &[], &[job(0.0, 1.0); 12]);
    assert_eq!((report.served.iter().sum::<u64>(), report.refused), (9, 3));
}

#[test]
fn a_request_that_fails_may_wait_for_its_retry() {
    // The first engine fails what it gets; the other is busy until 2.
    let failing = troubled(0.0, 9.0, Trouble::Fails { share: 1.0, after: at(0.5) }, limited(1));
    let jobs = [job(0.0, 2.0), job(0.0, 1.0)];
    let report = run(&[failing, limited(1)], &Rules::default(), &[], &jobs);
    assert_eq!((report.errors, &report.served), (0, &vec![0, 2]));
    // One of the two, or both, met the failing one first and waited from 0.5 on.
    assert!(0 < report.retries && !report.queues.largest().is_zero(), "{report:?}");
}

#[test]
fn what_is_left_of_the_whole_requests_time_is_what_it_may_wait_and_be_served() {
    let served = |limit: f64| {
        let rules = Rules { request_timeout: Some(at(limit)), ..Rules::default() };
        run(&[limited(1)], &rules, &[], &[job(0.0, 0.9), job(0.2, 0.3)]).served[0]
    };
    assert_eq!((served(1.1), served(0.95), served(0.85)), (2, 1, 0));
}

#[test]
fn a_place_that_time_brings_is_noticed() {
    // It rests from 0 to 5, and nobody else ends anything.
    let retry_after = Some(at(5.0));
    let limits = troubled(0.0, 0.01, Trouble::RateLimits { retry_after }, limited(1));
    let report = run(&[limits, limited(1)], &Rules::default(), &[], &[job(0.0, 20.0), job(0.1, 1.0)]);
    assert_eq!((report.errors, report.served.iter().sum::<u64>()), (0, 2));
    assert!(report.queues.largest() < at(5.2), "{:?}", report.queues);
}

/// The mean waits of clients who send 400 requests at once, for which there is one slot.
fn waits_of(clients: &[Client], turns: bool) -> Vec<Duration> {
    let rules = queue(Queue { most: Some(400), timeout: at(1_000.0), turns });
    let report = run(&[limited(1)], &rules, clients, &[job(0.0, 1.0); 400]);
    assert_eq!(report.errors, 0);
    report.client_waits.iter().map(crate::Times::mean).collect()
}

#[test]
fn clients_take_turns_and_the_most_urgent_go_first() {
    let shares = [Client::new("noisy", 9.0), Client::new("quiet", 1.0)];
    let [noisy, quiet] = waits_of(&shares, true)[..] else { panic!("two clients") };
    assert!(4 * quiet < noisy, "{quiet:?} and {noisy:?}");
    let [noisy, quiet] = waits_of(&shares, false)[..] else { panic!("two clients") };
    assert!(4 * noisy < 5 * quiet && 4 * quiet < 5 * noisy, "{quiet:?} and {noisy:?}");

    let urgent = |priority| Client { priority, ..Client::new("urgent", 1.0) };
    let [calm, urgent] = waits_of(&[Client::new("calm", 1.0), urgent(-1)], false)[..] else {
        panic!("two clients")
    };
    assert!(2 * urgent < calm, "{urgent:?} and {calm:?}");
}

#[test]
fn ways_of_choosing_that_are_modelled_on_others_push_on() {
    let (engines, rules, instances) = (&[limited(1)], &Rules::default(), &Instances::default());
    for policy in [Policy::StaleFirst { age: at(0.01) }, Policy::OwnAndTold] {
        let run = Run { engines, rules, instances, clients: &[], policy, seed: 1, uncounted: 0, span: None };
        let report = run.report(&[job(0.0, 1.0); 9]);
        assert_eq!((report.errors, report.largest_in_flight), (0, vec![9]));
        assert_eq!(report.queues.largest(), Duration::ZERO);
    }
}
