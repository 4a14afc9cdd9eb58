//! Dots: one figure of each of several things, under each of several conditions.

use plotters::element::PathElement;
use plotters::style::Color;
use plotters::style::text_anchor::HPos;

use super::axis::Axis;
use super::canvas::{Area, Drawn, FINE, Lettering, mark, picture, shortened, width_of, write};
use super::frame::{Around, Frame};
use super::style::{GRID, INK, Style};

/// A row for each thing, with a mark for each condition in it.
#[derive(Debug, Clone, PartialEq)]
pub struct DotChart {
    /// What it shows, for those who cannot see it.
    pub name: String,
    /// Its width in pixels; the height is that of its rows.
    pub width: u32,
    /// The axis at the bottom.
    pub axis: Axis,
    /// The names of the rows from the top.
    pub rows: Vec<String>,
    /// What each row should be, and what that is called.
    pub due: Option<(String, Vec<f64>)>,
    /// The conditions.
    pub dots: Vec<Dots>,
}

/// The marks of one condition.
#[derive(Debug, Clone, PartialEq)]
pub struct Dots {
    /// The condition.
    pub name: String,
    /// How its marks look.
    pub style: Style,
    /// A value for each row.
    pub values: Vec<f64>,
}

/// From one row to the next, in pixels.
const ROW: u32 = 24;
const LETTERS_MAX: usize = 24;
/// From one line of the legend to the next, in pixels.
const LEGEND: i32 = 20;

/// Draws dots.
#[must_use]
pub fn dots(chart: &DotChart) -> String {
    let legend = legend_of(chart);
    let lines = legend.iter().map(|entry| entry.line).max().unwrap_or(0) + 1;
    let top = lines * LEGEND + 8;
    let height = chart.rows.len() as u32 * row_height(chart) + 48 + top as u32;
    picture(&chart.name, chart.width, height, |area| draw(chart, area, &legend, top))
}

/// Marks of many conditions need more room.
fn row_height(chart: &DotChart) -> u32 {
    ROW.max(chart.dots.len() as u32 * 6)
}

/// An entry of the legend: the condition's number, or none for what is due, and where it stands, in pixels.
struct Entry {
    condition: Option<usize>,
    name: String,
    x: i32,
    line: i32,
}

fn legend_of(chart: &DotChart) -> Vec<Entry> {
    let names = chart.dots.iter().enumerate().map(|(number, dots)| (Some(number), dots.name.clone()));
    let names = names.chain(chart.due.iter().map(|(name, _)| (None, name.clone())));
    let (mut x, mut line) = (10, 0);
    let mut entries = Vec::new();
    for (condition, name) in names {
        let width = width_of(&name, Lettering::NAME.size) as i32 + 34;
        if chart.width as i32 <= x + width && 10 < x {
            (x, line) = (10, line + 1);
        }
        entries.push(Entry { condition, name, x, line });
        x += width;
    }
    entries
}

fn draw(chart: &DotChart, area: &Area<'_>, legend: &[Entry], top: i32) -> Drawn {
    let names: Vec<_> = chart.rows.iter().map(|name| shortened(name, LETTERS_MAX)).collect();
    let left = names.iter().map(|name| width_of(name, Lettering::NAME.size)).max().unwrap_or(0) as i32 + 12;
    let frame = Frame::draw(area, Around { top, left, right: 24 }, &chart.axis, &Axis::rows())?;
    let due = |(x, y): (i32, i32), half: i32| {
        area.draw(&PathElement::new(vec![(x, y - half), (x, y + half)], INK.stroke_width(16)))
    };
    for entry in legend {
        let at = (entry.x * FINE, (entry.line * LEGEND + 12) * FINE);
        match entry.condition {
            Some(number) => mark(area, at, chart.dots[number].style)?,
            None => due(at, 7 * FINE)?,
        }
        write(area, &entry.name, Lettering::NAME, (at.0 + 10 * FINE, at.1))?;
    }
    let height = row_height(chart) as i32 * FINE;
    for (number, name) in names.iter().enumerate() {
        let y = frame.row(number, names.len());
        write(area, name, Lettering::NAME.at(HPos::Right), (frame.left - 8 * FINE, y))?;
        let edge = y + height / 2;
        let between = vec![(frame.left, edge), (frame.right, edge)];
        if number + 1 < names.len() {
            area.draw(&PathElement::new(between, GRID.stroke_width(6)))?;
        }
        if let Some(value) = chart.due.as_ref().and_then(|(_, values)| values.get(number)) {
            due((frame.x(&chart.axis, *value), y), height * 4 / 10)?;
        }
        let step = height * 7 / 10 / chart.dots.len().max(1) as i32;
        let first = y - step * (chart.dots.len() as i32 - 1) / 2;
        for (place, dots) in chart.dots.iter().enumerate() {
            let Some(value) = dots.values.get(number).filter(|value| value.is_finite()) else { continue };
            mark(area, (frame.x(&chart.axis, *value), first + step * place as i32), dots.style)?;
        }
    }
    Ok(())
}
