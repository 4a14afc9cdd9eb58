//! When requests come and how long they are.

use std::time::Duration;

use leastbusy_sim::{Arrivals, Sizes};

use super::bounds::{self, LOAD, MEAN_TOKENS, RATE, SHARE, SIGMA, TOKENS};
use super::keys;
use crate::config::{Reader, Setting, Settings, Value};

/// The shortest day: a rate that turns faster than requests come is no rate.
const PERIOD_MIN: Duration = Duration::from_secs(1);
const BURST: std::ops::RangeInclusive<usize> = 1..=1_000_000;

/// Reads a distribution of tokens.
pub(super) fn sizes(reader: &mut Reader<'_>, setting: &Setting<'_>) -> Option<Sizes> {
    const WAY_OUT: &str = "write a number, or `{lognormal: {mean: 250, sigma: 1.2}}`";
    match &setting.node.value {
        Value::Map(_) => {}
        Value::Number(_) => return bounds::number(reader, Some(setting), TOKENS).map(Sizes::Fixed),
        _ => {
            reader.wrong_type(setting, "a number or a distribution", Some(WAY_OUT.into()));
            return None;
        }
    }
    let settings = reader.section(setting.node, &setting.path, &keys::TOKENS);
    let kinds = ["exponential", "lognormal", "bimodal"];
    let (kind, of) = bounds::kind(reader, &settings, setting, &kinds, WAY_OUT)?;
    let section = match kind {
        "exponential" => &keys::EXPONENTIAL,
        "lognormal" => &keys::LOGNORMAL,
        _ => &keys::BIMODAL,
    };
    let settings = reader.section(of.node, &of.path, section);
    let mut number = |key: &str, bounds| {
        let way_out = format!("add `{key}: NUMBER`");
        let setting = bounds::needed(reader, &settings, of, key, kind, &way_out);
        bounds::number(reader, setting, bounds)
    };
    Some(match kind {
        "exponential" => Sizes::Exponential { mean: number("mean", MEAN_TOKENS)? },
        "lognormal" => {
            let (mean, sigma) = (number("mean", MEAN_TOKENS), number("sigma", SIGMA));
            Sizes::Lognormal { mean: mean?, sigma: sigma? }
        }
        _ => {
            let (small, large) = (number("small", TOKENS), number("large", TOKENS));
            let share = number("share", SHARE);
            Sizes::Bimodal { small: small?, large: large?, share: share? }
        }
    })
}

/// Reads when requests come; `capacity` is what `load` is a share of, in requests a second.
pub(super) fn arrivals(
    reader: &mut Reader<'_>,
    setting: &Setting<'_>,
    capacity: Option<f64>,
) -> Option<Arrivals> {
    let settings = reader.section(setting.node, &setting.path, &keys::ARRIVALS);
    let way_out = "write `arrivals: {poisson: {load: 0.8}}`, or `per_second` with a rate instead of `load`";
    let (kind, of) = bounds::kind(reader, &settings, setting, &["poisson", "bursts", "diurnal"], way_out)?;
    let section = match kind {
        "poisson" => &keys::POISSON,
        "bursts" => &keys::BURSTS,
        _ => &keys::DIURNAL,
    };
    let settings = reader.section(of.node, &of.path, section);
    let rate = rate(reader, &settings, of, capacity);
    match kind {
        "poisson" => Some(Arrivals::Poisson { per_second: rate? }),
        "bursts" => {
            let way_out = "add `size: 10`, the requests that come at one moment";
            let size = bounds::needed(reader, &settings, of, "size", kind, way_out);
            let size = reader.count(size, BURST).and_then(|size| u32::try_from(size).ok());
            Some(Arrivals::Bursts { per_second: rate?, size: size? })
        }
        _ => {
            let way_out = "add `swing: 0.5`: the peak then has half as much again as the mean";
            let swing = bounds::needed(reader, &settings, of, "swing", kind, way_out);
            let swing = bounds::number(reader, swing, SHARE);
            let period = bounds::needed(reader, &settings, of, "period", kind, "add `period: 24h`");
            let period = bounds::time(reader, period, PERIOD_MIN);
            Some(Arrivals::Diurnal { per_second: rate?, swing: swing?, period: period? })
        }
    }
}

fn rate(
    reader: &mut Reader<'_>,
    settings: &Settings<'_>,
    of: &Setting<'_>,
    capacity: Option<f64>,
) -> Option<f64> {
    let way_out = "add `load: 0.8` (a share of what the deployments can do) or `per_second: 20`";
    let (kind, setting) = bounds::kind(reader, settings, of, &["load", "per_second"], way_out)?;
    if kind == "per_second" {
        return bounds::number(reader, Some(setting), RATE);
    }
    let load = bounds::number(reader, Some(setting), LOAD)?;
    let capacity = capacity?;
    if !RATE.hold(load * capacity) {
        let what = format!(
            "this share of the {capacity} requests a second that the deployments can serve is out of range: {RATE}"
        );
        reader.mistake(&setting.path, what, "give the rate itself: `per_second: 20`");
        return None;
    }
    Some(load * capacity)
}
