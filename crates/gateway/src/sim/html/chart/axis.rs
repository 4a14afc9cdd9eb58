//! An axis: what it measures, from where to where, and the numbers beside it.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

use crate::sim::number;

/// An axis with its name, its range and its ticks.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    pub(super) name: String,
    from: f64,
    to: f64,
    ticks: Vec<(f64, String)>,
    scale: Scale,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Scale {
    Even,
    /// Equal steps are equal factors.
    Logarithmic,
    /// Shares from 0 to 1, with ten times the room for each further nine.
    Nines,
}

/// In what the numbers of an axis are told.
struct Unit {
    size: f64,
    suffix: &'static str,
    /// Whether there is nothing between two whole ones.
    whole: bool,
}

impl Unit {
    const ONE: Self = Self { size: 1.0, suffix: "", whole: false };
}

/// About so many steps fit an axis.
const STEPS: f64 = 5.0;

impl Axis {
    /// Numbers from 0, or from `from` if that is another, to at least `to`.
    #[must_use]
    pub fn numbers(name: &str, from: f64, to: f64) -> Self {
        Self::even(name.to_owned(), from, to, Unit::ONE)
    }

    /// Whole numbers.
    #[must_use]
    pub fn counts(name: &str, from: f64, to: f64) -> Self {
        Self::even(name.to_owned(), from, to.max(from + 1.0), Unit { whole: true, ..Unit::ONE })
    }

    /// Shares, told in per cent.
    #[must_use]
    pub fn shares(name: &str, to: f64) -> Self {
        Self::even(name.to_owned(), 0.0, to, Unit { size: 0.01, suffix: " %", whole: false })
    }

    /// Times in seconds from 0, told in the unit that fits the longest.
    #[must_use]
    pub fn times(name: &str, longest: f64) -> Self {
        let (size, unit) = number::unit_of(longest);
        Self::even(format!("{name}, {unit}"), 0.0, longest, Unit { size, ..Unit::ONE })
    }

    /// The time of a run in seconds, which ends where the run does.
    #[must_use]
    pub fn run(name: &str, end: f64) -> Self {
        let mut axis = Self::times(name, end);
        axis.to = positive(end);
        axis.ticks.retain(|(at, _)| *at <= axis.to);
        axis
    }

    /// Numbers or, where `is_time`, seconds whose steps are factors; smaller ones than `smallest` lie on its edge.
    #[must_use]
    pub fn factors(name: &str, smallest: f64, largest: f64, is_time: bool) -> Self {
        let floor = positive(smallest).log10().floor();
        let from = [1.0, 2.0, 5.0]
            .map(|factor| factor * 10_f64.powf(floor))
            .into_iter()
            .rfind(|&at| at <= smallest * 1.000_001)
            .unwrap_or(10_f64.powf(floor));
        let to = positive(largest).max(from * 2.0);
        let factors: &[f64] = if to / from < 1000.0 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let decades = floor as i32..=to.log10().ceil() as i32;
        let ticks = decades.flat_map(|decade| factors.iter().map(move |factor| factor * 10_f64.powi(decade)));
        let label = |at: f64| if is_time { number::round_time(at) } else { number::plain(at) };
        let ticks = ticks
            .filter(|at| from * 0.999 <= *at && *at <= to * 1.001)
            .map(|at| (at.log10(), label(at)))
            .collect();
        let (from, to) = (from.log10(), to.log10() + 0.04);
        Self { name: name.to_owned(), from, to, ticks, scale: Scale::Logarithmic }
    }

    /// Shares of requests up to 99.9 %, with ten times the room for each further nine.
    #[must_use]
    pub fn nines(name: &str) -> Self {
        let shares = [0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999];
        let ticks = shares.map(|share| (nines(share), format!("{} %", number::plain(share * 100.0))));
        Self { name: name.to_owned(), from: 0.0, to: 3.0, ticks: ticks.to_vec(), scale: Scale::Nines }
    }

    fn even(name: String, from: f64, to: f64, Unit { size: unit, suffix, whole }: Unit) -> Self {
        let from = if from.is_finite() { from } else { 0.0 };
        let span = positive((to - from) / unit);
        let size = 10_f64.powf((span / STEPS).log10().floor());
        let fits = |factor: &f64| span / STEPS <= factor * size * 1.000_001;
        let step = [1.0, 2.0, 2.5, 5.0].into_iter().find(fits).unwrap_or(10.0) * size;
        let step = if whole { step.ceil() } else { step };
        // The first one at or before `from`, so that a range that begins at 1 has whole numbers.
        let first = (from / unit / step).floor() * step;
        let count = (span / step - 0.001).ceil().max(1.0) as usize;
        let decimals = (-(step.log10() + 0.001).floor()).max(0.0) as usize + usize::from(step == 2.5 * size);
        let tick = |number: usize| {
            let at = first + step * number as f64;
            (at * unit, format!("{at:.decimals$}{suffix}"))
        };
        let ticks: Vec<_> =
            (0..=count + 1).map(tick).filter(|(at, _)| from <= *at + step * unit * 1e-6).collect();
        let last = first + step * count as f64;
        let to = if last * unit < to { last + step } else { last } * unit;
        let ticks = ticks.into_iter().filter(|(at, _)| *at <= to + step * unit * 1e-6).collect();
        Self { name, from, to, ticks, scale: Scale::Even }
    }

    /// An axis that has no name and no ticks, for rows that are told otherwise.
    pub(super) fn rows() -> Self {
        Self { name: String::new(), from: 0.0, to: 1.0, ticks: Vec::new(), scale: Scale::Even }
    }

    pub(super) fn has_ticks(&self) -> bool {
        !self.ticks.is_empty()
    }

    /// How far along the axis a value lies, 0 to 1; values beyond the ends lie on them.
    pub(super) fn share(&self, value: f64) -> f64 {
        let at = match self.scale {
            Scale::Even => value,
            Scale::Logarithmic => value.max(f64::MIN_POSITIVE).log10(),
            Scale::Nines => nines(value),
        };
        (at.clamp(self.from, self.to) - self.from) / (self.to - self.from)
    }
}

/// The library is given places on the axis, not values: it is told where the ticks are.
impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, at: &f64, (start, end): (i32, i32)) -> i32 {
        let share = (at - self.from) / (self.to - self.from);
        start + (share * f64::from(end - start)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        let ticks = self.ticks.iter().map(|(at, _)| *at);
        if hint.weight().allow_light_points() { Vec::new() } else { ticks.collect() }
    }

    fn range(&self) -> Range<f64> {
        self.from..self.to
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, at: &f64) -> String {
        let tick = self.ticks.iter().find(|(tick, _)| tick == at);
        tick.map(|(_, label)| label.clone()).unwrap_or_default()
    }
}

/// The number, or 1 where it is no number above 0 that an axis could end at.
fn positive(number: f64) -> f64 {
    if number.is_finite() && 0.0 < number { number } else { 1.0 }
}

fn nines(share: f64) -> f64 {
    -(1.0 - share).max(1e-9).log10()
}
