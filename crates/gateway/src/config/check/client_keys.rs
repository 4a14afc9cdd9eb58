//! Rules about the keys of clients, whichever file they stand in.

use std::collections::HashMap;

use crate::config::client_key::ALL_MODELS;
use crate::config::finding::{Finding, Path};
use crate::config::{ClientKey, KeyHash, mask};
use crate::likeness::nearest;

/// Longer names would make access lines and labels hard to read.
const NAME_CHARS_MAX: usize = 100;

fn entry(index: usize) -> Path {
    Path::top("keys").index(index)
}

/// Adds what is wrong with `keys`, given the keys that stand elsewhere and the master key.
pub(in crate::config) fn check(
    keys: &[ClientKey],
    beside: &[ClientKey],
    master: Option<KeyHash>,
    mistakes: &mut Vec<Finding>,
) {
    let mut names: HashMap<&str, usize> = HashMap::new();
    let mut hashes: HashMap<KeyHash, usize> = HashMap::new();
    for (index, key) in keys.iter().enumerate() {
        let path = entry(index);
        let name = key.name.as_str();
        if let Some(fault) = fault_of_name(name) {
            mistakes.push(
                Finding::mistake(path.key("key_alias"), fault)
                    .way_out("give it a short name of its own, e.g. that of the team that uses it"),
            );
        } else if let Some(first) = names.insert(name, index) {
            let what = format!("the name {} is also that of keys[{first}]", mask::quoted(name));
            let finding = Finding::mistake(path.key("key_alias"), what).also(entry(first).key("key_alias"));
            mistakes.push(finding.way_out("give each key a name of its own"));
        } else if beside.iter().any(|other| other.name == name) {
            let what = format!("the name {} is also that of a key in the configuration", mask::quoted(name));
            let finding = Finding::mistake(path.key("key_alias"), what);
            mistakes.push(finding.way_out("give each key a name of its own"));
        }
        if key.hash == KeyHash::MISSING {
            let finding = Finding::mistake(path.key("key_hash"), "there is no key: `key_hash` is not set");
            mistakes.push(finding.way_out("`leastbusy key new` makes a key, `leastbusy key hash` takes one"));
        } else if master == Some(key.hash) {
            let what = "this is the master key, so that none of what is written here would hold";
            let finding = Finding::mistake(path.key("key_hash"), what);
            mistakes.push(finding.way_out("`leastbusy key new` makes one of its own"));
        } else if let Some(first) = hashes.insert(key.hash, index) {
            let what = format!("this is the same key as keys[{first}]");
            let finding = Finding::mistake(path.key("key_hash"), what).also(entry(first).key("key_hash"));
            mistakes.push(finding.way_out("remove one of the two"));
        } else if beside.iter().any(|other| other.hash == key.hash) {
            let what = "this is the same key as one in the configuration";
            let finding = Finding::mistake(path.key("key_hash"), what);
            mistakes.push(finding.way_out("remove one of the two"));
        }
        for (key_of, limit) in [
            ("rpm_limit", key.rpm_limit),
            ("tpm_limit", key.tpm_limit),
            ("max_parallel_requests", key.max_parallel_requests.map(u64::from)),
        ] {
            if limit == Some(0) {
                let finding = Finding::mistake(path.key(key_of), "a limit is at least 1");
                mistakes.push(finding.way_out("write `blocked: true` to let nothing through"));
            }
        }
    }
}

/// Adds a warning for each model that no request can lead to.
pub(in crate::config) fn warn(
    keys: &[ClientKey],
    names: &[&str],
    leads_somewhere: &dyn Fn(&str) -> bool,
    warnings: &mut Vec<Finding>,
) {
    for (index, key) in keys.iter().enumerate() {
        for (at, model) in key.models.iter().enumerate() {
            if model.contains('*') || model == ALL_MODELS || leads_somewhere(model) {
                continue;
            }
            let what = format!("there is no model group {}", mask::quoted(model));
            let finding = Finding::warning(entry(index).key("models").index(at), what);
            warnings.push(match nearest(model, names.iter().copied()) {
                Some(near) => finding.way_out(format!("did you mean `{near}`?")),
                None => finding.way_out("name a group, an alias or an id, or write `*` in its place"),
            });
        }
    }
}

fn fault_of_name(name: &str) -> Option<&'static str> {
    if name.trim().is_empty() {
        Some("a key needs a `key_alias`")
    } else if name.chars().any(char::is_control) || NAME_CHARS_MAX < name.chars().count() {
        Some("a `key_alias` has at most 100 characters, and no control ones")
    } else if mask::is_secret_text(name) {
        Some("the `key_alias` looks like a key, and names are shown")
    } else {
        None
    }
}
