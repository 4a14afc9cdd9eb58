use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Bound, Effort, Figure, Goal, plans};
use crate::Estimate;

fn figure(bound: Bound, mean: f64, margin: f64) -> Figure {
    Figure { what: "a figure".into(), bound, measured: Estimate { mean, margin: Some(margin) } }
}

#[test]
fn a_figure_is_met_when_its_whole_interval_is_within_and_clearly_missed_when_all_of_it_is_outside() {
    let judged = |bound, mean, margin| {
        let figure = figure(bound, mean, margin);
        (figure.is_met(), figure.is_clearly_missed())
    };
    let most = Bound::AtMost(1.5);
    assert_eq!(judged(most, 1.25, 0.25), (true, false));
    assert_eq!(judged(most, 1.25, 0.5), (false, false));
    assert_eq!(judged(most, 1.75, 0.25), (false, false));
    assert_eq!(judged(most, 2.0, 0.25), (false, true));
    let within = Bound::Within(0.25, 0.5);
    assert_eq!(judged(within, 0.375, 0.125), (true, false));
    assert_eq!(judged(within, 0.25, 0.125), (false, false));
    assert_eq!(judged(within, 0.5, 0.125), (false, false));
    assert_eq!(judged(within, 0.125, 0.0625), (false, true));
    assert_eq!(judged(within, 0.625, 0.0625), (false, true));
}

#[test]
fn a_goal_is_met_by_all_its_figures() {
    let goal = |means: &[f64]| Goal {
        name: "G0",
        says: "nothing",
        figures: means.iter().map(|mean| figure(Bound::AtMost(1.0), *mean, 0.0)).collect(),
    };
    assert!(goal(&[0.5, 1.0]).is_met());
    assert!(!goal(&[0.5, 1.5]).is_met());
}

#[test]
fn every_goal_has_a_name_of_its_own_and_something_to_measure() {
    let plans = plans();
    let names: HashSet<_> = plans.iter().map(|plan| plan.name).collect();
    assert_eq!(names.len(), plans.len());
    for plan in &plans {
        assert!(plan.cases.iter().all(|case| !case.figures.is_empty()), "{}", plan.name);
    }
}

#[test]
fn threads_change_nothing_and_every_run_is_told() {
    let effort = Effort { seeds: 2, length: 0.002 };
    let told = AtomicU64::new(0);
    let measure = |threads| {
        let threads = NonZeroUsize::new(threads).unwrap();
        Goal::measure_all(effort, threads, &|| {
            told.fetch_add(1, Ordering::Relaxed);
        })
    };
    let one = measure(1);
    assert_eq!(told.load(Ordering::Relaxed), Goal::runs(effort));
    // As text, since a run so short may have no figure at all, and NaN is not equal to itself.
    assert_eq!(format!("{one:?}"), format!("{:?}", measure(3)));
}
