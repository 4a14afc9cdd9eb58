use std::num::NonZeroUsize;
use std::time::Duration;

use super::*;
use crate::strategy;

fn with_router(settings: &str) -> String {
    format!("{MODEL_LIST}router_settings: {{{settings}}}\n")
}

fn strategy_of(settings: &str) -> Strategy {
    let loaded = read(&with_router(settings));
    assert_eq!(brief(&loaded.warnings), Vec::<String>::new(), "{settings}");
    loaded.config.router.strategy
}

#[test]
fn every_strategy_has_its_name_and_least_busy_is_the_default() {
    assert_eq!(strategy_of(""), Strategy::LeastBusy);
    for (name, strategy) in strategy::all() {
        assert_eq!(strategy_of(&format!("routing_strategy: {name}")), strategy, "{name}");
    }
}

#[test]
fn each_strategy_reads_its_arguments() {
    let latency = "routing_strategy: latency-based-routing, routing_strategy_args: {ttl: 60, lowest_latency_buffer: 0.5, max_latency_list_size: 3, ttft_percentile: 90}";
    assert_eq!(
        strategy_of(latency),
        Strategy::LowestLatency(LowestLatency {
            ttl: Duration::from_secs(60),
            buffer: 0.5,
            samples: NonZeroUsize::new(3).unwrap(),
            stream_quantile: Some(0.9),
        })
    );
    let peak = "routing_strategy: peak-ewma, routing_strategy_args: {decay_time: 2.5}";
    let decay_time = Duration::from_millis(2500);
    assert_eq!(strategy_of(peak), Strategy::PeakEwma(PeakEwma { decay_time }));
    assert_eq!(strategy_of("routing_strategy_args: {choice: two-choices}"), Strategy::TwoChoices);
    let exact = "routing_strategy: least-busy, routing_strategy_args: {choice: exact}";
    assert_eq!(strategy_of(exact), Strategy::LeastBusy);
    let usage = "routing_strategy: usage-based-routing, routing_strategy_args: {ttl: 60}";
    assert_eq!(strategy_of(usage), Strategy::LowestUsage);
}

#[test]
fn what_is_wrong_with_a_strategy_says_where_and_what_is_right() {
    for (settings, mistake) in [
        (
            "routing_strategy: simple-shufle",
            "4:37 `simple-shufle` is not a routing strategy / did you mean `simple-shuffle`?",
        ),
        (
            "routing_strategy_args: {choice: three}",
            "4:51 `three` is not one of `exact`, `two-choices` / write one of `exact`, `two-choices`",
        ),
        (
            "routing_strategy: latency-based-routing, routing_strategy_args: {ttft_percentile: 0.9}",
            "4:101 out of range: more than 1, at most 100 / choose a value in that range, or remove it for the default",
        ),
        (
            "routing_strategy: latency-based-routing, routing_strategy_args: {tttl: 5}",
            "4:84 `tttl` is not a key of routing_strategy_args / did you mean `ttl`?",
        ),
        (
            "routing_strategy: latency-based-routing, routing_strategy_args: {ttl: 0.5}",
            "4:89 out of range: 1 second to ten years / choose a value in that range, or remove it for the default",
        ),
        (
            "routing_strategy: latency-based-routing, routing_strategy_args: {lowest_latency_buffer: -1}",
            "4:107 out of range: 0 to 1000 / choose a value in that range, or remove it for the default",
        ),
        (
            "routing_strategy: latency-based-routing, routing_strategy_args: {max_latency_list_size: 0}",
            "4:107 0 is not between 1 and 10000 / choose a number in that range",
        ),
        (
            "routing_strategy: peak-ewma, routing_strategy_args: {decay_time: 0}",
            "4:84 out of range: more than 0 seconds, at most 3600 seconds / choose a value in that range, or remove it for the default",
        ),
        (
            "routing_groups: [{group_name: any, models: [chta]}]",
            "4:63 `chta` is not a model group / did you mean `chat`?",
        ),
        (
            "routing_groups: [{models: [chat]}]",
            "4:37 an item of routing_groups needs a group_name / add `group_name: NAME`; clients may ask for all its models by that",
        ),
        (
            "routing_groups: [{group_name: any}]",
            "4:37 a routing group needs models / add `models: [NAME]`, each a model_name of model_list",
        ),
    ] {
        assert_eq!(mistakes(&with_router(settings)), [mistake], "{settings}");
    }
    assert_eq!(
        mistakes(&with_param("input_cost_per_token: -1")),
        ["6:27 out of range: 0 or more / choose a value in that range, or remove it for the default"]
    );
}

#[test]
fn arguments_of_another_strategy_have_no_effect_and_a_warning() {
    for (settings, warning) in [
        (
            "routing_strategy: round-robin, routing_strategy_args: {ttl: 5}",
            "4:74 `ttl` is of another strategy and has no effect / remove it, or name the strategy that it belongs to",
        ),
        (
            "routing_strategy: usage-based-routing-v2, routing_strategy_args: {ttl: 5}",
            "4:90 usage is that of the last 60 seconds, whatever `ttl` says / remove it",
        ),
        (
            "routing_groups: [{group_name: a, models: [chat]}, {group_name: b, models: [chat]}]",
            "4:94 `chat` is in the routing group `a` as well, whose strategy counts / name it in one of the two",
        ),
    ] {
        assert_eq!(warnings(&with_router(settings)), [warning], "{settings}");
    }
}

#[test]
fn a_routing_group_has_a_strategy_of_its_own_or_the_routers() {
    let text = with_router(
        "routing_strategy: cost-based-routing, routing_groups: [{group_name: fast, models: [chat], routing_strategy: peak-ewma}, {group_name: all, models: [chat]}]",
    );
    let router = read(&text).config.router;
    let peak = Strategy::PeakEwma(PeakEwma::default());
    let named = ["chat", "fast", "all", "other"].map(|name| router.strategy_of(name));
    assert_eq!(named, [peak, peak, Strategy::LowestCost, Strategy::LowestCost]);
    assert!(read(&text).config.leads_somewhere("fast"));
}

#[test]
fn arguments_alone_are_those_of_the_routers_strategy() {
    let text = with_router(
        "routing_strategy: latency-based-routing, routing_strategy_args: {ttl: 60}, routing_groups: [{group_name: fast, models: [chat], routing_strategy_args: {lowest_latency_buffer: 0.5}}]",
    );
    let loaded = read(&text);
    assert_eq!(brief(&loaded.warnings), [""; 0]);
    let rules = LowestLatency { ttl: Duration::from_secs(60), buffer: 0.5, ..LowestLatency::default() };
    assert_eq!(loaded.config.router.strategy_of("fast"), Strategy::LowestLatency(rules));
}

#[test]
fn a_routing_group_that_nobody_can_ask_for_is_no_name() {
    let text = "model_list:\n- {model_name: 'eu/*', litellm_params: {model: 'openai/*', api_base: 'http://gpu-a:8000/v1'}}\n\
                router_settings: {routing_groups: [{group_name: europe, models: ['eu/*'], routing_strategy: peak-ewma}]}\n";
    let loaded = read(text);
    assert_eq!(
        brief(&loaded.warnings),
        [
            "3:49 nobody can ask for `europe`: behind the `*` of each of its models no name says which to take / ask for the models themselves; the group's strategy counts for them"
        ]
    );
    assert!(!loaded.config.leads_somewhere("europe"));
    assert_eq!(loaded.config.router.strategy_of("eu/*"), Strategy::PeakEwma(PeakEwma::default()));
}

#[test]
fn a_strategy_that_a_request_names_is_the_configured_one_of_its_kind() {
    let router = read(&with_router("routing_strategy_args: {decay_time: 3}, routing_strategy: peak-ewma"))
        .config
        .router;
    let asked = |name: &str| router.as_configured(strategy::named(name).expect("a strategy"));
    assert_eq!(asked("peak-ewma"), router.strategy);
    assert_eq!(asked("latency-based-routing"), Strategy::LowestLatency(LowestLatency::default()));
}

#[test]
fn limits_and_prices_are_read() {
    let loaded = read(
        "model_list:\n- model_name: chat\n  litellm_params: {model: hosted_vllm/m, api_base: http://gpu-a:8000/v1, rpm: 60, max_parallel_requests: 8, input_cost_per_token: 1e-6, output_cost_per_token: 0.000004}\n  rpm: 7\n  tpm: 9000\n",
    );
    let deployment = &loaded.config.deployments[0];
    assert_eq!((deployment.rpm, deployment.tpm), (Some(60), Some(9000)));
    let prices = (deployment.input_cost_per_token, deployment.output_cost_per_token);
    assert_eq!(prices, (Some(1e-6), Some(4e-6)));
    assert_eq!(brief(&loaded.warnings), Vec::<String>::new());
}
