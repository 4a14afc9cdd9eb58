//! A comparison as JSON: everything that the other reports are made from.

use leastbusy_sim::{CURVE_POINTS, Comparison, Measure, Metric, Row, Statistic, curve_share};
use serde_json::{Map, Value, json};

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
/// Times are in seconds. A `margin` is half the width of the 95 % confidence interval, `null` for a single run. A figure
/// of answers is `null` where there were none, and one of a deployment where the fleet was run as one.
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
    let count = engines.len();
    let deployments: Vec<_> = engines
        .map(|(place, engine)| {
            json!({
                "name": engine.name,
                "largest_in_flight": row.largest_in_flight(count, place),
                "share_of_answers": row.share_of_answers(count, place),
            })
        })
        .collect();
    let clients: Vec<_> = study
        .scenario
        .clients
        .iter()
        .enumerate()
        .map(|(place, client)| {
            let of = |statistic: Statistic| {
                (format!("{statistic}_wait"), row.client_wait(place, statistic).mean.into())
            };
            let mut told: Map<_, Value> = Statistic::ALL.map(of).into_iter().collect();
            told.insert("name".to_owned(), client.name.clone().into());
            Value::from(told)
        })
        .collect();
    let curves: Map<_, _> = Measure::ALL
        .into_iter()
        .map(|measure| (measure.name().to_owned(), row.curve(measure).into()))
        .collect();
    json!({
        "policy": row.policy.name(),
        "what": row.policy.told(),
        "metrics": metrics,
        "clients": clients,
        "deployments": deployments,
        "curves": curves,
    })
}

fn estimate(row: &Row, metric: Metric) -> Value {
    let estimate = row.estimate(metric);
    let runs: Vec<_> = row.runs.iter().map(|run| run.figure(metric)).collect();
    json!({"mean": estimate.mean, "margin": estimate.margin, "runs": runs})
}

fn finite(number: f64) -> Option<f64> {
    number.is_finite().then_some(number)
}
