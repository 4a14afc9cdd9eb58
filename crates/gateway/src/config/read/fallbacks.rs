//! Fallbacks: lists of items with one group each, and the names in them.

use super::router::Both;
use super::{Reader, Setting};
use crate::config::finding::Finding;
use crate::config::mask;
use crate::config::tree::Value;
use crate::config::{Config, Fallbacks};

/// Reads all lists. A name that leads nowhere is a mistake, and so left out.
pub(super) fn read(reader: &mut Reader<'_>, both: &Both<'_>, config: &Config) -> Fallbacks {
    let known = Known { config };
    let mut read = |key| {
        let list = |reader: &mut Reader<'_>, setting: Option<&Setting<'_>>| {
            known.list(reader, key, setting?).filter(|list| !list.is_empty())
        };
        both.either(reader, key, list).unwrap_or_default()
    };
    let (general, context_window, content_policy) =
        (read("fallbacks"), read("context_window_fallbacks"), read("content_policy_fallbacks"));
    let targets = |reader: &mut Reader<'_>, setting: Option<&Setting<'_>>| {
        Some(known.targets(reader, setting?, None)).filter(|targets| !targets.is_empty())
    };
    let default = both.either(reader, "default_fallbacks", targets).unwrap_or_default();
    if !default.is_empty()
        && general.iter().any(|(group, _)| group == "*")
        && let Some(setting) = both.first("default_fallbacks")
    {
        reader.warning(
            &setting.path,
            "default_fallbacks goes before the `*` of fallbacks, which has no effect",
            "remove one of the two",
        );
    }
    let mut fallbacks =
        Fallbacks { general, context_window, content_policy, default, ..Fallbacks::default() };
    let most =
        |reader: &mut Reader<'_>, setting: Option<&Setting<'_>>| reader.up_to(setting, Fallbacks::MOST);
    if let Some(max) = both.either(reader, "max_fallbacks", most) {
        fallbacks.max = max;
    }
    fallbacks
}

/// What names may lead to.
struct Known<'c> {
    config: &'c Config,
}

impl Known<'_> {
    fn list(
        &self,
        reader: &mut Reader<'_>,
        key: &str,
        setting: &Setting<'_>,
    ) -> Option<Vec<(String, Vec<String>)>> {
        let mut list: Vec<(String, Vec<String>)> = Vec::new();
        for item in reader.items(setting) {
            let entries = match &item.node.value {
                Value::Map(entries) => entries.as_slice(),
                Value::Text(name) => {
                    let way_out = match mask::plain(name) {
                        name if key == "fallbacks" => {
                            format!(
                                "write `- {{GROUP: [{name}]}}`, or `default_fallbacks: [{name}]` for all groups"
                            )
                        }
                        name => format!("write `- {{GROUP: [{name}]}}`"),
                    };
                    reader.wrong_type(&item, "a map from one group to others", Some(way_out));
                    continue;
                }
                _ => &[],
            };
            let [entry] = entries else {
                reader.mistake(
                    &item.path,
                    format!("an item of {key} has one group, this one has {}", entries.len()),
                    "write one item for each group: `- {GROUP: [OTHER, GROUPS]}`",
                );
                continue;
            };
            let to = Setting { node: &entry.value, path: item.path.key(&entry.key) };
            let lost = self.config.lost_source(&to.path, &entry.key);
            let targets = self.targets(reader, &to, Some(&entry.key));
            if let Some(lost) = lost {
                reader.findings.push(lost);
                continue;
            }
            reader.findings.extend(self.config.doubtful_source(&to.path, &entry.key));
            if list.iter().any(|(group, _)| *group == entry.key) {
                let what = format!(
                    "{} has an item of {key} already, and the first one counts",
                    mask::quoted(&entry.key)
                );
                reader
                    .findings
                    .push(Finding::warning(to.path, what).at_key().way_out("make one list of the two"));
                continue;
            }
            list.push((entry.key.clone(), targets));
        }
        Some(list)
    }

    /// The names in a list of targets, `of` being the group they stand in for.
    fn targets(&self, reader: &mut Reader<'_>, setting: &Setting<'_>, of: Option<&str>) -> Vec<String> {
        if let Value::Text(name) = &setting.node.value {
            let way_out = format!("write `[{}]`", mask::plain(name));
            reader.wrong_type(setting, "a list of model groups", Some(way_out));
            return Vec::new();
        }
        let mut targets = Vec::new();
        for target in reader.items(setting) {
            if matches!(target.node.value, Value::Map(_)) {
                reader.mistake(
                    &target.path,
                    "a fallback of the configuration is a name; only a request may bring a map",
                    "write the name alone; parameters of its own go into an entry of model_list",
                );
                continue;
            }
            let Some(name) = reader.text(Some(&target)) else { continue };
            let lost = self.config.lost_target(&target.path, &name);
            if let Some(lost) = lost {
                reader.findings.push(lost);
                continue;
            }
            if of.is_some_and(|of| self.config.group_of(of) == self.config.group_of(&name)) {
                let what = format!("{} leads back to its own group and is skipped", mask::quoted(&name));
                reader.warning(&target.path, what, "name another model group, or remove it");
            }
            targets.push(name);
        }
        targets
    }
}
