//! Charts as SVG, fit for a page in light and in dark, for paper, and for eyes that see fewer colours.
//!
//! `plotters` draws; what is decided here is the look: colours by Okabe and Ito, told apart by their dashes and
//! marks as well, and the name of a line beside its end. The colours are plain ones, so that every viewer can show
//! the pictures; [`DARK`] replaces them where the reader's screen is dark.

mod axis;
mod bars;
mod canvas;
mod dots;
mod frame;
mod lines;
mod names;
mod style;

pub use axis::Axis;
pub use bars::{Bar, BarChart, bars};
pub use canvas::{DARK, alone};
pub use dots::{DotChart, Dots, dots};
pub use lines::{Line, LineChart, Names, Point, Shade, lines};
pub use style::Style;

#[cfg(test)]
mod tests;
