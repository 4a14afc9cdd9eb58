//! How long Redis is left alone after a failure.

use std::time::Duration;

/// The longest pause. Whatever the interval is, the way back is not slower.
const PAUSE_MAX: Duration = Duration::from_millis(250);

/// The pause after so many failures in a row: twice as long after each, from `interval` up to 250 ms. `dice` from 0 to 1
/// takes up to two fifths of it away, so that instances spread.
pub(super) fn pause(interval: Duration, failures: u32, dice: f64) -> Duration {
    let pause = interval.saturating_mul(1 << failures.min(8)).min(PAUSE_MAX);
    pause.mul_f64(1.0 - 0.4 * dice)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::pause;

    #[test]
    fn whatever_the_interval_redis_is_tried_again_within_a_quarter_of_a_second() {
        for interval in [5, 20, 50, 1000, 10_000] {
            for failures in [1, 2, 5, 40, u32::MAX] {
                let of = |dice| pause(Duration::from_millis(interval), failures, dice);
                assert!(of(0.0) <= Duration::from_millis(250), "{interval} ms, {failures}: {:?}", of(0.0));
                assert_eq!(of(1.0), of(0.0).mul_f64(0.6));
            }
        }
        assert_eq!(pause(Duration::from_millis(20), 1, 0.0), Duration::from_millis(40));
    }
}
