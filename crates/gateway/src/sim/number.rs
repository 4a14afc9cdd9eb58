//! Numbers as people read them.

use leastbusy_sim::{Estimate, Metric};

/// A figure of answers where there were none.
const NONE: &str = "–";

/// The unit for times up to this many seconds: its length in seconds and its name.
pub(super) fn unit_of(seconds: f64) -> (f64, &'static str) {
    match seconds {
        seconds if seconds < 1e-3 => (1e-6, "µs"),
        seconds if seconds < 1.0 => (1e-3, "ms"),
        seconds if seconds < 600.0 => (1.0, "s"),
        seconds if seconds < 36_000.0 => (60.0, "min"),
        _ => (3600.0, "h"),
    }
}

/// A time with three digits: `1.23 s`, `45.6 ms`.
pub(super) fn time(seconds: f64) -> String {
    let (size, unit) = unit_of(seconds);
    if seconds.is_nan() {
        return NONE.to_owned();
    }
    if seconds == 0.0 {
        return "0 s".to_owned();
    }
    format!("{} {unit}", digits(seconds / size))
}

/// A time that somebody chose, without zeros at the end of its fraction: `5 s`, `1.5 min`.
pub(super) fn round_time(seconds: f64) -> String {
    let (size, unit) = unit_of(if seconds == 0.0 { 1.0 } else { seconds });
    format!("{} {unit}", plain(seconds / size))
}

/// A time and how far from it the true one may be, in one unit: `1.23 ± 0.05 s`.
pub(super) fn time_within(seconds: f64, margin: Option<f64>) -> String {
    let Some(margin) = margin.filter(|_| seconds != 0.0 && !seconds.is_nan()) else { return time(seconds) };
    let (size, unit) = unit_of(seconds);
    format!("{} {unit}", within(seconds / size, margin / size))
}

/// A number and how far from it the true one may be: `1.23 ± 0.05`.
pub(super) fn plain_within(number: f64, margin: Option<f64>) -> String {
    match margin {
        _ if number.is_nan() => NONE.to_owned(),
        Some(margin) if number != 0.0 || margin != 0.0 => within(number, margin),
        _ => plain(number),
    }
}

/// A share in per cent, with its margin.
pub(super) fn share_within(share: f64, margin: Option<f64>) -> String {
    format!("{} %", plain_within(share * 100.0, margin.map(|margin| margin * 100.0)))
}

/// A number with three digits, without zeros at the end of its fraction.
pub(super) fn plain(number: f64) -> String {
    let told = digits(number);
    if told.contains('.') { told.trim_end_matches('0').trim_end_matches('.').to_owned() } else { told }
}

/// A figure of a comparison with its margin and its unit.
pub(super) fn figure(metric: Metric, estimate: Estimate) -> String {
    match metric {
        Metric::Errors | Metric::Retries => share_within(estimate.mean, estimate.margin),
        _ if metric.is_time() => time_within(estimate.mean, estimate.margin),
        _ => plain_within(estimate.mean, estimate.margin),
    }
}

/// A whole number in groups of three: `1 200 000`, with spaces that do not break a line.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let grouped = digits.char_indices().flat_map(|(at, digit)| {
        let space = (at != 0 && (digits.len() - at).is_multiple_of(3)).then_some('\u{a0}');
        space.into_iter().chain([digit])
    });
    grouped.collect()
}

fn within(number: f64, margin: f64) -> String {
    let decimals = decimals(number);
    format!("{number:.decimals$} ± {margin:.decimals$}")
}

fn digits(number: f64) -> String {
    format!("{number:.*}", decimals(number))
}

/// The decimals that make three digits.
fn decimals(number: f64) -> usize {
    let size = number.abs();
    if !size.is_finite() || size == 0.0 {
        return 0;
    }
    (2 - size.log10().floor() as i32).clamp(0, 6) as usize
}

#[cfg(test)]
mod tests;
