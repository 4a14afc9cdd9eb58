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

/// Lets every pick find all places taken until the walk does something else, for so many waits at most; returns how
/// many there were and how long they were together.
fn finds_all_full(request: &mut Request<'_>, waits_max: u32) -> (u32, Duration) {
    let (mut waits, began) = (0, request.now);
    for _ in 0..1000 {
        match request.step {
            Step::Pick(_) => request.refuse(NoPick::AllFull),
            Step::Wait(_) if waits == waits_max => break,
            Step::Wait(wait) => {
                waits += 1;
                request.sleep(wait);
            }
            Step::GiveUp(_) => break,
        }
    }
    (waits, request.now - began)
}

#[test]
fn a_full_group_falls_back_at_once() {
    let plan = Plan::default().room(&[A], &[SPARE]).room(&[B], &[]);
    let mut request = plan.request();
    request.refuse(NoPick::AllFull);
    request.goes_to(B).succeeds(0, 1);
}

#[test]
fn where_nothing_else_is_left_a_place_is_waited_for() {
    let plan = Plan::default().room(&[A], &[]);
    let mut request = plan.request();
    let (waits, took) = finds_all_full(&mut request, 3);
    assert_eq!(waits, 3);
    assert!((75..=225).contains(&took.as_millis()), "{took:?}");
    request.waits(25..=75).goes_to(A).succeeds(0, 0);
}

#[test]
fn it_gives_up_when_it_has_waited_for_so_long_in_all() {
    let plan = Plan::default().room(&[A], &[]);
    for longest in [Duration::ZERO, Duration::from_millis(300), Duration::from_secs(1)] {
        let mut request = plan.request_within(when(WhenAllCooling::Wait(longest)));
        let (waits, took) = finds_all_full(&mut request, u32::MAX);
        assert_eq!(request.step, Step::GiveUp(GiveUp::Full), "{longest:?}");
        assert!(took <= longest && longest < took + Duration::from_millis(30), "{took:?} of {longest:?}");
        eprintln!("{waits} waits in {took:?}");
    }
}

#[test]
fn it_may_fail_at_once_and_force_finds_no_place_either() {
    let plan = Plan::default().room(&[A], &[]);
    for rule in [WhenAllCooling::Fail, WhenAllCooling::TrySoonest] {
        let mut request = plan.request_within(when(rule));
        assert_eq!(finds_all_full(&mut request, 0), (0, Duration::ZERO), "{rule:?}");
        assert_eq!(request.step, Step::GiveUp(GiveUp::Full), "{rule:?}");
    }
}

#[test]
fn a_retry_waits_for_a_place_and_a_failure_before_it_is_what_the_client_gets() {
    let plan = Plan::default().room(&[A, B], &[]).retries(2);
    let mut request = plan.request();
    request.goes_to(A).fails(Outcome::ServerError);
    let (waits, _) = finds_all_full(&mut request, 2);
    assert_eq!(waits, 2);
    request.waits(25..=75).goes_to(B).fails(Outcome::ServerError);
    finds_all_full(&mut request, u32::MAX);
    assert_eq!(request.step, Step::GiveUp(GiveUp::Failed));
}
