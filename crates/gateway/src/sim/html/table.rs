//! Every figure of every policy.

use leastbusy_sim::{Comparison, Estimate, Measure, Metric, Policy, Row, Statistic};
use maud::{Markup, html};

use super::Told;
use crate::sim::number;

/// The policy with the lowest figure, and then those that cannot be told from it; none where all are alike. A
/// central queue is no choice and does not compete.
pub(super) fn best(comparison: &Comparison, metric: Metric) -> Vec<Policy> {
    let competing: Vec<&Row> =
        comparison.rows.iter().filter(|row| row.policy != Policy::CentralQueue).collect();
    let mean = |row: &Row| row.estimate(metric).mean;
    let Some(lowest) = competing.iter().min_by(|one, other| mean(one).total_cmp(&mean(other))) else {
        return Vec::new();
    };
    let is_level = |row: &&&Row| row.policy != lowest.policy && !row.differs_from(lowest, metric);
    let level = competing.iter().filter(|row| !mean(row).is_nan()).filter(is_level).map(|row| row.policy);
    let best: Vec<_> = [lowest.policy].into_iter().chain(level).collect();
    // A retry is a means: whether it was worth it, the other figures say.
    if metric == Metric::Retries || best.len() == competing.len() || mean(lowest).is_nan() {
        Vec::new()
    } else {
        best
    }
}

/// The same with the margin in a smaller hand.
fn cell(metric: Metric, estimate: Estimate) -> Markup {
    let told = number::figure(metric, estimate);
    match told.split_once(" ± ").map(|(value, margin)| (value, margin.split_once(' '))) {
        Some((value, Some((margin, unit)))) => html! { (value) " " (unit) span.margin { " ± " (margin) } },
        Some((value, None)) => {
            let margin = told[value.len()..].to_owned();
            html! { (value) span.margin { (margin) } }
        }
        None => html! { (told) },
    }
}

pub(super) fn table(told: &Told<'_>) -> Markup {
    let rows = &told.comparison.rows;
    let of = |measure| Statistic::ALL.map(|statistic| Metric::Of(measure, statistic)).to_vec();
    let groups = [
        ("Time to first token", of(Measure::FirstToken)),
        ("Wait for a slot", of(Measure::Wait)),
        ("Part of it in the gateway's queue", of(Measure::Queue)),
        ("Response time", of(Measure::Response)),
        ("Slowdown, times as long as alone", of(Measure::Slowdown)),
        ("Deployments", vec![Metric::Imbalance, Metric::LargestInFlight]),
        ("Failures, of all requests", vec![Metric::Errors, Metric::Refused, Metric::Retries]),
    ];
    let heading = |metric: Metric| match metric {
        Metric::Of(_, statistic) => statistic.to_string(),
        Metric::Imbalance => "imbalance, 1 is even".to_owned(),
        Metric::LargestInFlight => "most in flight on one".to_owned(),
        Metric::Errors => "errors".to_owned(),
        Metric::Refused => "refused for want of a place".to_owned(),
        Metric::Retries => "retries".to_owned(),
    };
    html! {
        div.wide {
            table.figures {
                thead {
                    tr {
                        th scope="col" {}
                        @for row in rows { th scope="col" title=(row.policy.told()) { (row.policy.name()) } }
                    }
                }
                @for (name, metrics) in groups {
                    tbody {
                        tr.group { th colspan=(rows.len() + 1) scope="rowgroup" { (name) } }
                        @for metric in metrics {
                            @let best = best(told.comparison, metric);
                            tr {
                                th scope="row" { (heading(metric)) }
                                @for row in rows {
                                    @let is_best = best.first() == Some(&row.policy);
                                    td class=[is_best.then_some("best")] {
                                        (cell(metric, row.estimate(metric)))
                                        @if is_best {
                                            span.mark title="best" { " ✓" }
                                        } @else if best.contains(&row.policy) {
                                            span.mark title="cannot be told from the best" { " ≈" }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
        p.note {
            "± is half of the 95 % confidence interval over " (number::count(told.seeds.len() as u64)) " "
            (if told.seeds.len() == 1 { "seed: none for a single one" } else { "seeds" })
            ". ✓ marks the best, ≈ what cannot be told from it by the differences within each run, where all \
             policies met the same requests."
            @if rows.iter().any(|row| row.policy == Policy::CentralQueue) {
                " " (Policy::CentralQueue.name()) " is no choice but one queue before all deployments."
            }
        }
    }
}
