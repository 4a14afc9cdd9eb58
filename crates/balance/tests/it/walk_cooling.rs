//! What the walk does when deployments cool down, told as a dialogue.

use std::time::Duration;

use leastbusy_balance::{GiveUp, Limits, Outcome, WhenAllCooling};

use crate::request::Plan;

const A: usize = 0;
const B: usize = 1;
const C: usize = 2;

const SPARE: usize = 1;
const LAST: usize = 2;

const ERROR: Outcome = Outcome::ServerError;

fn all_cooling(when_all_cooling: WhenAllCooling) -> Limits {
    Limits { when_all_cooling, ..Limits::default() }
}

#[test]
fn what_cools_down_beside_those_tried_by_another_name_is_a_last_resort() {
    let plan = Plan::default().room(&[A], &[SPARE, LAST]).room(&[A, B], &[]).room(&[C], &[]);
    let mut request = plan.request();
    request.cools(B, 1).goes_to(A).fails(ERROR).goes_to(C).fails(ERROR);
    request.waits(1000..=1050).goes_to(B).succeeds(0, 2);
}

#[test]
fn all_cooling_falls_back_first() {
    let plan = Plan::default().room(&[A], &[SPARE]).room(&[B], &[]);
    let mut request = plan.request();
    request.cools(A, 1).goes_to(B).fails(ERROR);
    // Nothing else is left: now A is worth its second.
    request.waits(1000..=1050).goes_to(A).succeeds(0, 1);
}

#[test]
fn all_cooling_waits_for_the_first_that_returns() {
    let plan = Plan::default().room(&[A], &[SPARE]).room(&[B, C], &[]);
    let mut request = plan.request_within(all_cooling(WhenAllCooling::Wait(Duration::from_secs(3))));
    request.cools(A, 4).cools(B, 3).cools(C, 2).waits(2000..=2050).goes_to(C).succeeds(0, 1);
}

#[test]
fn all_cooling_waits_no_longer_than_allowed_in_all() {
    let plan = Plan::default().room(&[A], &[]);
    let mut request = plan.request_within(all_cooling(WhenAllCooling::Wait(Duration::from_secs(3))));
    request.cools(A, 2).waits(2000..=2050).cools(A, 2);
    request.gives_up(GiveUp::Cooling { remaining: Duration::from_secs(2) });
    let mut request =
        plan.request_within(Limits { deadline: Duration::from_secs(1001), ..Limits::default() });
    request.cools(A, 1).gives_up(GiveUp::Cooling { remaining: Duration::from_secs(1) });
}

#[test]
fn all_cooling_may_fail_at_once() {
    let plan = Plan::default().room(&[A, B], &[]).retries(2);
    let mut request = plan.request_within(all_cooling(WhenAllCooling::Fail));
    request.cools(A, 2).cools(B, 1).gives_up(GiveUp::Cooling { remaining: Duration::from_secs(1) });
    // R07: after a failure the client gets that failure.
    let mut request = plan.request_within(all_cooling(WhenAllCooling::Fail));
    request.cools(B, 5).goes_to(A).fails_and_cools(ERROR, 5).gives_up(GiveUp::Failed);
}

#[test]
fn all_cooling_may_ask_the_one_that_would_return_first() {
    let plan = Plan::default().room(&[A, B], &[SPARE]).room(&[C], &[]).retries(2);
    let mut request = plan.request_within(all_cooling(WhenAllCooling::TrySoonest));
    request.cools(A, 9).cools(B, 8).cools(C, 10).goes_to(B).fails(ERROR).goes_to(A).fails(ERROR);
    request.waits(500..=1250).goes_to(B).succeeds(2, 0);
}
