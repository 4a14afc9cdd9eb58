//! Lines: one quantity against another.

use plotters::element::{ErrorBar, Rectangle};
use plotters::style::Color;
use plotters::style::text_anchor::HPos;

use super::axis::Axis;
use super::canvas::{Area, Drawn, FINE, Lettering, line, mark, picture, width_of, write};
use super::frame::{Around, Frame};
use super::names::{Name, list_names, room_for, write_names};
use super::style::{ALARM, INK, Style};

/// Several lines over one pair of axes.
#[derive(Debug, Clone, PartialEq)]
pub struct LineChart {
    /// What it shows, for those who cannot see it.
    pub name: String,
    /// Its width in pixels.
    pub width: u32,
    /// Its height in pixels.
    pub height: u32,
    /// The axis at the bottom.
    pub x: Axis,
    /// The axis at the left.
    pub y: Axis,
    /// The lines, the last one on top.
    pub lines: Vec<Line>,
    /// Spans in which something is wrong.
    pub shades: Vec<Shade>,
    /// A value not to be exceeded, and what it is called.
    pub target: Option<(f64, String)>,
    /// Where the names of the lines stand.
    pub names: Names,
}

/// Where the names of lines stand, each with a sample of its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// Beside the ends, as near as they let each other; for lines that part.
    AtEnds,
    /// From the top, in the order of the lines; for lines whose ends say nothing.
    Listed,
}

/// A line through points.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Its name beside its end; none if empty.
    pub name: String,
    /// How it looks.
    pub style: Style,
    /// Its points from left to right.
    pub points: Vec<Point>,
    /// Whether each point has a mark.
    pub marked: bool,
}

/// A point of a line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Against what.
    pub x: f64,
    /// The quantity.
    pub y: f64,
    /// How far from it the true one may be.
    pub margin: Option<f64>,
}

/// A span along the bottom axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Shade {
    /// Its begin.
    pub from: f64,
    /// Its end.
    pub to: f64,
    /// What it is, in a word or two.
    pub name: String,
}

impl Point {
    /// A point that is exact.
    #[must_use]
    pub fn new(x: f64, y: f64) -> Self {
        Self { x, y, margin: None }
    }
}

/// Draws a chart of lines.
#[must_use]
pub fn lines(chart: &LineChart) -> String {
    picture(&chart.name, chart.width, chart.height, |area| draw(chart, area))
}

fn draw(chart: &LineChart, area: &Area<'_>) -> Drawn {
    let (x, y) = (&chart.x, &chart.y);
    let right = room_for(chart.lines.iter().map(|line| line.name.as_str())) as i32;
    let frame = Frame::draw(area, Around { top: 30, left: 52, right }, x, y)?;
    let mut free = [i32::MIN; 3];
    for shade in &chart.shades {
        let (from, to) = (frame.x(x, shade.from), frame.x(x, shade.to));
        let corners = [(from, frame.top), (to, frame.bottom)];
        area.draw(&Rectangle::new(corners, ALARM.mix(0.14).filled()))?;
        // Names that would lie on each other say less than one of them.
        if let Some(row) = free.iter().position(|free| *free <= from) {
            let how = Lettering { size: 11.0, ..Lettering::TICK };
            let width = (8 + width_of(&shade.name, how.size) as i32) * FINE;
            let x = (from + 4 * FINE).min(frame.right - width);
            write(area, &shade.name, how, (x, frame.top + (9 + 14 * row as i32) * FINE))?;
            free[row] = x + width;
        }
    }
    let mut names = Vec::new();
    for told in &chart.lines {
        let points: Vec<&Point> = told.points.iter().filter(|point| point.y.is_finite()).collect();
        let places: Vec<_> = points.iter().map(|point| (frame.x(x, point.x), frame.y(y, point.y))).collect();
        let Some(&end) = places.last() else { continue };
        for (point, at) in points.into_iter().zip(&places).filter(|_| told.marked) {
            if let Some(margin) = point.margin {
                let [low, high] = [point.y - margin, point.y + margin].map(|end| frame.y(y, end));
                let bar = told.style.colour.stroke_width(12).filled();
                area.draw(&ErrorBar::new_vertical(at.0, low, at.1, high, bar, 8 * FINE as u32))?;
            }
            mark(area, *at, told.style)?;
        }
        line(area, places, told.style)?;
        names.push(Name { end, name: told.name.clone(), style: told.style });
    }
    if let Some((value, name)) = &chart.target {
        let at = frame.y(y, *value);
        line(area, vec![(frame.left, at), (frame.right, at)], Style::target())?;
        let how = Lettering { colour: INK, bold: true, ..Lettering::TICK }.at(HPos::Right);
        write(area, name, how, (frame.right - 6 * FINE, at - 10 * FINE))?;
    }
    match chart.names {
        Names::AtEnds => write_names(area, names, &frame),
        Names::Listed => list_names(area, &names, &frame),
    }
}
