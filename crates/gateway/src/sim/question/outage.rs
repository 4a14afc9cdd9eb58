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
    /// When, since the start [default: the first peak of a day or the busiest span of a trace, else the middle].
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
        let place = place(scenario, self.deployment.as_deref())?;
        let end = leastbusy_sim::Outage::end(scenario, asked.seeds);
        let at = self.at.unwrap_or_else(|| leastbusy_sim::Outage::peak(scenario, end, self.lasts));
        let outage = leastbusy_sim::Outage { place, at, time: self.lasts };
        fits(&outage, end)?;
        let survived = outage.survived(scenario, asked);
        let name = &scenario.engines[outage.place].name;
        let mut text = format!("{}, by {}\n", study.title.bold(), asked.policy.name());
        let [at, back] = [outage.at, outage.at.saturating_add(outage.time)].map(told_time);
        let _ = write!(text, "{name} dies after {at} and is back after {back}");
        let _ = match outage.load_on_the_others(scenario) {
            Some(load) if load.is_infinite() => writeln!(text, "; nobody else is well then"),
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
        let _ = writeln!(text, "\n{}", verdict(scenario.rules.streams, &survived));
        Ok(Answer { svg: self.picture(&outage, name, &survived), text, code: ExitCode::SUCCESS })
    }

    fn picture(&self, outage: &leastbusy_sim::Outage, name: &str, survived: &Survived) -> String {
        let span = survived.timeline.span.as_secs_f64();
        let (from, until) = (outage.at.as_secs_f64(), outage.at.saturating_add(outage.time).as_secs_f64());
        let margin = outage.time.as_secs_f64();
        let window = (from - margin).max(0.0)..until + margin;
        let points: Vec<Point> = survived
            .timeline
            .spans
            .iter()
            .enumerate()
            .filter(|(_, told)| 0 < told.first_tokens.count())
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

/// Whether it can be told in runs that end then.
fn fits(outage: &leastbusy_sim::Outage, end: Duration) -> Result<(), String> {
    if end < outage.at {
        return Err(format!(
            "--at: the run lasts {}, and nobody comes after it: name an earlier moment, or more --requests",
            told_time(end)
        ));
    }
    let shortest = leastbusy_sim::Outage::shortest(end);
    if outage.time < shortest {
        return Err(format!(
            "--lasts: in a run of {} an outage lasts at least {}: name a longer one, or fewer --requests",
            told_time(end),
            told_time(shortest)
        ));
    }
    Ok(())
}

fn write_part(text: &mut String, when: &str, part: &Part) {
    let is_empty = part.arrived.mean == 0.0 && part.errors.mean == 0.0;
    let or_dash = |told: Option<String>| told.unwrap_or_else(|| "-".to_owned());
    let count = |told: String| or_dash((!is_empty).then_some(told));
    let time = |estimate: Option<Estimate>| {
        or_dash(estimate.map(|estimate| number::time_within(estimate.mean, estimate.margin)))
    };
    let _ = writeln!(
        text,
        "{when:16}{:>10}  {:>20}  {:>20}  {:>20}",
        count(format!("{:.0}", part.arrived.mean)),
        count(number::plain_within(part.errors.mean, part.errors.margin)),
        time(part.p99_first_token),
        time(part.p99_response)
    );
}

/// What became of the requests, and of the others' times.
fn verdict(streams: bool, survived: &Survived) -> String {
    let errors = [survived.during.errors, survived.after.errors];
    let lost = errors.iter().map(|errors| errors.mean).sum();
    let is_sure = errors.iter().all(|errors| errors.margin.unwrap_or(0.0) == 0.0);
    let why = if streams && lost != 0.0 { ": a stream that has begun cannot be begun again" } else { "" };
    let mut text = format!("{}{why}.", losses(lost, is_sure));
    let p99 = |part: &Part| part.p99_first_token.map(|estimate| estimate.mean);
    if let (Some(before), Some(during)) = (p99(&survived.before), p99(&survived.during))
        && 0.0 < before
    {
        text += &match during / before {
            times if times < 1.1 => "\nThe others take its load without being slower.".to_owned(),
            times => format!(
                "\nWhile it lasts, 99 % of the first tokens come within {} times as long as before.",
                number::plain(times)
            ),
        };
    }
    text
}

/// How many requests get an error, on average over the runs; sure where all agree.
fn losses(lost: f64, is_sure: bool) -> String {
    let about = if is_sure { "" } else { "About " };
    match lost.round() as u64 {
        _ if lost == 0.0 => "No request gets an error".to_owned(),
        0 => "Less than one request in two runs gets an error".to_owned(),
        1 => format!("{about}1 request gets an error"),
        count => format!("{about}{} requests get an error", number::count(count)),
    }
}

fn told_time(time: Duration) -> String {
    number::time(time.as_secs_f64())
}

fn time(text: &str) -> Result<Duration, String> {
    duration::parse(text).ok_or_else(|| format!("`{text}` is no time: write 90s, 5m or 2h"))
}

#[cfg(test)]
mod tests;
