//! What the walk does with requests that their caller reckons to be too long, told as a dialogue.

use std::time::Duration;

use leastbusy_balance::{GiveUp, Limits, NoPick, Outcome, Step, WhenAllCooling};

use crate::request::{Plan, Request};

const A: usize = 0;
const B: usize = 1;
const C: usize = 2;

const CHAT: usize = 0;
const LONG: usize = 1;
const LAST: usize = 2;

const ERROR: Outcome = Outcome::ServerError;

/// Where the next pick is to be made, whether it insists and whether it would wait for a place.
fn asks(request: &Request<'_>) -> (usize, bool, bool) {
    let Step::Pick(ask) = request.step else { panic!("{:?}", request.step) };
    (ask.target, ask.insist, ask.queue)
}

/// Two groups that are both too short; what is too long for the first goes to the second.
fn both_short() -> Plan {
    Plan::default().room(&[A], &[]).short().or_if_too_long(&[LONG]).room(&[B], &[]).short()
}

#[test]
fn what_is_too_long_everywhere_is_for_the_group_that_was_asked_for() {
    let plan = both_short();
    let mut request = plan.request();
    request.goes_to(A).succeeds(0, 0);
    // Also where such requests have nowhere else to go.
    let plan = Plan::default().room(&[A], &[]).short().room(&[B], &[]).or_if_too_long(&[CHAT]);
    plan.request().goes_to(A).succeeds(0, 0);
}

#[test]
fn a_fallback_that_is_too_short_and_full_as_well_counts_once() {
    let plan = both_short();
    let mut request = plan.request();
    request.refuse(NoPick::TooLong);
    assert_eq!(asks(&request), (LONG, false, false));
    request.refuse(NoPick::TooLong);
    assert_eq!((asks(&request), request.walk.fallbacks()), ((CHAT, true, false), 0));
    request.refuse(NoPick::AllFull);
    assert_eq!((asks(&request), request.walk.fallbacks()), ((LONG, true, false), 1));
    request.refuse(NoPick::AllFull);
    assert_eq!((asks(&request), request.walk.fallbacks()), ((CHAT, true, true), 0));
    request.refuse(NoPick::AllFull);
    assert_eq!((asks(&request), request.walk.fallbacks()), ((LONG, true, true), 1));
    request.goes_to(B).succeeds(0, 1);
    request.refuse(NoPick::AllFull);
    assert_eq!((request.step, request.walk.fallbacks()), (Step::GiveUp(GiveUp::Full), 0));
}

#[test]
fn a_fallback_that_is_too_short_and_cools_down_as_well_counts_once() {
    let plan = both_short();
    let limits = Limits { when_all_cooling: WhenAllCooling::Fail, ..Limits::default() };
    let mut request = plan.request_within(limits);
    request.cools(A, 3).cools(B, 2);
    request.gives_up(GiveUp::Cooling { remaining: Duration::from_secs(2) });
    assert_eq!((request.walk.retries(), request.walk.fallbacks()), (0, 0));
}

#[test]
fn a_fallback_that_could_read_it_goes_first_and_decides() {
    let plan = Plan::default().room(&[A], &[]).short().or_if_too_long(&[LONG]).room(&[B], &[]);
    let mut request = plan.request();
    request.goes_to(B).fails(ERROR).gives_up(GiveUp::Failed);
    let limits = Limits { when_all_cooling: WhenAllCooling::Fail, ..Limits::default() };
    let mut request = plan.request_within(limits);
    request.cools(B, 5).goes_to(A).succeeds(0, 0);
}

#[test]
fn a_fallback_of_a_failure_is_insisted_on_as_a_fallback_with_its_retries() {
    let plan = Plan::default().room(&[A], &[LONG]).room(&[B, C], &[]).short().or_if_too_long(&[LAST]);
    let plan = plan.room(&[], &[]).retries(1);
    let mut request = plan.request_within(Limits { max_fallbacks: 1, ..Limits::default() });
    request.goes_to(A).fails(ERROR).waits(500..=1250).goes_to(A).fails(ERROR);
    request.goes_to(B).fails(ERROR).goes_to(C).succeeds(2, 1);
}

#[test]
fn who_says_too_long_all_the_same_ends_the_walk() {
    let plan = both_short();
    let mut request = plan.request();
    for _ in 0..4 {
        assert!(matches!(request.step, Step::Pick(_)), "{:?}", request.step);
        request.refuse(NoPick::TooLong);
    }
    assert_eq!((request.step, request.walk.fallbacks()), (Step::GiveUp(GiveUp::Empty), 0));
}
