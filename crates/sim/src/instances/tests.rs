use std::time::Duration;

use super::{Instances, Spread};
use crate::Dice;

/// Where so many requests in a row come to.
fn drawn(spread: Spread, count: u32, requests: usize) -> Vec<usize> {
    let (mut dice, mut last) = (Dice::new(7), 0);
    let next = |_| {
        last = spread.next(count, last, &mut dice);
        last
    };
    (0..requests).map(next).collect()
}

fn share(drawn: &[usize], is_so: impl Fn(usize) -> bool) -> f64 {
    drawn.iter().filter(|instance| is_so(**instance)).count() as f64 / drawn.len() as f64
}

#[test]
fn requests_come_to_any_instance_evenly() {
    let drawn = drawn(Spread::Evenly, 5, 50_000);
    for instance in 0..5 {
        // A standard deviation of 0.2 %.
        assert!((share(&drawn, |one| one == instance) - 0.2).abs() < 0.01);
    }
}

#[test]
fn half_of_them_come_to_a_few() {
    let drawn = drawn(Spread::HalfOn(4), 16, 50_000);
    assert!((share(&drawn, |one| one < 4) - 0.5).abs() < 0.01);
    assert!((share(&drawn, |one| one == 1) - 0.125).abs() < 0.01);
    assert!((share(&drawn, |one| one == 15) - 0.5 / 12.0).abs() < 0.005);
}

#[test]
fn half_on_all_of_them_is_even() {
    for few in [2, 3, 16] {
        assert!((share(&drawn(Spread::HalfOn(few), 2, 50_000), |one| one == 0) - 0.5).abs() < 0.01);
    }
}

#[test]
fn runs_come_to_one_instance_and_then_to_any() {
    let drawn = drawn(Spread::Runs(0.9), 4, 50_000);
    // 90 %, and a quarter of the rest.
    let repeated = drawn.windows(2).filter(|pair| pair[0] == pair[1]).count() as f64 / 50_000.0;
    assert!((repeated - 0.925).abs() < 0.01, "{repeated}");
    assert!((share(&drawn, |one| one == 2) - 0.25).abs() < 0.03);
}

#[test]
fn silences_begin_at_their_first_moment_and_end_before_their_last() {
    let seconds = Duration::from_secs;
    let instances = Instances {
        silences: vec![(seconds(5), seconds(7)), (seconds(9), seconds(10))],
        ..Instances::default()
    };
    let silent = [4, 5, 6, 7, 8, 9, 10].map(|second| instances.are_silent(seconds(second)));
    assert_eq!(silent, [false, true, true, false, false, true, false]);
}
