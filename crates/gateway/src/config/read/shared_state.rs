//! `shared_state`, and which of the places that may name a Redis counts.

use super::redis::{self, Source, Sources};
use super::{Reader, Setting, Settings};
use crate::config::check::shared_state::{check_settings, namespace_fault};
use crate::config::environment::Environment;
use crate::config::finding::Finding;
use crate::config::keys;
use crate::config::mask;
use crate::config::tree::Value;
use crate::config::{SharedState, SharingMode};
use crate::likeness::nearest;

/// `incomplete`: a file could not be read, which may have been the one that names the Redis.
pub(super) fn read(
    reader: &mut Reader<'_>,
    top: &Settings<'_>,
    environment: &Environment,
    incomplete: bool,
) -> Option<SharedState> {
    let section = top.get("shared_state");
    let own = section.map(|section| reader.section(section.node, &section.path, &keys::SHARED_STATE));
    let own = own.unwrap_or_else(|| Settings(Vec::new()));
    let is_enabled = reader.flag(own.get("enabled")).unwrap_or(true);
    let mut shared = settings(reader, &own);
    let files = [
        Source::of_shared_state(&own),
        Source::of_router(reader, top.get("router_settings")),
        cache(reader, top.get("litellm_settings")),
        coordination(reader, top.get("general_settings")),
    ];
    let variables = redis::variables(environment);
    let sources = Sources::choose(&files, Source::of_variables(&variables)).filter(|_| is_enabled);
    let Some(sources) = sources else {
        check_settings(&shared, reader.findings);
        if is_enabled && !incomplete && !environment.has_stand_ins() {
            alone(reader, section, &own, &shared);
        }
        return None;
    };
    if own.get("namespace").is_none() {
        let setting = sources.get("namespace");
        if let (Some(setting), Some(namespace)) = (setting, reader.text(setting)) {
            match namespace_fault(&namespace) {
                Some(what) => reader.mistake(&setting.path, what, "choose another name, or remove it"),
                None => shared.namespace = namespace,
            }
        }
    }
    // The default in place of a wrong one, which has been told, lets the check tell the rest.
    shared.redis = redis::read(reader, &sources).unwrap_or_default();
    Some(shared)
}

fn settings(reader: &mut Reader<'_>, own: &Settings<'_>) -> SharedState {
    let mut shared = SharedState::default();
    let modes = [("default", SharingMode::Counts), ("strict", SharingMode::Strict)];
    shared.mode = reader.choice(own.get("mode"), &modes).unwrap_or_default();
    shared.required = reader.flag(own.get("required")).unwrap_or_default();
    if let Some(namespace) = reader.text(own.get("namespace")) {
        shared.namespace = namespace;
    }
    shared.interval = reader.seconds(own.get("interval"));
    shared.lease = reader.seconds(own.get("lease"));
    for (key, field) in [
        ("strict_timeout", &mut shared.strict_timeout),
        ("connect_timeout", &mut shared.connect_timeout),
        ("response_timeout", &mut shared.response_timeout),
    ] {
        if let Some(time) = reader.seconds(own.get(key)) {
            *field = time;
        }
    }
    shared
}

/// Says what is asked for and cannot be without a Redis.
fn alone(reader: &mut Reader<'_>, section: Option<&Setting<'_>>, own: &Settings<'_>, shared: &SharedState) {
    const WHAT: &str = "there is no Redis to share anything through";
    const WAY_OUT: &str =
        "name one: `redis_url` here, `redis_host` in router_settings, or the environment variable REDIS_URL";
    let mut is_told = false;
    for (key, needs_one) in [("required", shared.required), ("mode", shared.mode == SharingMode::Strict)] {
        if let Some(setting) = own.get(key).filter(|_| needs_one) {
            reader.mistake(&setting.path, WHAT, WAY_OUT);
            is_told = true;
        }
    }
    if let Some(section) = section.filter(|_| !is_told && !own.0.is_empty()) {
        let finding = Finding::warning(section.path.clone(), format!("{WHAT}, so nothing is shared"));
        reader.findings.push(finding.at_key().way_out(WAY_OUT));
    }
}

/// The Redis of LiteLLM's cache of answers, which its router borrows.
fn cache<'n>(reader: &mut Reader<'_>, litellm: Option<&Setting<'n>>) -> Source<'n> {
    let Some(litellm) = litellm else { return Source::default() };
    let setting = |key| {
        let node = litellm.node.get(key).filter(|node| node.value != Value::Null)?;
        Some(Setting { node, path: litellm.path.key(key) })
    };
    let cache = setting("cache");
    let is_on = reader.flag(cache.as_ref()).unwrap_or_default();
    // Beside a Redis, `cache: true` is what LiteLLM wants so that its router shares anything.
    let note_answers = |reader: &mut Reader<'_>| {
        if let Some(cache) = cache.as_ref().filter(|_| is_on) {
            reader.note_not_yet(&keys::LITELLM_SETTINGS, "cache", cache.path.clone());
        }
    };
    let Some(params) = setting("cache_params") else {
        note_answers(reader);
        return Source::default();
    };
    let kind = params.node.get("type").filter(|node| node.value != Value::Null);
    let kind = kind.map(|node| Setting { node, path: params.path.key("type") });
    if let Some((kind, name)) = kind.as_ref().and_then(|kind| Some((kind, reader.text(Some(kind))?)))
        && name != keys::CACHE_TYPES[0]
    {
        if keys::CACHE_TYPES.contains(&name.as_str()) {
            note_answers(reader);
            reader.note_not_yet(&keys::LITELLM_SETTINGS, "cache_params", params.path);
        } else {
            let way_out = match nearest(&name, keys::CACHE_TYPES.into_iter()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "write `type: redis`".to_owned(),
            };
            reader.mistake(&kind.path, format!("{} is not a type of cache", mask::quoted(&name)), way_out);
        }
        return Source::default();
    }
    let source = Source::of_section(reader, &params);
    if !is_on {
        let what = "`cache` is not true, so this Redis is not used";
        let finding = Finding::warning(params.path, what).at_key();
        reader.findings.push(finding.way_out("write `cache: true` beside it, as for LiteLLM, or remove it"));
        return Source::default();
    }
    source
}

fn coordination<'n>(reader: &mut Reader<'_>, general: Option<&Setting<'n>>) -> Source<'n> {
    let section = general.and_then(|general| {
        let node = general.node.get("coordination_redis")?;
        Some(Setting { node, path: general.path.key("coordination_redis") })
    });
    section.map(|section| Source::of_section(reader, &section)).unwrap_or_default()
}
