//! Which deployments may serve a request, and which it prefers.

use super::router::either;
use super::{Reader, Setting, Settings};
use crate::config::finding::Finding;
use crate::config::{Affinity, Filters, HealthChecks, RouterSettings, TagFilter, keys, mask};
use crate::likeness::nearest;

/// Reads what `router_settings` says of it, and what `general_settings` says of health checks.
pub(super) fn read(
    reader: &mut Reader<'_>,
    settings: Option<&Settings<'_>>,
    general: Option<&Settings<'_>>,
    router: &mut RouterSettings,
) {
    if let Some(settings) = settings {
        router.filters = Filters {
            tags: tags(reader, settings),
            context_window: reader.flag(settings.get("enable_pre_call_checks")).unwrap_or_default(),
            health_checks: None,
        };
        router.affinity = affinity(reader, settings);
    }
    router.filters.health_checks = health_checks(reader, settings, general);
}

fn tags(reader: &mut Reader<'_>, settings: &Settings<'_>) -> Option<TagFilter> {
    let default = TagFilter::default();
    let (rule, prefix) = ("tag_filtering_match_any", "tag_routing_prefix");
    let filter = TagFilter {
        match_any: reader.flag(settings.get(rule)).unwrap_or(default.match_any),
        prefix: reader.text(settings.get(prefix)).unwrap_or(default.prefix),
    };
    if reader.flag(settings.get("enable_tag_filtering")) == Some(true) {
        return Some(filter);
    }
    for key in [rule, prefix] {
        if let Some(setting) = settings.get(key) {
            without_effect(reader, setting, key, "enable_tag_filtering");
        }
    }
    None
}

fn without_effect(reader: &mut Reader<'_>, setting: &Setting<'_>, key: &str, switch: &str) {
    let what = format!("`{key}` has no effect without `{switch}`");
    let finding = Finding::warning(setting.path.clone(), what).at_key();
    reader.findings.push(finding.way_out(format!("add `{switch}: true`, or remove it")));
}

/// The keys of health checks that LiteLLM's router takes as well as `general_settings`, where they usually stand.
const ROUTING: &str = "enable_health_check_routing";
const STALENESS: &str = "health_check_staleness_threshold";
const TRANSIENT: &str = "health_check_ignore_transient_errors";
const GROUPS: &str = "background_health_check_model_groups";

fn health_checks(
    reader: &mut Reader<'_>,
    router: Option<&Settings<'_>>,
    general: Option<&Settings<'_>>,
) -> Option<HealthChecks> {
    let sections = (("general_settings", general), router);
    let default = HealthChecks::default();
    let interval = general.and_then(|settings| settings.get("health_check_interval"));
    let checks = HealthChecks {
        interval: reader.seconds(interval).unwrap_or(default.interval),
        routing: either(reader, sections, ROUTING, |reader, setting| reader.flag(setting))
            .unwrap_or(default.routing),
        staleness: either(reader, sections, STALENESS, |reader, setting| reader.seconds(setting)),
        ignore_transient: either(reader, sections, TRANSIENT, |reader, setting| reader.flag(setting))
            .unwrap_or(default.ignore_transient),
        groups: either(reader, sections, GROUPS, |reader, setting| setting.map(|list| texts(reader, list)))
            .unwrap_or_default(),
    };
    let switch = "background_health_checks";
    if reader.flag(general.and_then(|settings| settings.get(switch))) == Some(true) {
        return Some(checks);
    }
    for key in [ROUTING, STALENESS, TRANSIENT, GROUPS] {
        let given = [general, router].into_iter().flatten().find_map(|settings| settings.get(key));
        // Who writes that it is off has nothing to be told.
        let is_meant = key != ROUTING || checks.routing;
        if let Some(setting) = given.filter(|_| is_meant) {
            without_effect(reader, setting, key, "general_settings.background_health_checks");
        }
    }
    None
}

/// The texts of a list.
pub(super) fn texts(reader: &mut Reader<'_>, setting: &Setting<'_>) -> Vec<String> {
    let items = reader.items(setting);
    items.iter().filter_map(|item| reader.text(Some(item))).collect()
}

fn affinity(reader: &mut Reader<'_>, settings: &Settings<'_>) -> Affinity {
    let default = Affinity::default();
    let mut affinity = Affinity {
        ttl: reader.seconds(settings.get("deployment_affinity_ttl_seconds")).unwrap_or(default.ttl),
        bound: reader.number(settings.get("affinity_load_bound"), "a number").unwrap_or(default.bound),
        ..default
    };
    let items = settings.get("optional_pre_call_checks").map(|setting| reader.items(setting));
    for item in items.iter().flatten() {
        let Some(word) = reader.text(Some(item)) else { continue };
        match word.as_str() {
            "session_affinity" => affinity.session = true,
            "deployment_affinity" => affinity.user = true,
            "prompt_caching" => affinity.prefix = true,
            // Limits of deployments always count.
            "enforce_model_rate_limits" => {}
            other if keys::PRE_CALL_CHECKS_NOT_YET.contains(&other) => reader.warning(
                &item.path,
                format!("the check `{other}` is known to LiteLLM; leastbusy does not serve it yet"),
                "remove it to be silent about it",
            ),
            other => {
                let known = keys::PRE_CALL_CHECKS.iter().chain(keys::PRE_CALL_CHECKS_NOT_YET).copied();
                let way_out = match nearest(other, known) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("write one of `{}`", keys::PRE_CALL_CHECKS.join("`, `")),
                };
                reader.mistake(
                    &item.path,
                    format!("{} is not a pre-call check", mask::quoted(other)),
                    way_out,
                );
            }
        }
    }
    for key in ["deployment_affinity_ttl_seconds", "affinity_load_bound"] {
        if let Some(setting) = settings.get(key).filter(|_| !affinity.is_on()) {
            let what = format!("`{key}` has no effect without an affinity");
            let finding = Finding::warning(setting.path.clone(), what).at_key();
            reader
                .findings
                .push(finding.way_out("add `optional_pre_call_checks: [session_affinity]`, or remove it"));
        }
    }
    affinity
}
