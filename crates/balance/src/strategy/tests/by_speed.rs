//! Lowest latency and peak EWMA.

use std::num::NonZeroUsize;
use std::time::Duration;

use super::stage::{Stage, weighing};
use crate::strategy::{LowestLatency, PeakEwma, Strategy};
use crate::{Ending, Outcome, Phase, Pick};

const LATENCY: Strategy = Strategy::LowestLatency(LowestLatency {
    ttl: Duration::from_secs(3600),
    buffer: 0.0,
    samples: NonZeroUsize::new(10).unwrap(),
    stream_quantile: None,
});
const PEAK: Strategy = Strategy::PeakEwma(PeakEwma { decay_time: Duration::from_secs(10) });

fn with(change: impl FnOnce(&mut LowestLatency)) -> Strategy {
    let mut rules = LowestLatency::default();
    change(&mut rules);
    Strategy::LowestLatency(rules)
}

#[test]
fn the_defaults_are_litellms_and_finagles() {
    assert_eq!(Strategy::LowestLatency(LowestLatency::default()), LATENCY);
    assert_eq!(Strategy::PeakEwma(PeakEwma::default()), PEAK);
}

#[test]
fn a_whole_answer_is_judged_by_the_time_for_each_token() {
    for strategy in [LATENCY, PEAK] {
        let mut stage = Stage::of_equals(strategy, 3);
        stage.answers(0, 1000, 10);
        stage.answers(1, 3000, 100);
        stage.answers(2, 500, 10);
        assert_eq!(stage.goes_to(), [1], "{strategy:?}: 100, 30 and 50 ms a token");
    }
}

#[test]
fn a_stream_is_judged_by_its_first_byte_and_among_streams() {
    for strategy in [LATENCY, PEAK] {
        let mut stage = Stage::of_equals(strategy, 2);
        stage.answers(0, 1, 1);
        stage.answers(1, 900, 1);
        stage.streams(0, 700);
        stage.streams(1, 200);
        assert_eq!(stage.pick_stream().member(), 1, "{strategy:?}");
        assert_eq!(stage.pick().member(), 0, "{strategy:?}");
    }
}

#[test]
fn a_percentile_of_streams_is_asked_for() {
    let best = |stream_quantile| {
        let mut stage = Stage::of_equals(with(|rules| rules.stream_quantile = stream_quantile), 2);
        // One is fast but for a slow answer in ten, the other is always the same.
        for turn in 0..10 {
            stage.streams(0, if turn == 4 { 900 } else { 100 });
            stage.streams(1, 200);
        }
        stage.pick_stream().member()
    };
    assert_eq!([None, Some(0.5), Some(0.9), Some(0.95), Some(1.0)].map(best), [0, 0, 0, 1, 1]);
}

#[test]
fn whoever_is_not_known_gets_one_request_and_then_goes_last_until_it_has_answered() {
    for strategy in [LATENCY, PEAK] {
        let mut stage = Stage::of_equals(strategy, 3);
        stage.answers(0, 900, 1);
        let first = [stage.pick(), stage.pick()];
        let mut members = first.each_ref().map(|lease| lease.member());
        members.sort_unstable();
        assert_eq!(members, [1, 2], "{strategy:?}");
        assert_eq!(stage.goes_to(), [0], "{strategy:?}");
        for lease in first {
            lease.end(Outcome::Success, stage.now + Duration::from_millis(100));
        }
        assert_eq!(stage.goes_to(), [1, 2], "{strategy:?}");
    }
}

#[test]
fn before_any_answer_a_burst_spreads_evenly() {
    for strategy in [LATENCY, PEAK] {
        let mut stage = Stage::of_equals(strategy, 4);
        let leases: Vec<_> = (0..40).map(|_| stage.pick()).collect();
        assert_eq!(stage.fleet.snapshot(), [10; 4], "{strategy:?}");
        drop(leases);
    }
}

#[test]
fn who_fails_fast_does_not_look_fast() {
    for strategy in [LATENCY, PEAK] {
        let mut stage = Stage::of_equals(strategy, 2);
        stage.answers(1, 800, 1);
        stage.fails(0, 1, Outcome::ServerError);
        assert_eq!(stage.goes_to(), [1], "{strategy:?}: not known, and its failure still counts");
        stage.now += Duration::from_secs(40);
        assert_eq!(stage.pick().member(), 0, "{strategy:?}: it gets another chance");
    }
}

#[test]
fn a_time_limit_that_passed_counts_as_slow_unless_it_was_the_clients() {
    for strategy in [LATENCY, PEAK] {
        let mut stage = Stage::of_equals(strategy, 2);
        stage.answers(0, 10, 1);
        stage.answers(1, 20, 1);
        let excused = Ending { counts: false, ..Outcome::Timeout(Phase::Total).into() };
        stage.hold(0).end(excused, stage.now + Duration::from_secs(5));
        assert_eq!(stage.goes_to(), [0], "{strategy:?}");
        stage.fails(0, 5000, Outcome::Timeout(Phase::Total));
        assert_eq!(stage.goes_to(), [1], "{strategy:?}");
    }
}

#[test]
fn latency_is_the_mean_of_the_latest_answers_as_long_as_they_count() {
    let ttl = Duration::from_secs(60);
    let mut stage =
        Stage::of_equals(with(|rules| (rules.samples, rules.ttl) = (NonZeroUsize::new(2).unwrap(), ttl)), 2);
    stage.answers(0, 900, 1);
    stage.answers(1, 500, 1);
    stage.answers(0, 200, 1);
    assert_eq!(stage.goes_to(), [1], "550 ms against 500");
    stage.answers(0, 300, 1);
    assert_eq!(stage.goes_to(), [0], "250 ms: the first is forgotten");
    // The ends count from a fraction of a second later.
    stage.now += ttl + Duration::from_millis(400);
    stage.answers(1, 900, 1);
    assert_eq!(stage.goes_to(), [0], "nothing is known of it any more");
    stage.answers(0, 1000, 1);
    assert_eq!(stage.goes_to(), [1]);
}

#[test]
fn within_the_buffer_of_the_fastest_all_are_as_good() {
    let mut stage = Stage::of_equals(with(|rules| rules.buffer = 0.5), 4);
    for (member, millis) in [(0, 140), (1, 100), (2, 151), (3, 110)] {
        stage.answers(member, millis, 1);
    }
    assert_eq!(stage.goes_to(), [0, 1, 3]);
    // Their load does not matter.
    let _busy = stage.hold(1);
    assert_eq!(stage.goes_to(), [0, 1, 3]);
}

#[test]
fn peak_ewma_is_latency_times_requests_for_its_weight() {
    let mut stage = Stage::new(PEAK, &[1.0, 2.0].map(weighing));
    stage.answers(0, 100, 1);
    stage.answers(1, 300, 1);
    stage.now += Duration::from_millis(300);
    // 100 * 1 / 1 against 300 * 1 / 2; then 100 * 2 / 1 against 150.
    let first = stage.pick();
    let second = stage.pick();
    assert_eq!((first.member(), second.member()), (0, 1));
    // 200 against 300, then 300 against 300 but for what has decayed, 400 against 300.
    let third = stage.pick();
    assert_eq!(third.member(), 0);
    let _fourth = stage.hold(0);
    assert_eq!(stage.pick().member(), 1);
}

#[test]
fn a_peak_counts_at_once_and_is_forgotten_slowly() {
    let mut stage = Stage::of_equals(PEAK, 2);
    for _ in 0..20 {
        stage.answers(0, 10, 1);
        stage.answers(1, 100, 1);
    }
    assert_eq!(stage.goes_to(), [0]);
    stage.answers(0, 1000, 1);
    assert_eq!(stage.goes_to(), [1], "one slow answer outweighs twenty");
    // The other one is kept at 100 ms. Of 1000 ms, exp(-20 / 10) leaves 135 after 20 s, exp(-2.5) leaves 82 after 25 s.
    stage.now += Duration::from_secs(20);
    stage.answers(1, 100, 1);
    assert_eq!(stage.goes_to(), [1]);
    stage.now += Duration::from_secs(5);
    stage.answers(1, 100, 1);
    assert_eq!(stage.goes_to(), [0]);
}

#[test]
fn a_fast_answer_draws_the_average_down_by_the_time_since_the_last() {
    let mut stage = Stage::of_equals(PEAK, 2);
    stage.answers(0, 1000, 1);
    stage.now += Duration::from_secs(10);
    // The ends are 9.1 s apart: 1000 * exp(-0.91) + 100 * (1 - exp(-0.91)) are 462 ms, of which 447 are left in the end.
    stage.answers(0, 100, 1);
    stage.answers(1, 425, 1);
    stage.now += Duration::from_millis(425);
    assert_eq!(stage.goes_to(), [1]);
    stage.answers(1, 470, 1);
    assert_eq!(stage.goes_to(), [0]);
}

#[test]
fn another_strategy_for_a_request_learns_from_all_of_the_groups_requests() {
    let mut stage = Stage::of_equals(Strategy::LeastBusy, 2);
    let fastest = stage.group.with_strategy(LATENCY);
    stage.answers(0, 900, 1);
    stage.answers(1, 100, 1);
    let _held: Vec<_> = (0..3).map(|_| stage.hold(1)).collect();
    let pick = Pick { now: stage.now, ..Pick::default() };
    assert_eq!(fastest.pick(&pick).unwrap().member(), 1);
    assert_eq!(stage.group.pick(&pick).unwrap().member(), 0);
    assert_eq!(fastest.with_strategy(Strategy::LeastBusy).pick(&pick).unwrap().member(), 0);
}
