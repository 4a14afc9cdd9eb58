//! Rules about which deployments may serve a request, and which it prefers.

use std::time::Duration;

use regex::Regex;

use super::reliability::{HOUR, INSTANT, check_time};
use super::{DURATION_MAX, out_of_range};
use crate::config::finding::{Finding, Path};
use crate::config::{Config, Deployment, HealthChecks, mask};

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 3600);

impl Config {
    pub(super) fn check_filters(&self, mistakes: &mut Vec<Finding>) {
        let router = Path::top("router_settings");
        let affinity = self.router.affinity;
        check_time(router.key("deployment_affinity_ttl_seconds"), affinity.ttl, SECOND..=DAY, mistakes);
        if !(1.0..=100.0).contains(&affinity.bound) {
            mistakes.push(out_of_range(router.key("affinity_load_bound"), "1 to 100"));
        }
        let Some(checks) = &self.router.filters.health_checks else { return };
        let section = Path::top("general_settings");
        check_time(section.key("health_check_interval"), checks.interval, SECOND..=DAY, mistakes);
        if let Some(age) = checks.staleness {
            let first = mistakes.len();
            check_time(section.key(STALENESS), age, SECOND..=DURATION_MAX, mistakes);
            let found = mistakes.split_off(first);
            mistakes.extend(found.into_iter().map(|mistake| mistake.or_at(router.key(STALENESS))));
        }
        for (at, group) in checks.groups.iter().enumerate() {
            if !self.deployments.iter().any(|deployment| deployment.model_name == *group) {
                let list = section.key(GROUPS);
                mistakes.push(self.lost_model(&list.index(at), group).or_at(router.key(GROUPS).index(at)));
            }
        }
    }

    pub(super) fn warn_of_filters(&self, warnings: &mut Vec<Finding>) {
        let filters = &self.router.filters;
        if filters.context_window && self.deployments.iter().all(|entry| entry.max_input_tokens.is_none()) {
            let path = Path::top("router_settings").key("enable_pre_call_checks");
            let what = "no deployment has a `max_input_tokens`, so that none is ever left out";
            warnings.push(
                Finding::warning(path, what)
                    .way_out("add `model_info: {max_input_tokens: NUMBER}` to deployments, or remove it"),
            );
        }
        if let Some(HealthChecks { interval, staleness: Some(age), .. }) = &filters.health_checks
            && age < interval
        {
            let what = "checks count no more before the next ones are made";
            warnings.push(
                Finding::warning(Path::top("general_settings").key(STALENESS), what)
                    .or_at(Path::top("router_settings").key(STALENESS))
                    .way_out("raise it above `health_check_interval`, or remove it for twice that"),
            );
        }
    }
}

const STALENESS: &str = "health_check_staleness_threshold";
const GROUPS: &str = "background_health_check_model_groups";

/// Adds what is wrong with one entry of `model_list`.
pub(super) fn check_deployment(deployment: &Deployment, entry: &Path, mistakes: &mut Vec<Finding>) {
    let params = entry.key("litellm_params");
    for (at, tag) in deployment.tags.iter().enumerate() {
        if tag.trim().is_empty() {
            mistakes.push(
                Finding::mistake(params.key("tags").index(at), "a tag needs at least one character")
                    .way_out("write the tag that requests bring, or remove it"),
            );
        }
    }
    for (at, pattern) in deployment.tag_regex.iter().enumerate() {
        if let Err(error) = Regex::new(pattern) {
            mistakes.push(
                Finding::mistake(
                    params.key("tag_regex").index(at),
                    format!("{} is not a regular expression: {}", mask::quoted(pattern), reason(&error)),
                )
                .way_out("mend it; look-around and back-references are not served"),
            );
        }
    }
    if let Some(time) = deployment.health_check_timeout {
        check_time(entry.key("model_info").key("health_check_timeout"), time, INSTANT..=HOUR, mistakes);
    }
}

/// What is wrong with a pattern, without the drawing of where.
fn reason(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}
