//! What the walk does when deployments are full, told as a dialogue.

use std::time::Duration;

use leastbusy_balance::{GiveUp, Limits, NoPick, Outcome, Step, WhenAllCooling};

use crate::request::{Plan, Request};

const A: usize = 0;
const B: usize = 1;

const SPARE: usize = 1;

fn when(when_all_cooling: WhenAllCooling) -> Limits {
    Limits { when_all_cooling, ..Limits::default() }
}

/// Finds all places taken, and whether it would wait for one.
fn finds_all_full(request: &mut Request<'_>) -> (usize, bool) {
    let Step::Pick(ask) = request.step else { panic!("{:?}", request.step) };
    request.refuse(NoPick::AllFull);
    (ask.target, ask.queue)
}

#[test]
fn a_full_group_falls_back_at_once() {
    let plan = Plan::default().room(&[A], &[SPARE]).room(&[B], &[]);
    let mut request = plan.request();
    assert_eq!(finds_all_full(&mut request), (0, false));
    request.goes_to(B).succeeds(0, 1);
}

#[test]
fn where_nothing_else_is_left_it_queues() {
    let plan = Plan::default().room(&[A], &[]);
    let mut request = plan.request();
    assert_eq!(finds_all_full(&mut request), (0, false));
    let Step::Pick(ask) = request.step else { panic!("{:?}", request.step) };
    assert!(ask.queue);
    request.goes_to(A).succeeds(0, 0);
}

#[test]
fn it_queues_where_it_was_refused_first_and_once_at_each_target() {
    let plan = Plan::default().room(&[A], &[SPARE]).room(&[B], &[]);
    let mut request = plan.request();
    let asked: Vec<_> = (0..4).map(|_| finds_all_full(&mut request)).collect();
    assert_eq!(asked, [(0, false), (SPARE, false), (0, true), (SPARE, true)]);
    assert_eq!(request.step, Step::GiveUp(GiveUp::Full));
}

#[test]
fn what_happens_when_all_cool_down_does_not_matter_to_a_queue() {
    let plan = Plan::default().room(&[A], &[]);
    for rule in [WhenAllCooling::Fail, WhenAllCooling::TrySoonest, WhenAllCooling::Wait(Duration::ZERO)] {
        let mut request = plan.request_within(when(rule));
        assert_eq!(finds_all_full(&mut request), (0, false), "{rule:?}");
        assert_eq!(finds_all_full(&mut request), (0, true), "{rule:?}");
        assert_eq!(request.step, Step::GiveUp(GiveUp::Full), "{rule:?}");
    }
}

#[test]
fn it_rather_queues_than_waits_for_a_cooldown() {
    let plan = Plan::default().room(&[A], &[SPARE]).room(&[B], &[]);
    let mut request = plan.request();
    request.cools(A, 1);
    let soonest = request.now + Duration::from_secs(1);
    request.refuse(NoPick::AllCooling { soonest });
    assert_eq!(finds_all_full(&mut request), (SPARE, false));
    assert_eq!(finds_all_full(&mut request), (SPARE, true));
    // No place came free; what cools down is left.
    assert!(matches!(request.step, Step::Wait(_)), "{:?}", request.step);
}

#[test]
fn a_retry_queues_and_a_failure_before_it_is_what_the_client_gets() {
    let plan = Plan::default().room(&[A, B], &[]).retries(2);
    let mut request = plan.request();
    request.goes_to(A).fails(Outcome::ServerError);
    assert_eq!(finds_all_full(&mut request), (0, false));
    let Step::Pick(ask) = request.step else { panic!("{:?}", request.step) };
    assert!(ask.queue);
    request.goes_to(B).fails(Outcome::ServerError);
    // It may queue again for its next retry.
    assert_eq!(finds_all_full(&mut request), (0, false));
    assert_eq!(finds_all_full(&mut request), (0, true));
    assert_eq!(request.step, Step::GiveUp(GiveUp::Failed));
}
