use std::num::NonZeroUsize;
use std::time::Duration;

use super::{Outage, Survived};
use crate::question::Asked;
use crate::{Arrivals, Engine, Policy, Scenario, Sizes, Workload};

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
    let [before, during] = [survived.before, survived.during].map(|part| part.p99_first_token.mean);
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

#[test]
fn the_peak_of_a_day_is_where_its_sine_is_highest() {
    let period = Duration::from_secs(400);
    let mut scenario = four_at(0.6);
    assert!((195..220).contains(&Outage::peak(&scenario).as_secs()), "the middle");
    if let Workload::Drawn { arrivals, .. } = &mut scenario.workload {
        *arrivals = Arrivals::Diurnal { per_second: 16.0, swing: 0.5, period };
    }
    assert_eq!(Outage::peak(&scenario), Duration::from_secs(100));
    // 24 a second at the peak, on three that can do 8 each.
    assert!((outage().load_on_the_others(&scenario).expect("drawn") - 1.0).abs() < 1e-9);
}
