use std::time::Duration;

use super::{COUNTS_FOR, Pace};
use crate::quantile::Quantile;

fn after(answers: &[(u64, u32)]) -> Pace {
    let mut pace = Pace::default();
    for (millis, tokens) in answers {
        pace.add(Duration::from_millis(*millis), *tokens, Duration::ZERO);
    }
    pace
}

fn usual(millis: u64) -> Quantile {
    let mut quantile = Quantile::default();
    quantile.add(Duration::from_millis(millis), 0.5);
    quantile
}

#[test]
fn a_speed_is_by_the_token_and_in_steps() {
    let usual = usual(20);
    for (answers, speed) in [
        (&[][..], 1.0),
        (&[(2000, 100)], 1.0),
        // A tenth more or less is nothing.
        (&[(2200, 100)], 1.0),
        (&[(1800, 100)], 1.0),
        (&[(1000, 100)], 1.25_f64.powi(3)),
        (&[(4000, 100)], 1.25_f64.powi(-3)),
    ] {
        assert_eq!(after(answers).speed(&usual, Duration::ZERO), speed, "{answers:?}");
    }
}

#[test]
fn who_was_not_asked_for_a_while_is_as_fast_as_any() {
    let slow = after(&[(9000, 100)]);
    assert!(slow.speed(&usual(20), COUNTS_FOR - Duration::from_secs(1)) < 0.5);
    assert_eq!(slow.speed(&usual(20), COUNTS_FOR), 1.0);
}

#[test]
fn answers_without_tokens_or_time_divide_nothing_by_zero() {
    let speed = after(&[(0, 0), (0, 5)]).speed(&usual(20), Duration::ZERO);
    assert!(speed.is_finite() && 0.0 < speed, "{speed}");
}
