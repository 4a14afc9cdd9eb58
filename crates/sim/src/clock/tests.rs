use std::time::Duration;

use super::Moment;

#[test]
fn a_moment_is_never_before_the_seconds_it_is_made_of() {
    assert_eq!(Moment::at(0.0), Moment::START);
    assert_eq!(Moment::at(1.0), Duration::from_secs(1).into());
    assert_eq!(Moment::at(0.1 + 0.2), Duration::from_nanos(300_000_001).into());
    assert_eq!(Moment::at(1.000_000_000_4), Duration::from_nanos(1_000_000_001).into());
}

#[test]
fn seconds_and_back_is_at_most_a_nanosecond_later_for_a_hundred_days() {
    for nanos in (0..8_640_000_000_000_000_u64).step_by(98_765_432_109_877) {
        let moment = Moment::from(Duration::from_nanos(nanos));
        let back = Moment::at(moment.seconds());
        assert!(moment <= back && back.since(moment) <= Duration::from_nanos(1), "{moment:?} {back:?}");
    }
}

#[test]
fn times_beyond_the_last_moment_are_the_last_moment() {
    assert_eq!(Moment::at(f64::INFINITY), Moment::NEVER);
    assert_eq!(Moment::from(Duration::MAX), Moment::NEVER);
    assert_eq!(Moment::at(5.0).after(Duration::MAX), Moment::NEVER);
}

#[test]
fn time_since_a_later_moment_is_none() {
    let (early, late) = (Moment::at(1.0), Moment::at(3.5));
    assert_eq!((late.since(early), early.since(late)), (Duration::from_millis(2500), Duration::ZERO));
}
