use std::time::Duration;

use super::Times;

fn seconds(times: impl IntoIterator<Item = u64>) -> Times {
    times.into_iter().map(Duration::from_secs).collect()
}

#[test]
fn quantiles_are_nearest_ranks() {
    let times = seconds((1..=100).rev());
    for (share, expected) in [(0.0, 1), (0.5, 50), (0.501, 51), (0.95, 95), (0.99, 99), (1.0, 100)] {
        assert_eq!(times.quantile(share), Duration::from_secs(expected), "{share}");
    }
    assert_eq!(times.mean(), Duration::from_millis(50_500));
    assert_eq!((times.largest(), times.count()), (Duration::from_secs(100), 100));
}

#[test]
fn no_times_are_zero() {
    let none = Times::default();
    assert_eq!((none.mean(), none.quantile(0.99), none.largest()), Default::default());
}

#[test]
fn pooling_keeps_every_time() {
    assert_eq!(Times::pooled([&seconds([3, 1]), &seconds([2]), &Times::default()]), seconds([1, 2, 3]));
}

#[test]
fn binary_fractions_do_not_push_a_rank_up() {
    // 0.07 * 100 is 7.000000000000001.
    let times = seconds(1..=100);
    for hundredths in 1..=100 {
        let share = hundredths as f64 / 100.0;
        assert_eq!(times.quantile(share), Duration::from_secs(hundredths), "{share}");
    }
}
