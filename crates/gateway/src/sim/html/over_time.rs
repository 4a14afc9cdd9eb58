//! The charts of how a run went over time.

use std::time::Duration;

use leastbusy_sim::{Engine, Policy, Span, Timeline, Trouble};

use super::Told;
use super::chart::{Axis, Line, LineChart, Names, Point, Shade, Style, lines};
use super::figures::{Figure, WIDTH};
use crate::sim::number;

/// So many deployments have a look of their own; more are one grey crowd, but for those in trouble.
const NAMED_MAX: usize = 6;

pub(super) fn figures(told: &Told<'_>) -> Vec<Figure> {
    let mut figures: Vec<Figure> = Vec::new();
    if told.timelines.iter().all(|(_, timeline)| timeline.spans.is_empty()) {
        return figures;
    }
    figures.extend(first_tokens(told));
    figures.extend(errors(told));
    figures.extend(told.timelines.iter().map(|(policy, timeline)| in_flight(told, *policy, timeline)));
    figures
}

/// When a timeline ends, in seconds.
fn end_of(told: &Told<'_>) -> f64 {
    let end = |timeline: &Timeline| timeline.span.as_secs_f64() * timeline.spans.len() as f64;
    told.timelines.iter().map(|(_, timeline)| end(timeline)).fold(0.0, f64::max)
}

fn shades(told: &Told<'_>) -> Vec<Shade> {
    let end = end_of(told);
    let of = |engine: &Engine| {
        let shade = |episode: &leastbusy_sim::Episode| Shade {
            from: episode.from.as_secs_f64(),
            to: episode.until.as_secs_f64().min(end),
            name: format!("{} {}", engine.name, trouble(&episode.trouble)),
        };
        engine.episodes.iter().map(shade).collect::<Vec<_>>()
    };
    let mut shades: Vec<_> = told.scenario.engines.iter().flat_map(of).collect();
    shades.retain(|shade| shade.from < end);
    shades.sort_by(|one, other| one.from.total_cmp(&other.from));
    shades
}

/// What is wrong, in a word or two.
pub(super) fn trouble(trouble: &Trouble) -> String {
    match trouble {
        Trouble::Down => "down".to_owned(),
        Trouble::Fails { share, after } => {
            let when = if *after == Duration::ZERO {
                String::new()
            } else {
                format!(" after {}", number::round_time(after.as_secs_f64()))
            };
            format!("fails {}{when}", number::share_within(*share, None))
        }
        Trouble::Hangs { share } => format!("hangs {}", number::share_within(*share, None)),
        Trouble::RateLimits { .. } => "answers 429".to_owned(),
        Trouble::Slow { speed } => format!("at {} of its speed", number::share_within(*speed, None)),
    }
}

/// One line for each policy with a value of each span.
fn by_policy(told: &Told<'_>, value: impl Fn(&Span) -> Option<f64>) -> Vec<Line> {
    let line = |(policy, timeline): &(Policy, Timeline)| {
        let span = timeline.span.as_secs_f64();
        let points = timeline.spans.iter().enumerate();
        let point = |(number, span_told): (usize, &Span)| {
            Some(Point::new((number as f64 + 0.5) * span, value(span_told)?))
        };
        Line {
            name: policy.name().to_owned(),
            style: Style::of(*policy),
            points: points.filter_map(point).collect(),
            marked: false,
        }
    };
    told.timelines.iter().map(line).collect()
}

fn highest(lines: &[Line]) -> f64 {
    lines.iter().flat_map(|line| &line.points).map(|point| point.y).fold(0.0, f64::max)
}

fn span_of(told: &Told<'_>) -> String {
    told.timelines
        .first()
        .map_or(String::new(), |(_, timeline)| number::round_time(timeline.span.as_secs_f64()))
}

fn shading(told: &Told<'_>) -> &'static str {
    if shades(told).is_empty() { "" } else { " Shaded: something is wrong with a deployment." }
}

fn first_tokens(told: &Told<'_>) -> Option<Figure> {
    let drawn = by_policy(told, |span| {
        let times = &span.first_tokens;
        (0 < times.count()).then(|| times.quantile(0.99).as_secs_f64())
    });
    let most = highest(&drawn);
    let chart = LineChart {
        name: "99th percentile of the time to first token over time, for each policy".to_owned(),
        width: WIDTH,
        height: 300,
        x: Axis::run("time since the start", end_of(told)),
        y: Axis::times("p99 time to first token", most),
        lines: drawn,
        shades: shades(told),
        target: None,
        names: Names::Listed,
    };
    (0.0 < most).then(|| Figure {
        name: "ttft-over-time".to_owned(),
        title: "Time to first token over time".to_owned(),
        caption: format!(
            "What 99 % of the requests that came within {} did not exceed, in the run of the first seed.{}",
            span_of(told),
            shading(told)
        ),
        svg: lines(&chart),
    })
}

fn errors(told: &Told<'_>) -> Option<Figure> {
    let drawn = by_policy(told, |span| (0 < span.arrived).then(|| span.errors as f64 / span.arrived as f64));
    let most = highest(&drawn);
    let chart = LineChart {
        name: "Share of requests that got an error over time, for each policy".to_owned(),
        width: WIDTH,
        height: 240,
        x: Axis::run("time since the start", end_of(told)),
        y: Axis::shares("requests that got an error", most),
        lines: drawn,
        shades: shades(told),
        target: None,
        names: Names::Listed,
    };
    (0.0 < most).then(|| Figure {
        name: "errors-over-time".to_owned(),
        title: "Errors over time".to_owned(),
        caption: format!(
            "Of the requests that came within {}, the share that got an error in the end.{}",
            span_of(told),
            shading(told)
        ),
        svg: lines(&chart),
    })
}

/// All of them with one scale, so that policies can be compared.
fn in_flight(told: &Told<'_>, policy: Policy, timeline: &Timeline) -> Figure {
    let engines = &told.scenario.engines;
    let spans = told.timelines.iter().flat_map(|(_, timeline)| &timeline.spans);
    let most = spans.flat_map(|span| &span.in_flight).copied().max().unwrap_or(1).max(1);
    let seconds = timeline.span.as_secs_f64();
    let points = |deployment: usize| {
        let point = |(number, span): (usize, &Span)| {
            Some(Point::new((number as f64 + 1.0) * seconds, f64::from(*span.in_flight.get(deployment)?)))
        };
        timeline.spans.iter().enumerate().filter_map(point).collect()
    };
    let few = engines.len() <= NAMED_MAX;
    let mut coloured = 0;
    let mut drawn: Vec<Line> = Vec::new();
    for (number, engine) in engines.iter().enumerate() {
        let is_named = few || (!engine.episodes.is_empty() && coloured < NAMED_MAX);
        // One of the crowd tells its name for all of them.
        let crowd = if drawn.iter().any(|line| line.name == "others") { "" } else { "others" };
        let crowd = if engines.iter().all(|engine| engine.episodes.is_empty()) { "" } else { crowd };
        // The first look is least busy's in other charts; here the next is for trouble, and a healthy crowd is grey.
        let style = if is_named { Style::nth(1 + coloured + usize::from(!few)) } else { Style::quiet() };
        coloured += usize::from(is_named);
        let name = if is_named { engine.name.clone() } else { crowd.to_owned() };
        drawn.push(Line { name, style, points: points(number), marked: false });
    }
    // The named ones lie on top.
    drawn.sort_by_key(|line| line.style != Style::quiet());
    let chart = LineChart {
        name: format!("Requests in flight on each deployment over time, {}", policy.name()),
        width: WIDTH,
        height: 210,
        x: Axis::run("time since the start", end_of(told)),
        y: Axis::counts("requests in flight", 0.0, f64::from(most)),
        lines: drawn,
        shades: shades(told),
        target: None,
        names: Names::Listed,
    };
    Figure {
        name: format!("in-flight-{}", policy.name()),
        title: format!("In flight on each deployment: {}", policy.name()),
        caption: format!("One line for each deployment, every {}.{}", span_of(told), shading(told)),
        svg: lines(&chart),
    }
}
