//! What recorded requests call their parts.

use super::{Objection, Recorded};
use crate::moment;

/// Names of the arrival; a name that ends in `_ms` counts in milliseconds.
pub(super) const ARRIVAL: [&str; 9] = [
    "arrival",
    "arrival_time",
    "arrival_ms",
    "time",
    "timestamp",
    "timestamp_ms",
    "time_ms",
    "starttime",
    "start_time",
];
pub(super) const PROMPT: [&str; 5] =
    ["prompt_tokens", "input_tokens", "request_tokens", "contexttokens", "context_tokens"];
pub(super) const OUTPUT: [&str; 5] =
    ["output_tokens", "completion_tokens", "response_tokens", "generatedtokens", "generated_tokens"];
pub(super) const MODEL: [&str; 2] = ["model_group", "model"];

/// More tokens than any model reads or writes at once.
const TOKENS_MAX: f64 = 1e9;
/// In the year 2255 nanoseconds since 1970 no longer fit 64 bits.
const SECONDS_MAX: f64 = 9e9;

/// A name as it is compared: `Request tokens` is `request_tokens`.
pub(super) fn plain(name: &str) -> String {
    name.trim().trim_start_matches('\u{feff}').to_lowercase().replace([' ', '-'], "_")
}

/// An arrival written as a number.
pub(super) fn arrival_of_number(name: &str, number: f64) -> Result<i64, Objection> {
    let seconds = if name.ends_with("_ms") { number / 1000.0 } else { number };
    if seconds.abs() <= SECONDS_MAX {
        #[expect(clippy::cast_possible_truncation, reason = "at most 9e18, which an i64 holds")]
        return Ok((seconds * 1e9).round() as i64);
    }
    let what = format!("`{name}` is {number}, which is no number of seconds that a trace can have");
    Err((what, "if these are milliseconds, call them `arrival_ms`"))
}

/// An arrival written as a text: seconds, or a date with a time.
pub(super) fn arrival_of_text(name: &str, text: &str) -> Result<i64, Objection> {
    if let Some(number) = number(text) {
        return arrival_of_number(name, number);
    }
    moment::parse(text).ok_or_else(|| {
        let what = format!("`{name}` is `{}`, which is no time", brief(text));
        (what, "write seconds (`12.5`) or a date and time (`2026-03-01T09:30:00Z`)")
    })
}

/// A number of tokens.
pub(super) fn tokens(name: &str, number: f64) -> Result<f64, Objection> {
    if (0.0..=TOKENS_MAX).contains(&number) {
        return Ok(number);
    }
    Err((format!("`{name}` is {number}, which is no number of tokens"), "write a number from 0 on"))
}

pub(super) fn tokens_of_text(name: &str, text: &str) -> Result<f64, Objection> {
    let number = number(text).ok_or_else(|| {
        (format!("`{name}` is `{}`, which is no number of tokens", brief(text)), "write a number from 0 on")
    })?;
    tokens(name, number)
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse::<f64>().ok().filter(|number| number.is_finite())
}

/// A text that fits a sentence.
pub(super) fn brief(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(40).collect()
}

impl Recorded {
    pub(super) fn new(arrival: i64, [prompt_tokens, output_tokens]: [f64; 2]) -> Self {
        Self { arrival, prompt_tokens, output_tokens }
    }
}
