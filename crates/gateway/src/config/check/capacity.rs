//! Ranges of places, queues and load, and what follows from limits that say something else.

use std::collections::BTreeMap;
use std::time::Duration;

use super::out_of_range;
use super::reliability::{HOUR, INSTANT, check_time};
use crate::config::finding::{Finding, Path, counted};
use crate::config::{Config, Deployment, Engine, Queue, mask};

/// An engine that is asked more often does little else; one that is asked less often tells nothing new.
const ENGINE_LOAD_INTERVAL_MIN: Duration = Duration::from_millis(100);
const ENGINE_LOAD_INTERVAL_MAX: Duration = Duration::from_secs(60);

impl Config {
    pub(super) fn check_capacity(&self, mistakes: &mut Vec<Finding>) {
        let section = Path::top("router_settings");
        let router = &self.router;
        if router.default_max_parallel_requests == Some(0) {
            mistakes.push(
                Finding::mistake(
                    section.key("default_max_parallel_requests"),
                    "nothing could ever be sent anywhere",
                )
                .way_out("raise it to at least 1, or remove it for no limit"),
            );
        }
        if router.queue.max.is_some_and(|max| max > Queue::MOST) {
            mistakes.push(out_of_range(section.key("max_queued_requests"), &format!("0 to {}", Queue::MOST)));
        }
        check_time(section.key("queue_timeout"), router.queue.timeout, INSTANT..=HOUR, mistakes);
        check_time(
            section.key("engine_load_interval"),
            router.engine_load.interval,
            ENGINE_LOAD_INTERVAL_MIN..=ENGINE_LOAD_INTERVAL_MAX,
            mistakes,
        );
    }

    pub(super) fn warn_of_capacity(&self, warnings: &mut Vec<Finding>) {
        self.warn_of_derived_limits(warnings);
        let by = self.router.least_busy_by;
        if by.prefill {
            let has_rate = |engine: &Engine| engine.prefill_rate.is_some();
            self.warn_of_unknown("prefill", "prefill_tokens_per_second", has_rate, warnings);
        }
        if by.kv {
            let has_room = |engine: &Engine| engine.kv_tokens.is_some();
            self.warn_of_unknown("kv", "kv_cache_tokens", has_room, warnings);
        }
        if self.router.learn_speeds {
            self.warn_of_learning(warnings);
        } else {
            self.warn_of_lone_speeds(warnings);
        }
    }

    /// One warning for each model group in which a limit follows from `rpm` or `tpm`.
    fn warn_of_derived_limits(&self, warnings: &mut Vec<Finding>) {
        for members in self.by_group() {
            let mut derived = members.into_iter().filter_map(|index| {
                let entry = &self.deployments[index];
                let (key, number) = match (entry.max_parallel_requests, entry.rpm, entry.tpm) {
                    (Some(_), ..) | (None, None, None) => return None,
                    (None, Some(rpm), _) => ("rpm", rpm),
                    (None, None, Some(tpm)) => ("tpm", tpm),
                };
                Some((index, key, number, entry.parallel_limit(&self.router)?))
            });
            let Some((index, key, number, limit)) = derived.next() else { continue };
            let more = more(derived.count());
            let what = format!(
                "`max_parallel_requests` is taken to be {limit}, because `{key}` is {number}, as in LiteLLM{more}"
            );
            let entry = Path::top("model_list").index(index);
            warnings.push(
                Finding::warning(entry.key("litellm_params").key(key), what)
                    .or_at(entry.key(key))
                    .at_key()
                    .way_out("set `max_parallel_requests` to say otherwise"),
            );
        }
    }

    /// Warns of deployments of which a part of `least_busy_by` does not know what it needs.
    fn warn_of_unknown(
        &self,
        part: &str,
        key: &str,
        is_known: impl Fn(&Engine) -> bool,
        warnings: &mut Vec<Finding>,
    ) {
        let mut lacking = self.deployments.iter().enumerate().filter_map(|(index, entry)| {
            let missing = match (entry.slots().is_some(), is_known(&entry.engine)) {
                (true, true) => return None,
                (true, false) => format!("`{key}`"),
                (false, true) => "`slots`".to_owned(),
                (false, false) => format!("`slots` and `{key}`"),
            };
            Some((index, missing))
        });
        let Some((index, missing)) = lacking.next() else { return };
        let more = more(lacking.count());
        let name = mask::quoted(&self.deployments[index].model_name);
        let what = format!(
            "this deployment of {name} has no {missing}, so that the `{part}` of `least_busy_by` counts as 0 for it{more}"
        );
        let path = Path::of_deployment(index, "model_info");
        warnings.push(Finding::warning(path, what).way_out(format!("add {missing} to its `model_info`")));
    }

    /// Speeds are compared, each with its slots, so those of a group in which one is missing say nothing.
    fn warn_of_lone_speeds(&self, warnings: &mut Vec<Finding>) {
        for members in self.by_group().filter(|members| members.len() > 1) {
            let has_speed = |index: &usize| self.deployments[*index].engine.speed.is_some();
            let Some(with) = members.iter().copied().find(has_speed) else { continue };
            let missing = |index: usize| match (has_speed(&index), self.deployments[index].slots()) {
                (true, Some(_)) => None,
                (true, None) => Some("`slots`"),
                (false, Some(_)) => Some("`speed`"),
                (false, None) => Some("`slots` and `speed`"),
            };
            let found = members.iter().find_map(|index| Some((*index, missing(*index)?)));
            let Some((without, missing)) = found else { continue };
            let what = format!(
                "this deployment of {} has no {missing}, so that speeds do not count there",
                mask::quoted(&self.deployments[without].model_name)
            );
            warnings.push(
                Finding::warning(Path::of_deployment(without, "model_info"), what)
                    .way_out(format!("give each {missing}, or none a `speed`"))
                    .also(Path::of_deployment(with, "model_info").key("speed")),
            );
        }
    }

    /// One warning for each model group in which speeds are not learned, or are learned in spite of those that are given.
    fn warn_of_learning(&self, warnings: &mut Vec<Finding>) {
        for members in self.by_group().filter(|members| members.len() > 1) {
            let entry = |index: usize| &self.deployments[index];
            let name = mask::quoted(&entry(members[0]).model_name);
            let mut without_slots = members.iter().copied().filter(|index| entry(*index).slots().is_none());
            if let Some(index) = without_slots.next() {
                let more = more(without_slots.count());
                let what = format!(
                    "this deployment of {name} has no `slots`, so that `learn_speeds` does nothing for the group{more}"
                );
                warnings.push(
                    Finding::warning(Path::of_deployment(index, "model_info"), what)
                        .way_out("add `slots` to its `model_info`"),
                );
                continue;
            }
            let mut given = members.iter().copied().filter(|index| entry(*index).engine.speed.is_some());
            let Some(index) = given.next() else { continue };
            let others = given.count();
            if others + 1 < members.len() {
                let what = format!(
                    "not each deployment of {name} has a `speed`, so that `learn_speeds` takes the place of this one{}",
                    more(others)
                );
                warnings.push(
                    Finding::warning(Path::of_deployment(index, "model_info").key("speed"), what)
                        .at_key()
                        .way_out("remove it, or give each deployment of the group a `speed`"),
                );
            }
        }
    }

    /// The places in `model_list` of the deployments of each model group.
    fn by_group(&self) -> impl Iterator<Item = Vec<usize>> {
        let mut groups = BTreeMap::<&str, Vec<usize>>::new();
        for (index, entry) in self.deployments.iter().enumerate() {
            groups.entry(&entry.model_name).or_default().push(index);
        }
        groups.into_values()
    }
}

fn more(count: usize) -> String {
    match count {
        0 => String::new(),
        _ => format!(" (here and in {} more)", counted(count, "place")),
    }
}

/// Adds what is wrong with limits of the minute, and with what `model_info` says of an engine.
pub(super) fn check_deployment(deployment: &Deployment, entry: &Path, mistakes: &mut Vec<Finding>) {
    let info = entry.key("model_info");
    for (key, number) in [("rpm", deployment.rpm), ("tpm", deployment.tpm)] {
        if number == Some(0) {
            let path = entry.key("litellm_params").key(key);
            mistakes.push(Finding::mistake(path, "out of range: at least 1").or_at(entry.key(key)).way_out(
                "write `model_info: {blocked: true}` to send nothing there, or remove it for no limit",
            ));
        }
    }
    let Engine { slots, speed, prefill_rate, kv_tokens, kind: _ } = deployment.engine;
    for (key, is_zero) in [
        ("slots", slots == Some(0)),
        ("kv_cache_tokens", kv_tokens == Some(0)),
        ("max_input_tokens", deployment.max_input_tokens == Some(0)),
    ] {
        if is_zero {
            mistakes.push(out_of_range(info.key(key), "at least 1"));
        }
    }
    for (key, number) in [("speed", speed), ("prefill_tokens_per_second", prefill_rate)] {
        if number.is_some_and(|number| !(number.is_finite() && number > 0.0)) {
            mistakes.push(out_of_range(info.key(key), "more than 0"));
        }
    }
}
