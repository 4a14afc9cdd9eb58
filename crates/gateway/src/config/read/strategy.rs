//! Strategies, their arguments, and the groups that have one of their own.

use std::num::NonZeroUsize;
use std::time::Duration;

use leastbusy_balance::{LowestLatency, PeakEwma, Strategy};

use super::{Reader, Setting, Settings};
use crate::config::finding::Finding;
use crate::config::{RoutingGroup, keys, mask};
use crate::likeness::nearest;
use crate::strategy;

/// The strategy that `routing_strategy` of these settings names, else `default`, with their `routing_strategy_args`.
pub(super) fn read(reader: &mut Reader<'_>, settings: &Settings<'_>, default: Strategy) -> Strategy {
    let named = settings.get("routing_strategy").and_then(|setting| name(reader, setting));
    let strategy = named.unwrap_or(default);
    match settings.get("routing_strategy_args") {
        Some(args) => with_args(reader, args, strategy),
        None => strategy,
    }
}

fn name(reader: &mut Reader<'_>, setting: &Setting<'_>) -> Option<Strategy> {
    let name = reader.text(Some(setting))?;
    if let Some(strategy) = strategy::named(&name) {
        return Some(strategy);
    }
    if keys::STRATEGIES_NOT_YET.contains(&name.as_str()) {
        reader.warning(
            &setting.path,
            format!("routing_strategy `{name}` is known to LiteLLM; least-busy serves meanwhile"),
            "write `routing_strategy: least-busy` to say so",
        );
        return Some(Strategy::LeastBusy);
    }
    let names = strategy::all().map(|(name, _)| name);
    let way_out = match nearest(&name, names.into_iter().chain(keys::STRATEGIES_NOT_YET.iter().copied())) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("write one of `{}`", names.join("`, `")),
    };
    reader.mistake(&setting.path, format!("{} is not a routing strategy", mask::quoted(&name)), way_out);
    None
}

/// The strategy with its arguments. Those of another one have no effect, as in LiteLLM, which a warning says.
fn with_args(reader: &mut Reader<'_>, args: &Setting<'_>, strategy: Strategy) -> Strategy {
    let settings = reader.section(args.node, &args.path, &keys::ROUTING_STRATEGY_ARGS);
    let (read, strategy): (&[&str], _) = match strategy {
        Strategy::LeastBusy | Strategy::TwoChoices => {
            let choices = [("exact", Strategy::LeastBusy), ("two-choices", Strategy::TwoChoices)];
            (&["choice"], reader.choice(settings.get("choice"), &choices).unwrap_or(strategy))
        }
        Strategy::LowestLatency(rules) => (
            &["ttl", "lowest_latency_buffer", "max_latency_list_size", "ttft_percentile"],
            Strategy::LowestLatency(latency(reader, &settings, rules)),
        ),
        Strategy::PeakEwma(rules) => {
            let decay_time = reader.seconds(settings.get("decay_time")).unwrap_or(rules.decay_time);
            (&["decay_time"], Strategy::PeakEwma(PeakEwma { decay_time }))
        }
        Strategy::LowestUsage => (&["ttl"], minute(reader, &settings, strategy)),
        Strategy::Shuffle | Strategy::RoundRobin | Strategy::LowestCost => (&[], strategy),
    };
    for key in keys::ROUTING_STRATEGY_ARGS.served.iter().filter(|key| !read.contains(key)) {
        if let Some(setting) = settings.get(key) {
            let what = format!("`{key}` is of another strategy and has no effect");
            let finding = Finding::warning(setting.path.clone(), what).at_key();
            reader.findings.push(finding.way_out("remove it, or name the strategy that it belongs to"));
        }
    }
    strategy
}

fn latency(reader: &mut Reader<'_>, settings: &Settings<'_>, rules: LowestLatency) -> LowestLatency {
    let samples = reader.count(settings.get("max_latency_list_size"), 1..=10_000);
    let percentile = reader.number(settings.get("ttft_percentile"), "a number");
    LowestLatency {
        ttl: reader.seconds(settings.get("ttl")).unwrap_or(rules.ttl),
        buffer: reader.number(settings.get("lowest_latency_buffer"), "a number").unwrap_or(rules.buffer),
        samples: samples.and_then(NonZeroUsize::new).unwrap_or(rules.samples),
        stream_quantile: percentile.map(|percentile| percentile / 100.0).or(rules.stream_quantile),
    }
}

/// Usage has the minute that providers count by; LiteLLM forgets it after `ttl`, which it sets to that.
fn minute(reader: &mut Reader<'_>, settings: &Settings<'_>, strategy: Strategy) -> Strategy {
    let setting = settings.get("ttl");
    if let (Some(ttl), Some(setting)) = (reader.seconds(setting), setting)
        && ttl != Duration::from_secs(60)
    {
        reader.warning(
            &setting.path,
            "usage is that of the last 60 seconds, whatever `ttl` says",
            "remove it",
        );
    }
    strategy
}

/// `routing_groups`; what is wrong with one is left out.
pub(super) fn groups(
    reader: &mut Reader<'_>,
    setting: Option<&Setting<'_>>,
    default: Strategy,
) -> Vec<RoutingGroup> {
    let Some(setting) = setting else { return Vec::new() };
    let items = reader.items(setting);
    items.iter().filter_map(|item| group(reader, item, default)).collect()
}

fn group(reader: &mut Reader<'_>, item: &Setting<'_>, default: Strategy) -> Option<RoutingGroup> {
    let settings = reader.section(item.node, &item.path, &keys::ROUTING_GROUP);
    let models = settings.get("models").map(|models| {
        let items = reader.items(models);
        items.iter().filter_map(|model| reader.text(Some(model))).collect()
    });
    let strategy = read(reader, &settings, default);
    let Some(name) = settings.get("group_name") else {
        reader.mistake(
            &item.path.key("group_name"),
            "an item of routing_groups needs a group_name",
            "add `group_name: NAME`; clients may ask for all its models by that",
        );
        return None;
    };
    let name = reader.text(Some(name))?;
    Some(RoutingGroup { name, models: models.unwrap_or_default(), strategy })
}
