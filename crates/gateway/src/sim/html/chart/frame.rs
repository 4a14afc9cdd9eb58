//! The axes of a chart and the room between them.

use plotters::chart::ChartBuilder;
use plotters::coord::ranged1d::Ranged;
use plotters::style::Color;
use plotters::style::text_anchor::HPos;

use super::axis::Axis;
use super::canvas::{Area, FINE, Fault, Lettering, write};
use super::style::{FAINT, GRID};

/// What surrounds the plot, in pixels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Around {
    pub(super) top: i32,
    /// Room for what stands beside the ticks of the axis at the left.
    pub(super) left: i32,
    pub(super) right: i32,
}

/// The plot between its axes, in units of the canvas.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub(super) left: i32,
    pub(super) right: i32,
    pub(super) top: i32,
    pub(super) bottom: i32,
}

/// How strong axes and grid are.
const HAIR: u32 = 8;

impl Frame {
    /// Draws both axes and the grid.
    pub(super) fn draw(area: &Area<'_>, around: Around, x: &Axis, y: &Axis) -> Result<Self, Fault> {
        let mut context = ChartBuilder::on(area)
            .margin_top(around.top * FINE)
            .margin_right(around.right * FINE)
            .margin_bottom(18 * FINE)
            .x_label_area_size(28 * FINE)
            .y_label_area_size(around.left * FINE)
            .build_cartesian_2d(x.clone(), y.clone())?;
        let mut mesh = context.configure_mesh();
        if !y.has_ticks() {
            mesh.disable_y_axis();
        }
        mesh.light_line_style(GRID.mix(0.0))
            .bold_line_style(GRID.stroke_width(HAIR))
            .axis_style(FAINT.stroke_width(HAIR))
            .set_all_tick_mark_size(4 * FINE)
            .label_style(Lettering::TICK.style())
            .draw()?;
        let (left, bottom) = context.backend_coord(&(x.range().start, y.range().start));
        let (right, top) = context.backend_coord(&(x.range().end, y.range().end));
        write(area, &y.name, Lettering::TICK, (4 * FINE, 10 * FINE))?;
        let below = ((left + right) / 2, bottom + 36 * FINE);
        write(area, &x.name, Lettering::TICK.at(HPos::Center), below)?;
        Ok(Self { left, right, top, bottom })
    }

    /// Where a value of the axis at the bottom lies.
    pub(super) fn x(&self, axis: &Axis, value: f64) -> i32 {
        self.left + (axis.share(value) * f64::from(self.right - self.left)).round() as i32
    }

    /// Where a value of the axis at the left lies.
    pub(super) fn y(&self, axis: &Axis, value: f64) -> i32 {
        self.bottom - (axis.share(value) * f64::from(self.bottom - self.top)).round() as i32
    }

    /// The middle of a row of so many.
    pub(super) fn row(&self, number: usize, rows: usize) -> i32 {
        let share = (number as f64 + 0.5) / rows.max(1) as f64;
        self.top + (share * f64::from(self.bottom - self.top)).round() as i32
    }
}
