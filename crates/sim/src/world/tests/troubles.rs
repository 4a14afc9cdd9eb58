use leastbusy_balance::HealthRules;

use super::{at, engine, job, preferred, run, seconds, troubled};
use crate::{Engine, Instances, Job, Report, Rules, Trouble, WarmUp};

fn counts(report: &Report) -> (u64, u64, Vec<u64>) {
    (report.errors, report.retries, report.served.clone())
}

fn slow_start(engine: Engine) -> Engine {
    Engine { first_token_time: at(1.0), ..engine }
}

#[test]
fn a_request_that_breaks_before_its_first_token_is_answered_by_another() {
    let engines =
        [preferred(troubled(0.5, 9.0, Trouble::Down, slow_start(engine(1)))), slow_start(engine(1))];
    let report = run(&engines, &Rules::default(), &[job(0.0, 2.0)]);
    assert_eq!(counts(&report), (0, 1, vec![0, 1]));
    assert_eq!((seconds(&report.waits), seconds(&report.responses)), (vec![0.5], vec![3.5]));
}

#[test]
fn a_waiting_request_that_breaks_is_answered_by_another() {
    let engines = [preferred(troubled(0.5, 9.0, Trouble::Down, engine(1))), engine(1)];
    let rules = Rules { streams: false, ..Rules::default() };
    let report = run(&engines, &rules, &[job(0.0, 2.0), job(0.0, 2.0)]);
    assert_eq!(counts(&report), (0, 2, vec![0, 2]));
    assert_eq!(seconds(&report.responses), [2.5, 4.5]);
}

#[test]
fn a_stream_that_breaks_is_an_error_and_a_whole_answer_is_retried() {
    let engines =
        [preferred(troubled(1.5, 9.0, Trouble::Down, slow_start(engine(1)))), slow_start(engine(1))];
    let report = run(&engines, &Rules::default(), &[job(0.0, 2.0)]);
    assert_eq!(counts(&report), (1, 0, vec![0, 0]));
    let whole = Rules { streams: false, ..Rules::default() };
    let report = run(&engines, &whole, &[job(0.0, 2.0)]);
    assert_eq!(counts(&report), (0, 1, vec![0, 1]));
    assert_eq!((seconds(&report.first_tokens), seconds(&report.responses)), (vec![2.5], vec![4.5]));
}

#[test]
fn connections_are_refused_while_it_is_down_and_the_next_requests_go_elsewhere() {
    let engines = [preferred(troubled(0.0, 100.0, Trouble::Down, engine(9))), engine(9)];
    let jobs: Vec<_> = (0..5).map(|number| job(f64::from(number), 0.5)).collect();
    let report = run(&engines, &Rules::default(), &jobs);
    // The refusal takes a millisecond, and makes it rest for five seconds.
    assert_eq!((counts(&report), report.attempts), ((0, 1, vec![0, 5]), vec![1, 5]));
    assert_eq!(seconds(&report.waits), [0.0, 0.0, 0.0, 0.0, 0.001]);
}

#[test]
fn it_serves_again_when_it_is_back() {
    let engines = [preferred(troubled(1.0, 2.0, Trouble::Down, engine(9))), engine(9)];
    let report = run(&engines, &Rules::default(), &[job(0.0, 0.5), job(1.5, 1.0), job(20.0, 1.0)]);
    assert_eq!(counts(&report), (0, 1, vec![2, 1]));
}

#[test]
fn a_fast_failure_costs_its_time_and_a_retry() {
    let fails = Trouble::Fails { share: 1.0, after: at(0.02) };
    let engines = [preferred(troubled(0.0, 100.0, fails, engine(9))), engine(9)];
    let report = run(&engines, &Rules::default(), &[job(1.0, 2.0)]);
    assert_eq!((counts(&report), report.attempts), ((0, 1, vec![0, 1]), vec![1, 1]));
    assert_eq!((seconds(&report.waits), seconds(&report.responses)), (vec![0.02], vec![2.02]));
}

#[test]
fn a_share_of_failures_is_a_share() {
    let fails = Trouble::Fails { share: 0.3, after: at(0.02) };
    let rules = Rules {
        retries: 0,
        health: HealthRules { cooldowns: false, ..HealthRules::default() },
        ..Rules::default()
    };
    let jobs: Vec<_> = (0..10_000).map(|number| job(f64::from(number), 0.1)).collect();
    let report = run(&[troubled(0.0, 1e6, fails, engine(9))], &rules, &jobs);
    // A standard deviation of 46.
    assert!((2800..3200).contains(&report.errors), "{}", report.errors);
}

#[test]
fn a_retry_on_the_only_deployment_waits_and_is_counted() {
    let fails = Trouble::Fails { share: 1.0, after: at(0.02) };
    let report = run(&[troubled(0.0, 0.1, fails, engine(9))], &Rules::default(), &[job(0.0, 1.0)]);
    assert_eq!(counts(&report), (0, 1, vec![1]));
    assert!(report.waits.largest() > at(0.5), "{:?}", report.waits.largest());
}

#[test]
fn without_retries_a_failure_is_an_error() {
    let fails = Trouble::Fails { share: 1.0, after: at(0.02) };
    let engines = [preferred(troubled(0.0, 100.0, fails, engine(9))), engine(9)];
    let report = run(&engines, &Rules { retries: 0, ..Rules::default() }, &[job(1.0, 2.0)]);
    assert_eq!(counts(&report), (1, 0, vec![0, 0]));
}

#[test]
fn a_hanging_request_is_retried_when_its_first_token_is_due() {
    let engines = [preferred(troubled(0.0, 100.0, Trouble::Hangs { share: 1.0 }, engine(9))), engine(9)];
    let rules = Rules { first_token_timeout: Some(at(2.0)), ..Rules::default() };
    let report = run(&engines, &rules, &[job(1.0, 3.0)]);
    assert_eq!(counts(&report), (0, 1, vec![0, 1]));
    assert_eq!((seconds(&report.first_tokens), seconds(&report.responses)), (vec![2.0], vec![5.0]));
}

#[test]
fn a_first_token_in_time_may_be_followed_by_a_long_answer() {
    let rules = Rules { first_token_timeout: Some(at(2.0)), ..Rules::default() };
    let report = run(&[slow_start(engine(1))], &rules, &[job(0.0, 30.0)]);
    assert_eq!((counts(&report), seconds(&report.responses)), ((0, 0, vec![1]), vec![31.0]));
}

#[test]
fn a_hanging_request_without_a_limit_is_an_error_at_the_end() {
    let hangs = troubled(0.0, 100.0, Trouble::Hangs { share: 1.0 }, engine(9));
    let report = run(&[hangs], &Rules::default(), &[job(1.0, 3.0), job(200.0, 1.0)]);
    assert_eq!((counts(&report), report.largest_in_flight), ((1, 0, vec![1]), vec![2]));
}

#[test]
fn a_hanging_request_breaks_when_its_deployment_goes_down() {
    let mut hangs = troubled(0.0, 5.0, Trouble::Hangs { share: 1.0 }, preferred(engine(9)));
    hangs.episodes.extend(troubled(5.0, 6.0, Trouble::Down, engine(9)).episodes);
    let report = run(&[hangs, engine(9)], &Rules::default(), &[job(1.0, 3.0)]);
    assert_eq!((counts(&report), seconds(&report.responses)), ((0, 1, vec![0, 1]), vec![7.0]));
}

#[test]
fn a_deployment_that_answers_429_rests_as_long_as_it_says() {
    let limits = Trouble::RateLimits { retry_after: Some(at(30.0)) };
    let engines = [preferred(troubled(0.0, 10.0, limits, engine(9))), engine(9)];
    let jobs: Vec<_> = [1.0, 5.0, 29.0, 30.9, 32.0].map(|arrival| job(arrival, 0.5)).to_vec();
    let report = run(&engines, &Rules::default(), &jobs);
    // It is well from 10 s on, and asked again from 31.001 s on.
    assert_eq!((counts(&report), report.attempts), ((0, 1, vec![1, 4]), vec![2, 4]));
}

#[test]
fn a_request_ends_at_its_time_limit_wherever_it_is() {
    let rules = Rules { request_timeout: Some(at(4.0)), ..Rules::default() };
    // The first is being written; the second has the slot from then on, and the others find it free.
    let jobs = [job(0.0, 10.0), job(1.0, 0.5), job(4.5, 1.0), job(7.0, 1.0)];
    let report = run(&[engine(1)], &rules, &jobs);
    assert_eq!((counts(&report), seconds(&report.waits)), ((1, 0, vec![3]), vec![0.0, 0.0, 3.0]));
}

#[test]
fn who_is_not_begun_in_time_leaves_the_line() {
    let rules = Rules { first_token_timeout: Some(at(2.0)), retries: 0, ..Rules::default() };
    let report = run(&[engine(1)], &rules, &[job(0.0, 5.0), job(1.0, 9.0), job(4.0, 3.0)]);
    assert_eq!((counts(&report), seconds(&report.waits)), ((1, 0, vec![2]), vec![0.0, 1.0]));
}

#[test]
fn a_prompt_that_nobody_waits_for_leaves_its_slot_but_is_read() {
    let rules = Rules { first_token_timeout: Some(at(2.0)), retries: 0, ..Rules::default() };
    let reading = Engine { prefill_tokens_per_second: Some(1.0), ..engine(1) };
    let [long, short] =
        [(0.0, 5.0), (4.0, 0.5)].map(|(arrival, prompt_tokens)| Job { prompt_tokens, ..job(arrival, 1.0) });
    // Given up at 2 s, read until 5 s; the next one has the slot at once, and its prompt is read by 5.5 s.
    let report = run(&[reading], &rules, &[long, short]);
    assert_eq!(counts(&report), (1, 0, vec![1]));
    assert_eq!((seconds(&report.waits), seconds(&report.first_tokens)), (vec![0.0], vec![1.5]));
}

#[test]
fn a_slow_span_stretches_what_is_written_in_it() {
    let slow = troubled(2.0, 4.0, Trouble::Slow { speed: 0.5 }, engine(1));
    let report = run(&[slow], &Rules::default(), &[job(0.0, 4.0), job(5.0, 1.0)]);
    assert_eq!((counts(&report), seconds(&report.responses)), ((0, 0, vec![2]), vec![1.0, 5.0]));
}

#[test]
fn a_warm_up_stretches_too() {
    let warm_up = Some(WarmUp { speed: 0.5, time: at(10.0) });
    let cold = Engine { warm_up, ..troubled(0.0, 10.0, Trouble::Down, engine(1)) };
    let report = run(&[cold], &Rules::default(), &[job(10.0, 7.5), job(20.5, 1.0)]);
    let [next, first] = seconds(&report.responses)[..] else { panic!("two answers") };
    // From half to full speed in 10 s are 7.5 s of work; in fifty steps a little less.
    assert!((10.0..10.06).contains(&first) && next == 1.0, "{first} and {next}");
}

#[test]
fn more_than_it_takes_at_once_are_sent_on_with_429() {
    let full = preferred(Engine { requests_max: Some(2), ..engine(1) });
    let report = run(&[full, engine(9)], &Rules::default(), &[job(0.0, 1.0); 3]);
    assert_eq!((counts(&report), report.attempts), ((0, 1, vec![2, 1]), vec![3, 1]));
    assert_eq!(seconds(&report.waits), [0.0, 0.001, 1.0]);
}

#[test]
fn a_higher_order_serves_when_the_lower_cannot() {
    let spare = Engine { order: 2, ..engine(9) };
    let first = Engine { order: 1, ..troubled(5.0, 100.0, Trouble::Down, engine(9)) };
    let report = run(&[spare, first], &Rules::default(), &[job(0.0, 1.0), job(1.0, 1.0), job(6.0, 1.0)]);
    assert_eq!((counts(&report), report.attempts), ((0, 1, vec![1, 2]), vec![1, 3]));
}

#[test]
fn in_the_central_queue_nothing_fails() {
    let engines = [troubled(0.5, 9.0, Trouble::Down, engine(1)), engine(1)];
    let rules = Rules { request_timeout: Some(at(1.0)), ..Rules::default() };
    let (engines, rules, instances) = (&engines, &rules, &Instances::default());
    let policy = crate::Policy::CentralQueue;
    let run =
        super::Run { engines, rules, instances, clients: &[], policy, seed: 1, uncounted: 0, span: None };
    let report = run.report(&[job(0.0, 2.0), job(0.0, 2.0), job(1.0, 2.0), job(2.0, 2.0), job(9.0, 1.0)]);
    // While one is down, the other serves alone; what was begun goes on.
    assert_eq!((report.errors, seconds(&report.waits)), (0, vec![0.0, 0.0, 0.0, 1.0, 2.0]));
}
