//! G10: a deployment that comes back is not flooded, and missed no longer than need be.

use std::time::Duration;

use leastbusy_balance::HealthRules;

use super::{Bound, Case, Plan, fleets};
use crate::{Engine, Episode, Policy, Rules, Scenario, Sorted, Timeline, Trouble, WarmUp};

const LOAD: f64 = 0.7;
/// It is down for a minute, again and again, and rests until just after that.
const REST: Duration = Duration::from_secs(60);
const DOWN: Duration = Duration::from_secs(59);
const PERIOD: Duration = Duration::from_secs(160);
const FIRST: Duration = Duration::from_secs(40);
/// How long after its return everybody's waits are looked at.
const AFTER: Duration = Duration::from_secs(30);

pub(super) fn plan() -> Plan {
    let flood = Case {
        figures: vec![(
            "requests in the first 100 ms of a cold return, the most of a run, 16 of 64 slots".into(),
            Bound::AtMost(2.0),
        )],
        measure: Box::new(|length, seed| vec![most_at_first(length, seed)]),
    };
    let miss = Case {
        figures: vec![(
            "p99 wait of all in the 30 s after a warm return to that without a ramp, 4 of 8 slots".into(),
            Bound::AtMost(1.3),
        )],
        measure: Box::new(|length, seed| {
            let [with, without] = [HealthRules::default().ramp_time, Duration::ZERO]
                .map(|ramp_time| p99_after_returns(ramp_time, length, seed));
            vec![with / without]
        }),
    };
    Plan {
        name: "G10",
        says: "a deployment that comes back is not flooded, and costs the others little while it is spared",
        cases: vec![flood, miss],
    }
}

/// A fleet whose first deployment is down so often.
fn fleet(engines: Vec<Engine>, warm_up: Option<WarmUp>, returns: u32, ramp_time: Duration) -> Scenario {
    let mut engines = engines;
    let down = |number| {
        let from = FIRST + PERIOD * number;
        Episode { from, until: from + DOWN, trouble: Trouble::Down }
    };
    engines[0].episodes = (0..returns).map(down).collect();
    engines[0].warm_up = warm_up;
    // A little longer than is looked at: so many requests come in about so much time.
    let seconds = (FIRST + PERIOD * (returns - 1) + REST + AFTER).as_secs_f64() * 1.03;
    let capacity: f64 = engines.iter().map(|engine| f64::from(engine.slots)).sum();
    let health = HealthRules { cooldown_time: Some(REST), ramp_time, ..HealthRules::default() };
    Scenario {
        rules: Rules { health, ..Rules::default() },
        ..fleets::loaded(engines, LOAD, seconds * capacity * LOAD)
    }
}

fn returns(timeline: &Timeline, returns: u32) -> impl Iterator<Item = usize> {
    let span = timeline.span;
    (0..returns).map(move |number| ((FIRST + PERIOD * number + REST).as_nanos() / span.as_nanos()) as usize)
}

/// The most requests that the returning deployment was given in its first 100 ms.
fn most_at_first(length: f64, seed: u64) -> f64 {
    // A tenth more than the 100 ms are looked at, since a return may lie anywhere in its span.
    const SPAN: Duration = Duration::from_millis(10);
    const SPANS: usize = 11;
    let number = count(3.0, length);
    let cold = WarmUp { speed: 0.25, time: Duration::from_secs(20) };
    let scenario = fleet(fleets::alike(16, 64), Some(cold), number, HealthRules::default().ramp_time);
    let report = scenario.replay(&scenario.jobs(seed), Policy::LeastBusy, seed, Some(SPAN));
    let timeline = report.timeline.expect("a timeline was asked for");
    let given = returns(&timeline, number).map(|from| {
        let attempts = timeline.spans.iter().skip(from).map(|span| span.attempts[0]);
        attempts.skip_while(|attempts| *attempts == 0).take(SPANS).sum::<u64>()
    });
    given.max().unwrap_or(0) as f64
}

/// What 99 % of the requests after its returns waited at most, in seconds.
fn p99_after_returns(ramp_time: Duration, length: f64, seed: u64) -> f64 {
    const SPAN: Duration = Duration::from_secs(1);
    // Fewer returns say nothing of a p99.
    let number = count(100.0, length).max(80);
    let scenario = fleet(fleets::alike(4, 8), None, number, ramp_time);
    let report = scenario.replay(&scenario.jobs(seed), Policy::LeastBusy, seed, Some(SPAN));
    let timeline = report.timeline.expect("a timeline was asked for");
    // The first token comes with the slot here.
    let waits = returns(&timeline, number).flat_map(|from| {
        timeline.spans.iter().skip(from).take(AFTER.as_secs() as usize).map(|span| &span.first_tokens)
    });
    Sorted::pooled(waits).quantile(0.99).as_secs_f64()
}

fn count(full: f64, length: f64) -> u32 {
    (full * length).ceil() as u32
}
