//! `general_settings`.

use std::num::NonZeroUsize;

use super::{Reader, Settings};
use crate::config::environment::Environment;
use crate::config::{GeneralSettings, KeysFile, Runtime, Secret};

pub(super) fn read(
    reader: &mut Reader<'_>,
    settings: Option<&Settings<'_>>,
    environment: &Environment,
) -> GeneralSettings {
    let mut general = GeneralSettings::default();
    let Some(settings) = settings else { return general };
    general.master_key = reader.text(settings.get("master_key")).map(Secret::new);
    general.permit_weak_key =
        reader.flag(settings.get("dangerously_permit_weak_or_unset_master_key")).unwrap_or_default();
    general.keys_file =
        reader.text(settings.get("keys_file")).map(|path| KeysFile::with(path, environment.clone()));
    if let Some(megabytes) = reader.number(settings.get("max_request_size_mb"), "a number of megabytes") {
        general.max_request_bytes = bytes(megabytes);
    }
    let mut whole = |key: &str, field: &mut usize| {
        if let Some(count) = reader.count(settings.get(key), 0..=usize::MAX >> 12) {
            *field = count;
        }
    };
    whole("max_header_bytes", &mut general.max_header_bytes);
    whole("max_headers", &mut general.max_headers);
    whole("max_connections", &mut general.max_connections);
    whole("max_upstream_connections", &mut general.max_upstream_connections);
    for (key, field) in [
        ("header_read_timeout", &mut general.header_read_timeout),
        ("body_read_timeout", &mut general.body_read_timeout),
        ("write_timeout", &mut general.write_timeout),
        ("shutdown_grace", &mut general.shutdown_grace),
    ] {
        if let Some(duration) = reader.seconds(settings.get(key)) {
            *field = duration;
        }
    }
    general.workers = reader.count(settings.get("workers"), 1..=1024).and_then(NonZeroUsize::new);
    let runtimes = [("per_core", Runtime::PerCore), ("work_stealing", Runtime::WorkStealing)];
    if let Some(runtime) = reader.choice(settings.get("runtime"), &runtimes) {
        general.runtime = runtime;
    }
    general
}

/// Megabytes as bytes; what is out of range becomes 0, which the check refuses.
fn bytes(megabytes: f64) -> usize {
    let bytes = megabytes * 1024.0 * 1024.0;
    if !(1.0..=9_007_199_254_740_992.0).contains(&bytes) {
        return 0;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and 2^53")]
    {
        bytes as usize
    }
}
