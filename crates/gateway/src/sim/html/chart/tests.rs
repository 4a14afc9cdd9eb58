use roxmltree::Document;

use super::names::spread;
use super::{
    Axis, Bar, BarChart, DotChart, Dots, Line, LineChart, Names, Point, Shade, Style, bars, dots, lines,
};

fn texts(svg: &str) -> Vec<String> {
    let document = Document::parse(svg).unwrap_or_else(|error| panic!("{error}: {svg}"));
    let texts = document.descendants().filter(|node| node.tag_name().name() == "text");
    texts.map(|text| text.text().unwrap_or_default().trim().to_owned()).collect()
}

fn ticks(y: Axis) -> Vec<String> {
    let chart = LineChart {
        name: "ticks".to_owned(),
        width: 400,
        height: 300,
        x: Axis::rows(),
        y,
        lines: Vec::new(),
        shades: Vec::new(),
        target: None,
        names: Names::AtEnds,
    };
    texts(&lines(&chart)).into_iter().filter(|text| !text.is_empty()).collect()
}

#[test]
fn ticks_are_round_numbers_that_hold_the_largest_value() {
    let told = |axis| ticks(axis).join(" ");
    assert_eq!(told(Axis::numbers("n", 0.0, 9.3)), "0 2 4 6 8 10 n");
    assert_eq!(told(Axis::numbers("n", 1.0, 3.2)), "1.0 1.5 2.0 2.5 3.0 3.5 n");
    assert_eq!(told(Axis::numbers("n", 0.0, 1.1)), "0.00 0.25 0.50 0.75 1.00 1.25 n");
    assert_eq!(told(Axis::counts("n", 0.0, 2.0)), "0 1 2 n");
    assert_eq!(told(Axis::shares("n", 0.27)), "0 % 10 % 20 % 30 % n");
    assert_eq!(told(Axis::times("wait", 0.412)), "0 100 200 300 400 500 wait, ms");
    assert_eq!(told(Axis::times("wait", 47.0)), "0 10 20 30 40 50 wait, s");
    assert_eq!(told(Axis::times("wait", 1800.0)), "0 10 20 30 wait, min");
    assert_eq!(told(Axis::factors("n", 0.004, 900.0, false)), "0.01 0.1 1 10 100 n");
    assert_eq!(told(Axis::factors("n", 0.6, 9.0, false)), "0.5 1 2 5 n");
    assert_eq!(told(Axis::factors("n", 0.05, 2.0, true)), "50 ms 100 ms 200 ms 500 ms 1 s 2 s n");
}

#[test]
fn an_axis_of_nothing_is_still_an_axis() {
    for axis in [
        Axis::numbers("n", 0.0, 0.0),
        Axis::numbers("n", 0.0, f64::NAN),
        Axis::numbers("n", 0.0, f64::INFINITY),
        Axis::times("n", 0.0),
        Axis::factors("n", 0.0, 0.0, true),
        Axis::factors("n", f64::NAN, f64::INFINITY, false),
    ] {
        assert!(2 <= ticks(axis.clone()).len(), "{axis:?}");
    }
}

#[test]
fn names_keep_their_order_and_their_distance() {
    assert_eq!(spread(vec![10, 100, 200], 20, 0, 300), [10, 100, 200]);
    assert_eq!(spread(vec![100, 100, 105], 20, 0, 300), [100, 120, 140]);
    assert_eq!(spread(vec![290, 295, 300], 20, 0, 300), [260, 280, 300]);
}

#[test]
fn a_line_chart_names_its_lines_and_its_target() {
    let points = (1..=6).map(|x| Point { x: f64::from(x), y: 6.0 / f64::from(x), margin: Some(0.2) });
    let line = |number: usize, name: &str| Line {
        name: name.to_owned(),
        style: Style::nth(number),
        points: points.clone().collect(),
        marked: number == 2,
    };
    let chart = LineChart {
        name: "p99 against replicas".to_owned(),
        width: 600,
        height: 300,
        x: Axis::counts("deployments", 0.0, 6.0),
        y: Axis::times("p99", 6.0),
        lines: vec![line(0, "least-busy"), line(2, "stale-first")],
        shades: vec![Shade { from: 2.0, to: 3.0, name: "vllm-0 down".to_owned() }],
        target: Some((2.5, "target 2.5 s".to_owned())),
        names: Names::Listed,
    };
    let svg = lines(&chart);
    let texts = texts(&svg);
    for text in ["least-busy", "stale-first", "target 2.5 s", "vllm-0 down", "deployments", "p99, s"] {
        assert!(texts.iter().any(|found| found == text), "{text} in {texts:?}");
    }
    assert_eq!(svg.matches("<polygon").count(), 6, "a mark for each point of the marked line");
}

#[test]
fn bars_and_dots_name_their_rows() {
    let bar = |name: &str, value| Bar {
        name: name.to_owned(),
        style: Style::nth(0),
        value,
        margin: Some(0.5),
        told: format!("{value} s"),
    };
    let bars = bars(&BarChart {
        name: "bars".to_owned(),
        width: 500,
        axis: Axis::times("wait", 9.0),
        bars: vec![bar("one", 4.0), bar("a name that is too long for any chart", 9.0)],
    });
    let found = texts(&bars);
    assert!(
        found.contains(&"4 s".to_owned()) && found.contains(&"a name that is too long…".to_owned()),
        "{found:?}"
    );
    let dots = dots(&DotChart {
        name: "dots".to_owned(),
        width: 500,
        axis: Axis::shares("share", 0.6),
        rows: vec!["one".to_owned(), "two".to_owned()],
        due: Some(("weight".to_owned(), vec![0.5, 0.5])),
        dots: vec![Dots { name: "least-busy".to_owned(), style: Style::nth(0), values: vec![0.4, f64::NAN] }],
    });
    let found = texts(&dots);
    assert!(["one", "two", "weight", "least-busy"].iter().all(|name| found.contains(&(*name).to_owned())));
    // One in the legend and one for the value that is a number.
    assert_eq!(dots.matches("<circle").count(), 2);
}
