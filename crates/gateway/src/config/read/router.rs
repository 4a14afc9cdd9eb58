//! `router_settings` and `litellm_settings`.

use std::collections::BTreeMap;

use leastbusy_balance::{Strategy, TieBreak};

use super::deployment::read_timeouts;
use super::{Reader, Setting, Settings, busy, fallbacks, filters, reliability, strategy};
use crate::config::finding::Finding;
use crate::config::keys;
use crate::config::mask;
use crate::config::tree::Value;
use crate::config::{Alias, Config, RouterSettings};

pub(super) fn read(
    reader: &mut Reader<'_>,
    router: Option<&Setting<'_>>,
    litellm: Option<&Setting<'_>>,
    general: Option<&Settings<'_>>,
    config: &mut Config,
    incomplete: bool,
) {
    let router = router.map(|section| reader.section(section.node, &section.path, &keys::ROUTER_SETTINGS));
    let litellm = litellm.map(|section| reader.section(section.node, &section.path, &keys::LITELLM_SETTINGS));
    let both = Both { router: router.as_ref(), litellm: litellm.as_ref() };
    if let Some(settings) = both.router {
        config.router.timeouts = read_timeouts(reader, settings);
        if let Some(tie_break) = tie_break(reader, settings) {
            config.router.tie_break = tie_break;
        }
        config.router.strategy = strategy::read(reader, settings, Strategy::default());
        let groups = settings.get("routing_groups");
        config.router.routing_groups = strategy::groups(reader, groups, config.router.strategy);
        config.aliases = aliases(reader, settings.get("model_group_alias"));
        config.router.hedge = reliability::hedge(reader, settings);
        busy::read(reader, settings, config);
    }
    filters::read(reader, both.router, general, &mut config.router);
    if let Some(settings) = both.litellm
        && let Some(timeout) = reader.seconds(settings.get("request_timeout"))
    {
        // LiteLLM's order: for a whole answer it goes before the router's timeout, for a stream after it.
        config.router.timeouts.timeout = Some(timeout);
        config.router.timeouts.stream_timeout.get_or_insert(timeout);
    }
    config.router.cooldown = reliability::cooldown(reader, &both);
    config.router.retries = reliability::retries(reader, &both);
    if !incomplete {
        config.router.fallbacks = fallbacks::read(reader, &both, config);
    }
}

/// What a scenario's `router` says: the settings that a simulation follows.
pub(crate) fn simulated(reader: &mut Reader<'_>, settings: &Settings<'_>) -> RouterSettings {
    let both = Both { router: Some(settings), litellm: None };
    RouterSettings {
        tie_break: tie_break(reader, settings).unwrap_or_default(),
        timeouts: read_timeouts(reader, settings),
        retries: reliability::retries(reader, &both),
        cooldown: reliability::cooldown(reader, &both),
        ..RouterSettings::default()
    }
}

fn tie_break(reader: &mut Reader<'_>, settings: &Settings<'_>) -> Option<TieBreak> {
    let ties = [("random", TieBreak::Random), ("first", TieBreak::First)];
    reader.choice(settings.get("tie_break"), &ties)
}

/// The sections that share some keys.
pub(super) struct Both<'s> {
    pub(super) router: Option<&'s Settings<'s>>,
    pub(super) litellm: Option<&'s Settings<'s>>,
}

impl<'s> Both<'s> {
    /// The setting of this name, `router_settings` first.
    pub(super) fn first(&self, key: &str) -> Option<&'s Setting<'s>> {
        [self.router, self.litellm].into_iter().flatten().find_map(|settings| settings.get(key))
    }

    /// What `router_settings` says under `key`, else what `litellm_settings` does, as in LiteLLM; see [`either`].
    pub(super) fn either<T>(
        &self,
        reader: &mut Reader<'_>,
        key: &str,
        read: impl FnMut(&mut Reader<'_>, Option<&Setting<'_>>) -> Option<T>,
    ) -> Option<T> {
        either(reader, (("router_settings", self.router), self.litellm), key, read)
    }
}

/// What the first of two sections, whose name is given, says under `key`, else what the second one does. Both are read,
/// so that a mistake in either is told.
pub(super) fn either<T>(
    reader: &mut Reader<'_>,
    ((name, first), second): ((&str, Option<&Settings<'_>>), Option<&Settings<'_>>),
    key: &str,
    mut read: impl FnMut(&mut Reader<'_>, Option<&Setting<'_>>) -> Option<T>,
) -> Option<T> {
    let own = read(reader, first.and_then(|settings| settings.get(key)));
    let other = second.and_then(|settings| settings.get(key));
    let value = read(reader, other);
    if let (Some(_), Some(_), Some(other)) = (&own, &value, other) {
        let what = format!("{name} has `{key}` as well, which goes before this one");
        reader
            .findings
            .push(Finding::warning(other.path.clone(), what).at_key().way_out("remove one of the two"));
    }
    own.or(value)
}

fn aliases(reader: &mut Reader<'_>, setting: Option<&Setting<'_>>) -> BTreeMap<String, Alias> {
    let mut aliases = BTreeMap::new();
    let Some(setting) = setting else { return aliases };
    for entry in reader.entries(setting.node, &setting.path) {
        let value = Setting { node: &entry.value, path: setting.path.key(&entry.key) };
        let alias = match &value.node.value {
            Value::Text(model) => Alias { model: model.clone(), hidden: false },
            Value::Map(_) => {
                let (mut model, mut hidden) = (None, false);
                for part in reader.entries(value.node, &value.path) {
                    let part_setting = Setting { node: &part.value, path: value.path.key(&part.key) };
                    match part.key.as_str() {
                        "model" => model = reader.text(Some(&part_setting)),
                        "hidden" => hidden = reader.flag(Some(&part_setting)).unwrap_or_default(),
                        other => reader.mistake(
                            &part_setting.path,
                            format!("{} is not a key of an alias", mask::quoted(other)),
                            "an alias has `model` and `hidden`",
                        ),
                    }
                }
                let Some(model) = model else {
                    reader.mistake(&value.path, "an alias needs a model", "add `model: GROUP`");
                    continue;
                };
                Alias { model, hidden }
            }
            _ => {
                reader.wrong_type(&value, "the name of a model group", Some("write `alias: GROUP`".into()));
                continue;
            }
        };
        aliases.insert(entry.key.clone(), alias);
    }
    aliases
}
