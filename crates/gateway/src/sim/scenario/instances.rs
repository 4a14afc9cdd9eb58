//! The entry `instances`: several instances of the gateway.

use std::time::Duration;

use leastbusy_sim::{Instances, Spread};

use super::bounds::{self, Bounds, SHARE};
use super::keys;
use crate::config::{Reader, Setting, Settings, Value};

/// Instances: each has counts of its own for every deployment.
pub(crate) const INSTANCES: std::ops::RangeInclusive<usize> = 1..=1000;
/// Those that half of the requests come to: others must be left.
const FEW: std::ops::RangeInclusive<usize> = 1..=999;
/// The shortest interval: below it a run would be about exchanges alone.
pub(crate) const INTERVAL_MIN: Duration = Duration::from_millis(1);

/// Times the limit of a deployment.
const CAP: Bounds = Bounds::above(0.0, 1000.0);

/// Instances hear each other so often a second at most, all others each: beyond, a run is about exchanges alone.
const HEARD_MAX: f64 = 1e6;

/// Why so many instances cannot share their counts as often as this, and the way out.
pub(crate) fn too_often(count: u32, every: Duration) -> Option<(String, String)> {
    let pairs = f64::from(count) * f64::from(count - 1);
    let heard = pairs / every.as_secs_f64();
    (HEARD_MAX < heard).then(|| {
        let seldom = Duration::from_millis((pairs / HEARD_MAX * 1e3).ceil() as u64);
        let what = format!(
            "{count} instances that share their counts every {every:?} hear each other {heard:.0} times a second: too often \
             to simulate"
        );
        (what, format!("share them every {seldom:?} or more seldom, or take fewer instances"))
    })
}

/// Reads a number of instances, or all that is said of them.
pub(super) fn instances(reader: &mut Reader<'_>, setting: &Setting<'_>) -> Option<Instances> {
    let instances = all_said(reader, setting)?;
    if let Some((what, way_out)) = instances.shared_every.and_then(|every| too_often(instances.count, every))
    {
        reader.mistake(&setting.path, what, &way_out);
        return None;
    }
    Some(instances)
}

fn all_said(reader: &mut Reader<'_>, setting: &Setting<'_>) -> Option<Instances> {
    match &setting.node.value {
        Value::Map(_) => {}
        Value::Number(_) => return Some(usual(count(reader, Some(setting))?)),
        _ => {
            let way_out = "write a number, or `{count: 4, shared_every: 20ms}`";
            reader.wrong_type(setting, "a number or a map", Some(way_out.into()));
            return None;
        }
    }
    let settings = reader.section(setting.node, &setting.path, &keys::INSTANCES);
    let number = bounds::needed(reader, &settings, setting, "count", "`instances`", "add `count: 4`");
    let number = count(reader, number);
    let interval = interval(reader, settings.get("shared_every"));
    let spread = spread(reader, &settings, number);
    let silences = settings.get("silences").map(|setting| reader.items(setting)).unwrap_or_default();
    let silences = silences.iter().map(|setting| silence(reader, setting)).collect::<Option<_>>();
    let mut instances = usual(number?);
    if let Some(interval) = interval {
        instances.shared_every = Some(interval).filter(|interval| !interval.is_zero());
    }
    Some(Instances { silences: silences?, spread: spread?, ..instances })
}

/// So many that share their counts as often as the gateway does where nothing is set.
fn usual(count: u32) -> Instances {
    Instances::sharing(count, (1 < count).then(|| Instances::usual_interval(count)))
}

/// How many times its limit all instances together may have on a deployment, where that is said.
pub(super) fn cap_of_all(reader: &mut Reader<'_>, setting: &Setting<'_>) -> Option<f64> {
    let Value::Map(_) = &setting.node.value else { return None };
    let settings = reader.section(setting.node, &setting.path, &keys::INSTANCES);
    bounds::number(reader, settings.get("cap_of_all"), CAP)
}

fn count(reader: &mut Reader<'_>, setting: Option<&Setting<'_>>) -> Option<u32> {
    u32::try_from(reader.count(setting, INSTANCES)?).ok()
}

fn interval(reader: &mut Reader<'_>, setting: Option<&Setting<'_>>) -> Option<Duration> {
    let interval = bounds::time(reader, setting, Duration::ZERO)?;
    if interval.is_zero() || INTERVAL_MIN <= interval {
        return Some(interval);
    }
    let way_out = "write `1ms` or more, or 0 for instances that share nothing";
    reader.mistake(&setting?.path, "instances cannot share their counts as often as that", way_out);
    None
}

fn spread(reader: &mut Reader<'_>, settings: &Settings<'_>, count: Option<u32>) -> Option<Spread> {
    let few = settings.get("half_on");
    let runs = settings.get("runs");
    if let (Some(_), Some(runs)) = (few, runs) {
        reader.mistake(&runs.path, "`half_on` and `runs` cannot both be", "keep one of the two");
    }
    if let Some(setting) = few {
        let few = u32::try_from(reader.count(Some(setting), FEW)?).ok()?;
        if count.is_some_and(|count| count <= few) {
            let what = format!("half of the requests on {few} instances leaves nobody for the other half");
            reader.mistake(&setting.path, what, "lower it, or raise `count`");
        }
        return Some(Spread::HalfOn(few));
    }
    let stay = match runs {
        Some(_) => bounds::number(reader, runs, SHARE)?,
        None => 0.0,
    };
    Some(if stay == 0.0 { Spread::Evenly } else { Spread::Runs(stay) })
}

fn silence(reader: &mut Reader<'_>, setting: &Setting<'_>) -> Option<(Duration, Duration)> {
    let settings = reader.section(setting.node, &setting.path, &keys::SILENCE);
    bounds::span(reader, &settings, setting, "a silence", "say when, e.g. `{from: 60, until: 120}`")
}
