//! `router_settings` and `litellm_settings`.

use std::collections::BTreeMap;

use leastbusy_balance::TieBreak;

use super::deployment::read_timeouts;
use super::{Reader, Setting, Settings};
use crate::config::keys;
use crate::config::mask;
use crate::config::tree::Value;
use crate::config::{Alias, Config};
use crate::likeness::nearest;

pub(super) fn read(
    reader: &mut Reader<'_>,
    router: Option<&Setting<'_>>,
    litellm: Option<&Setting<'_>>,
    config: &mut Config,
    incomplete: bool,
) {
    let router = router.map(|section| reader.section(section.node, &section.path, &keys::ROUTER_SETTINGS));
    let litellm = litellm.map(|section| reader.section(section.node, &section.path, &keys::LITELLM_SETTINGS));
    if let Some(settings) = &router {
        config.router.timeouts = read_timeouts(reader, settings);
        let ties = [("random", TieBreak::Random), ("first", TieBreak::First)];
        if let Some(tie_break) = reader.choice(settings.get("tie_break"), &ties) {
            config.router.tie_break = tie_break;
        }
        strategy(reader, settings);
        config.aliases = aliases(reader, settings.get("model_group_alias"));
    }
    if let Some(settings) = &litellm
        && let Some(timeout) = reader.seconds(settings.get("request_timeout"))
    {
        // LiteLLM's order: for a whole answer it goes before the router's timeout, for a stream after it.
        config.router.timeouts.timeout = Some(timeout);
        config.router.timeouts.stream_timeout.get_or_insert(timeout);
    }
    if incomplete {
        return;
    }
    let groups = groups_of(reader, router.as_ref());
    for settings in [&router, &litellm].into_iter().flatten() {
        fallbacks(reader, settings, config, &groups);
    }
}

fn strategy(reader: &mut Reader<'_>, settings: &Settings<'_>) {
    let Some(setting) = settings.get("routing_strategy") else { return };
    let Some(name) = reader.text(Some(setting)) else { return };
    match name.as_str() {
        "least-busy" => {}
        name if keys::STRATEGIES.contains(&name) => reader.warning(
            &setting.path,
            format!("routing_strategy `{name}` is known to LiteLLM; least-busy serves meanwhile"),
            "write `routing_strategy: least-busy` to say so",
        ),
        name => {
            let way_out = match nearest(name, keys::STRATEGIES.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "write `routing_strategy: least-busy`".into(),
            };
            reader.mistake(
                &setting.path,
                format!("{} is not a routing strategy", mask::quoted(name)),
                way_out,
            );
        }
    }
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

/// Names of `routing_groups`: not served yet, but LiteLLM lets requests and fallbacks name them.
fn groups_of(reader: &mut Reader<'_>, router: Option<&Settings<'_>>) -> Vec<String> {
    let Some(setting) = router.and_then(|settings| settings.get("routing_groups")) else { return Vec::new() };
    let items = reader.items(setting);
    items
        .iter()
        .filter_map(|item| match &item.node.get("group_name")?.value {
            Value::Text(name) => Some(name.clone()),
            _ => None,
        })
        .collect()
}

/// Fallbacks are not served yet; names in them that lead nowhere are mistakes all the same.
fn fallbacks(reader: &mut Reader<'_>, settings: &Settings<'_>, config: &Config, groups: &[String]) {
    let known = |reader: &mut Reader<'_>, setting: &Setting<'_>, name: &str| {
        if name == "*" || config.leads_somewhere(name) || groups.iter().any(|group| group == name) {
            return;
        }
        let way_out = match nearest(name, config.names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "name a model_name of model_list or an alias".into(),
        };
        let what = format!("{} leads nowhere: no deployment and no alias has that name", mask::quoted(name));
        reader.mistake(&setting.path, what, way_out);
    };
    for key in ["fallbacks", "context_window_fallbacks", "content_policy_fallbacks"] {
        let Some(setting) = settings.get(key) else { continue };
        for item in reader.items(setting) {
            let entries = reader.entries(item.node, &item.path);
            let [entry] = entries else {
                if !entries.is_empty() {
                    let what = format!("an item of {key} has one group, this one has {}", entries.len());
                    reader.mistake(
                        &item.path,
                        what,
                        "write one item for each group: `- {GROUP: [OTHER, GROUPS]}`",
                    );
                }
                continue;
            };
            let to = Setting { node: &entry.value, path: item.path.key(&entry.key) };
            known(reader, &to, &entry.key);
            for target in reader.items(&to) {
                if let Some(name) = reader.text(Some(&target)) {
                    known(reader, &target, &name);
                }
            }
        }
    }
    if let Some(setting) = settings.get("default_fallbacks") {
        for target in reader.items(setting) {
            if let Some(name) = reader.text(Some(&target)) {
                known(reader, &target, &name);
            }
        }
    }
}
