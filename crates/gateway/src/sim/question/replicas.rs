//! `leastbusy sim replicas`: how many deployments a target needs.

use std::fmt::Write as _;
use std::process::ExitCode;

use leastbusy_sim::{Asked, Target, Tried};
use owo_colors::OwoColorize;

use super::{About, Answer, metric, place, told};
use crate::duration;
use crate::sim::html::chart::{Axis, Line, LineChart, Names, Point, Style, lines};
use crate::sim::{Study, number};

/// How many deployments a target needs.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  leastbusy sim replicas examples/sim/vllm-day.yaml --target p99_ttft=500ms"
)]
pub(in crate::sim) struct Replicas {
    #[command(flatten)]
    pub(super) about: About,
    /// A figure and the most it may be: p99_ttft=500ms, mean_response=8s, p99_slowdown=2, errors=0.1%.
    #[arg(long, value_name = "FIGURE=MOST", value_parser = target)]
    target: Target,
    /// A deployment of the kind whose number is to be found [default: the first]; the others stay.
    #[arg(long, value_name = "NAME")]
    of: Option<String>,
    /// The most deployments of that kind to try.
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    most: u32,
}

impl Replicas {
    pub(super) fn ask(&self, study: &Study, asked: &Asked<'_>) -> Result<Answer, String> {
        let scenario = &study.scenario;
        let place = place(scenario, self.of.as_deref())?;
        let answer = leastbusy_sim::Replicas::needed(scenario, place, self.target, self.most, asked);
        let Target { metric, most } = self.target;
        let bound = match metric.is_time() {
            true => number::time(most),
            false => number::plain(most),
        };
        let engine = &scenario.engines[place];
        let mut text = format!("{}, by {}\n", study.title.bold(), asked.policy.name());
        let heading = format!("{:>11}  {:>6}  {metric}", "deployments", "load");
        let _ = writeln!(text, "{}", heading.dimmed());
        for Tried { count, estimate, load } in &answer.tried {
            let load = load.map_or_else(String::new, |load| format!("{:.0} %", 100.0 * load));
            let enough = if Some(*count) == answer.needed { "  enough" } else { "" };
            let _ = writeln!(text, "{count:>11}  {load:>6}  {}{}", told(metric, estimate), enough.green());
        }
        let _ = match (answer.needed, answer.tried.last()) {
            (Some(needed), _) => {
                writeln!(text, "\n{needed} deployments like {} keep {metric} within {bound}.", engine.name)
            }
            (None, Some(last)) => writeln!(
                text,
                "\nNo number up to {} keeps {metric} within {bound}: {} have {}.",
                self.most,
                last.count,
                told(metric, &last.estimate)
            ),
            (None, None) => writeln!(text, "\nNo number up to {} can bear this load.", self.most),
        };
        let code = if answer.needed.is_some() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        let svg = self.picture(&answer.tried, &bound);
        Ok(Answer { text, svg, code })
    }

    fn picture(&self, tried: &[Tried], bound: &str) -> String {
        let Target { metric, most } = self.target;
        let counts = || tried.iter().map(|tried| f64::from(tried.count));
        let highest = tried.iter().map(|tried| tried.estimate.at_most()).fold(most, f64::max);
        let lowest = tried.iter().map(|tried| tried.estimate.mean).fold(most, f64::min);
        let name = metric.to_string();
        let point = |tried: &Tried| Point {
            x: f64::from(tried.count),
            y: tried.estimate.mean,
            margin: tried.estimate.margin,
        };
        lines(&LineChart {
            name: format!("{name} by number of deployments"),
            width: 760,
            height: 340,
            x: Axis::counts(
                "deployments",
                counts().fold(f64::INFINITY, f64::min),
                counts().fold(0.0, f64::max),
            ),
            y: axis(metric, &name, lowest, highest),
            lines: vec![Line {
                name: self.about.policy.name().to_owned(),
                style: Style::of(self.about.policy),
                points: tried.iter().map(point).collect(),
                marked: true,
            }],
            shades: Vec::new(),
            target: Some((most, format!("target {bound}"))),
            names: Names::AtEnds,
        })
    }
}

/// An axis of a figure; one on which factors are equal steps where an even one would show the highest alone.
fn axis(metric: leastbusy_sim::Metric, name: &str, lowest: f64, highest: f64) -> Axis {
    match metric.is_time() {
        _ if 0.0 < lowest && 20.0 * lowest < highest => {
            Axis::factors(name, lowest, highest, metric.is_time())
        }
        true => Axis::times(name, highest),
        false => Axis::numbers(name, 0.0, highest),
    }
}

/// `p99_ttft=500ms`.
fn target(text: &str) -> Result<Target, String> {
    let (name, most) = text.split_once('=').ok_or("write FIGURE=MOST, such as p99_ttft=500ms")?;
    let metric = metric(name.trim())?;
    let most = most.trim();
    let number = match most.strip_suffix('%') {
        Some(percent) => percent.trim().parse().ok().map(|percent: f64| percent / 100.0),
        None if metric.is_time() => duration::parse(most).map(|time| time.as_secs_f64()),
        None => most.parse().ok(),
    };
    match number {
        Some(most) if most.is_finite() && 0.0 <= most => Ok(Target { metric, most }),
        _ if metric.is_time() => Err(format!("`{most}` is no time: write 500ms, 1.5s or 2")),
        _ => Err(format!("`{most}` is no number of at least 0")),
    }
}
