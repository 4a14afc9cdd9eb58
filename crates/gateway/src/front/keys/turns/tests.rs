use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::{Full, Limits, Remaining, Turn, Usage};
use crate::config::{ClientKey, KeyHash};
use crate::openai::KeyLimit;

fn limits(change: impl FnOnce(&mut ClientKey)) -> Limits {
    let mut key = ClientKey::new("team-a", KeyHash::of(b"sk-a"));
    change(&mut key);
    Limits::of(&key)
}

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn refused(usage: &Arc<Usage>, limits: Limits, now: Duration) -> Full {
    usage.begin(limits, now).0.expect_err("it is full")
}

#[test]
fn requests_of_a_minute_are_counted_when_they_begin() {
    let (usage, limits) = (Usage::new(), limits(|key| key.rpm_limit = Some(2)));
    for (second, left) in [(5, 1), (6, 0)] {
        let (turn, remaining) = usage.begin(limits, at(second));
        assert!(turn.is_ok());
        assert_eq!(remaining, Remaining { requests: Some((2, left)), tokens: None });
    }
    let full = Full { limit: KeyLimit::Requests(2), wait: Duration::from_secs(46) };
    assert_eq!(refused(&usage, limits, at(20)), full);
    // What is refused does not count, or nobody who asks again and again would ever be served.
    assert!(usage.begin(limits, at(66)).0.is_ok());
    assert_eq!(refused(&usage, limits, at(66)).wait, Duration::from_secs(1));
}

#[test]
fn a_request_that_went_nowhere_is_taken_back() {
    let (usage, limits) = (Usage::new(), limits(|key| key.rpm_limit = Some(2)));
    let first = usage.begin(limits, at(5)).0.unwrap();
    let second = usage.begin(limits, at(30)).0.unwrap();
    first.goes_nowhere();
    drop(first);
    let (third, remaining) = usage.begin(limits, at(31));
    assert_eq!((third.is_ok(), remaining.requests), (true, Some((2, 0))));
    // Its place in the books is that of another second by now.
    assert_eq!(usage.begin(limits, at(91)).1.requests, Some((2, 0)));
    second.goes_nowhere();
    assert_eq!(usage.books().requests.sum(at(91)), 2);
}

#[test]
fn tokens_count_when_they_are_told_and_the_request_over_the_limit_is_the_last() {
    let (usage, limits) = (Usage::new(), limits(|key| key.tpm_limit = Some(100)));
    let (turn, _) = usage.begin(limits, at(0));
    turn.unwrap().spend(99, at(3));
    let (turn, remaining) = usage.begin(limits, at(4));
    assert_eq!(remaining.tokens, Some((100, 1)));
    turn.unwrap().spend(5000, at(5));
    let full = Full { limit: KeyLimit::Tokens(100), wait: Duration::from_secs(56) };
    assert_eq!(refused(&usage, limits, at(10)), full);
    assert!(usage.begin(limits, at(66)).0.is_ok());
}

#[test]
fn a_place_comes_back_when_its_turn_is_dropped() {
    let (usage, limits) = (Usage::new(), limits(|key| key.max_parallel_requests = Some(2)));
    let turns: Vec<Turn> = (0..2).map(|_| usage.begin(limits, at(1)).0.unwrap()).collect();
    let full = Full { limit: KeyLimit::Parallel(2), wait: Duration::from_secs(1) };
    assert_eq!(refused(&usage, limits, at(1)), full);
    drop(turns);
    assert!(usage.begin(limits, at(1)).0.is_ok());
    assert_eq!(usage.books().in_flight, 0);
}

#[test]
fn limits_hold_for_many_threads_at_once() {
    let limits = limits(|key| {
        key.rpm_limit = Some(1000);
        key.max_parallel_requests = Some(3);
    });
    let (usage, begun, under_way) = (Usage::new(), AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..2000 {
                    if let (Ok(turn), _) = usage.begin(limits, at(1)) {
                        begun.fetch_add(1, Ordering::SeqCst);
                        assert!(under_way.fetch_add(1, Ordering::SeqCst) < 3);
                        std::thread::yield_now();
                        under_way.fetch_sub(1, Ordering::SeqCst);
                        drop(turn);
                    }
                }
            });
        }
    });
    assert_eq!(begun.load(Ordering::SeqCst), 1000);
    assert_eq!(usage.books().in_flight, 0);
}
