//! The entries of `deployments`.

use std::num::NonZeroU32;
use std::time::Duration;

use leastbusy_balance::Weight;
use leastbusy_sim::{Engine, Episode, Trouble, WarmUp};

use super::bounds::{self, Bounds, SHARE, SLOTS, SPEED};
use super::keys;
use crate::config::{Path, Reader, Section, Setting, Settings, Value};

const COUNT: std::ops::RangeInclusive<usize> = 1..=1000;
/// Deployments in all: the imbalance is measured over all of them at each request.
const DEPLOYMENTS_MAX: usize = 2000;
const NAME_CHARS_MAX: usize = 40;
/// Tokens that fit an engine's memory, all requests together.
const MEMORY: Bounds = Bounds::from(1.0, 1e12);
const WEIGHT: Bounds = Bounds::above(0.0, 1e9);
/// A share of an engine's speed.
const PART: Bounds = Bounds::above(0.0, 1.0);
/// What an episode may do to the speed; up to a hundred times as fast.
const FACTOR: Bounds = Bounds::above(0.0, 100.0);

/// The deployments, with the path of each one's entry.
#[derive(Debug, Default)]
pub(super) struct Fleet {
    pub(super) engines: Vec<Engine>,
    /// Where each engine's entry stands.
    paths: Vec<Path>,
    /// The troubles of the entries, with where each stands.
    troubles: Vec<(Path, Trouble)>,
}

/// Reads all entries.
pub(super) fn all(reader: &mut Reader<'_>, setting: &Setting<'_>) -> Fleet {
    let mut fleet = Fleet::default();
    let mut weighed = Vec::new();
    let entries = reader.items(setting);
    for entry in &entries {
        let settings = reader.section(entry.node, &entry.path, &keys::DEPLOYMENT);
        weighed.push(settings.get("weight").is_some());
        let count = reader.count(settings.get("count"), COUNT);
        let Some(engine) = one(reader, entry, &settings, &mut fleet.troubles) else { continue };
        for number in 1..=count.unwrap_or(1) {
            let name = match count {
                Some(2..) => format!("{}-{number}", engine.name),
                _ => engine.name.clone(),
            };
            if let Some(first) = fleet.engines.iter().position(|known| known.name == name) {
                let what = format!("`{name}` is also the name of {}", fleet.paths[first]);
                let path = entry.path.key("name");
                reader.mistake(&path, what, "give each deployment a name of its own");
                break;
            }
            fleet.engines.push(Engine { name, ..engine.clone() });
            fleet.paths.push(entry.path.clone());
        }
    }
    if entries.is_empty() {
        let way_out = "add `- {name: gpu, slots: 16, tokens_per_second: 50}`";
        reader.mistake(&setting.path, "there is no deployment to send a request to", way_out);
    }
    if DEPLOYMENTS_MAX < fleet.engines.len() {
        let what = format!("{} deployments are more than {DEPLOYMENTS_MAX}", fleet.engines.len());
        reader.mistake(&setting.path, what, "lower `count`");
    }
    if weighed.contains(&true)
        && let Some(without) = weighed.iter().position(|weighed| !weighed)
    {
        let what = "others have a `weight`, and this one gets slots times speed, which may be far from those";
        reader.warning(&setting.path.index(without), what, "give all a `weight`, or none");
    }
    fleet
}

fn one(
    reader: &mut Reader<'_>,
    entry: &Setting<'_>,
    settings: &Settings<'_>,
    placed: &mut Vec<(Path, Trouble)>,
) -> Option<Engine> {
    let name = bounds::needed(reader, settings, entry, "name", "a deployment", "add `name: NAME`");
    let name = name.and_then(|setting| self::name(reader, setting));
    let way_out = "add `slots: 16`: the requests that it serves at once (vLLM's --max-num-seqs, Ollama's \
        OLLAMA_NUM_PARALLEL)";
    let slots = bounds::needed(reader, settings, entry, "slots", "a deployment", way_out);
    let slots = up_to(reader, slots);
    let way_out = "add `tokens_per_second: 50`: the speed of one answer";
    let speed = bounds::needed(reader, settings, entry, "tokens_per_second", "a deployment", way_out);
    let speed = bounds::number(reader, speed, SPEED);
    let full_speed = settings.get("full_speed_slots").map(|setting| up_to(reader, Some(setting)));
    let max_requests = settings.get("max_requests").map(|setting| up_to(reader, Some(setting)));
    let first_token_time = bounds::time(reader, settings.get("first_token_time"), Duration::ZERO);
    let prefill = bounds::number(reader, settings.get("prefill_tokens_per_second"), SPEED);
    let memory = bounds::number(reader, settings.get("kv_cache_tokens"), MEMORY);
    let limit = limit(reader, settings.get("max_parallel_requests"), slots);
    let weight = bounds::number(reader, settings.get("weight"), WEIGHT);
    let order = reader.whole(settings.get("order"));
    let warm_up = settings.get("warm_up").and_then(|setting| warm_up(reader, setting));
    let troubles: Vec<_> = settings.get("troubles").map(|list| reader.items(list)).unwrap_or_default();
    let mut episodes = Vec::new();
    for setting in &troubles {
        let Some(episode) = episode(reader, setting) else { continue };
        placed.push((setting.path.clone(), episode.trouble));
        episodes.push(episode);
    }
    if let (Some(setting), false) = (
        settings.get("warm_up"),
        troubles.is_empty() || episodes.iter().any(|one| one.trouble == Trouble::Down),
    ) {
        let what = "a deployment warms up after it was `down`, and this one never is";
        reader.warning(&setting.path, what, "remove it, or add `down: true` to one of `troubles`");
    }
    let (slots, speed) = (slots?, speed?);
    if let (Some(Some(full_speed)), Some(setting)) = (full_speed, settings.get("full_speed_slots"))
        && slots < full_speed
    {
        let what = format!("{full_speed} answers cannot be written at once in {slots} slots");
        reader.mistake(&setting.path, what, "lower it to `slots`, or remove it");
    }
    let engine = Engine::new(name?, slots, speed);
    Some(Engine {
        full_speed: full_speed.flatten().unwrap_or(slots),
        first_token_time: first_token_time.unwrap_or_default(),
        prefill_tokens_per_second: prefill,
        memory_tokens: memory,
        requests_max: max_requests.flatten(),
        limit,
        weight: weight.and_then(Weight::new).unwrap_or(engine.weight),
        order: order.unwrap_or(0),
        episodes,
        warm_up,
        ..engine
    })
}

/// The limit of the requests that it is sent: a number, or as many as it has slots.
fn limit(reader: &mut Reader<'_>, setting: Option<&Setting<'_>>, slots: Option<u32>) -> Option<NonZeroU32> {
    match &setting?.node.value {
        Value::Text(text) if text == "slots" => slots.and_then(NonZeroU32::new),
        Value::Text(_) => {
            let way_out = "write `slots` for as many as it has";
            reader.wrong_type(setting?, "a number or `slots`", Some(way_out.into()));
            None
        }
        _ => up_to(reader, setting).and_then(NonZeroU32::new),
    }
}

pub(super) fn name(reader: &mut Reader<'_>, setting: &Setting<'_>) -> Option<String> {
    let name = reader.text(Some(setting))?;
    let is_printable = !name.trim().is_empty() && !name.chars().any(char::is_control);
    if is_printable && name.chars().count() <= NAME_CHARS_MAX {
        return Some(name);
    }
    let what = format!("a name has 1 to {NAME_CHARS_MAX} printable characters");
    reader.mistake(&setting.path, what, "choose another");
    None
}

fn up_to(reader: &mut Reader<'_>, setting: Option<&Setting<'_>>) -> Option<u32> {
    reader.count(setting, SLOTS).and_then(|count| u32::try_from(count).ok())
}

fn warm_up(reader: &mut Reader<'_>, setting: &Setting<'_>) -> Option<WarmUp> {
    let settings = reader.section(setting.node, &setting.path, &keys::WARM_UP);
    let way_out = "add `speed: 0.25`, the share of its speed that it begins with";
    let speed = bounds::needed(reader, &settings, setting, "speed", "a warm-up", way_out);
    let speed = bounds::number(reader, speed, PART);
    let way_out = "add `time: 20s`, after which it is at full speed";
    let time = bounds::needed(reader, &settings, setting, "time", "a warm-up", way_out);
    let time = bounds::time(reader, time, Duration::ZERO);
    Some(WarmUp { speed: speed?, time: time? })
}

fn episode(reader: &mut Reader<'_>, setting: &Setting<'_>) -> Option<Episode> {
    let settings = reader.section(setting.node, &setting.path, &keys::TROUBLE);
    let way_out = "say which, e.g. `{from: 60, until: 120, down: true}`";
    let span = bounds::span(reader, &settings, setting, "a trouble", way_out);
    let kinds = ["down", "fails", "hangs", "rate_limits", "slow"];
    let (kind, of) = bounds::kind(reader, &settings, setting, &kinds, way_out)?;
    let trouble = trouble(reader, kind, of)?;
    let (from, until) = span?;
    Some(Episode { from, until, trouble })
}

fn trouble(reader: &mut Reader<'_>, kind: &'static str, of: &Setting<'_>) -> Option<Trouble> {
    match kind {
        "down" => switched_on(reader, of).then_some(Trouble::Down),
        "fails" => {
            let settings = details(reader, of, &keys::FAILS)?;
            let share = share(reader, settings.as_ref());
            let after = settings.as_ref().and_then(|settings| settings.get("after"));
            let after = bounds::time(reader, after, Duration::ZERO).unwrap_or_default();
            Some(Trouble::Fails { share, after })
        }
        "hangs" => {
            let settings = details(reader, of, &keys::HANGS)?;
            Some(Trouble::Hangs { share: share(reader, settings.as_ref()) })
        }
        "rate_limits" => {
            let settings = details(reader, of, &keys::RATE_LIMITS)?;
            let retry_after = settings.as_ref().and_then(|settings| settings.get("retry_after"));
            Some(Trouble::RateLimits { retry_after: bounds::time(reader, retry_after, Duration::ZERO) })
        }
        _ => {
            let settings = reader.section(of.node, &of.path, &keys::SLOW);
            let way_out = "add `speed: 0.5` for half of its speed";
            let speed = bounds::needed(reader, &settings, of, "speed", "`slow`", way_out);
            Some(Trouble::Slow { speed: bounds::number(reader, speed, FACTOR)? })
        }
    }
}

/// The settings of a trouble, none where it says just `true`.
fn details<'n>(
    reader: &mut Reader<'_>,
    of: &Setting<'n>,
    section: &'static Section,
) -> Option<Option<Settings<'n>>> {
    match &of.node.value {
        Value::Map(_) => Some(Some(reader.section(of.node, &of.path, section))),
        _ => switched_on(reader, of).then_some(None),
    }
}

fn switched_on(reader: &mut Reader<'_>, of: &Setting<'_>) -> bool {
    match &of.node.value {
        Value::Bool(true) => true,
        Value::Bool(false) => {
            reader.mistake(&of.path, "a trouble that is not there has no place in the list", "remove it");
            false
        }
        _ => {
            reader.wrong_type(of, "`true` or a map", None);
            false
        }
    }
}

fn share(reader: &mut Reader<'_>, settings: Option<&Settings<'_>>) -> f64 {
    let share = settings.and_then(|settings| settings.get("share"));
    bounds::number(reader, share, SHARE).unwrap_or(1.0)
}

impl Fleet {
    /// Reports requests that would hang for ever.
    pub(super) fn check_hanging(&self, reader: &mut Reader<'_>) {
        for (path, trouble) in &self.troubles {
            if let Trouble::Hangs { .. } = trouble {
                let what = "the router has no time limit, so that requests that hang here are never given up";
                reader.mistake(path, what, "add a limit to `router`, e.g. `stream_timeout: 60`");
            }
        }
    }
}
