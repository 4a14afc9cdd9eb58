//! Each rule of the walk, told as a dialogue.

use std::time::Duration;

use leastbusy_balance::{FallbackFor, GiveUp, Limits, NoPick, Outcome};

use crate::request::Plan;

const A: usize = 0;
const B: usize = 1;
const C: usize = 2;
const D: usize = 3;

const CHAT: usize = 0;
const SPARE: usize = 1;
const LAST: usize = 2;

const ERROR: Outcome = Outcome::ServerError;

fn rate_limited(seconds: u64) -> Outcome {
    Outcome::RateLimited { retry_after: Some(Duration::from_secs(seconds)) }
}

/// A limit on everything, so many seconds after the request began.
fn within(seconds: u64) -> Limits {
    Limits { deadline: Duration::from_secs(1000 + seconds), ..Limits::default() }
}

#[test]
fn a_retry_goes_to_an_untried_deployment_at_once() {
    // R11, D-25: with a healthy deployment left, an error never reaches the client, and nobody waits.
    let plan = Plan::default().room(&[A, B, C], &[]).retries(2);
    let mut request = plan.request();
    request.goes_to(A).fails(rate_limited(30));
    request.goes_to(B).fails(Outcome::ConnectionFailed);
    request.goes_to(C).succeeds(2, 0);
}

#[test]
fn there_is_no_wait_after_the_last_attempt() {
    // D-24, R10.
    let plan = Plan::default().room(&[A], &[]).retries(1);
    let mut request = plan.request();
    request.goes_to(A).fails(ERROR);
    request.waits(500..=1250).goes_to(A).fails(ERROR);
    request.gives_up(GiveUp::Failed);
}

#[test]
fn there_is_no_wait_before_a_fallback() {
    // D-24.
    let plan = Plan::default().room(&[A], &[SPARE]).room(&[B], &[]);
    let mut request = plan.request();
    request.goes_to(A).fails(rate_limited(3));
    request.goes_to(B).succeeds(0, 1);
}

#[test]
fn when_all_were_tried_the_rests_double() {
    let plan = Plan::default().room(&[A], &[]).retries(6);
    let mut request = plan.request();
    request.goes_to(A).fails(ERROR);
    for rest in [500, 1000, 2000, 4000, 8000, 8000] {
        request.waits(rest..=rest + 750).goes_to(A).fails(ERROR);
    }
    request.gives_up(GiveUp::Failed);
}

#[test]
fn retry_after_counts_from_the_failure() {
    // D-25: the wait is for the first that wants to be asked, and only for what is left of its rest.
    let plan = Plan::default().room(&[A, B], &[]).retries(3);
    let mut request = plan.request();
    request.goes_to(A).fails(rate_limited(20));
    request.goes_to(B).fails(rate_limited(30)).takes(4);
    request.waits(16_000..=16_750).goes_to(A).fails(rate_limited(60));
    request.waits(9_250..=10_750).goes_to(B).succeeds(3, 0);
}

#[test]
fn retry_after_of_nothing_is_no_rest() {
    let plan = Plan::default().room(&[A], &[]).retries(1);
    let mut request = plan.request();
    request.goes_to(A).fails(rate_limited(0));
    request.waits(500..=1250).goes_to(A).succeeds(1, 0);
}

#[test]
fn the_retry_after_setting_is_not_capped() {
    // D-26: LiteLLM cuts it at 8 s.
    let plan = Plan::default().room(&[A], &[]).retries(2);
    let mut request = plan.request_within(Limits { retry_after: Duration::from_secs(90), ..within(500) });
    request.goes_to(A).fails(ERROR);
    request.waits(90_000..=90_750).goes_to(A).fails(rate_limited(2));
    request.waits(90_000..=90_750).goes_to(A).succeeds(2, 0);
}

#[test]
fn a_rest_of_more_than_a_minute_is_not_taken() {
    let plan = Plan::default().room(&[A], &[]).retries(2);
    plan.request().goes_to(A).fails(rate_limited(61)).gives_up(GiveUp::Failed);
    plan.request().goes_to(A).fails(rate_limited(60)).waits(60_000..=60_750).goes_to(A);
}

#[test]
fn a_rest_of_more_than_eight_seconds_is_taken_only_without_a_fallback() {
    let plan = Plan::default().room(&[A], &[SPARE]).room(&[B], &[]).retries(1);
    plan.request().goes_to(A).fails(rate_limited(9)).goes_to(B).succeeds(0, 1);
    plan.request().goes_to(A).fails(rate_limited(8)).waits(8000..=8750).goes_to(A).succeeds(1, 0);
    let mut no_fallback = plan.request_within(Limits { max_fallbacks: 0, ..Limits::default() });
    no_fallback.goes_to(A).fails(rate_limited(9)).waits(9000..=9750).goes_to(A);
}

#[test]
fn a_rest_past_the_deadline_is_not_taken() {
    let plan = Plan::default().room(&[A], &[]).retries(2);
    let mut request = plan.request_within(within(10));
    request.goes_to(A).takes(5).fails(rate_limited(5)).gives_up(GiveUp::Failed);
    // What is left of the jitter ends before the deadline.
    let mut request = plan.request_within(within(10));
    request.goes_to(A).takes(5).fails(rate_limited(4)).waits(4000..=4500).goes_to(A);
}

#[test]
fn requests_that_fail_together_return_apart() {
    let plan = Plan::default().room(&[A], &[]).retries(1);
    let moments: Vec<_> = (0..4)
        .map(|client| {
            let mut request = plan.request();
            request.dice = client * 100;
            request.goes_to(A).fails(ERROR).waits(500..=1250).now
        })
        .collect();
    let apart = |moment: &Duration| moments.iter().filter(|other| *other == moment).count() == 1;
    assert!(moments.iter().all(apart), "{moments:?}");
}

#[test]
fn a_deployment_that_returns_meanwhile_is_worth_a_wait() {
    let plan = Plan::default().room(&[A, B], &[]).retries(1);
    let mut request = plan.request();
    request.cools(B, 2);
    request.goes_to(A).fails(rate_limited(30));
    request.waits(2000..=2750).goes_to(B).succeeds(1, 0);
}

#[test]
fn after_a_rest_an_untried_deployment_still_goes_first() {
    let plan = Plan::default().room(&[A, B], &[]).retries(1);
    let mut request = plan.request();
    request.cools(B, 1);
    request.goes_to(A).fails(rate_limited(1));
    request.waits(1000..=1750).goes_to(B).succeeds(1, 0);
}

#[test]
fn the_last_retries_are_kept_for_those_that_were_not_tried() {
    // One of four is well, and cools down for what was.
    let plan = Plan::default().room(&[A, B, C, D], &[]).retries(3);
    let mut request = plan.request();
    request.cools(B, 1).cools(C, 1).cools(D, 3);
    request.goes_to(A).fails(ERROR);
    request.waits(1000..=1050).goes_to(B).fails(ERROR);
    request.goes_to(C).fails(ERROR);
    request.waits(1900..=2000).goes_to(D).succeeds(3, 0);
    // However many retries the settings name, it is the least of them that counts.
    let plan = Plan::default().room(&[A, B], &[]).retries(5);
    let mut request = plan.request_within(Limits { max_retries: 1, ..Limits::default() });
    request.cools(B, 5).goes_to(A).fails(ERROR);
    request.waits(5000..=5050).goes_to(B).succeeds(1, 0);
}

#[test]
fn a_retry_to_spare_is_spent_where_the_wait_is_shorter() {
    // What has just failed once is more often well than what cools down.
    let plan = Plan::default().room(&[A, B], &[]).retries(2);
    let mut request = plan.request();
    request.cools(B, 5).goes_to(A).fails(ERROR);
    request.waits(500..=1250).goes_to(A).fails(ERROR);
    request.waits(3750..=4550).goes_to(B).succeeds(2, 0);
}

#[test]
fn no_retry_is_kept_for_one_that_returns_too_late() {
    let plan = Plan::default().room(&[A, B], &[]).retries(1);
    plan.request().cools(B, 9).goes_to(A).fails(ERROR).waits(500..=1250).goes_to(A).succeeds(1, 0);
    let mut request = plan.request_within(within(5));
    request.cools(B, 5).goes_to(A).fails(ERROR).waits(500..=1250).goes_to(A).succeeds(1, 0);
    // Nor after eight seconds, when it has failed another request meanwhile. The other one has had its rest.
    let mut request = plan.request();
    request.cools(B, 5).goes_to(A).fails(ERROR).waits(5000..=5050).cools(B, 4);
    request.goes_to(A).succeeds(1, 0);
}

#[test]
fn waits_for_others_do_not_lengthen_a_rest() {
    let plan = Plan::default().room(&[A, B], &[]).retries(2);
    let mut request = plan.request();
    request.cools(B, 2).goes_to(A).fails(rate_limited(3));
    request.waits(2000..=2050).goes_to(B).fails(ERROR);
    request.waits(500..=1250).goes_to(B).succeeds(2, 0);
}

#[test]
fn one_that_was_tried_and_cools_down_is_nobody_to_keep_a_retry_for() {
    let plan = Plan::default().room(&[A, B], &[]).retries(2);
    let mut request = plan.request();
    request.goes_to(A).fails_and_cools(ERROR, 7).goes_to(B).fails(rate_limited(2));
    request.waits(500..=1250).waits(750..=2250).goes_to(B).succeeds(2, 0);
}

#[test]
fn one_that_returns_together_with_another_that_was_tried_goes_first() {
    let plan = Plan::default().room(&[A, B, C], &[]).retries(2);
    let mut request = plan.request();
    request.cools(B, 9).goes_to(A).fails_and_cools(ERROR, 9).goes_to(C).fails(rate_limited(20));
    // A had its rest and is still to cool down.
    request.waits(500..=1250).waits(7750..=8550).goes_to(B).succeeds(2, 0);
}

#[test]
fn a_refused_key_or_an_unknown_model_is_tried_elsewhere_and_never_there_again() {
    // R06, R12, D-30.
    for outcome in [Outcome::Authentication, Outcome::NotFound] {
        let plan = Plan::default().room(&[A, B], &[]).retries(5);
        let mut request = plan.request();
        request.goes_to(A).fails(outcome);
        request.goes_to(B).fails(outcome);
        request.gives_up(GiveUp::Failed);
        let mut request = plan.request();
        request.goes_to(A).fails(outcome);
        request.goes_to(B).fails(ERROR);
        request.waits(500..=1250).goes_to(B).succeeds(2, 0);
    }
}

#[test]
fn a_wrong_request_is_not_retried_but_falls_back() {
    // R05, F01.
    let plan = Plan::default().room(&[A, B], &[SPARE]).room(&[C], &[]).retries(2);
    for outcome in [Outcome::BadRequest, Outcome::ContextWindow, Outcome::ContentPolicy] {
        plan.request().goes_to(A).fails(outcome).goes_to(C).succeeds(0, 1);
    }
}

#[test]
fn a_policy_retries_even_wrong_requests() {
    let mut plan = Plan::default().room(&[A, B], &[]);
    plan.bad_request_retries = Some(2);
    let mut request = plan.request();
    request.goes_to(A).fails(Outcome::BadRequest);
    request.goes_to(B).fails(Outcome::BadRequest);
    request.waits(500..=1250).goes_to(A).fails(Outcome::BadRequest);
    request.gives_up(GiveUp::Failed);
}

#[test]
fn a_client_that_left_ends_the_walk() {
    let plan = Plan::default().room(&[A, B], &[SPARE]).room(&[C], &[]).retries(2);
    plan.request().goes_to(A).fails(Outcome::ClientLeft).gives_up(GiveUp::Failed);
}

#[test]
fn a_request_that_is_too_long_goes_only_where_its_own_lists_lead() {
    let plan = Plan::default().room(&[A], &[SPARE]).or_if_too_long(&[LAST]).room(&[B], &[]).room(&[C], &[]);
    plan.request().goes_to(A).fails(Outcome::ContextWindow).goes_to(C).succeeds(0, 1);
    plan.request().goes_to(A).fails(ERROR).goes_to(B).succeeds(0, 1);
    // With such a list anywhere, a group that has none gives up.
    let unmapped = Plan::default().room(&[A], &[SPARE]).room(&[B], &[]).or_if_too_long(&[CHAT]);
    unmapped.request().goes_to(A).fails(Outcome::ContextWindow).gives_up(GiveUp::Failed);
    // The same where the caller sees that before anybody is asked.
    let mut request = plan.request();
    request.refuse(NoPick::TooLong);
    request.goes_to(C).succeeds(0, 1);
    assert_eq!(FallbackFor::from(Outcome::ContentPolicy), FallbackFor::ContentPolicy);
}

#[test]
fn without_retry_budget_the_request_falls_back_or_fails() {
    let plan = Plan::default().room(&[A, B], &[SPARE]).room(&[C], &[]).retries(2);
    let mut request = plan.request();
    request.budget = 1;
    request.goes_to(A).fails(ERROR).goes_to(B).fails(ERROR).goes_to(C).fails(ERROR).gives_up(GiveUp::Failed);
}

#[test]
fn every_fallback_retries_on_its_own() {
    // F02, F03.
    let plan = Plan::default().room(&[A], &[SPARE, LAST]).room(&[B, C], &[]).room(&[D], &[]).retries(1);
    let mut request = plan.request();
    request.goes_to(A).fails(ERROR).waits(500..=1250).goes_to(A).fails(ERROR);
    request.goes_to(B).fails(ERROR).goes_to(C).fails(ERROR);
    request.goes_to(D).succeeds(2, 2);
    assert_eq!((request.walk.first(), request.walk.target()), (CHAT, LAST));
}

#[test]
fn fallbacks_go_depth_first() {
    let plan = Plan::default().room(&[A], &[1, 3]).room(&[B], &[2]).room(&[C], &[]).room(&[D], &[]);
    let mut request = plan.request();
    request.goes_to(A).fails(ERROR).goes_to(B).fails(ERROR).goes_to(C).fails(ERROR);
    request.goes_to(D).succeeds(0, 3);
}

#[test]
fn each_target_is_tried_once() {
    // F04, F05: itself in its list, a repeated target, a cycle.
    let plan =
        Plan::default().room(&[A], &[CHAT, SPARE, SPARE]).room(&[B], &[CHAT, LAST]).room(&[C], &[SPARE]);
    let mut request = plan.request();
    request.goes_to(A).fails(ERROR).goes_to(B).fails(ERROR).goes_to(C).fails(ERROR);
    request.gives_up(GiveUp::Failed);
}

#[test]
fn max_fallbacks_bounds_a_flat_list() {
    // D-27, F09: LiteLLM tries the whole list, whatever its length.
    let plan = Plan::default().room(&[A], &[1, 2, 3]).room(&[B], &[]).room(&[C], &[]).room(&[D], &[]);
    let mut request = plan.request_within(Limits { max_fallbacks: 2, ..Limits::default() });
    request.goes_to(A).fails(ERROR).goes_to(B).fails(ERROR).goes_to(C).fails(ERROR);
    request.gives_up(GiveUp::Failed);
}

#[test]
fn max_retries_bounds_all_targets_together() {
    let plan = Plan::default().room(&[A, B], &[SPARE]).room(&[C, D], &[]).retries(2);
    let mut request = plan.request_within(Limits { max_retries: 1, ..Limits::default() });
    request.goes_to(A).fails(ERROR).goes_to(B).fails(ERROR).goes_to(C).fails(ERROR);
    request.gives_up(GiveUp::Failed);
}

#[test]
fn the_deadline_is_shared_by_all_attempts() {
    // D-27.
    let plan = Plan::default().room(&[A, B], &[SPARE]).room(&[C], &[]).retries(2);
    let mut request = plan.request_within(within(10));
    request.goes_to(A).takes(6).fails(ERROR).goes_to(B).takes(4).fails(ERROR).gives_up(GiveUp::Deadline);
    plan.request_within(within(0)).gives_up(GiveUp::Deadline);
}

#[test]
fn order_levels_come_before_fallbacks_and_retry_on_their_own() {
    // F06.
    let plan = Plan::default().levels(&[(A, 1), (B, 1), (C, 1), (D, 2)], &[SPARE]).room(&[4], &[]).retries(1);
    let mut request = plan.request();
    request.goes_to(A).fails(ERROR).goes_to(B).fails(ERROR);
    request.goes_to(D).fails(ERROR).waits(500..=1250).goes_to(D).fails(ERROR);
    request.goes_to(4).succeeds(2, 2);
}

#[test]
fn no_level_helps_a_request_that_is_too_long() {
    let plan = Plan::default().levels(&[(A, 1), (B, 2)], &[SPARE]).room(&[C], &[]);
    for outcome in [Outcome::ContextWindow, Outcome::ContentPolicy] {
        plan.request().goes_to(A).fails(outcome).goes_to(C).succeeds(0, 1);
    }
    plan.request().goes_to(A).fails(Outcome::BadRequest).goes_to(B).succeeds(0, 1);
}

#[test]
fn a_shared_deployment_is_not_asked_again_by_another_name() {
    let plan = Plan::default().room(&[A], &[SPARE, LAST]).room(&[A], &[]).room(&[A, B], &[]);
    let mut request = plan.request_within(Limits { max_fallbacks: 1, ..Limits::default() });
    // SPARE has nobody new. It is left out and costs nothing.
    request.goes_to(A).fails(ERROR).goes_to(B).succeeds(0, 1);
}

#[test]
fn a_group_without_deployments_is_told_apart() {
    let plan = Plan::default().room(&[], &[]);
    plan.request().gives_up(GiveUp::Empty);
    let plan = Plan::default().room(&[], &[SPARE]).room(&[A], &[]);
    plan.request().goes_to(A).succeeds(0, 1);
}

#[test]
fn a_hedge_that_failed_is_not_asked_again() {
    let plan = Plan::default().room(&[A, B, C], &[]).retries(2);
    let mut request = plan.request();
    request.goes_to(A);
    let hedge =
        leastbusy_balance::FailedAttempt { deployment: request.deployments[B], order: 0, outcome: ERROR };
    request.walk.note(hedge, request.now);
    request.fails(ERROR).goes_to(C).succeeds(1, 0);
}
