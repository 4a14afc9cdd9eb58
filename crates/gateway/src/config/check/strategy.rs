//! Ranges of strategies, and the names in routing groups.

use std::time::Duration;

use leastbusy_balance::{LowestLatency, PeakEwma, Strategy};

use super::reliability::{HOUR, INSTANT, check_time};
use super::{DURATION_MAX, out_of_range};
use crate::config::finding::{Finding, Path};
use crate::config::{Config, Deployment, RoutingGroup, mask};

impl Config {
    pub(super) fn check_strategies(&self, mistakes: &mut Vec<Finding>) {
        let section = Path::top("router_settings");
        check_args(self.router.strategy, &section, mistakes);
        for (index, group) in self.router.routing_groups.iter().enumerate() {
            let item = section.key("routing_groups").index(index);
            if group.name.trim().is_empty() || group.name.chars().any(char::is_control) {
                mistakes.push(
                    Finding::mistake(
                        item.key("group_name"),
                        "a group_name needs at least one character, and no control ones",
                    )
                    .way_out("write the name that clients will ask for"),
                );
            }
            if group.models.is_empty() {
                mistakes.push(
                    Finding::mistake(item.key("models"), "a routing group needs models")
                        .way_out("add `models: [NAME]`, each a model_name of model_list"),
                );
            }
            for (at, model) in group.models.iter().enumerate() {
                if !self.deployments.iter().any(|deployment| deployment.model_name == *model) {
                    mistakes.push(self.lost_model(&item.key("models").index(at), model));
                }
            }
            check_args(group.strategy, &item, mistakes);
        }
    }

    pub(super) fn warn_of_strategies(&self, warnings: &mut Vec<Finding>) {
        let groups = &self.router.routing_groups;
        for (index, group) in groups.iter().enumerate() {
            let path = Path::top("router_settings").key("routing_groups").index(index);
            if !self.can_be_asked_for(group) {
                let what = format!(
                    "nobody can ask for {}: behind the `*` of each of its models no name says which to take",
                    mask::quoted(&group.name)
                );
                warnings.push(
                    Finding::warning(path.key("group_name"), what)
                        .way_out("ask for the models themselves; the group's strategy counts for them"),
                );
            }
            for (at, model) in group.models.iter().enumerate() {
                let Some(first) = groups[..index].iter().find(|first| first.models.contains(model)) else {
                    continue;
                };
                let what = format!(
                    "{} is in the routing group {} as well, whose strategy counts",
                    mask::quoted(model),
                    mask::quoted(&first.name)
                );
                warnings.push(
                    Finding::warning(path.key("models").index(at), what).way_out("name it in one of the two"),
                );
            }
        }
    }
}

impl Config {
    /// Whether the name of a routing group leads to a deployment: behind a `*` it does not say which model to ask for.
    pub(super) fn can_be_asked_for(&self, group: &RoutingGroup) -> bool {
        let mut members =
            self.deployments.iter().filter(|deployment| group.models.contains(&deployment.model_name));
        members.any(|deployment| !deployment.model.contains('*'))
    }
}

fn check_args(strategy: Strategy, section: &Path, mistakes: &mut Vec<Finding>) {
    let args = section.key("routing_strategy_args");
    match strategy {
        Strategy::LowestLatency(LowestLatency { ttl, buffer, samples: _, stream_quantile }) => {
            check_time(args.key("ttl"), ttl, Duration::from_secs(1)..=DURATION_MAX, mistakes);
            if !(0.0..=1000.0).contains(&buffer) {
                mistakes.push(out_of_range(args.key("lowest_latency_buffer"), "0 to 1000"));
            }
            // Whoever writes a share of 1 for a percentile would get the fastest answer instead.
            if stream_quantile.is_some_and(|quantile| !(0.01 < quantile && quantile <= 1.0)) {
                mistakes.push(out_of_range(args.key("ttft_percentile"), "more than 1, at most 100"));
            }
        }
        Strategy::PeakEwma(PeakEwma { decay_time }) => {
            check_time(args.key("decay_time"), decay_time, INSTANT..=HOUR, mistakes);
        }
        Strategy::LeastBusy
        | Strategy::TwoChoices
        | Strategy::Shuffle
        | Strategy::RoundRobin
        | Strategy::LowestUsage
        | Strategy::LowestCost => {}
    }
}

/// Adds what is wrong with the prices of one entry of `model_list`.
pub(super) fn check_prices(deployment: &Deployment, params: &Path, mistakes: &mut Vec<Finding>) {
    for (key, price) in [
        ("input_cost_per_token", deployment.input_cost_per_token),
        ("output_cost_per_token", deployment.output_cost_per_token),
    ] {
        if price.is_some_and(|price| !(price.is_finite() && 0.0 <= price)) {
            mistakes.push(out_of_range(params.key(key), "0 or more"));
        }
    }
}
