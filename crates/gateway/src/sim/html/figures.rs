//! The charts of what requests and deployments saw.

use leastbusy_sim::{CURVE_POINTS, Measure, Metric, Policy, Row, Statistic, curve_share};

use super::Told;
use super::chart::{
    Axis, Bar, BarChart, DotChart, Dots, Line, LineChart, Names, Point, Style, bars, dots, lines,
};
use crate::sim::number;

/// A chart with its words.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Its name as a file and in addresses.
    pub name: String,
    /// Its heading.
    pub title: String,
    /// What it shows and how it is read.
    pub caption: String,
    /// The chart.
    pub svg: String,
}

/// Width of the charts in pixels.
pub(super) const WIDTH: u32 = 760;
/// Deployments that are shown one by one; of more, the first ones.
pub(super) const DEPLOYMENTS_MAX: usize = 48;
/// Where the worst is so many times the best, equal steps of the axis are equal factors: otherwise only the worst
/// would be seen.
const FACTOR_MAX: f64 = 12.0;
const P99_WAIT: Metric = Metric::Of(Measure::Wait, Statistic::PerMille(990));

pub(super) fn requests(told: &Told<'_>) -> Vec<Figure> {
    let measures = [Measure::FirstToken, Measure::Wait, Measure::Response, Measure::Slowdown];
    let new = measures.into_iter().filter(|measure| is_new(told, *measure));
    let curves = new.filter_map(|measure| curves(told, measure));
    curves.chain([waits(told)]).collect()
}

pub(super) fn deployments(told: &Told<'_>) -> Vec<Figure> {
    vec![shares(told), largest(told)]
}

/// Without a time between slot and first token, the wait is told already.
fn is_new(told: &Told<'_>, measure: Measure) -> bool {
    let mut rows = told.comparison.rows.iter();
    measure != Measure::Wait || rows.any(|row| row.curve(measure) != row.curve(Measure::FirstToken))
}

fn curves(told: &Told<'_>, measure: Measure) -> Option<Figure> {
    let curves = told.comparison.rows.iter().map(|row| (row.policy, row.curve(measure)));
    // Who answered nothing has no curve.
    let all: Vec<_> = curves.filter(|(_, curve)| curve.iter().all(|point| !point.is_nan())).collect();
    let ends = all.iter().filter_map(|(_, curve)| curve.last().copied());
    let (best, worst) =
        ends.clone().fold((f64::INFINITY, 0.0), |(low, high), end| (end.min(low), end.max(high)));
    if worst <= 0.0 {
        // Nobody waited: there is nothing to see.
        return None;
    }
    let (title, axis, told_as) = match measure {
        Measure::FirstToken => ("Time to first token", "time to first token", "got their first token"),
        Measure::Wait => ("Wait for a slot", "wait", "had a slot"),
        Measure::Queue => ("Wait in the gateway's queue", "wait in the queue", "had left the queue"),
        Measure::Response => ("Response time", "response time", "had their whole answer"),
        Measure::Slowdown => ("Slowdown", "times as long as alone on the fastest deployment", ""),
    };
    let is_time = measure != Measure::Slowdown;
    let by_factors = FACTOR_MAX * best < worst;
    // What half of the requests see under the best policy is a good floor; of waits that is often nothing.
    let half = CURVE_POINTS / 2;
    let smallest = all.iter().map(|(_, curve)| curve[half]).fold(f64::INFINITY, f64::min).max(worst / 1000.0);
    let y = match (by_factors, is_time) {
        (true, true) => Axis::factors(axis, smallest, worst, true),
        (true, false) => Axis::factors(axis, 1.0, worst, false),
        (false, true) => Axis::times(axis, worst),
        (false, false) => Axis::numbers(axis, 1.0, worst),
    };
    let line = |(policy, curve): &(Policy, Vec<f64>)| Line {
        name: policy.name().to_owned(),
        style: Style::of(*policy),
        points: curve.iter().enumerate().map(|(at, value)| Point::new(curve_share(at), *value)).collect(),
        marked: false,
    };
    let chart = LineChart {
        name: format!("{title} by share of requests, for each policy"),
        width: WIDTH,
        height: 360,
        x: Axis::nines("share of requests; each further nine has the same room"),
        y,
        lines: all.iter().map(line).collect(),
        shades: Vec::new(),
        target: None,
        names: Names::AtEnds,
    };
    let reading = match measure {
        Measure::Slowdown => {
            "How many times as long the answers of this share of the requests took, at most, as \
                              they would have alone on the deployment that is fastest for them"
                .to_owned()
        }
        _ => format!("The time by which this share of the requests {told_as}"),
    };
    let scale = if by_factors { " Equal steps upwards are equal factors." } else { "" };
    Some(Figure {
        name: format!("{}-curves", measure.name()),
        title: title.to_owned(),
        caption: format!(
            "{reading}. Lower is better; one request in a thousand lies beyond the right end.{scale}"
        ),
        svg: lines(&chart),
    })
}

fn waits(told: &Told<'_>) -> Figure {
    let bar = |row: &Row| {
        let estimate = row.estimate(P99_WAIT);
        Bar {
            name: row.policy.name().to_owned(),
            style: Style::of(row.policy),
            value: estimate.mean,
            margin: estimate.margin,
            told: number::time_within(estimate.mean, estimate.margin),
        }
    };
    let rows: Vec<Bar> = told.comparison.rows.iter().map(bar).filter(|bar| !bar.value.is_nan()).collect();
    let longest = rows.iter().map(|bar| bar.value + bar.margin.unwrap_or(0.0)).fold(0.0, f64::max);
    let chart = BarChart {
        name: "99th percentile of the wait, for each policy".to_owned(),
        width: WIDTH,
        axis: Axis::times("p99 wait", longest),
        bars: rows,
    };
    Figure {
        name: "p99-wait".to_owned(),
        title: "The wait that one request in a hundred exceeds".to_owned(),
        caption: "The whiskers are 95 % confidence intervals over the seeds. Shorter is better.".to_owned(),
        svg: bars(&chart),
    }
}

/// The policies that choose: a central queue has no deployments' queues, and may be one large engine.
fn choosing<'a>(told: &Told<'a>) -> impl Iterator<Item = &'a Row> + use<'a> {
    told.comparison.rows.iter().filter(|row| row.policy != Policy::CentralQueue)
}

fn shares(told: &Told<'_>) -> Figure {
    let engines = &told.scenario.engines;
    let shown = engines.len().min(DEPLOYMENTS_MAX);
    let weights: f64 = engines.iter().map(|engine| engine.weight.get()).sum();
    let due: Vec<f64> = engines.iter().take(shown).map(|engine| engine.weight.get() / weights).collect();
    let share = |row: &Row, place| row.share_of_answers(engines.len(), place).unwrap_or(0.0);
    let dotted: Vec<Dots> = choosing(told)
        .map(|row| Dots {
            name: row.policy.name().to_owned(),
            style: Style::of(row.policy),
            values: (0..shown).map(|place| share(row, place)).collect(),
        })
        .collect();
    let most = dotted.iter().flat_map(|dots| &dots.values).chain(&due).copied().fold(0.0, f64::max);
    let chart = DotChart {
        name: "Share of the requests on each deployment, for each policy, beside its share of the weight"
            .to_owned(),
        width: WIDTH,
        axis: Axis::shares("share of the requests answered", most),
        rows: engines.iter().take(shown).map(|engine| engine.name.clone()).collect(),
        due: Some(("share of the weight".to_owned(), due)),
        dots: dotted,
    };
    Figure {
        name: "shares".to_owned(),
        title: "Who answered".to_owned(),
        caption: format!(
            "The upright line is the deployment's share of the weight.{}",
            others(engines.len())
        ),
        svg: dots(&chart),
    }
}

fn largest(told: &Told<'_>) -> Figure {
    let engines = &told.scenario.engines;
    let shown = engines.len().min(DEPLOYMENTS_MAX);
    let most = |row: &Row, place| row.largest_in_flight(engines.len(), place).unwrap_or(0.0);
    let dotted: Vec<Dots> = choosing(told)
        .map(|row| Dots {
            name: row.policy.name().to_owned(),
            style: Style::of(row.policy),
            values: (0..shown).map(|place| most(row, place)).collect(),
        })
        .collect();
    let slots: Vec<f64> = engines.iter().take(shown).map(|engine| f64::from(engine.slots)).collect();
    let highest = dotted.iter().flat_map(|dots| &dots.values).copied().fold(1.0, f64::max);
    // Slots far beyond what was ever in flight would squeeze the dots into a corner.
    let due =
        slots.iter().all(|slots| *slots <= 2.0 * highest).then_some(("slots".to_owned(), slots.clone()));
    let edge = due.iter().flat_map(|(_, slots)| slots).copied().fold(highest, f64::max);
    let reading = if due.is_some() { " Right of the upright line, requests waited." } else { "" };
    let chart = DotChart {
        name: "The most requests in flight on each deployment, for each policy".to_owned(),
        width: WIDTH,
        axis: Axis::counts("most requests in flight", 0.0, edge),
        rows: engines.iter().take(shown).map(|engine| engine.name.clone()).collect(),
        due,
        dots: dotted,
    };
    Figure {
        name: "largest-in-flight".to_owned(),
        title: "The most at once".to_owned(),
        caption: format!(
            "The most requests that a deployment had at once, on average over the seeds.{reading}{}",
            others(engines.len())
        ),
        svg: dots(&chart),
    }
}

/// Says so where not all deployments are shown.
pub(super) fn others(deployments: usize) -> String {
    match deployments.checked_sub(DEPLOYMENTS_MAX) {
        Some(left_out) if 0 < left_out => {
            format!(" The first {DEPLOYMENTS_MAX} of {deployments} deployments are shown.")
        }
        _ => String::new(),
    }
}
