//! Numbers as people read them.

use leastbusy_sim::Estimate;

/// Three digits that mean something.
pub(super) fn figure(number: f64) -> String {
    if number.is_nan() {
        return "-".to_owned();
    }
    let decimals = decimals(number);
    format!("{number:.decimals$}")
}

/// The margin of an estimate, in the digits of its mean.
pub(super) fn margin(estimate: &Estimate) -> Option<String> {
    let decimals = decimals(estimate.mean);
    estimate.margin.filter(|margin| !margin.is_nan()).map(|margin| format!("{margin:.decimals$}"))
}

fn decimals(number: f64) -> usize {
    match number.abs() {
        size if 99.95 <= size => 0,
        size if 9.995 <= size => 1,
        size if 0.9995 <= size => 2,
        0.0 => 0,
        _ => 3,
    }
}

/// A share in percent; what is more than nothing does not look like it.
pub(super) fn percent(share: f64) -> String {
    match 100.0 * share {
        0.0 => "0 %".into(),
        percent if percent < 0.005 => "<.01 %".into(),
        percent if percent < 9.995 => format!("{percent:.2} %"),
        percent => format!("{percent:.1} %"),
    }
}

/// `200,000`.
pub(in crate::sim) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if 0 < at && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
