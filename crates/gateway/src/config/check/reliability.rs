//! Ranges of what happens when an attempt fails.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::{DURATION_MAX, out_of_range};
use crate::config::finding::{Finding, Path};
use crate::config::{Config, Cooldown, Deployment, ErrorClass, Fallbacks, Hedge, Retries, RetryPolicy};

pub(super) const HOUR: Duration = Duration::from_secs(3600);
/// Timers have whole milliseconds; a shorter time is none.
pub(super) const INSTANT: Duration = Duration::from_millis(1);

impl Config {
    pub(super) fn check_reliability(&self, mistakes: &mut Vec<Finding>) {
        let section = Path::top("router_settings");
        let router = &self.router;
        check_retries(&router.retries, &section, mistakes);
        for group in router.retries.group_policies.keys().filter(|group| !self.leads_somewhere(group)) {
            let path = section.key("model_group_retry_policy").key(group);
            mistakes.push(self.lost_name(&path, group).at_key());
        }
        if router.fallbacks.max > Fallbacks::MOST {
            mistakes.push(out_of_range(section.key("max_fallbacks"), &format!("0 to {}", Fallbacks::MOST)));
        }
        self.check_fallbacks(mistakes);
        check_cooldown(&router.cooldown, &section, mistakes);
        check_hedge(router.hedge, &section, mistakes);
    }

    pub(super) fn warn_of_reliability(&self, warnings: &mut Vec<Finding>) {
        let cooldown = &self.router.cooldown;
        if let Some(time) = cooldown.time
            && time > cooldown.max_time
            && cooldown.max_time != Cooldown::default().max_time
        {
            let path = Path::top("router_settings").key("max_cooldown_time");
            warnings.push(
                Finding::warning(path, "cooldown_time is longer already, so that no rest is ever doubled")
                    .way_out("raise it above cooldown_time, or remove it"),
            );
        }
    }
}

/// Adds what is wrong with the settings of one entry of `model_list`.
pub(super) fn check_deployment(deployment: &Deployment, entry: &Path, mistakes: &mut Vec<Finding>) {
    let params = entry.key("litellm_params");
    check_count(params.key("num_retries"), deployment.num_retries, mistakes);
    let key = "cooldown_time";
    let section = if deployment.model_info.contains_key(key) { entry.key("model_info") } else { params };
    if let Some(time) = deployment.cooldown.time {
        check_time(section.key(key), time, Duration::ZERO..=DURATION_MAX, mistakes);
    }
}

pub(super) fn check_retries(retries: &Retries, section: &Path, mistakes: &mut Vec<Finding>) {
    check_count(section.key("num_retries"), Some(retries.num_retries), mistakes);
    let per_request = Path::top("litellm_settings").key("num_retries_per_request");
    check_count(per_request, retries.per_request, mistakes);
    check_time(section.key("retry_after"), retries.retry_after, Duration::ZERO..=HOUR, mistakes);
    check_policy(&retries.policy, &section.key("retry_policy"), mistakes);
    for (group, policy) in &retries.group_policies {
        check_policy(policy, &section.key("model_group_retry_policy").key(group), mistakes);
    }
    for (key, number, most) in [
        ("retry_budget_percent", retries.budget_percent, 1000.0),
        ("retry_budget_per_second", retries.budget_per_second, 100_000.0),
    ] {
        if !(0.0..=most).contains(&number) {
            mistakes.push(out_of_range(section.key(key), &format!("0 to {most}")));
        }
    }
}

fn check_policy(policy: &RetryPolicy, path: &Path, mistakes: &mut Vec<Finding>) {
    for (class, name) in ErrorClass::ALL {
        check_count(path.key(&format!("{name}Retries")), policy.by_class.get(class), mistakes);
    }
    check_count(path.key("DefaultRetries"), policy.default, mistakes);
}

fn check_count(path: Path, count: Option<u32>, mistakes: &mut Vec<Finding>) {
    if count.is_some_and(|count| count > Retries::MOST) {
        mistakes.push(out_of_range(path, &format!("0 to {}", Retries::MOST)));
    }
}

pub(super) fn check_cooldown(cooldown: &Cooldown, section: &Path, mistakes: &mut Vec<Finding>) {
    if let Some(time) = cooldown.time {
        check_time(section.key("cooldown_time"), time, Duration::ZERO..=DURATION_MAX, mistakes);
    }
    for (key, time, range) in [
        ("failure_window", cooldown.failure_window, Duration::from_secs(1)..=HOUR),
        ("max_cooldown_time", cooldown.max_time, INSTANT..=DURATION_MAX),
        ("max_retry_after", cooldown.max_retry_after, INSTANT..=DURATION_MAX),
        ("ramp_time", cooldown.ramp, Duration::ZERO..=HOUR),
        ("all_cooling_wait", cooldown.all_cooling_wait, Duration::ZERO..=HOUR),
    ] {
        check_time(section.key(key), time, range, mistakes);
    }
}

fn check_hedge(hedge: Hedge, section: &Path, mistakes: &mut Vec<Finding>) {
    match hedge {
        Hedge::Off => {}
        Hedge::After(time) => check_time(section.key("hedge_after"), time, INSTANT..=HOUR, mistakes),
        Hedge::Percentile(percent) => {
            if !(percent > 0.0 && percent < 100.0) {
                let range = "more than 0, less than 100 percent, e.g. 95";
                mistakes.push(out_of_range(section.key("hedge_percentile"), range));
            }
        }
    }
}

pub(super) fn check_time(
    path: Path,
    time: Duration,
    range: RangeInclusive<Duration>,
    mistakes: &mut Vec<Finding>,
) {
    if range.contains(&time) {
        return;
    }
    let most = match *range.end() {
        DURATION_MAX => "ten years".to_owned(),
        most => format!("{} seconds", most.as_secs()),
    };
    let range = match range.start().as_secs_f64() {
        _ if *range.start() == INSTANT => format!("more than 0 seconds, at most {most}"),
        1.0 => format!("1 second to {most}"),
        least => format!("{least} seconds to {most}"),
    };
    mistakes.push(out_of_range(path, &range));
}
