//! A comparison as JSON: everything that the other reports are made from.

use leastbusy_sim::{CURVE_POINTS, Comparison, Measure, Metric, Row, curve_share};
use serde_json::{Map, Value, json};

use super::table::{largest, served};
use super::{Demand, Study};

mod echo;
#[cfg(test)]
mod tests;

/// The whole comparison, indented, with a line end. The same study gives the same bytes.
#[must_use]
pub fn text(study: &Study, comparison: &Comparison) -> String {
    format!("{:#}\n", value(study, comparison))
}

/// The whole comparison.
///
/// `scenario` is written as a scenario file has it (JSON is YAML), but for a trace, of which only its size is told.
/// Times are in seconds. A `margin` is half the width of the 95 % confidence interval, `null` for a single run.
#[must_use]
pub fn value(study: &Study, comparison: &Comparison) -> Value {
    let demand = Demand::of(&study.scenario);
    let rows: Vec<_> = comparison.rows.iter().map(|row| of_row(study, row)).collect();
    json!({
        "title": study.title,
        "version": env!("CARGO_PKG_VERSION"),
        "notes": study.notes,
        "scenario": echo::scenario(study),
        "demand": {
            "requests_per_second": demand.per_second,
            "capacity_per_second": finite(demand.capacity),
            "load": demand.load(),
        },
        "requests": study.requests(),
        "seeds": study.seeds,
        "curve_shares": (0..CURVE_POINTS).map(curve_share).collect::<Vec<_>>(),
        "policies": rows,
    })
}

fn of_row(study: &Study, row: &Row) -> Value {
    let metrics: Map<_, _> =
        Metric::all().into_iter().map(|metric| (metric.to_string(), estimate(row, metric))).collect();
    let engines = study.scenario.engines.iter().enumerate();
    let deployments: Vec<_> = engines
        .map(|(place, engine)| {
            json!({
                "name": engine.name,
                "largest_in_flight": largest(row, place),
                "share_of_answers": served(row, place),
            })
        })
        .collect();
    let curves: Map<_, _> = Measure::ALL
        .into_iter()
        .enumerate()
        .map(|(place, measure)| (measure.name().to_owned(), curve(row, place).into()))
        .collect();
    json!({
        "policy": row.policy.name(),
        "what": row.policy.told(),
        "metrics": metrics,
        "deployments": deployments,
        "curves": curves,
    })
}

fn estimate(row: &Row, metric: Metric) -> Value {
    let estimate = row.estimate(metric);
    let runs: Vec<_> = row.runs.iter().map(|run| run.figure(metric)).collect();
    json!({"mean": estimate.mean, "margin": estimate.margin, "runs": runs})
}

/// A curve of a measure, the mean over the runs at each point.
fn curve(row: &Row, measure: usize) -> Vec<f64> {
    let mean = |point: usize| {
        row.runs.iter().map(|run| run.curves[measure][point]).sum::<f64>() / row.runs.len().max(1) as f64
    };
    (0..CURVE_POINTS).map(mean).collect()
}

fn finite(number: f64) -> Option<f64> {
    number.is_finite().then_some(number)
}
