//! How a line or a mark looks, so that each is known without its colour.

use leastbusy_sim::Policy;
use plotters::style::RGBColor;

/// The look of one of several things in a chart: its colour, its dash and its mark.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Style {
    pub(super) colour: RGBColor,
    /// Lengths of dash and gap in pixels; a line without is whole.
    pub(super) dash: Option<(u32, u32)>,
    /// In tenths of a pixel.
    pub(super) width: u32,
    pub(super) mark: Mark,
}

/// A mark for one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Disc,
    Ring,
    Square,
    Triangle,
    Diamond,
    Cross,
}

/// Text.
pub(super) const INK: RGBColor = RGBColor(0x1f, 0x23, 0x28);
/// Axes and what explains.
pub(super) const FAINT: RGBColor = RGBColor(0x59, 0x63, 0x6e);
/// The grid.
pub(super) const GRID: RGBColor = RGBColor(0xd8, 0xde, 0xe4);
/// Trouble.
pub(super) const ALARM: RGBColor = RGBColor(0xd5, 0x5e, 0x00);

// Okabe and Ito's palette (Color Universal Design, 2008), without its yellow, which is lost on white, and its sky
// blue, which takes blue's place on dark.
const GREEN: RGBColor = RGBColor(0x00, 0x9e, 0x73);
const BLUE: RGBColor = RGBColor(0x00, 0x72, 0xb2);
const VERMILION: RGBColor = RGBColor(0xd5, 0x5e, 0x00);
const ORANGE: RGBColor = RGBColor(0xe6, 0x9f, 0x00);
const PURPLE: RGBColor = RGBColor(0xcc, 0x79, 0xa7);
const BLACK: RGBColor = RGBColor(0x1f, 0x23, 0x28);

const STYLES: [Style; 11] = [
    Style { colour: GREEN, dash: None, width: 28, mark: Mark::Disc },
    Style { colour: BLUE, dash: None, width: 14, mark: Mark::Ring },
    Style { colour: VERMILION, dash: Some((6, 3)), width: 18, mark: Mark::Triangle },
    Style { colour: ORANGE, dash: Some((12, 4)), width: 18, mark: Mark::Square },
    Style { colour: PURPLE, dash: Some((3, 2)), width: 18, mark: Mark::Diamond },
    Style { colour: BLACK, dash: Some((2, 4)), width: 16, mark: Mark::Cross },
    Style { colour: GREEN, dash: Some((8, 4)), width: 18, mark: Mark::Ring },
    Style { colour: BLUE, dash: Some((8, 4)), width: 18, mark: Mark::Diamond },
    Style { colour: VERMILION, dash: Some((2, 4)), width: 16, mark: Mark::Ring },
    Style { colour: PURPLE, dash: Some((12, 4)), width: 18, mark: Mark::Triangle },
    Style { colour: ORANGE, dash: Some((3, 2)), width: 18, mark: Mark::Disc },
];

impl Style {
    /// The same for a policy in every chart.
    #[must_use]
    pub fn of(policy: Policy) -> Self {
        Self::nth(match policy {
            Policy::LeastBusy => 0,
            Policy::TwoChoices => 1,
            Policy::StaleFirst { .. } => 2,
            Policy::RoundRobin => 3,
            Policy::Random => 4,
            Policy::CentralQueue => 5,
            Policy::LeastBusyBySpeed => 6,
            Policy::OwnAndTold => 7,
            Policy::LowestLatency => 8,
            Policy::LowestUsage => 9,
            Policy::PeakEwma => 10,
        })
    }

    /// For the first, the second, ... of several; the twelfth looks as the first does.
    #[must_use]
    pub fn nth(number: usize) -> Self {
        STYLES[number % STYLES.len()]
    }

    /// For what is not to be exceeded.
    pub(super) fn target() -> Self {
        Self { colour: ALARM, dash: Some((6, 4)), width: 14, mark: Mark::Cross }
    }

    /// For what is only the background of something else.
    #[must_use]
    pub fn quiet() -> Self {
        Self { colour: RGBColor(0xa0, 0xa8, 0xb0), dash: None, width: 8, mark: Mark::Disc }
    }
}
