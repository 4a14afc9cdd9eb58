//! Bars: one figure of each of several things.

use plotters::element::{ErrorBar, Rectangle};
use plotters::style::Color;
use plotters::style::text_anchor::HPos;

use super::axis::Axis;
use super::canvas::{Area, Drawn, FINE, Lettering, picture, shortened, width_of, write};
use super::frame::{Around, Frame};
use super::style::{INK, Style};

/// Bars from the left, one under the other.
#[derive(Debug, Clone, PartialEq)]
pub struct BarChart {
    /// What it shows, for those who cannot see it.
    pub name: String,
    /// Its width in pixels; the height is that of its bars.
    pub width: u32,
    /// The axis at the bottom.
    pub axis: Axis,
    /// The bars from the top.
    pub bars: Vec<Bar>,
}

/// A bar.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// What it is of.
    pub name: String,
    /// How it looks.
    pub style: Style,
    /// How long it is.
    pub value: f64,
    /// How far from that the true value may be.
    pub margin: Option<f64>,
    /// The figure in words, which stands at its end.
    pub told: String,
}

/// From one bar to the next, in pixels.
const ROW: u32 = 30;
const LETTERS_MAX: usize = 24;

/// Draws bars.
#[must_use]
pub fn bars(chart: &BarChart) -> String {
    let height = chart.bars.len() as u32 * ROW + 56;
    picture(&chart.name, chart.width, height, |area| draw(chart, area))
}

fn draw(chart: &BarChart, area: &Area<'_>) -> Drawn {
    let room = |text: fn(&Bar) -> String| chart.bars.iter().map(|bar| width_of(&text(bar), 12.5)).max();
    let left = room(|bar| shortened(&bar.name, LETTERS_MAX)).unwrap_or(0) as i32 + 12;
    let right = room(|bar| bar.told.clone()).unwrap_or(0) as i32 + 12;
    let frame = Frame::draw(area, Around { top: 8, left, right }, &chart.axis, &Axis::rows())?;
    for (number, bar) in chart.bars.iter().enumerate() {
        let y = frame.row(number, chart.bars.len());
        let end = frame.x(&chart.axis, bar.value);
        let half = 9 * FINE;
        area.draw(&Rectangle::new([(frame.left, y - half), (end, y + half)], bar.style.colour.filled()))?;
        let mut free = end;
        if let Some(margin) = bar.margin {
            let [low, high] = [-margin, margin].map(|margin| frame.x(&chart.axis, bar.value + margin));
            let whisker = INK.stroke_width(12).filled();
            area.draw(&ErrorBar::new_horizontal(y, low, end, high, whisker, 8 * FINE as u32))?;
            free = high;
        }
        let name = shortened(&bar.name, LETTERS_MAX);
        write(area, &name, Lettering::NAME.at(HPos::Right), (frame.left - 8 * FINE, y))?;
        write(area, &bar.told, Lettering::NAME, (free + 8 * FINE, y))?;
    }
    Ok(())
}
