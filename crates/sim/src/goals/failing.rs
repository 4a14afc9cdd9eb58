//! G11: a deployment that fails fast does not look idle.

use std::time::Duration;

use super::{Bound, Case, Plan, fleets};
use crate::{Episode, Policy, Rules, Scenario, Timeline, Trouble};

const DEPLOYMENTS: usize = 4;
const LOAD: f64 = 0.6;
/// The first deployment is ill again and again, and long enough well between to be forgiven.
const FIRST: Duration = Duration::from_secs(40);
const ILL: Duration = Duration::from_secs(60);
const PERIOD: Duration = Duration::from_secs(180);
const ILLNESSES: f64 = 60.0;
/// A share of a few requests tells nothing.
const ILLNESSES_MIN: u32 = 30;
/// Ends of the spans, from the first failure on, over which its share is looked at.
const SPANS: [Duration; 4] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(10), ILL];
/// From then on it is to be all but left alone.
const SEEN_AFTER: Duration = Duration::from_secs(2);
const FAIR: f64 = 1.0 / DEPLOYMENTS as f64;

pub(super) fn plan() -> Plan {
    let failures = [(1.0, 20), (1.0, 1), (0.5, 20), (0.2, 20), (0.2, 1)];
    Plan {
        name: "G11",
        says: "a deployment that fails fast gets no more than its fair share, and nothing once that is plain",
        cases: failures.map(|(share, milliseconds)| case(share, Duration::from_millis(milliseconds))).into(),
    }
}

fn case(share: f64, after: Duration) -> Case {
    let of = format!("one of four that fails {} % after {} ms", share * 100.0, after.as_millis());
    let mut figures = vec![(format!("largest share of attempts, {of}"), Bound::AtMost(FAIR))];
    if share == 1.0 {
        figures.push((format!("share of attempts from 2 s on, {of}"), Bound::AtMost(0.005)));
        figures.push((format!("errors that clients see, {of}"), Bound::AtMost(0.0)));
    }
    let measure = move |length: f64, seed| {
        // A retry is an attempt elsewhere, and would make the share look smaller.
        let (timeline, _) = run(share, after, 0, length, seed);
        let largest =
            SPANS.map(|end| share_of(&timeline, Duration::ZERO, end)).into_iter().fold(0.0, f64::max);
        if share < 1.0 {
            return vec![largest];
        }
        let later = share_of(&timeline, SEEN_AFTER, ILL);
        let (_, errors) = run(share, after, Rules::default().retries, length, seed);
        vec![largest, later, errors]
    };
    Case { figures, measure: Box::new(measure) }
}

fn run(share: f64, after: Duration, retries: u32, length: f64, seed: u64) -> (Timeline, f64) {
    const SPAN: Duration = Duration::from_millis(100);
    let illnesses = ((ILLNESSES * length).ceil() as u32).max(ILLNESSES_MIN);
    let ill = |number| {
        let from = FIRST + PERIOD * number;
        Episode { from, until: from + ILL, trouble: Trouble::Fails { share, after } }
    };
    let mut engines = fleets::alike(DEPLOYMENTS, 8);
    engines[0].episodes = (0..illnesses).map(ill).collect();
    let per_second = LOAD * engines.iter().map(|engine| f64::from(engine.slots)).sum::<f64>();
    let seconds = (FIRST + PERIOD * illnesses).as_secs_f64();
    let rules = Rules { retries, ..Rules::default() };
    let scenario = Scenario { uncounted: 0.0, rules, ..fleets::loaded(engines, LOAD, per_second * seconds) };
    let report = scenario.replay(&scenario.jobs(seed), Policy::LeastBusy, seed, Some(SPAN));
    (report.timeline.expect("a timeline was asked for"), report.errors as f64)
}

/// Its share of all attempts in this part of every illness.
fn share_of(timeline: &Timeline, from: Duration, until: Duration) -> f64 {
    let place = |moment: Duration| (moment.as_nanos() / timeline.span.as_nanos()) as usize;
    let (mut on_it, mut all) = (0, 0);
    for (at, span) in timeline.spans.iter().enumerate() {
        let of_illness = at.checked_sub(place(FIRST)).map(|since| since % place(PERIOD));
        if of_illness.is_some_and(|at| (place(from)..place(until)).contains(&at)) {
            on_it += span.attempts[0];
            all += span.attempts.iter().sum::<u64>();
        }
    }
    on_it as f64 / all as f64
}
