//! The names of lines beside their ends: a legend that needs no search.

use plotters::style::text_anchor::HPos;

use super::canvas::{Area, Drawn, FINE, Lettering, line, shortened, width_of, write};
use super::frame::Frame;
use super::style::Style;

/// Letters of a name that are shown.
const LETTERS_MAX: usize = 22;
/// From one name to the next, in pixels.
const LINE_HEIGHT: i32 = 18;
/// Leader and sample before the name, in pixels.
const BEFORE: i32 = 50;

/// A line's end and its name.
#[derive(Debug, Clone)]
pub(super) struct Name {
    pub(super) end: (i32, i32),
    pub(super) name: String,
    pub(super) style: Style,
}

/// The room that the names need, in pixels.
pub(super) fn room_for<'a>(names: impl Iterator<Item = &'a str>) -> u32 {
    let widest = names.map(|name| width_of(&shortened(name, LETTERS_MAX), Lettering::NAME.size)).max();
    widest.filter(|&width| 0 < width).map_or(14, |width| width + BEFORE as u32 + 8)
}

/// Writes the names right of the plot, each as near to its line's end as the others let it.
pub(super) fn write_names(area: &Area<'_>, mut names: Vec<Name>, frame: &Frame) -> Drawn {
    names.retain(|name| !name.name.is_empty());
    names.sort_by_key(|name| name.end.1);
    let ends = names.iter().map(|name| name.end.1).collect();
    let places = spread(ends, LINE_HEIGHT * FINE, frame.top, frame.bottom);
    let x = frame.right;
    for (name, y) in names.into_iter().zip(places) {
        let thin = Style { dash: None, width: 7, ..name.style };
        line(area, vec![name.end, (x + 4 * FINE, name.end.1), (x + 14 * FINE, y)], thin)?;
        line(area, vec![(x + 14 * FINE, y), (x + (BEFORE - 6) * FINE, y)], name.style)?;
        let how = Lettering::NAME.at(HPos::Left);
        write(area, &shortened(&name.name, LETTERS_MAX), how, (x + BEFORE * FINE, y))?;
    }
    Ok(())
}

/// Writes the names right of the plot from its top, in their order.
pub(super) fn list_names(area: &Area<'_>, names: &[Name], frame: &Frame) -> Drawn {
    let named = names.iter().filter(|name| !name.name.is_empty());
    for (number, name) in named.enumerate() {
        let y = frame.top + (6 + LINE_HEIGHT * number as i32) * FINE;
        let (from, to) = (frame.right + 14 * FINE, frame.right + (BEFORE - 6) * FINE);
        line(area, vec![(from, y), (to, y)], name.style)?;
        write(area, &shortened(&name.name, LETTERS_MAX), Lettering::NAME, (frame.right + BEFORE * FINE, y))?;
    }
    Ok(())
}

/// Places in the same order, at least `gap` apart, moved as little as that needs.
pub(super) fn spread(mut places: Vec<i32>, gap: i32, top: i32, bottom: i32) -> Vec<i32> {
    let mut lowest = top;
    for place in &mut places {
        *place = (*place).max(lowest);
        lowest = *place + gap;
    }
    let mut highest = bottom;
    for place in places.iter_mut().rev() {
        *place = (*place).min(highest);
        highest = *place - gap;
    }
    places
}
