//! `keys`: the keys of clients.

use std::time::{Duration, SystemTime};

use super::{Reader, Setting};
use crate::config::check::is_weak_key;
use crate::config::tree::Value;
use crate::config::{ClientKey, KeyHash, keys};
use crate::moment;

/// A limit above it limits nothing.
const LIMIT_MAX: usize = 1_000_000_000;

/// Reads all entries; one that lacks something keeps its place in the list.
pub(in crate::config) fn read(reader: &mut Reader<'_>, list: Option<&Setting<'_>>) -> Vec<ClientKey> {
    let Some(list) = list else { return Vec::new() };
    reader.items(list).iter().map(|entry| one(reader, entry)).collect()
}

fn one(reader: &mut Reader<'_>, entry: &Setting<'_>) -> ClientKey {
    let settings = reader.section(entry.node, &entry.path, &keys::CLIENT_KEY);
    let name = reader.text(settings.get("key_alias")).unwrap_or_default();
    let hash = match (settings.get("key_hash"), settings.get("key")) {
        (Some(_), Some(key)) => {
            reader.mistake(&key.path, "`key` and `key_hash` are both set", "keep `key_hash` alone");
            None
        }
        (Some(hash), None) => written_hash(reader, hash),
        (None, Some(key)) => hash_of(reader, key),
        (None, None) => None,
    };
    let mut key = ClientKey::new(name, hash.unwrap_or(KeyHash::MISSING));
    if let Some(models) = settings.get("models") {
        is_written(reader, models);
        let models = reader.items(models);
        let models = models.iter().filter(|model| is_written(reader, model)).collect::<Vec<_>>();
        key.models = models.into_iter().filter_map(|model| reader.text(Some(model))).collect();
    }
    let mut limit = |name: &str| reader.count(settings.get(name), 1..=LIMIT_MAX);
    key.rpm_limit = limit("rpm_limit").map(|limit| limit as u64);
    key.tpm_limit = limit("tpm_limit").map(|limit| limit as u64);
    key.max_parallel_requests =
        limit("max_parallel_requests").map(|limit| u32::try_from(limit).unwrap_or(u32::MAX));
    key.expires = settings
        .get("expires")
        .filter(|expires| is_written(reader, expires))
        .and_then(|expires| moment(reader, expires));
    if let Some(duration) = settings.get("duration").filter(|duration| !is_null(duration)) {
        let way_out = "write the day as `expires: 2027-01-31`";
        reader.mistake(&duration.path, "a duration does not say when it begins", way_out);
    }
    let blocked = settings.get("blocked").filter(|blocked| is_written(reader, blocked));
    key.blocked = reader.flag(blocked).unwrap_or_default();
    key.admin = reader.flag(settings.get("admin")).unwrap_or_default();
    key
}

/// Whether nothing is written there, and nothing was meant to come from a variable.
fn is_null(setting: &Setting<'_>) -> bool {
    setting.node.value == Value::Null && setting.node.variable.is_none()
}

/// Whether something is written there; nothing is a mistake, since without the setting the key opens more.
fn is_written(reader: &mut Reader<'_>, setting: &Setting<'_>) -> bool {
    let is_null = is_null(setting);
    if is_null {
        let way_out = "write it, or remove the key or the item";
        reader.mistake(
            &setting.path,
            "nothing is written here, and without it the key would open more",
            way_out,
        );
    }
    !is_null
}

fn written_hash(reader: &mut Reader<'_>, setting: &Setting<'_>) -> Option<KeyHash> {
    let text = reader.text(Some(setting))?;
    let hash = KeyHash::parse(&text);
    if hash.is_none() {
        let what = "a hash is `sha256:` and 64 hexadecimal digits";
        reader.mistake(&setting.path, what, "`leastbusy key hash` makes one of a key");
    }
    hash
}

/// The hash of a key that is given itself, which is not kept.
fn hash_of(reader: &mut Reader<'_>, setting: &Setting<'_>) -> Option<KeyHash> {
    let key = reader.text(Some(setting))?;
    if !key.chars().all(|c| matches!(c, '!'..='~')) || key.is_empty() {
        let way_out = "use printable ASCII characters without spaces";
        reader.mistake(&setting.path, "the key is empty, or no header can hold it", way_out);
        return None;
    }
    if is_weak_key(&key) {
        let way_out = "`leastbusy key new` makes one that nobody guesses";
        reader.warning(&setting.path, "the key is one that anybody would try", way_out);
    }
    if setting.node.variable.is_none() {
        let way_out = "write the `key_hash` that `leastbusy key hash` makes of it, or `key: os.environ/NAME`";
        reader.warning(&setting.path, "the key itself stands in the file", way_out);
    }
    Some(KeyHash::of(key.as_bytes()))
}

fn moment(reader: &mut Reader<'_>, setting: &Setting<'_>) -> Option<SystemTime> {
    let text = reader.text(Some(setting))?;
    let nanoseconds = moment::parse(&text).or_else(|| moment::parse(&format!("{}T00:00:00Z", text.trim())));
    let Some(nanoseconds) = nanoseconds else {
        if is_of_another_age(&text) {
            let way_out = "remove it from a key that is not to expire";
            reader.mistake(&setting.path, "an end lies in the years 1700 to 2250", way_out);
            return None;
        }
        let what = "this is neither a day nor a day with a time";
        reader.mistake(&setting.path, what, "write `2027-01-31` or `2027-01-31T18:00:00Z`");
        return None;
    };
    let time = Duration::from_nanos(nanoseconds.unsigned_abs());
    let epoch = SystemTime::UNIX_EPOCH;
    if nanoseconds < 0 { epoch.checked_sub(time) } else { epoch.checked_add(time) }
}

/// Whether a day's year, in four digits, is one that clocks here do not reach.
fn is_of_another_age(text: &str) -> bool {
    let year = text.trim().split_once('-').filter(|(year, _)| year.len() == 4);
    year.and_then(|(year, _)| year.parse::<u16>().ok()).is_some_and(|year| !(1700..=2250).contains(&year))
}
