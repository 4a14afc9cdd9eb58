use std::collections::VecDeque;
use std::time::Duration;

use proptest::prelude::*;

use super::Minute;

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

#[test]
fn what_came_is_forgotten_after_a_minute_and_not_before() {
    let mut minute = Minute::default();
    minute.add(seconds(10.9), 3);
    minute.add(seconds(20.0), 4);
    assert_eq!(minute.sum(seconds(70.9)), 7);
    assert_eq!(minute.sum(seconds(71.0)), 4);
    assert_eq!(minute.sum(seconds(80.9)), 4);
    assert_eq!(minute.sum(seconds(81.0)), 0);
    assert_eq!(minute.sum(seconds(1e9)), 0);
}

#[test]
fn the_wait_is_the_time_until_the_sum_is_below_the_limit() {
    let mut minute = Minute::default();
    assert_eq!(minute.below(seconds(5.0), 1), Duration::ZERO);
    minute.add(seconds(10.5), 3);
    minute.add(seconds(20.0), 4);
    assert_eq!(minute.below(seconds(30.0), 8), Duration::ZERO);
    assert_eq!(minute.below(seconds(30.0), 7), seconds(41.0));
    assert_eq!(minute.below(seconds(30.0), 5), seconds(41.0));
    assert_eq!(minute.below(seconds(30.0), 4), seconds(51.0));
    assert_eq!(minute.below(seconds(30.0), 1), seconds(51.0));
}

#[test]
fn an_absurd_count_is_no_overflow() {
    let mut minute = Minute::default();
    for at in [1.0, 2.0, 2.5] {
        minute.add(seconds(at), u64::MAX);
    }
    assert_eq!(minute.sum(seconds(3.0)), u64::MAX);
    assert_eq!(minute.sum(seconds(70.0)), 0);
}

proptest! {
    /// Against a list of everything that came: never less than that, and no more than came within 61 s.
    #[test]
    fn the_sum_is_that_of_the_last_minute(steps in prop::collection::vec((0_u64..40_000, 0_u64..5), 1..200)) {
        let (mut minute, mut all, mut now) = (Minute::default(), VecDeque::new(), 0);
        for (pause, count) in steps {
            now += pause;
            let at = Duration::from_millis(now);
            minute.add(at, count);
            all.push_back((now, count));
            let within = |milliseconds: u64| -> u64 {
                all.iter().filter(|(then, _)| now - then < milliseconds).map(|(_, count)| count).sum()
            };
            let sum = minute.sum(at);
            prop_assert!((within(60_000)..=within(61_000)).contains(&sum));
            for limit in 1..=sum {
                let wait = minute.below(at, limit);
                let mut later = Minute { counts: minute.counts, ..Minute::default() };
                (later.second, later.sum) = (minute.second, minute.sum);
                prop_assert!(later.sum(at + wait) < limit);
            }
        }
    }
}
