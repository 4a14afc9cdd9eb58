use std::collections::HashSet;
use std::time::Duration;

use super::{Measure, Metric, Statistic};
use crate::Report;

#[test]
fn names_lead_back_to_their_figures() {
    let all = Metric::all();
    assert_eq!(all.len(), 30);
    for metric in &all {
        assert_eq!(Metric::of_name(&metric.to_string()), Some(*metric));
    }
    let names: HashSet<_> = all.iter().map(ToString::to_string).collect();
    assert_eq!(names.len(), all.len());
    for unknown in ["", "p99", "p98_ttft", "P99_ttft", "mean_errors"] {
        assert_eq!(Metric::of_name(unknown), None, "{unknown}");
    }
}

#[test]
fn names_are_those_that_a_user_writes() {
    let name = |measure, statistic| Metric::Of(measure, statistic).to_string();
    assert_eq!(name(Measure::FirstToken, Statistic::PerMille(990)), "p99_ttft");
    assert_eq!(name(Measure::Response, Statistic::PerMille(999)), "p99.9_response");
    assert_eq!(name(Measure::Wait, Statistic::Mean), "mean_wait");
    assert_eq!(format!("{:>8}", Metric::Errors), "  errors");
}

#[test]
fn figures_are_taken_from_their_places() {
    let times = |first: u64| (first..first + 100).map(Duration::from_secs).collect();
    let report = Report {
        waits: times(1),
        first_tokens: times(201),
        responses: times(401),
        slowdowns: (1..=100).map(f64::from).collect(),
        imbalance: 1.25,
        largest_in_flight: vec![3, 9, 4],
        errors: 25,
        refused: 10,
        queues: times(601),
        retries: 50,
        ..Report::default()
    };
    let figure = |name| Metric::of_name(name).expect("known").of(&report);
    let figures = ["p99_wait", "p50_ttft", "p95_response", "mean_slowdown", "mean_wait"].map(figure);
    assert_eq!(figures, [99.0, 250.0, 495.0, 50.5, 50.5]);
    let others = ["imbalance", "largest_in_flight", "errors", "refused", "retries", "p99_queue"].map(figure);
    assert_eq!(others, [1.25, 9.0, 0.2, 0.08, 0.4, 699.0]);
}

#[test]
fn a_report_without_answers_has_no_figures_of_answers() {
    for metric in Metric::all() {
        let figure = metric.of(&Report::default());
        match metric {
            Metric::Of(..) => assert!(figure.is_nan(), "{metric}"),
            _ => assert_eq!(figure, 0.0, "{metric}"),
        }
    }
}

#[test]
fn times_are_times_and_shares_are_not() {
    let times: Vec<_> = Metric::all().into_iter().filter(|metric| metric.is_time()).collect();
    assert_eq!(times.len(), 20);
    assert!(!Metric::Of(Measure::Slowdown, Statistic::Mean).is_time() && !Metric::Errors.is_time());
}
