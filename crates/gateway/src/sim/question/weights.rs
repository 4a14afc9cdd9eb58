//! `leastbusy sim weights`: what the weights of unlike deployments should be.

use std::fmt::Write as _;
use std::process::ExitCode;

use leastbusy_sim::{Asked, Estimate, Metric, Weighed, kinds};
use owo_colors::OwoColorize;

use super::{About, Answer, metric};
use crate::sim::html::chart::{Axis, Line, LineChart, Names, Point, Style, lines};
use crate::sim::{Study, number};

/// What the weights of unlike deployments should be.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  leastbusy sim weights examples/sim/unequal-vllm-pool.yaml --figure p99_ttft"
)]
pub(in crate::sim) struct Weights {
    #[command(flatten)]
    pub(super) about: About,
    /// The figure that is to be as low as possible.
    #[arg(long, value_name = "FIGURE", default_value = "mean_response", value_parser = metric)]
    figure: Metric,
}

impl Weights {
    pub(super) fn ask(&self, study: &Study, asked: &Asked<'_>) -> Result<Answer, String> {
        let all = kinds(&study.scenario);
        let [first, _, ..] = all.as_slice() else {
            return Err("all deployments of the scenario are alike: their weights are best equal".into());
        };
        let found = leastbusy_sim::Weights::best(&study.scenario, self.figure, asked);
        let mut text = format!("{}, by {}\n", study.title.bold(), asked.policy.name());
        let heading = format!("{:20}{:>9}{:>9}   as good within 1 %", "weight of", "as given", "best");
        let _ = writeln!(text, "{}", heading.dimmed());
        let _ = writeln!(text, "{:20}{:>9}{:>9}", first.name, 1, 1);
        for weighed in &found.kinds {
            let [given, best] = [weighed.as_given, weighed.best].map(number::plain);
            let _ = writeln!(text, "{:20}{given:>9}{best:>9}   {}", weighed.kind.name, as_good(weighed));
        }
        let _ = write!(text, "\n{}", self.verdict(&found));
        Ok(Answer { text, svg: self.picture(&found.kinds, &first.name), code: ExitCode::SUCCESS })
    }

    fn verdict(&self, found: &leastbusy_sim::Weights) -> String {
        let figure = self.figure;
        let [before, after] = [found.as_given, found.best].map(|estimate| number::figure(figure, estimate));
        if found.kinds.iter().all(|kind| kind.is_indifferent) {
            return format!("{figure} is {before}: the weights make no difference to it.\n");
        }
        let mut text = if found.kinds.iter().all(|kind| kind.best == kind.as_given) {
            format!(
                "{figure} is {before} by the weights given; none that was tried is better by more than chance.\n"
            )
        } else {
            format!("{figure} is {before} by the weights given, and {after} by the best.\n")
        };
        for kind in found.kinds.iter().filter(|kind| kind.is_at_edge() && !kind.is_indifferent) {
            let _ = writeln!(
                text,
                "The best weight of {} is at the edge of what was tried: one beyond may be better.",
                kind.kind.name
            );
        }
        text
    }

    fn picture(&self, kinds: &[Weighed], first: &str) -> String {
        let name = self.figure.to_string();
        let estimates = || kinds.iter().flat_map(|kind| kind.tried.iter().map(|(_, estimate)| estimate));
        let highest = estimates().map(Estimate::at_most).fold(0.0, f64::max);
        let weights = || kinds.iter().flat_map(|kind| kind.tried.iter().map(|(weight, _)| *weight));
        let (lightest, heaviest) = (weights().fold(f64::INFINITY, f64::min), weights().fold(0.0, f64::max));
        let line = |(at, kind): (usize, &Weighed)| Line {
            name: kind.kind.name.clone(),
            style: Style::nth(at),
            points: kind
                .tried
                .iter()
                .map(|(x, estimate)| Point { x: *x, y: estimate.mean, margin: estimate.margin })
                .filter(|point| !point.y.is_nan())
                .collect(),
            marked: true,
        };
        lines(&LineChart {
            name: format!("{name} by weight"),
            width: 760,
            height: 340,
            x: Axis::factors(&format!("weight, where {first} has 1"), lightest, heaviest, false),
            y: match self.figure.is_time() {
                true => Axis::times(&name, highest),
                false => Axis::numbers(&name, 0.0, highest),
            },
            lines: kinds.iter().enumerate().map(line).collect(),
            shades: Vec::new(),
            target: None,
            names: Names::AtEnds,
        })
    }
}

/// The weights that are as good; nobody knows what lies beyond those that were tried.
fn as_good(weighed: &Weighed) -> String {
    let Weighed { as_good: (from, to), tried, .. } = weighed;
    let is = |weight: f64, end: Option<&(f64, Estimate)>| end.is_some_and(|(tried, _)| *tried == weight);
    let [low, high] = [*from, *to].map(number::plain);
    match (is(*from, tried.first()), is(*to, tried.last())) {
        _ if weighed.is_indifferent => "makes no difference".to_owned(),
        (true, true) => "any".to_owned(),
        (true, false) => format!("{high} or less"),
        (false, true) => format!("{low} or more"),
        (false, false) => format!("{low} to {high}"),
    }
}
