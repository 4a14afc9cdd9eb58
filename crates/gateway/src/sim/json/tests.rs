use std::num::NonZeroUsize;

use super::*;
use crate::sim::scenario;

const SCENARIO: &str = "
requests: 3000
seeds: 3
seed: 7
policies: [random, least-busy]
arrivals: {diurnal: {per_second: 5, swing: 0.5, period: 10m}}
prompt_tokens: {bimodal: {small: 10, large: 900, share: 0.1}}
output_tokens: {lognormal: {mean: 100, sigma: 1}}
deployments:
  - {name: a, slots: 9, tokens_per_second: 50, full_speed_slots: 8, first_token_time: 10ms, prefill_tokens_per_second: 900,
     kv_cache_tokens: 5000, max_requests: 40, max_parallel_requests: 30, weight: 3, order: 1}
  - name: b
    slots: 8
    tokens_per_second: 40
    weight: 2
    order: 1
    warm_up: {speed: 0.5, time: 10s}
    troubles:
      - {from: 100, until: 130, down: true}
      - {from: 200, until: 230, fails: {share: 0.5, after: 20ms}}
      - {from: 300, until: 330, hangs: {share: 0.5}}
      - {from: 400, until: 430, rate_limits: {retry_after: 3}}
      - {from: 450, until: 460, rate_limits: true}
      - {from: 500, until: 530, slow: {speed: 0.5}}
router:
  {stream_timeout: 5, total_timeout: 60, num_retries: 1, tie_break: first, retry_after: 100ms, allowed_fails: 3,
   allowed_fails_policy: {TimeoutErrorAllowedFails: 1}, failure_window: 30, cooldown_time: 4, max_cooldown_time: 100,
   max_retry_after: 50, ramp_time: 10, when_all_cooling: wait, all_cooling_wait: 2, retry_budget_percent: 25, max_queued_requests: 50,
   queue_timeout: 9}
clients: [{name: c, share: 3, priority: -1}, {name: d}]
turns: false
";

fn study(text: &str) -> Study {
    let (written, warnings) =
        scenario::parse("scenario.yaml", text).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(warnings, []);
    let scenario::Written { scenario, policies, seeds, seed, notes } = written;
    let seeds = (seed..).take(seeds).collect();
    Study { title: "all of it".to_owned(), scenario, policies, seeds, notes }
}

#[test]
fn the_same_study_gives_the_same_bytes_on_any_number_of_threads() {
    let study = study(SCENARIO);
    let text = |threads| {
        let threads = NonZeroUsize::new(threads).expect("is not 0");
        text(&study, &study.run(threads, &|| ()))
    };
    assert_eq!(text(1), text(3));
}

#[test]
fn the_scenario_it_tells_is_the_scenario_it_was_told() {
    let told = study(SCENARIO);
    let value = value(&told, &told.run(NonZeroUsize::MIN, &|| ()));
    assert_eq!(study(&value["scenario"].to_string()), told);
    for router in [
        "{when_all_cooling: fail, disable_cooldowns: true}",
        "{streams: false, timeout: 9, when_all_cooling: try_soonest}",
    ] {
        let text = format!(
            "requests: 10\narrivals: {{bursts: {{per_second: 1, size: 4}}}}\noutput_tokens: {{exponential: {{mean: 9}}}}\n\
             deployments: [{{name: a, slots: 1, tokens_per_second: 20}}]\nrouter: {router}\n"
        );
        let told = study(&text);
        assert_eq!(study(&echo::scenario(&told).to_string()), told);
    }
    for instances in [
        "4",
        "{count: 16, shared_every: 0}",
        "{count: 3, shared_every: 100ms, half_on: 1, silences: [{from: 1m, until: 2m}, {from: 180, until: 181}]}",
        "{count: 3, runs: 0.9, cap_of_all: 1.25}",
    ] {
        let told = study(&format!("{SCENARIO}instances: {instances}\n"));
        assert_eq!(study(&echo::scenario(&told).to_string()), told);
    }
}

#[test]
fn every_metric_of_every_policy_is_there_with_its_margin() {
    let study = study(SCENARIO);
    let value = value(&study, &study.run(NonZeroUsize::MIN, &|| ()));
    assert_eq!(value["seeds"], json!([7, 8, 9]));
    assert_eq!(value["curve_shares"].as_array().map(Vec::len), Some(CURVE_POINTS));
    for (place, name) in ["random", "least-busy"].into_iter().enumerate() {
        let policy = &value["policies"][place];
        assert_eq!(policy["policy"], name);
        for metric in Metric::all() {
            let told = &policy["metrics"][metric.to_string()];
            assert!(told["mean"].is_number() && told["margin"].is_number(), "{metric}: {told}");
            assert_eq!(told["runs"].as_array().map(Vec::len), Some(3), "{metric}");
        }
        assert_eq!(policy["deployments"][1]["name"], "b");
        assert_eq!(policy["clients"][0]["name"], "c");
        assert!(policy["clients"][1]["p99_wait"].is_number(), "{}", policy["clients"]);
        let shares =
            [0, 1].map(|at| policy["deployments"][at]["share_of_answers"].as_f64().expect("a number"));
        assert!((shares[0] + shares[1] - 1.0).abs() < 1e-9, "{shares:?}");
        for measure in Measure::ALL {
            let curve = policy["curves"][measure.name()].as_array().expect("a list");
            assert!(curve.len() == CURVE_POINTS && curve.iter().all(Value::is_number), "{}", measure.name());
        }
    }
}
