//! What it comes to, in a sentence.

use leastbusy_sim::{Comparison, Engine, Measure, Metric, Policy, Row, Statistic};

use super::figures::{figure, percent};
use super::row;
use crate::sim::Study;

/// A smaller difference, in seconds, is nothing to choose by.
const DIFFERENCE_MIN: f64 = 0.001;

/// Least busy beside random choice, or the worst of the others; `None` where it was not run.
pub(super) fn sentence(study: &Study, comparison: &Comparison) -> Option<String> {
    let ours = row(comparison, Policy::LeastBusy)?;
    let errors = |row: &Row| row.estimate(Metric::Errors).mean;
    let p99 = |measure| Metric::Of(measure, Statistic::PerMille(990));
    let worst = || {
        let real = [Policy::LeastBusy, Policy::CentralQueue];
        let others = comparison.rows.iter().filter(|row| !real.contains(&row.policy));
        let response = |row: &Row| row.estimate(p99(Measure::Response)).mean;
        others.max_by(|a, b| response(a).total_cmp(&response(b)))
    };
    let other = row(comparison, Policy::Random).or_else(worst)?;
    if let Some(dead) = [ours, other].into_iter().find(|row| errors(row) == 1.0) {
        return Some(format!("With {} every request got an error.", dead.policy.name()));
    }
    let tells = |metric: Metric| {
        let is_something = DIFFERENCE_MIN <= ours.difference(other, metric).mean.abs();
        is_something && ours.differs_from(other, metric)
    };
    // The long answers make the p99 of the response; where requests wait, that is what a choice is about.
    let told = [
        (p99(Measure::Wait), "waits"),
        (p99(Measure::FirstToken), "has its first token after"),
        (p99(Measure::Response), "takes"),
    ];
    let longest = [ours, other].map(|row| row.estimate(told[0].0).mean).into_iter().fold(0.0, f64::max);
    let usual = || if DIFFERENCE_MIN <= longest { told[0] } else { told[2] };
    let (metric, verb) = told.into_iter().find(|(metric, _)| tells(*metric)).unwrap_or_else(usual);
    let seconds = |row: &Row| format!("{} s", figure(row.estimate(metric).mean));
    let mut said = format!(
        "At p99 a request {verb} {} with least-busy and {} with {}",
        seconds(ours),
        seconds(other),
        other.policy.name()
    );
    if !tells(metric) {
        said += ", a difference that these runs cannot tell from chance";
    }
    // In the one queue nothing fails, and it sends work to slow places: a bound only where neither matters.
    let speed = |engine: &Engine| (engine.tokens_per_second, engine.first_token_time);
    let [is_well, is_even] = [
        study.scenario.engines.iter().all(|engine| engine.episodes.is_empty()),
        study.scenario.engines.windows(2).all(|pair| speed(&pair[0]) == speed(&pair[1])),
    ];
    let is_bound = |row: &&Row| is_well && is_even && row.estimate(metric).mean <= ours.estimate(metric).mean;
    if let Some(central) = row(comparison, Policy::CentralQueue).filter(is_bound) {
        said += &format!("; one central queue would come to {}", seconds(central));
    }
    if 0.0 < errors(ours) || 0.0 < errors(other) {
        let [ours, theirs] = [ours, other].map(|row| match errors(row) {
            0.0 => "none".to_owned(),
            share => percent(share),
        });
        said += &format!(
            ". Errors: {ours} of the requests with least-busy, {theirs} with {}",
            other.policy.name()
        );
    }
    Some(said + ".")
}
