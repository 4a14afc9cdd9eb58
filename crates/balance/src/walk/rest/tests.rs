use std::time::Duration;

use super::{JITTER, backoff, jitter};

#[test]
fn rests_double_from_half_a_second_to_eight() {
    let rests = [0, 1, 2, 3, 4, 5, 1000, u32::MAX].map(|rests| backoff(rests).as_millis());
    assert_eq!(rests, [500, 1000, 2000, 4000, 8000, 8000, 8000, 8000]);
}

#[test]
fn jitter_spreads_evenly_over_its_span() {
    let mut tenths = [0_u32; 10];
    for dice in 0..10_000 {
        let jitter = jitter(JITTER, dice);
        assert!(jitter <= JITTER);
        tenths[(jitter.as_nanos() * 10 / (JITTER.as_nanos() + 1)) as usize] += 1;
    }
    // 1000 expected in each; 5 standard deviations of a binomial are 150.
    assert!(tenths.iter().all(|tenth| (850..1150).contains(tenth)), "{tenths:?}");
}

#[test]
fn two_dice_make_two_jitters_and_no_span_makes_none() {
    assert_ne!(jitter(JITTER, 1), jitter(JITTER, 2));
    assert_eq!(jitter(Duration::ZERO, 1), Duration::ZERO);
    assert!(jitter(Duration::MAX, 1) < Duration::from_secs(5), "a span of four seconds at most");
}
