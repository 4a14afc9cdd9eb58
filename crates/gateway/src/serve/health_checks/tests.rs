use std::time::{Duration, Instant};

use super::{FIRST_ROUND, Turns};

const INTERVAL: Duration = Duration::from_secs(300);

fn turns(turn: usize, count: usize) -> Turns {
    Turns { start: Instant::now(), interval: INTERVAL, turn, count }
}

/// The times of some checks that take no time, in seconds since the start, with the same dice for each.
fn times(turns: &Turns, dice: f64) -> Vec<f64> {
    let mut times = vec![turns.first(dice)];
    for _ in 0..4 {
        times.push(turns.next(*times.last().unwrap(), dice));
    }
    times.into_iter().map(|time| (time - turns.start).as_secs_f64()).collect()
}

#[test]
fn checks_are_spread_over_the_interval() {
    let count = 100;
    let mut in_each_tenth = [0; 10];
    for turn in 0..count {
        let times = times(&turns(turn, count), 0.5);
        assert!(times[0] < FIRST_ROUND.as_secs_f64(), "the first ones are made soon: {times:?}");
        in_each_tenth[(times[2] / 30.0) as usize % 10] += 1;
        for pair in times.windows(2).skip(1) {
            assert!((pair[1] - pair[0] - 300.0).abs() < 1e-3, "{times:?}");
        }
        let second = times[1] - times[0];
        assert!((150.0..451.0).contains(&second), "{times:?}");
    }
    assert_eq!(in_each_tenth, [10; 10]);
}

#[test]
fn no_gap_is_long_enough_to_go_stale() {
    for (turn, count) in [(0, 1), (0, 2), (1, 2), (7, 100), (99, 100)] {
        let turns = turns(turn, count);
        let mut now = turns.first(0.0);
        // The jitter may be at one end now and at the other then.
        for dice in [1.0, 0.0, 1.0, 1.0, 0.0, 0.0] {
            let next = turns.next(now, dice);
            let gap = next - now;
            assert!(
                INTERVAL / 2 <= gap && gap <= INTERVAL * 3 / 2 + INTERVAL / 10,
                "{turn}/{count}: {gap:?}"
            );
            now = next;
        }
    }
}

#[test]
fn a_check_that_took_longer_than_the_interval_misses_its_turns() {
    let turns = turns(0, 1);
    let now = turns.start + INTERVAL * 5 + Duration::from_secs(200);
    assert_eq!(turns.next(now, 0.0), turns.start + INTERVAL * 7);
}
