//! What all charts are drawn on.

use std::io;

use plotters::coord::Shift;
use plotters::drawing::DrawingAreaErrorKind;
use plotters::element::{Circle, Cross, PathElement, Polygon, Rectangle, TriangleMarker};
use plotters::prelude::{Color, DrawingArea, IntoDrawingArea, IntoFont, SVGBackend};
use plotters::series::DashedLineSeries;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontStyle, FontTransform, RGBColor, TextStyle};

use super::style::{FAINT, INK, Mark, Style};

/// The rules that make a chart fit for a dark screen.
pub const DARK: &str = include_str!("dark.css");

/// Units of the canvas in a pixel: the library draws at whole units, and a curve on whole pixels has steps.
pub(super) const FINE: i32 = 10;

pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
pub(super) type Fault = DrawingAreaErrorKind<io::Error>;
pub(super) type Drawn = Result<(), Fault>;

/// A picture of so many pixels.
pub(super) fn picture(name: &str, width: u32, height: u32, draw: impl FnOnce(&Area<'_>) -> Drawn) -> String {
    let mut drawn = String::new();
    {
        let size = (width * FINE as u32, height * FINE as u32);
        let area = SVGBackend::with_string(&mut drawn, size).into_drawing_area();
        draw(&area).and_then(|()| area.present()).expect("a string can be written to");
    }
    // The library's own opening tag has no name for those who cannot see the picture.
    let content = drawn.split_once('>').map_or("", |(_, content)| content).replace(" opacity=\"1\"", "");
    let name = maud::html! { (name) }.into_string();
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {} {}\" \
         role=\"img\" aria-label=\"{name}\">{content}",
        width * FINE as u32,
        height * FINE as u32,
    )
}

/// A chart as a file of its own: with a ground, and fit for dark screens by itself.
#[must_use]
pub fn alone(svg: &str) -> String {
    let (opening, content) = svg.split_once('>').unwrap_or((svg, ""));
    format!(
        "{opening}>\n<style>{DARK}</style>\n<rect width=\"100%\" height=\"100%\" fill=\"#FFFFFF\"/>{content}"
    )
}

/// How a text looks and to which side of its place it stands.
#[derive(Clone, Copy)]
pub(super) struct Lettering {
    /// In pixels.
    pub(super) size: f64,
    pub(super) colour: RGBColor,
    pub(super) at: HPos,
    pub(super) bold: bool,
}

impl Lettering {
    pub(super) const TICK: Self = Self { size: 12.0, colour: FAINT, at: HPos::Left, bold: false };
    pub(super) const NAME: Self = Self { size: 12.5, colour: INK, at: HPos::Left, bold: false };

    pub(super) fn at(self, at: HPos) -> Self {
        Self { at, ..self }
    }

    pub(super) fn style(&self) -> TextStyle<'_> {
        // The backend divides a size by 1.24 to have the font's own.
        let font = ("system-ui, sans-serif", self.size * f64::from(FINE) * 1.24).into_font();
        let font = font.style(if self.bold { FontStyle::Bold } else { FontStyle::Normal });
        let text = TextStyle::from(font.transform(FontTransform::None)).color(&self.colour);
        text.pos(Pos::new(self.at, VPos::Center))
    }
}

pub(super) fn write(area: &Area<'_>, text: &str, how: Lettering, (x, y): (i32, i32)) -> Drawn {
    area.draw_text(text, &how.style(), (x, y))
}

/// How wide a text is at most, in pixels: viewers differ in their fonts.
pub(super) fn width_of(text: &str, size: f64) -> u32 {
    (text.chars().count() as f64 * size * 0.6) as u32
}

/// The text, or as much of its beginning as has so many letters.
pub(super) fn shortened(text: &str, letters: usize) -> String {
    if text.chars().count() <= letters {
        return text.to_owned();
    }
    text.chars().take(letters.saturating_sub(1)).chain(['…']).collect()
}

/// A line through points of the canvas.
pub(super) fn line(area: &Area<'_>, points: Vec<(i32, i32)>, style: Style) -> Drawn {
    let stroke = style.colour.stroke_width(style.width);
    match style.dash {
        None => area.draw(&PathElement::new(points, stroke)),
        Some((dash, gap)) => {
            let fine = |pixels: u32| pixels * FINE as u32;
            for path in DashedLineSeries::new(points, fine(dash), fine(gap), stroke) {
                area.draw(&path)?;
            }
            Ok(())
        }
    }
}

/// A mark at a point of the canvas.
pub(super) fn mark(area: &Area<'_>, (x, y): (i32, i32), style: Style) -> Drawn {
    const R: i32 = 4 * FINE;
    let (filled, outlined) = (style.colour.filled(), style.colour.stroke_width(16));
    match style.mark {
        Mark::Disc => area.draw(&Circle::new((x, y), R, filled)),
        Mark::Ring => area.draw(&Circle::new((x, y), R - 5, outlined)),
        Mark::Square => area.draw(&Rectangle::new([(x - 34, y - 34), (x + 34, y + 34)], filled)),
        Mark::Triangle => area.draw(&TriangleMarker::new((x, y), R + 8, filled)),
        Mark::Diamond => {
            let corners = [(x, y - 48), (x + 48, y), (x, y + 48), (x - 48, y)];
            area.draw(&Polygon::new(corners, filled))
        }
        Mark::Cross => area.draw(&Cross::new((x, y), R - 8, outlined)),
    }
}
