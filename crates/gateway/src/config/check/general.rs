//! Ranges of `general_settings`.

use std::time::Duration;

use super::{DURATION_MAX, out_of_range};
use crate::config::GeneralSettings;
use crate::config::finding::{Finding, Path};

/// Adds what is wrong with `general_settings`.
pub(super) fn check(general: &GeneralSettings, mistakes: &mut Vec<Finding>) {
    let section = Path::top("general_settings");
    if general.master_key.as_ref().is_some_and(|key| key.expose().trim().is_empty()) {
        mistakes.push(
            Finding::mistake(section.key("master_key"), "the master key is empty").way_out(
                "choose a long random one, or remove `master_key` to serve without a key on loopback",
            ),
        );
    } else if general
        .master_key
        .as_ref()
        .is_some_and(|key| !key.expose().chars().all(|c| matches!(c, ' '..='~')))
    {
        mistakes.push(
            Finding::mistake(
                section.key("master_key"),
                "the master key has characters that no header can hold",
            )
            .way_out("use printable ASCII characters"),
        );
    }
    let mut within = |key: &str, value: usize, range: std::ops::RangeInclusive<usize>, unit: &str| {
        if !range.contains(&value) {
            mistakes
                .push(out_of_range(section.key(key), &format!("{} to {}{unit}", range.start(), range.end())));
        }
    };
    within("max_header_bytes", general.max_header_bytes, 8 * 1024..=1024 * 1024, " bytes");
    within("max_headers", general.max_headers, 1..=10_000, "");
    within("max_connections", general.max_connections, 1..=10_000_000, "");
    within("max_upstream_connections", general.max_upstream_connections, 1..=10_000_000, "");
    if !(1..=REQUEST_BYTES_MAX).contains(&general.max_request_bytes) {
        mistakes
            .push(out_of_range(section.key("max_request_size_mb"), "more than 0, at most 4096 megabytes"));
    }
    for (key, limit, least) in [
        ("header_read_timeout", general.header_read_timeout, Duration::from_millis(1)),
        ("body_read_timeout", general.body_read_timeout, Duration::from_millis(1)),
        ("write_timeout", general.write_timeout, Duration::from_millis(1)),
        ("shutdown_grace", general.shutdown_grace, Duration::ZERO),
    ] {
        if limit < least || limit > DURATION_MAX {
            let range = if least.is_zero() {
                "0 seconds to ten years"
            } else {
                "more than 0 seconds, at most ten years"
            };
            mistakes.push(out_of_range(section.key(key), range));
        }
    }
}

/// A body is held in memory until its model is known.
const REQUEST_BYTES_MAX: usize = 4096 * 1024 * 1024;
