//! `leastbusy sim replicas`: how many deployments a target needs.

use std::fmt::Write as _;
use std::process::ExitCode;

use leastbusy_sim::{Asked, Metric, Target, Tried};
use owo_colors::OwoColorize;

use super::{About, Answer, metric, place};
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
    #[arg(long, value_name = "FIGURE=MOST", value_parser = bound)]
    target: Bound,
    /// A deployment of the kind whose number is to be found [default: the first]; its copies have no troubles, and
    /// the others stay.
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
        let answer = leastbusy_sim::Replicas::needed(scenario, place, self.target.is, self.most, asked);
        let (metric, bound) = (self.target.is.metric, &self.target.told);
        let engine = &scenario.engines[place];
        let mut text = format!("{}, by {}\n", study.title.bold(), asked.policy.name());
        let heading = format!("{:>11}  {:>6}  {metric}", "deployments", "load");
        let _ = writeln!(text, "{}", heading.dimmed());
        for Tried { count, estimate, load } in &answer.tried {
            let load = load.map_or_else(String::new, |load| format!("{:.0} %", 100.0 * load));
            let enough = if Some(*count) == answer.needed { "  enough" } else { "" };
            let _ = writeln!(
                text,
                "{count:>11}  {load:>6}  {}{}",
                number::figure(metric, *estimate),
                enough.green()
            );
        }
        let verdict = match (answer.needed, answer.tried.last()) {
            (Some(1), _) => format!("1 deployment like {} keeps {metric} within {bound}.", engine.name),
            (Some(needed), _) => {
                format!("{needed} deployments like {} keep {metric} within {bound}.", engine.name)
            }
            (None, Some(Tried { count, load: Some(load), .. })) if 1.0 <= *load => format!(
                "No number up to {} can bear this load: with {count} the fleet is asked for {:.0} % of what it can do.",
                self.most,
                100.0 * load
            ),
            (None, last) => {
                let tried = numbers(&answer.tried);
                let last = last.map_or_else(String::new, |Tried { count, estimate, .. }| {
                    format!(": {count} have {}", number::figure(metric, *estimate))
                });
                format!("No number tried ({tried}) keeps {metric} within {bound}{last}.")
            }
        };
        let _ = writeln!(text, "\n{verdict}");
        if !engine.episodes.is_empty() {
            let _ = writeln!(text, "The troubles of {} are left out: copies of it are well.", engine.name);
        }
        if !answer.troubled.is_empty() {
            let names = answer.troubled.join(", ");
            let _ = writeln!(text, "Not counted, because of troubles of their own: {names}.");
        }
        let code = if answer.needed.is_some() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        let svg = self.picture(&answer.tried);
        Ok(Answer { text, svg, code })
    }

    fn picture(&self, tried: &[Tried]) -> String {
        let Target { metric, most } = self.target.is;
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
                points: tried.iter().map(point).filter(|point| !point.y.is_nan()).collect(),
                marked: true,
            }],
            shades: Vec::new(),
            target: Some((most, format!("target {}", self.target.told))),
            names: Names::AtEnds,
        })
    }
}

/// An axis of a figure; one on which factors are equal steps where an even one would show the highest alone.
fn axis(metric: Metric, name: &str, lowest: f64, highest: f64) -> Axis {
    match metric.is_time() {
        _ if 0.0 < lowest && 20.0 * lowest < highest => {
            Axis::factors(name, lowest, highest, metric.is_time())
        }
        true => Axis::times(name, highest),
        false => Axis::numbers(name, 0.0, highest),
    }
}

/// The numbers that were tried, the middle ones left out where they are many: `1, 3, 7, ... up to 256`.
fn numbers(tried: &[Tried]) -> String {
    let list = |tried: &[Tried]| {
        let numbers: Vec<String> = tried.iter().map(|tried| tried.count.to_string()).collect();
        numbers.join(", ")
    };
    match tried {
        [first @ .., last] if 3 < first.len() => format!("{}, ... up to {}", list(&first[..3]), last.count),
        few => list(few),
    }
}

/// A target, and the most it may be as it was written.
#[derive(Debug, Clone)]
struct Bound {
    is: Target,
    told: String,
}

/// `p99_ttft=500ms`.
fn bound(text: &str) -> Result<Bound, String> {
    let (name, most) = text.split_once('=').ok_or("write FIGURE=MOST, such as p99_ttft=500ms")?;
    let metric = metric(name.trim())?;
    let most = most.trim();
    let is_share = matches!(metric, Metric::Errors | Metric::Retries);
    let (number, told) = match most.strip_suffix('%').map(str::trim) {
        Some(percent) if is_share => {
            (percent.parse().ok().map(|percent: f64| percent / 100.0), format!("{percent} %"))
        }
        None if metric.is_time() => {
            let unit = most.find(|c: char| !c.is_ascii_digit() && c != '.');
            let (digits, unit) = unit.map_or((most, "s"), |unit| (most[..unit].trim(), &most[unit..]));
            (duration::parse(most).map(|time| time.as_secs_f64()), format!("{digits} {}", unit.trim()))
        }
        None => (most.parse().ok(), most.to_owned()),
        Some(_) if metric.is_time() => (None, String::new()),
        Some(_) => {
            return Err(format!(
                "`{most}`: {metric} is no share, write a number without %, such as {metric}=2"
            ));
        }
    };
    match number {
        Some(share) if metric == Metric::Errors && 1.0 < share => {
            Err(format!("`{most}` is more than all requests: write at most 100%, such as 0.1%"))
        }
        Some(most) if most.is_finite() && 0.0 <= most => Ok(Bound { is: Target { metric, most }, told }),
        _ if metric.is_time() => Err(format!("`{most}` is no time: write 500ms, 1.5s or 2")),
        _ => Err(format!("`{most}` is no number of at least 0")),
    }
}
