//! `leastbusy sim outage`: what happens when a deployment dies.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use leastbusy_sim::{Asked, Estimate, Part, Survived};
use owo_colors::OwoColorize;

use super::{About, Answer, place};
use crate::duration;
use crate::sim::html::chart::{Axis, Line, LineChart, Names, Point, Shade, Style, lines};
use crate::sim::{Study, number};

/// What happens when a deployment dies.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  leastbusy sim outage examples/sim/vllm-day.yaml --lasts 2m")]
pub(in crate::sim) struct Outage {
    #[command(flatten)]
    pub(super) about: About,
    /// The deployment that dies [default: the first].
    #[arg(long, value_name = "NAME")]
    deployment: Option<String>,
    /// When, since the start [default: the first peak of a day, else the middle].
    #[arg(long, value_name = "TIME", value_parser = time)]
    at: Option<Duration>,
    /// How long it stays away.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = time)]
    lasts: Duration,
}

impl Outage {
    pub(super) fn ask(&self, study: &Study, asked: &Asked<'_>) -> Result<Answer, String> {
        let scenario = &study.scenario;
        if scenario.engines.len() < 2 {
            return Err("the scenario has one deployment: without it nobody is left to serve".into());
        }
        if self.lasts.is_zero() {
            return Err("--lasts: an outage takes some time".into());
        }
        let outage = leastbusy_sim::Outage {
            place: place(scenario, self.deployment.as_deref())?,
            at: self.at.unwrap_or_else(|| leastbusy_sim::Outage::peak(scenario)),
            time: self.lasts,
        };
        let survived = outage.survived(scenario, asked);
        let name = &scenario.engines[outage.place].name;
        let mut text = format!("{}, by {}\n", study.title.bold(), asked.policy.name());
        let [at, back] =
            [outage.at, outage.at + outage.time].map(|moment| number::time(moment.as_secs_f64()));
        let _ = write!(text, "{name} dies after {at} and is back after {back}");
        let _ = match outage.load_on_the_others(scenario) {
            Some(load) => {
                writeln!(text, "; the others are then asked for {:.0} % of what they can do", 100.0 * load)
            }
            None => writeln!(text),
        };
        let heading = format!(
            "{:16}{:>10}  {:>20}  {:>20}  {:>20}",
            "", "requests", "errors", "p99_ttft", "p99_response"
        );
        let _ = writeln!(text, "\n{}", heading.dimmed());
        for (when, part) in
            [("before", &survived.before), ("while it lasts", &survived.during), ("after", &survived.after)]
        {
            write_part(&mut text, when, part);
        }
        let lost = survived.during.errors.mean + survived.after.errors.mean;
        let _ = writeln!(text, "\n{}", verdict(scenario.rules.streams, lost, &survived));
        Ok(Answer { svg: self.picture(&outage, name, &survived), text, code: ExitCode::SUCCESS })
    }

    fn picture(&self, outage: &leastbusy_sim::Outage, name: &str, survived: &Survived) -> String {
        let span = survived.timeline.span.as_secs_f64();
        let (from, until) = (outage.at.as_secs_f64(), (outage.at + outage.time).as_secs_f64());
        let margin = outage.time.as_secs_f64();
        let window = (from - margin).max(0.0)..until + margin;
        let points: Vec<Point> = survived
            .timeline
            .spans
            .iter()
            .enumerate()
            .map(|(number, told)| {
                Point::new((number as f64 + 0.5) * span, told.first_tokens.quantile(0.99).as_secs_f64())
            })
            .filter(|point| window.contains(&point.x))
            .collect();
        let highest = points.iter().map(|point| point.y).fold(0.0, f64::max);
        lines(&LineChart {
            name: format!("p99 of the time to the first token while {name} is down"),
            width: 760,
            height: 340,
            x: Axis::numbers("seconds since the start", window.start, window.end),
            y: Axis::times("p99 of the time to the first token", highest),
            lines: vec![Line {
                name: self.about.policy.name().to_owned(),
                style: Style::of(self.about.policy),
                points,
                marked: false,
            }],
            shades: vec![Shade { from, to: until, name: format!("{name} down") }],
            target: None,
            names: Names::Listed,
        })
    }
}

fn write_part(text: &mut String, when: &str, part: &Part) {
    let time = |estimate: &Estimate| number::time_within(estimate.mean, estimate.margin);
    let _ = writeln!(
        text,
        "{when:16}{:>10.0}  {:>20}  {:>20}  {:>20}",
        part.arrived.mean,
        number::plain_within(part.errors.mean, part.errors.margin),
        time(&part.p99_first_token),
        time(&part.p99_response)
    );
}

/// What became of the requests, and of the others' times.
fn verdict(streams: bool, lost: f64, survived: &Survived) -> String {
    let lost = match (lost, streams) {
        (0.0, _) => "No request gets an error.".to_owned(),
        (lost, true) => format!(
            "{} requests get an error: a stream that has begun cannot be begun again.",
            number::plain(lost)
        ),
        (lost, false) => format!("{} requests get an error.", number::plain(lost)),
    };
    let before = survived.before.p99_first_token.mean;
    let times = match survived.during.p99_first_token.mean / before.max(1e-9) {
        times if times < 1.1 => "The others take its load without being slower.".to_owned(),
        times => format!(
            "While it lasts, 99 % of the first tokens come within {} times as long as before.",
            number::plain(times)
        ),
    };
    format!("{lost}\n{times}")
}

fn time(text: &str) -> Result<Duration, String> {
    duration::parse(text).ok_or_else(|| format!("`{text}` is no time: write 90s, 5m or 2h"))
}
