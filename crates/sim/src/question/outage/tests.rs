use std::num::NonZeroUsize;
use std::time::Duration;

use super::{Outage, Part, Survived};
use crate::question::Asked;
use crate::{Arrivals, Engine, Episode, Job, Policy, Scenario, Sizes, Trouble, Workload};

const SEEDS: [u64; 3] = [1, 2, 3];

fn four_at(load: f64) -> Scenario {
    let engines = (1..=4).map(|number| Engine::new(format!("vllm-{number}"), 8, 50.0)).collect();
    Scenario::new(
        engines,
        Workload::Drawn {
            arrivals: Arrivals::Poisson { per_second: load * 32.0 },
            prompt_tokens: Sizes::Fixed(0.0),
            output_tokens: Sizes::Exponential { mean: 50.0 },
            requests: 8_000,
        },
    )
}

fn outage() -> Outage {
    Outage { place: 1, at: Duration::from_secs(100), time: Duration::from_secs(60) }
}

fn survived(scenario: &Scenario) -> Survived {
    let asked = Asked { policy: Policy::LeastBusy, seeds: &SEEDS, threads: NonZeroUsize::MIN, done: &|| {} };
    outage().survived(scenario, &asked)
}

#[test]
fn with_room_to_spare_only_answers_that_had_begun_are_lost() {
    let scenario = four_at(0.6);
    assert!((outage().load_on_the_others(&scenario).expect("drawn") - 0.8).abs() < 1e-9);
    let survived = survived(&scenario);
    assert_eq!((survived.before.errors.mean, survived.after.errors.mean), (0.0, 0.0), "seeds {SEEDS:?}");
    // It had eight slots.
    let lost = survived.during.errors.mean;
    assert!((1.0..=8.0).contains(&lost), "{lost} streams; seeds {SEEDS:?}");
    let spans = || survived.timeline.spans.iter().filter(|span| 0 < span.errors);
    assert_eq!(spans().count(), 1, "all at one moment");
}

#[test]
fn without_room_the_first_token_comes_later_while_it_lasts() {
    let scenario = four_at(0.9);
    assert!(1.0 < outage().load_on_the_others(&scenario).expect("drawn"));
    let survived = survived(&scenario);
    let [before, during] =
        [survived.before, survived.during].map(|part| part.p99_first_token.expect("some were answered").mean);
    assert!(3.0 * before < during, "{before} s, then {during} s");
}

#[test]
fn answers_that_are_not_streamed_lose_nothing() {
    let mut scenario = four_at(0.6);
    scenario.rules.streams = false;
    let survived = survived(&scenario);
    let lost: u64 = survived.timeline.spans.iter().map(|span| span.errors).sum();
    assert_eq!(lost, 0, "seeds {SEEDS:?}");
}

fn day() -> Scenario {
    let mut scenario = four_at(0.6);
    if let Workload::Drawn { arrivals, .. } = &mut scenario.workload {
        *arrivals = Arrivals::Diurnal { per_second: 16.0, swing: 0.5, period: Duration::from_secs(400) };
    }
    scenario
}

#[test]
fn the_peak_of_a_day_is_where_its_sine_is_highest_if_the_run_comes_to_it() {
    let seconds = Duration::from_secs;
    assert_eq!(Outage::peak(&four_at(0.6), seconds(420), seconds(60)), seconds(210), "the middle");
    assert_eq!(Outage::peak(&day(), seconds(500), seconds(60)), seconds(100));
    assert_eq!(Outage::peak(&day(), seconds(100), seconds(60)), seconds(50), "the run ends before the peak");
}

#[test]
fn the_shortest_of_the_runs_says_when_they_end() {
    let scenario = four_at(0.6);
    let ends = SEEDS.map(|seed| scenario.jobs(seed).last().expect("there are jobs").arrival);
    assert_eq!(Some(&Outage::end(&scenario, &SEEDS)), ends.iter().min());
}

#[test]
fn the_load_on_the_others_is_that_of_the_moment() {
    let at = |seconds| Outage { at: Duration::from_secs(seconds), ..outage() };
    // 24 a second at the peak, 16 half a day later, 8 at the lowest; on three that can do 8 each.
    for (seconds, load) in [(100, 1.0), (200, 2.0 / 3.0), (300, 1.0 / 3.0)] {
        let told = at(seconds).load_on_the_others(&day()).expect("drawn");
        assert!((told - load).abs() < 1e-9, "{told} after {seconds} s");
    }
}

#[test]
fn deployments_that_are_away_already_bear_no_load() {
    let mut scenario = four_at(0.6);
    let mut befall = |place: usize, trouble| {
        let [from, until] = [50, 110].map(Duration::from_secs);
        scenario.engines[place].episodes = vec![Episode { from, until, trouble }];
    };
    befall(0, Trouble::Down);
    befall(2, Trouble::RateLimits { retry_after: None });
    let load = |at: u64| {
        Outage { at: Duration::from_secs(at), ..outage() }.load_on_the_others(&scenario).expect("drawn")
    };
    assert!((load(100) - 2.4).abs() < 1e-9, "one of four is left: {}", load(100));
    assert!((load(110) - 0.8).abs() < 1e-9, "both are back: {}", load(110));
    scenario.engines.pop();
    assert_eq!(outage().load_on_the_others(&scenario), Some(f64::INFINITY), "nobody is left");
}

#[test]
fn a_short_outage_in_a_long_run_makes_no_more_spans_than_fit() {
    let end = Duration::from_secs(3600);
    let span = |time| Outage { time, ..outage() }.span(end);
    assert_eq!(span(Duration::from_secs(60)), Duration::from_secs(3));
    assert_eq!(span(Outage::shortest(end)), Outage::shortest(end) / 4);
    for micros in [0, 1, 1000, 100_000, 400_000, 1_000_000] {
        let spans = end.as_nanos() / span(Duration::from_micros(micros)).as_nanos();
        assert!(spans <= 40_000, "{spans} spans for an outage of {micros} microseconds");
    }
}

#[test]
fn a_part_in_which_nobody_comes_has_counts_of_zero_and_no_times() {
    let scenario = four_at(0.6);
    let asked = Asked { policy: Policy::LeastBusy, seeds: &SEEDS, threads: NonZeroUsize::MIN, done: &|| {} };
    let at_once = Outage { at: Duration::ZERO, ..outage() }.survived(&scenario, &asked);
    let Part { arrived, errors, p99_first_token, p99_response } = at_once.before;
    for count in [arrived, errors] {
        assert!(count.mean == 0.0 && count.mean.is_sign_positive(), "{count:?}");
    }
    assert_eq!((p99_first_token, p99_response), (None, None));
    assert!(at_once.during.p99_first_token.is_some());
}

#[test]
fn the_peak_of_a_trace_is_where_most_of_its_requests_come() {
    let at =
        |arrival: u64| Job { arrival: Duration::from_secs(arrival), prompt_tokens: 0.0, output_tokens: 1.0 };
    let jobs: Vec<Job> = [0, 100, 130, 150, 300, 340, 350, 355, 700].map(at).into();
    let trace = Scenario { workload: Workload::Trace(jobs), ..four_at(0.6) };
    assert_eq!(
        Outage::peak(&trace, Duration::from_secs(700), Duration::from_secs(60)),
        Duration::from_secs(300)
    );
    assert_eq!(
        Outage::peak(&trace, Duration::from_secs(700), Duration::from_secs(20)),
        Duration::from_secs(340)
    );
}
