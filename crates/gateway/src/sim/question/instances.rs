//! `leastbusy sim instances`: how often several instances need to share their counts.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use leastbusy_balance::GroupRules;
use leastbusy_sim::{Asked, Estimate, Metric, Several, Shared};
use owo_colors::OwoColorize;

use super::{About, Answer, metric};
use crate::duration;
use crate::sim::html::chart::{Axis, Line, LineChart, Names, Point, Style, lines};
use crate::sim::scenario::instances::{INSTANCES, INTERVAL_MIN, too_often};
use crate::sim::{Study, number};

/// How often several instances of the gateway need to share their counts.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  leastbusy sim instances examples/sim/many-gateways.yaml --count 2,4 --every 20ms,1s"
)]
pub(in crate::sim) struct Instances {
    #[command(flatten)]
    pub(super) about: About,
    /// Numbers of instances, separated by commas.
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', default_value = "4,16", value_parser = count)]
    count: Vec<u32>,
    /// Times between two exchanges, separated by commas.
    #[arg(long, value_name = "TIMES", value_delimiter = ',', default_value = "20ms,100ms,1s", value_parser = interval)]
    every: Vec<Duration>,
    /// The figure that is told.
    #[arg(long, value_name = "FIGURE", default_value = "p99_wait", value_parser = metric)]
    figure: Metric,
}

impl Instances {
    pub(super) fn ask(&self, study: &Study, asked: &Asked<'_>) -> Result<Answer, String> {
        for (&count, &every) in
            self.count.iter().flat_map(|count| self.every.iter().map(move |every| (count, every)))
        {
            if let Some((what, way_out)) = too_often(count, every) {
                return Err(format!("{what}: {way_out}"));
            }
        }
        let mut scenario = study.scenario.clone();
        scenario.rules.group.cap_of_all.get_or_insert(GroupRules::USUAL_CAP_OF_ALL);
        let found = Several::tried(&scenario, &self.count, &self.every, self.figure, asked);
        let mut text = format!("{}, by {}\n", study.title.bold(), asked.policy.name());
        let heading: String = self.count.iter().map(|count| format!("{:>19}", instances(*count))).collect();
        let heading = format!("{:20}{heading}", format!("{}, shared", self.figure));
        let _ = writeln!(text, "{}", heading.dimmed());
        for Shared { every, estimates } in &found.shared {
            let told: String =
                estimates.iter().map(|one| format!("{:>19}", number::figure(self.figure, *one))).collect();
            let _ = writeln!(text, "{:20}{told}", shared(*every));
        }
        let alone = number::figure(self.figure, found.alone);
        let _ = writeln!(text, "\nOne instance, which sees everything, has {alone}.");
        Ok(Answer { text, svg: self.picture(&found), code: ExitCode::SUCCESS })
    }

    fn picture(&self, found: &Several) -> String {
        let name = self.figure.to_string();
        let all = || found.shared.iter().flat_map(|shared| &shared.estimates).chain([&found.alone]);
        let highest = all().map(Estimate::at_most).fold(0.0, f64::max);
        let timed = || found.shared.iter().filter_map(|shared| Some((shared.every?, &shared.estimates)));
        let line = |(at, count): (usize, &u32)| Line {
            name: instances(*count),
            style: Style::nth(at),
            points: timed()
                .map(|(every, estimates)| Point {
                    x: every.as_secs_f64(),
                    y: estimates[at].mean,
                    margin: estimates[at].margin,
                })
                .filter(|point| !point.y.is_nan())
                .collect(),
            marked: true,
        };
        let seconds = || timed().map(|(every, _)| every.as_secs_f64());
        let (shortest, longest) = (seconds().fold(f64::INFINITY, f64::min), seconds().fold(0.0, f64::max));
        lines(&LineChart {
            name: format!("{name} by time between exchanges"),
            width: 760,
            height: 340,
            x: Axis::factors("time between exchanges", shortest, longest, true),
            y: match self.figure.is_time() {
                true => Axis::times(&name, highest),
                false => Axis::numbers(&name, 0.0, highest),
            },
            lines: self.count.iter().enumerate().map(line).collect(),
            shades: Vec::new(),
            target: Some((found.alone.mean, "one instance".to_owned())),
            names: Names::AtEnds,
        })
    }
}

fn instances(count: u32) -> String {
    format!("{count} instance{}", if count == 1 { "" } else { "s" })
}

fn shared(every: Option<Duration>) -> String {
    every.map_or_else(
        || "nothing".to_owned(),
        |every| format!("every {}", number::round_time(every.as_secs_f64())),
    )
}

fn count(text: &str) -> Result<u32, String> {
    let number = text.trim().parse::<usize>().map_err(|_| format!("`{text}` is not a whole number"))?;
    let refused = || format!("out of range: {} to {}", INSTANCES.start(), INSTANCES.end());
    u32::try_from(number).ok().filter(|_| INSTANCES.contains(&number)).ok_or_else(refused)
}

fn interval(text: &str) -> Result<Duration, String> {
    let time = duration::parse(text.trim())
        .ok_or_else(|| format!("`{text}` is no time: write 20ms, 100ms or 1s"))?;
    let longest = Duration::from_secs(3600);
    if (INTERVAL_MIN..=longest).contains(&time) {
        Ok(time)
    } else {
        Err("out of range: 1ms to 1h".to_owned())
    }
}
