//! Values with bounds.

use std::fmt;
use std::time::Duration;

use crate::config::{Queue, Reader, Setting, Settings};

/// The numbers that a setting takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bounds {
    /// Whether the least itself is too little.
    above: bool,
    least: f64,
    most: f64,
}

impl Bounds {
    pub(crate) const fn from(least: f64, most: f64) -> Self {
        Self { above: false, least, most }
    }

    pub(crate) const fn above(least: f64, most: f64) -> Self {
        Self { above: true, least, most }
    }

    pub(crate) fn hold(self, number: f64) -> bool {
        (self.least..=self.most).contains(&number) && !(self.above && number == self.least)
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { above, least, most } = *self;
        if above { write!(f, "more than {least}, at most {most}") } else { write!(f, "{least} to {most}") }
    }
}

/// A share of something.
pub(crate) const SHARE: Bounds = Bounds::from(0.0, 1.0);
/// A number of tokens, and the mean of a distribution of them.
pub(crate) const TOKENS: Bounds = Bounds::from(0.0, 1e6);
pub(crate) const MEAN_TOKENS: Bounds = Bounds::above(0.0, 1e6);
/// At 3, one in a hundred is a thousand times the median.
pub(crate) const SIGMA: Bounds = Bounds::from(0.0, 3.0);
/// Tokens a second.
pub(crate) const SPEED: Bounds = Bounds::from(0.01, 1e6);
/// Requests a second. With ten million requests even the slowest run ends before 64 bits of nanoseconds do.
pub(crate) const RATE: Bounds = Bounds::from(0.001, 1e6);
pub(crate) const LOAD: Bounds = Bounds::above(0.0, 100.0);
/// The share of the requests that are not counted: nine in ten of a long run fill any queue.
pub(crate) const UNCOUNTED: Bounds = Bounds::from(0.0, 0.9);
/// Slots of a deployment.
pub(crate) const SLOTS: std::ops::RangeInclusive<usize> = 1..=100_000;
/// Requests that wait at the gateway.
pub(crate) const QUEUED: std::ops::RangeInclusive<usize> = 0..=Queue::MOST as usize;
/// Requests of a run: each takes about 100 bytes of memory until its run is told.
pub(crate) const REQUESTS: std::ops::RangeInclusive<usize> = 1..=10_000_000;
pub(crate) const SEEDS: std::ops::RangeInclusive<usize> = 1..=1000;
/// The first seed; the others follow it and must not run out of numbers.
pub(crate) const SEED: std::ops::RangeInclusive<usize> = 0..=1_000_000_000;
/// The longest `queue_timeout`.
const QUEUE_TIMEOUT_MAX: Duration = Duration::from_secs(3600);
/// The longest time that a scenario may name: a year.
pub(crate) const TIME_MAX: Duration = Duration::from_secs(365 * 24 * 3600);

/// A number within bounds.
pub(super) fn number(reader: &mut Reader<'_>, setting: Option<&Setting<'_>>, bounds: Bounds) -> Option<f64> {
    let number = reader.number(setting, "a number")?;
    if bounds.hold(number) {
        return Some(number);
    }
    let path = setting?.path.clone();
    reader.mistake(&path, format!("{number} is out of range: {bounds}"), "choose a number in that range");
    None
}

/// A time from `least` to a year.
pub(super) fn time(
    reader: &mut Reader<'_>,
    setting: Option<&Setting<'_>>,
    least: Duration,
) -> Option<Duration> {
    let time = reader.seconds(setting)?;
    if (least..=TIME_MAX).contains(&time) {
        return Some(time);
    }
    let path = setting?.path.clone();
    let range = format!("{} s to a year", least.as_secs_f64());
    reader.mistake(
        &path,
        format!("{} s is out of range: {range}", time.as_secs_f64()),
        "choose a time in it",
    );
    None
}

/// The longest that a request may wait in the queue.
pub(super) fn queue_timeout(reader: &mut Reader<'_>, setting: Option<&Setting<'_>>) -> Option<Duration> {
    let time = reader.seconds(setting)?;
    if !time.is_zero() && time <= QUEUE_TIMEOUT_MAX {
        return Some(time);
    }
    let what = format!("{} s is out of range: more than 0, at most 1h", time.as_secs_f64());
    reader.mistake(&setting?.path.clone(), what, "choose a time in it");
    None
}

/// A setting that has to be there.
pub(super) fn needed<'s, 'n>(
    reader: &mut Reader<'_>,
    settings: &'s Settings<'n>,
    of: &Setting<'_>,
    key: &str,
    what: &str,
    way_out: &str,
) -> Option<&'s Setting<'n>> {
    let setting = settings.get(key);
    if setting.is_none() {
        reader.mistake(&of.path, format!("{what} needs `{key}`"), way_out);
    }
    setting
}

/// The times between which something happens.
pub(super) fn span(
    reader: &mut Reader<'_>,
    settings: &Settings<'_>,
    of: &Setting<'_>,
    what: &str,
    way_out: &str,
) -> Option<(Duration, Duration)> {
    let mut end = |key: &str| {
        let end = needed(reader, settings, of, key, what, way_out);
        time(reader, end, Duration::ZERO)
    };
    let (from, until) = (end("from"), end("until"));
    if let (Some(from), Some(until), Some(at)) = (from, until, settings.get("until"))
        && until <= from
    {
        let what =
            format!("it ends after {} s and begins after {} s", until.as_secs_f64(), from.as_secs_f64());
        reader.mistake(&at.path, what, "give `until` a later time than `from`; both count from the start");
    }
    from.zip(until)
}

/// The one of a map's settings that says which kind of thing it is.
pub(super) fn kind<'s, 'n>(
    reader: &mut Reader<'_>,
    settings: &'s Settings<'n>,
    of: &Setting<'_>,
    kinds: &[&'static str],
    way_out: &str,
) -> Option<(&'static str, &'s Setting<'n>)> {
    let mut given = kinds.iter().filter_map(|kind| Some((*kind, settings.get(kind)?)));
    let Some(first) = given.next() else {
        let names: Vec<_> = kinds.iter().map(|kind| format!("`{kind}`")).collect();
        reader.mistake(&of.path, format!("one of {} is missing", names.join(", ")), way_out);
        return None;
    };
    if let Some((second, setting)) = given.next() {
        let what = format!("`{}` and `{second}` cannot both be", first.0);
        reader.mistake(&setting.path, what, "keep one of the two");
    }
    Some(first)
}
