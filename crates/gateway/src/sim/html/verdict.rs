//! What came of it, in a sentence and a few figures.

use leastbusy_sim::{Estimate, Measure, Metric, Policy, Row, Statistic};
use maud::{Markup, html};

use super::Told;
use super::table::best;
use crate::sim::number;

const P99_FIRST_TOKEN: Metric = Metric::Of(Measure::FirstToken, Statistic::PerMille(990));
const FIGURES: [(Metric, &str); 4] = [
    (P99_FIRST_TOKEN, "p99 time to first token"),
    (Metric::Of(Measure::Wait, Statistic::PerMille(990)), "p99 wait for a slot"),
    (Metric::Of(Measure::Slowdown, Statistic::Mean), "mean slowdown"),
    (Metric::Errors, "errors"),
];

pub(super) fn verdict(told: &Told<'_>) -> Markup {
    let chosen = chosen(told);
    html! {
        @if let Some(chosen) = chosen {
            p.verdict { (sentence(told, chosen)) }
            dl.key {
                @for (metric, name) in FIGURES {
                    @let estimate = chosen.estimate(metric);
                    div {
                        dt { (name) }
                        dd.value { (number::figure(metric, Estimate { margin: None, ..estimate })) }
                        @if let Some(other) = rival(told, chosen) {
                            dd { (other.policy.name()) ": " (number::figure(metric, Estimate { margin: None, ..other.estimate(metric) })) }
                        }
                        @if let Some(bound) = bound(told) {
                            dd { "one queue: " (number::figure(metric, Estimate { margin: None, ..bound.estimate(metric) })) }
                        }
                    }
                }
            }
            p.note { "Key figures of " strong { (chosen.policy.name()) } ": " (chosen.policy.told()) "." }
        } @else {
            p.verdict { "Nothing was compared." }
        }
    }
}

/// Whose figures stand at the top: the production pick if it was run, else the best.
fn chosen<'a>(told: &Told<'a>) -> Option<&'a Row> {
    let rows = &told.comparison.rows;
    let least_busy = rows.iter().find(|row| row.policy == Policy::LeastBusy);
    least_busy.or_else(|| competitors(told).min_by(by_first_token)).or_else(|| rows.first())
}

/// Whom it is compared with: what users of the old proxy have today if it was run, else the worst.
fn rival<'a>(told: &Told<'a>, chosen: &Row) -> Option<&'a Row> {
    let others = || competitors(told).filter(|row| row.policy != chosen.policy);
    let old = others().find(|row| matches!(row.policy, Policy::StaleFirst { .. }));
    old.or_else(|| others().max_by(by_first_token))
}

fn competitors<'a>(told: &Told<'a>) -> impl Iterator<Item = &'a Row> + use<'a> {
    told.comparison.rows.iter().filter(|row| row.policy != Policy::CentralQueue)
}

fn by_first_token(one: &&Row, other: &&Row) -> std::cmp::Ordering {
    one.estimate(P99_FIRST_TOKEN).mean.total_cmp(&other.estimate(P99_FIRST_TOKEN).mean)
}

fn sentence(told: &Told<'_>, chosen: &Row) -> String {
    let p99 = chosen.estimate(P99_FIRST_TOKEN);
    if p99.mean.is_nan() {
        return format!("With {}, no request was answered.", chosen.policy.name());
    }
    let mut said = format!(
        "With {}, 99 % of the requests have their first token within {}",
        chosen.policy.name(),
        number::time(p99.mean)
    );
    if let Some(rival) = rival(told, chosen) {
        let other = rival.estimate(P99_FIRST_TOKEN);
        let best = best(told.comparison, P99_FIRST_TOKEN);
        let alike = !chosen.differs_from(rival, P99_FIRST_TOKEN);
        said += &if other.mean.is_nan() {
            format!("; with {} no request was answered", rival.policy.name())
        } else if alike {
            format!("; with {} it cannot be told from that", rival.policy.name())
        } else if 0.0 < p99.mean {
            let times = other.mean / p99.mean;
            let factor = format!("{} times as long", number::plain(times));
            format!("; with {} it is {}, {factor}", rival.policy.name(), number::time(other.mean))
        } else {
            format!("; with {} it is {}", rival.policy.name(), number::time(other.mean))
        };
        if !best.is_empty() && !best.contains(&chosen.policy) {
            let names: Vec<_> = best.iter().map(|policy| policy.name()).collect();
            said += &format!(". Best at that is {}", names.join(" and "));
        }
    }
    if let Some(bound) = bound(told)
        && chosen.policy != Policy::CentralQueue
        && bound.estimate(P99_FIRST_TOKEN).mean <= p99.mean
    {
        let least = number::time(bound.estimate(P99_FIRST_TOKEN).mean);
        said += &format!(". One queue before all deployments would come to {least}");
    }
    said + "."
}

fn bound<'a>(told: &Told<'a>) -> Option<&'a Row> {
    told.comparison.rows.iter().find(|row| row.policy == Policy::CentralQueue)
}
