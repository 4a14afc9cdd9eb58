//! Retries, cooldown and hedging, of all deployments and of one.

use std::collections::BTreeMap;

use super::router::Both;
use super::{Reader, Setting, Settings};
use crate::config::keys::{self, Section};
use crate::config::{
    ByClass, Cooldown, DeploymentCooldown, ErrorClass, Hedge, Retries, RetryPolicy, WhenAllCooling,
};

/// Reads all about retries.
pub(super) fn retries(reader: &mut Reader<'_>, both: &Both<'_>) -> Retries {
    let mut retries = Retries::default();
    let most = |reader: &mut Reader<'_>, setting: Option<&Setting<'_>>| reader.up_to(setting, Retries::MOST);
    if let Some(count) = both.either(reader, "num_retries", most) {
        retries.num_retries = count;
    }
    retries.per_request = both
        .litellm
        .and_then(|settings| reader.up_to(settings.get("num_retries_per_request"), Retries::MOST));
    let Some(settings) = both.router else { return retries };
    if let Some(time) = reader.seconds(settings.get("retry_after")) {
        retries.retry_after = time;
    }
    if let Some(policy) = settings.get("retry_policy") {
        retries.policy = retry_policy(reader, policy);
    }
    if let Some(policies) = settings.get("model_group_retry_policy") {
        retries.group_policies = group_policies(reader, policies);
    }
    if let Some(percent) = reader.number(settings.get("retry_budget_percent"), "a number") {
        retries.budget_percent = percent;
    }
    if let Some(count) = reader.number(settings.get("retry_budget_per_second"), "a number") {
        retries.budget_per_second = count;
    }
    retries
}

fn retry_policy(reader: &mut Reader<'_>, setting: &Setting<'_>) -> RetryPolicy {
    let settings = reader.section(setting.node, &setting.path, &keys::RETRY_POLICY);
    RetryPolicy {
        by_class: by_class(reader, &settings, "Retries", Retries::MOST),
        default: reader.up_to(settings.get(keys::DEFAULT_RETRIES), Retries::MOST),
    }
}

fn group_policies(reader: &mut Reader<'_>, setting: &Setting<'_>) -> BTreeMap<String, RetryPolicy> {
    let mut policies = BTreeMap::new();
    for entry in reader.entries(setting.node, &setting.path) {
        let path = setting.path.key(&entry.key);
        let policy = retry_policy(reader, &Setting { node: &entry.value, path });
        policies.insert(entry.key.clone(), policy);
    }
    policies
}

/// The numbers of a policy whose keys are the classes' names with the same ending.
fn by_class(reader: &mut Reader<'_>, settings: &Settings<'_>, ending: &str, most: u32) -> ByClass {
    let mut numbers = ByClass::default();
    for (class, name) in ErrorClass::ALL {
        if let Some(number) = reader.up_to(settings.get(&format!("{name}{ending}")), most) {
            numbers.set(class, number);
        }
    }
    numbers
}

fn allowed_fails_policy(reader: &mut Reader<'_>, setting: Option<&Setting<'_>>) -> ByClass {
    static SECTION: &Section = &keys::ALLOWED_FAILS_POLICY;
    let Some(setting) = setting else { return ByClass::default() };
    let settings = reader.section(setting.node, &setting.path, SECTION);
    by_class(reader, &settings, "AllowedFails", u32::MAX)
}

pub(super) fn cooldown(reader: &mut Reader<'_>, both: &Both<'_>) -> Cooldown {
    let mut cooldown = Cooldown::default();
    let fails = |reader: &mut Reader<'_>, setting: Option<&Setting<'_>>| reader.up_to(setting, u32::MAX);
    cooldown.allowed_fails = both.either(reader, "allowed_fails", fails);
    let Some(settings) = both.router else { return cooldown };
    cooldown.allowed_fails_policy = allowed_fails_policy(reader, settings.get("allowed_fails_policy"));
    cooldown.time = reader.seconds(settings.get("cooldown_time"));
    cooldown.disabled = reader.flag(settings.get("disable_cooldowns")).unwrap_or_default();
    for (key, field) in [
        ("failure_window", &mut cooldown.failure_window),
        ("max_cooldown_time", &mut cooldown.max_time),
        ("max_retry_after", &mut cooldown.max_retry_after),
        ("ramp_time", &mut cooldown.ramp),
        ("all_cooling_wait", &mut cooldown.all_cooling_wait),
    ] {
        if let Some(time) = reader.seconds(settings.get(key)) {
            *field = time;
        }
    }
    let words = [
        ("fail", WhenAllCooling::Fail),
        ("wait", WhenAllCooling::Wait),
        ("try_soonest", WhenAllCooling::TrySoonest),
    ];
    if let Some(chosen) = reader.choice(settings.get("when_all_cooling"), &words) {
        cooldown.when_all_cooling = chosen;
    }
    cooldown
}

/// Reads a setting of one deployment's `model_info`.
pub(super) fn of_model_info(
    reader: &mut Reader<'_>,
    key: &str,
    setting: &Setting<'_>,
    cooldown: &mut DeploymentCooldown,
) {
    match key {
        // What litellm_params says stays where this one is missing or wrong.
        "cooldown_time" => cooldown.time = reader.seconds(Some(setting)).or(cooldown.time),
        "allowed_fails" => cooldown.allowed_fails = reader.up_to(Some(setting), u32::MAX),
        _ => cooldown.allowed_fails_policy = allowed_fails_policy(reader, Some(setting)),
    }
}

pub(super) fn hedge(reader: &mut Reader<'_>, settings: &Settings<'_>) -> Hedge {
    let after = reader.seconds(settings.get("hedge_after"));
    let percentile = reader.number(settings.get("hedge_percentile"), "a number");
    match (after, percentile) {
        (Some(_), Some(_)) => {
            if let Some(setting) = settings.get("hedge_percentile") {
                reader.mistake(
                    &setting.path,
                    "hedge_after is set as well, and a second attempt has one moment to start at",
                    "remove one of the two",
                );
            }
            Hedge::Off
        }
        (Some(after), None) => Hedge::After(after),
        (None, Some(percentile)) => Hedge::Percentile(percentile),
        (None, None) => Hedge::Off,
    }
}
