use std::num::NonZeroU32;

use super::{Burden, BusyBy, Lengths, Room, Scale};
use crate::pick::Demand;

const ALL: BusyBy = BusyBy { prefill: true, kv: true };
const NOTHING: Demand = Demand { prompt: 0, output: 0 };

fn room() -> Room {
    Room { places: NonZeroU32::new(8), prefill_rate: Some(10_000.0), kv_tokens: Some(100_000) }
}

fn burden(prefill: u64, tokens: u64) -> Burden {
    Burden { prefill, tokens }
}

#[test]
fn half_a_second_of_prompts_is_as_much_as_all_places() {
    let scale = Scale::new(ALL, &room());
    assert_eq!(scale.requests(burden(5000, 0), NOTHING, None), 8.0);
    assert_eq!(scale.requests(burden(2500, 0), Demand { prompt: 2500, output: 0 }, None), 8.0);
}

#[test]
fn a_cache_counts_from_four_fifths_on() {
    let scale = Scale::new(ALL, &room());
    assert_eq!(scale.requests(burden(0, 80_000), NOTHING, None), 0.0);
    let full = scale.requests(burden(0, 100_000), NOTHING, None);
    assert!((full - 16.0).abs() < 1e-9, "{full}");
    let told = scale.requests(burden(0, 10), NOTHING, Some(0.9));
    assert!((told - 8.0).abs() < 1e-9, "{told}");
}

#[test]
fn what_is_not_asked_for_or_not_known_is_nothing() {
    let heavy = burden(1_000_000, 1_000_000);
    assert_eq!(Scale::new(BusyBy::default(), &room()).requests(heavy, NOTHING, Some(1.0)), 0.0);
    assert_eq!(Scale::new(ALL, &Room::default()).requests(heavy, NOTHING, Some(1.0)), 0.0);
}

#[test]
fn an_answer_is_expected_to_be_as_long_as_others_were() {
    let mut lengths = Lengths::default();
    let asks = |output| Demand { prompt: 7, output };
    assert_eq!(lengths.expected(asks(4096)), asks(4096));
    assert_eq!(lengths.expected(asks(0)), asks(0));
    lengths.add(200);
    assert_eq!((lengths.expected(asks(4096)), lengths.expected(asks(0))), (asks(200), asks(200)));
    assert_eq!(lengths.expected(asks(50)), asks(50));
    for _ in 0..200 {
        lengths.add(1000);
    }
    assert_eq!(lengths.expected(asks(0)), asks(1000));
}
