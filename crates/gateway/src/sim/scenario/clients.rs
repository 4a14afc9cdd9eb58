//! The entries of `clients`.

use leastbusy_sim::Client;

use super::bounds::{self, Bounds};
use super::{deployments, keys};
use crate::config::{Reader, Setting};

const PART: Bounds = Bounds::above(0.0, 1e6);
/// More are told one by one nowhere.
const CLIENTS_MAX: usize = 1000;

/// Reads all entries.
pub(super) fn all(reader: &mut Reader<'_>, setting: &Setting<'_>) -> Vec<Client> {
    let entries = reader.items(setting);
    if CLIENTS_MAX < entries.len() {
        let what = format!("{} clients are more than {CLIENTS_MAX}", entries.len());
        reader.mistake(&setting.path, what, "name fewer");
    }
    entries.iter().filter_map(|entry| one(reader, entry)).collect()
}

fn one(reader: &mut Reader<'_>, entry: &Setting<'_>) -> Option<Client> {
    let settings = reader.section(entry.node, &entry.path, &keys::CLIENT);
    let name = bounds::needed(reader, &settings, entry, "name", "a client", "add `name: NAME`");
    let name = name.and_then(|setting| deployments::name(reader, setting));
    let share = settings.get("share").map(|share| bounds::number(reader, Some(share), PART));
    let priority = reader.whole(settings.get("priority")).unwrap_or(0);
    Some(Client { priority, ..Client::new(name?, share.unwrap_or(Some(1.0))?) })
}
