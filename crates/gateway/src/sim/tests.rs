use std::num::NonZeroU32;
use std::time::Duration;

use leastbusy_sim::Sizes;

use super::from_config::{self, Assumed};
use super::*;
use crate::config::{self, Config, Environment};

const ASSUMED: Assumed = Assumed {
    slots: 8,
    tokens_per_second: 50.0,
    first_token_time: Duration::from_millis(200),
    prefill_tokens_per_second: Some(900.0),
    prompt_tokens: Sizes::Fixed(10.0),
    output_tokens: None,
};

fn config(text: &str) -> Config {
    match config::parse("config.yaml", text, &Environment::empty()) {
        Ok(loaded) => loaded.config,
        Err(error) => panic!("{error}"),
    }
}

fn study(text: &str, model: Option<&str>) -> Result<Study, String> {
    from_config::study("config.yaml", &config(text), model, &ASSUMED, None)
}

const TWO_GROUPS: &str = "
model_list:
  - {model_name: chat, litellm_params: {model: hosted_vllm/m, api_base: 'http://a:1/v1', weight: 3, order: 1}, model_info: {id: vllm}}
  - {model_name: chat, litellm_params: {model: simulated/s, simulated: {slots: 2, tokens_per_second: 20, first_token_time: 0.5}}}
  - {model_name: tiny, litellm_params: {model: simulated/t, simulated: {slots: 3, mean_tokens: 40}}}
router_settings:
  {num_retries: 4, cooldown_time: 9, stream_timeout: 30, hedge_after: 2, fallbacks: [{chat: [tiny]}],
   model_group_alias: {gpt: chat}, routing_strategy: least-busy}
";

#[test]
fn a_model_group_is_simulated_by_the_settings_of_its_configuration() {
    let study = study(TWO_GROUPS, Some("gpt")).expect("the alias leads to chat");
    assert_eq!(study.title, "chat of config.yaml");
    let [vllm, simulated] = study.scenario.engines.as_slice() else { panic!("chat has two") };
    assert_eq!((vllm.name.as_str(), vllm.slots, vllm.weight.get(), vllm.order), ("vllm", 8, 3.0, 1));
    assert_eq!((simulated.slots, simulated.tokens_per_second, simulated.weight.get()), (2, 20.0, 1.0));
    assert_eq!(simulated.first_token_time, Duration::from_millis(500));
    assert_eq!([vllm, simulated].map(|engine| engine.prefill_tokens_per_second), [Some(900.0), None]);
    let rules = &study.scenario.rules;
    assert_eq!((rules.retries, rules.health.default_cooldown_time), (4, Duration::from_secs(9)));
    assert_eq!(rules.first_token_timeout, Some(Duration::from_secs(30)));
    assert_eq!(rules.request_timeout, Some(Duration::from_secs(6000)), "as in the gateway");
    assert_eq!(
        study.notes,
        [
            "assumed of 1 of 2 deployments: 8 slots, 50 tokens/s, first token after 0.2 s (--slots, \
             --tokens-per-second, --first-token-time)",
            "not simulated: fallbacks: only this model group",
            "not simulated: hedging",
            "assumed: answers of lognormal length, 250 tokens on average, spread 1.2 (--output-tokens)",
        ]
    );
}

#[test]
fn simulated_deployments_bring_all_that_a_simulation_needs() {
    let study = study(TWO_GROUPS, Some("tiny")).expect("is there");
    assert_eq!(study.notes, ["not simulated: fallbacks: only this model group", "not simulated: hedging"]);
    let Workload::Drawn { output_tokens, .. } = study.scenario.workload else { panic!("it is drawn") };
    assert_eq!(output_tokens, Sizes::Lognormal { mean: 40.0, sigma: 1.2 });
}

#[test]
fn limits_are_those_that_the_gateway_derives() {
    let text = "
model_list:
  - {model_name: chat, litellm_params: {model: hosted_vllm/m, api_base: 'http://a:1/v1', max_parallel_requests: 4}}
  - {model_name: chat, litellm_params: {model: hosted_vllm/m, api_base: 'http://b:1/v1', rpm: 30}}
  - {model_name: chat, litellm_params: {model: hosted_vllm/m, api_base: 'http://c:1/v1'}, model_info: {slots: 6, speed: 2}}
router_settings: {default_max_parallel_requests: 9, least_busy_by: [requests, prefill]}
";
    let study = study(text, None).expect("one group");
    let told = study.scenario.engines.iter().map(|engine| (engine.slots, engine.limit.map(NonZeroU32::get)));
    assert_eq!(told.collect::<Vec<_>>(), [(4, Some(4)), (8, Some(30)), (6, Some(9))]);
    assert_eq!(
        study.notes[1..3],
        [
            "not simulated: prompts and caches of least_busy_by",
            "not simulated: rpm and tpm, but for the limit in flight"
        ]
    );
    assert_eq!(study.notes[3], "not simulated: speed and learn_speeds");
}

#[test]
fn a_model_group_that_is_not_clear_is_asked_for() {
    assert_eq!(
        study(TWO_GROUPS, None).expect_err("has two"),
        "the configuration has 2 model groups: add --model with one of chat, tiny"
    );
    assert_eq!(
        study(TWO_GROUPS, Some("chad")).expect_err("has none"),
        "there is no model group `chad`: did you mean `chat`?"
    );
    assert_eq!(
        study(TWO_GROUPS, Some("image")).expect_err("has none"),
        "there is no model group `image`: the configuration has chat, tiny"
    );
}

#[test]
fn sizes_are_written_in_one_word() {
    use super::arguments::sizes;
    assert_eq!(sizes("250"), Ok(Sizes::Fixed(250.0)));
    assert_eq!(sizes("exponential:9"), Ok(Sizes::Exponential { mean: 9.0 }));
    assert_eq!(sizes("lognormal:250:1.2"), Ok(Sizes::Lognormal { mean: 250.0, sigma: 1.2 }));
    assert_eq!(sizes("bimodal:1:9:0.5"), Ok(Sizes::Bimodal { small: 1.0, large: 9.0, share: 0.5 }));
    assert_eq!(sizes("lognormal:0:1"), Err("out of range: more than 0, at most 1000000".to_owned()));
    for text in ["", "normal:1", "lognormal:250", "lognormal:250:1.2:3", "250:3"] {
        assert!(sizes(text).is_err(), "{text}");
    }
}

#[test]
fn the_demand_of_a_trace_is_that_of_its_whole_length() {
    let job = |seconds, output_tokens| leastbusy_sim::Job {
        arrival: Duration::from_secs(seconds),
        prompt_tokens: 0.0,
        output_tokens,
    };
    let engines = vec![leastbusy_sim::Engine::new("one", 2, 50.0)];
    let jobs = vec![job(0, 50.0), job(3, 100.0), job(8, 150.0)];
    let demand = Demand::of(&Scenario::new(engines, Workload::Trace(jobs)));
    assert_eq!((demand.per_second, demand.output_tokens, demand.capacity), (0.25, 100.0, 1.0));
    assert_eq!(demand.load(), 0.25);
}

#[test]
fn requests_of_one_moment_have_no_rate() {
    let job = leastbusy_sim::Job { arrival: Duration::ZERO, prompt_tokens: 0.0, output_tokens: 100.0 };
    let engines = vec![leastbusy_sim::Engine::new("one", 2, 50.0)];
    let demand = Demand::of(&Scenario::new(engines, Workload::Trace(vec![job; 2])));
    assert_eq!((demand.per_second, demand.load()), (0.0, 0.0));
}

/// A pipe whose reader has gone.
struct Closed;

impl io::Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_reader_that_has_seen_enough_takes_no_verdict_away() {
    let effort = Effort { seeds: 2, length: 0.001 };
    let is_met = goals::run(&mut Closed, effort, NonZeroUsize::MIN).expect("whoever reads has seen enough");
    assert!(!is_met, "so short a run misses some");
    let workload = Workload::Drawn {
        arrivals: leastbusy_sim::Arrivals::Poisson { per_second: 20.0 },
        prompt_tokens: Sizes::Fixed(0.0),
        output_tokens: Sizes::Fixed(1.0),
        requests: 10,
    };
    let scenario = Scenario::new(vec![leastbusy_sim::Engine::new("one", 4, 100.0)], workload);
    sockets::run(&scenario, 1, &mut Closed).expect("whoever reads has seen enough");
    let full = unless_closed(Err(io::ErrorKind::StorageFull.into()));
    assert_eq!(full.expect_err("is a mistake").kind(), io::ErrorKind::StorageFull);
}
