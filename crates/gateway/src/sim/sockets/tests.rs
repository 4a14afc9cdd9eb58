use std::time::Duration;

use leastbusy_balance::{TieBreak, Weight};
use leastbusy_sim::{Arrivals, Engine, Episode, Instances, Job, Scenario, Sizes, Trouble, Workload};

use super::{SocketsError, compare, fleet, plan, run};
use crate::simulated::ANSWER_TOKENS_MAX;

/// Two deployments at half of what they can do, for two seconds.
fn small() -> Scenario {
    let engine = |name, slots| Engine {
        first_token_time: Duration::from_millis(100),
        ..Engine::new(name, slots, 100.0)
    };
    let workload = Workload::Drawn {
        arrivals: Arrivals::Poisson { per_second: 15.0 },
        prompt_tokens: Sizes::Fixed(0.0),
        output_tokens: Sizes::Exponential { mean: 10.0 },
        requests: 30,
    };
    Scenario::new(vec![engine("large", 4), engine("small", 2)], workload)
}

fn refusal(scenario: &Scenario) -> String {
    let mut out = Vec::new();
    let error = run(scenario, 1, &mut out).unwrap_err();
    assert!(matches!(error, SocketsError::NotOnSockets(_)), "{error:?}");
    assert_eq!(out, b"");
    error.to_string()
}

#[test]
fn every_request_is_answered_in_about_the_computed_time() {
    let scenario = small();
    let plan = plan(&scenario, 1).unwrap();
    let compared = compare(&scenario, &plan, 20).unwrap();
    let (measured, computed) = (compared.measured, &compared.computed.runs);
    assert_eq!(measured.errors, [].into());
    // The first 15 % of 30 are not counted.
    assert_eq!((measured.first_tokens.count(), measured.responses.count()), (26, 26));
    assert_eq!(computed.len(), 20);
    assert!(computed.iter().all(|run| run.served.iter().sum::<u64>() == 26));
    // Sockets cannot be much faster, whoever breaks the ties; a machine with other work may make them slower.
    let mean = |name| compared.computed.estimate(leastbusy_sim::Metric::of_name(name).unwrap()).mean;
    for (measured, computed) in [
        (measured.first_tokens.mean(), mean("mean_ttft")),
        (measured.responses.mean(), mean("mean_response")),
    ] {
        let ratio = measured.as_secs_f64() / computed;
        assert!((0.8..3.0).contains(&ratio), "{measured:?} measured, {computed} s computed");
    }
}

#[test]
fn the_first_token_comes_on_top_of_a_jobs_tokens() {
    let jobs = [0.0, 0.4, 0.6, 12.5].map(|output_tokens| Job {
        arrival: Duration::from_millis(3),
        prompt_tokens: 500.0,
        output_tokens,
    });
    let scenario = Scenario { workload: Workload::Trace(jobs.to_vec()), ..small() };
    let plan = plan(&scenario, 1).unwrap();
    assert_eq!(plan.iter().map(|planned| planned.tokens).collect::<Vec<_>>(), [1, 1, 2, 14]);
    assert!(plan.iter().all(|planned| planned.arrival == Duration::from_millis(3)));
    let virtually: Vec<f64> = plan.iter().map(|planned| planned.in_virtual_time().output_tokens).collect();
    assert_eq!(virtually, [0.0, 0.0, 1.0, 13.0]);
}

#[test]
fn the_gateway_is_told_what_the_scenario_says() {
    let mut scenario = small();
    scenario.rules.group = TieBreak::First.into();
    scenario.engines[1].weight = Weight::new(7.0).unwrap();
    scenario.engines[1].order = 3;
    scenario.engines[1].limit = std::num::NonZeroU32::new(5);
    scenario.rules.queue.most = Some(9);
    scenario.rules.queue.timeout = Duration::from_secs(7);
    let config = fleet::config(&scenario);
    assert_eq!(config.check(), []);
    assert_eq!(config.router.tie_break, TieBreak::First);
    let [large, small] = config.deployments.as_slice() else { panic!("{config:?}") };
    assert_eq!((large.weight, large.order), (400.0, 0));
    assert_eq!((small.weight, small.order), (7.0, 3));
    assert_eq!((large.max_parallel_requests, small.max_parallel_requests), (None, Some(5)));
    assert_eq!((config.router.queue.max, config.router.queue.timeout), (Some(9), Duration::from_secs(7)));
    let engine = small.simulated.as_ref().unwrap();
    assert_eq!((engine.slots, engine.tokens_per_second), (2, 100.0));
    assert_eq!(engine.first_token_time, Duration::from_millis(100));
}

#[test]
fn what_simulated_engines_cannot_do_is_refused_all_at_once() {
    let mut scenario = small();
    for engine in &mut scenario.engines {
        engine.full_speed = 1;
    }
    let small = &mut scenario.engines[1];
    small.prefill_tokens_per_second = Some(1000.0);
    small.memory_tokens = Some(1000.0);
    small.requests_max = Some(9);
    small.episodes =
        vec![Episode { from: Duration::ZERO, until: Duration::from_secs(1), trouble: Trouble::Down }];
    scenario.rules.first_token_timeout = Some(Duration::from_secs(9));
    scenario.instances = Instances::sharing(2, None);
    scenario.clients = vec![leastbusy_sim::Client::new("a", 1.0)];
    let refused = refusal(&scenario);
    let lines: Vec<&str> = refused.lines().collect();
    assert_eq!(lines.len(), 9, "{refused}");
    for (line, (begins, ends)) in lines.into_iter().zip([
        ("this scenario cannot run on sockets", "because it has"),
        ("  full_speed_slots: ", "(large, small)"),
        ("  prefill_tokens_per_second: ", "(small)"),
        ("  kv_cache_tokens: ", "(small)"),
        ("  max_requests: ", "(small)"),
        ("  troubles: ", "(small)"),
        ("  a timeout in router: ", "not cut"),
        ("  instances: ", "on sockets"),
        ("  clients: ", "one client's"),
    ]) {
        assert!(line.starts_with(begins) && line.ends_with(ends), "{line}");
    }
}

#[test]
fn an_answer_that_no_client_may_ask_for_is_refused() {
    let answer = |output_tokens| {
        let job = Job { arrival: Duration::ZERO, prompt_tokens: 0.0, output_tokens };
        Scenario { workload: Workload::Trace(vec![job]), ..small() }
    };
    let most = f64::from(ANSWER_TOKENS_MAX - 1);
    assert_eq!(plan(&answer(most), 1).unwrap()[0].tokens, ANSWER_TOKENS_MAX);
    let refused = refusal(&answer(most + 1.0));
    assert!(refused.ends_with("an answer of 1000000 tokens: 999999 is the most"), "{refused}");
}
