//! Every figure of every policy.

use leastbusy_sim::{Comparison, Estimate, Measure, Metric, Policy, Statistic};
use maud::{Markup, html};

use super::{Told, number};

/// A figure in words, with its margin.
pub(super) fn figure(metric: Metric, estimate: Estimate) -> String {
    match metric {
        Metric::Errors | Metric::Retries => number::share_within(estimate.mean, estimate.margin),
        _ if metric.is_time() => number::time_within(estimate.mean, estimate.margin),
        _ => number::plain_within(estimate.mean, estimate.margin),
    }
}

/// The policies with the lowest figure, and those whose intervals reach it; none where all are alike. A central
/// queue is a bound and does not compete.
pub(super) fn best(comparison: &Comparison, metric: Metric) -> Vec<Policy> {
    let competing = || comparison.rows.iter().filter(|row| row.policy != Policy::CentralQueue);
    let estimates: Vec<_> = competing().map(|row| (row.policy, row.estimate(metric))).collect();
    let Some((_, lowest)) = estimates.iter().min_by(|one, other| one.1.mean.total_cmp(&other.1.mean)) else {
        return Vec::new();
    };
    let reaches = |estimate: &Estimate| estimate.mean - estimate.margin.unwrap_or(0.0) <= lowest.at_most();
    let best: Vec<_> =
        estimates.iter().filter(|(_, estimate)| reaches(estimate)).map(|(policy, _)| *policy).collect();
    if best.len() == estimates.len() { Vec::new() } else { best }
}

pub(super) fn table(told: &Told<'_>) -> Markup {
    let rows = &told.comparison.rows;
    let of = |measure| Statistic::ALL.map(|statistic| Metric::Of(measure, statistic)).to_vec();
    let groups = [
        ("Time to first token", of(Measure::FirstToken)),
        ("Wait for a slot", of(Measure::Wait)),
        ("Response time", of(Measure::Response)),
        ("Slowdown, times as long as alone", of(Measure::Slowdown)),
        ("Deployments", vec![Metric::Imbalance, Metric::LargestInFlight]),
        ("Failures, of all requests", vec![Metric::Errors, Metric::Retries]),
    ];
    let heading = |metric: Metric| match metric {
        Metric::Of(_, statistic) => statistic.to_string(),
        Metric::Imbalance => "imbalance, 1 is even".to_owned(),
        Metric::LargestInFlight => "most in flight on one".to_owned(),
        Metric::Errors => "errors".to_owned(),
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
                                    @let is_best = best.contains(&row.policy);
                                    td class=[is_best.then_some("best")] {
                                        (figure(metric, row.estimate(metric)))
                                        @if is_best { span.mark title="best" { " ✓" } }
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
            ". ✓ marks the best, and what cannot be told from it."
            @if rows.iter().any(|row| row.policy == Policy::CentralQueue) {
                " " (Policy::CentralQueue.name()) " is no choice but the bound: one queue before all deployments."
            }
        }
    }
}
