//! Strategies other than least busy: set for all, for some model groups, for one request.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use leastbusy_balance::{Asked, Candidate, Choose};
use leastbusy_gateway::config::{Config, LowestLatency, RoutingGroup, Strategy};
use leastbusy_gateway::router::OwnStrategies;
use leastbusy_gateway::serve::Options;

use super::client::{CHAT, Client, chat, get, post};
use super::gateway::{Gateway, config, entry, on_one_worker, retrying};
use super::script::{Played, Script, Upstream, answers, hangs, streams};

const IDS: [&str; 4] = ["a", "b", "c", "d"];

/// Three upstreams that play this each, as the model group `m`.
async fn three(script: Script) -> (Vec<Played>, Config) {
    let mut upstreams = Vec::new();
    for _ in 0..3 {
        upstreams.push(Upstream::playing(script.clone()).await);
    }
    let config = on_one_worker(
        upstreams.iter().zip(IDS).map(|(upstream, id)| entry("m", "openai/m", id, &upstream.base())),
    );
    (upstreams, config)
}

/// Which deployments answer so many requests, one after the other.
async fn served(gateway: &Gateway, requests: usize, body: &str) -> Vec<String> {
    let mut client = Client::connect(gateway).await;
    let mut served = Vec::new();
    for _ in 0..requests {
        client.post(CHAT, body).await;
        let answer = client.answer().await;
        assert_eq!(answer.status, 200);
        served.push(answer.header("x-litellm-model-id").unwrap().to_owned());
    }
    served
}

fn asking_for(strategy: &str) -> String {
    format!(r#"{{"model":"m","messages":[],"router_settings_override":{{"routing_strategy":"{strategy}"}}}}"#)
}

#[tokio::test]
async fn round_robin_for_all_takes_turns_by_weight() {
    let (_upstreams, mut config) = three(answers(200).json("{}")).await;
    config.router.strategy = Strategy::RoundRobin;
    config.deployments[0].weight = 2.0;
    let gateway = Gateway::start(&config);
    assert_eq!(served(&gateway, 8, &chat("m")).await, ["a", "b", "c", "a", "a", "b", "c", "a"]);
}

#[tokio::test]
async fn the_cheapest_serves_until_it_fails() {
    let mut upstreams = Vec::new();
    for status in [200, 429, 200] {
        upstreams.push(Upstream::playing(answers(status).json("{}")).await);
    }
    let mut config = retrying(
        upstreams.iter().zip(IDS).map(|(upstream, id)| entry("m", "openai/m", id, &upstream.base())),
    );
    config.router.strategy = Strategy::LowestCost;
    for (deployment, price) in config.deployments.iter_mut().zip([3e-6, 1e-6, 2e-6]) {
        deployment.input_cost_per_token = Some(price);
        deployment.output_cost_per_token = Some(4.0 * price);
    }
    let gateway = Gateway::start(&config);
    assert_eq!(served(&gateway, 3, &chat("m")).await, ["c"; 3]);
    assert_eq!(upstreams[1].requests(), 1, "it is asked first, and rests after that");
}

#[tokio::test]
async fn usage_goes_by_the_tokens_that_answers_took() {
    let took = |tokens: u32| {
        answers(200).json(&format!(r#"{{"usage":{{"prompt_tokens":1,"completion_tokens":{}}}}}"#, tokens - 1))
    };
    let mut upstreams = Vec::new();
    for tokens in [100, 45, 20] {
        upstreams.push(Upstream::playing(took(tokens)).await);
    }
    let mut config = retrying(
        upstreams.iter().zip(IDS).map(|(upstream, id)| entry("m", "openai/m", id, &upstream.base())),
    );
    config.router.strategy = Strategy::LowestUsage;
    let gateway = Gateway::start(&config);
    // 100, 45 and 20; then 40, 60, and as 45 is less than that 90; then 80, 100 and so on.
    assert_eq!(
        served(&gateway, 8, &chat("m")).await,
        ["a", "b", "c", "c", "c", "b", "c", "c"],
        "{:?}",
        upstreams.iter().map(Played::requests).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn latency_goes_to_whoever_begins_streams_first() {
    let slow =
        streams().pauses(Duration::from_millis(300)).event(r#"{"choices":[{"delta":{"content":"x"}}]}"#);
    let fast = streams().event(r#"{"choices":[{"delta":{"content":"x"}}]}"#);
    let mut upstreams = Vec::new();
    for script in [slow.clone(), fast, slow] {
        upstreams.push(Upstream::playing(script.done()).await);
    }
    let mut config = on_one_worker(
        upstreams.iter().zip(IDS).map(|(upstream, id)| entry("m", "openai/m", id, &upstream.base())),
    );
    config.router.strategy = Strategy::LowestLatency(LowestLatency::default());
    let gateway = Gateway::start(&config);
    for _ in 0..9 {
        let mut client = Client::connect(&gateway).await;
        client.asks_for_stream("m").await;
        client.head().await;
        client.rest().await;
        gateway.ends().await;
    }
    assert_eq!(upstreams.iter().map(Played::requests).collect::<Vec<_>>(), [1, 7, 1]);
}

#[tokio::test]
async fn a_routing_group_has_a_strategy_of_its_own_and_a_name_for_all_its_models() {
    let upstream = Upstream::playing(answers(200).json("{}")).await;
    let of = |group: &str, id: &str| entry(group, "openai/m", id, &upstream.base());
    let entries = [of("m", "a"), of("m", "b"), of("n", "c"), of("n", "d"), of("o", "e"), of("o", "f")];
    let mut config = on_one_worker(entries);
    for (place, deployment) in config.deployments.iter_mut().enumerate() {
        deployment.model = format!("openai/m{place}");
    }
    config.router.strategy = Strategy::LowestCost;
    config.deployments[5].input_cost_per_token = Some(1e-6);
    config.router.routing_groups = vec![
        RoutingGroup { name: "turns".into(), models: vec!["m".into()], strategy: Strategy::RoundRobin },
        RoutingGroup {
            name: "all".into(),
            models: vec!["m".into(), "n".into()],
            strategy: Strategy::RoundRobin,
        },
    ];
    let gateway = Gateway::start(&config);
    assert_eq!(served(&gateway, 4, &chat("m")).await, ["a", "b", "a", "b"]);
    assert_eq!(served(&gateway, 3, &chat("n")).await, ["c", "d", "c"]);
    assert_eq!(served(&gateway, 3, &chat("o")).await, ["f"; 3], "the router's strategy");
    assert_eq!(served(&gateway, 5, &chat("all")).await, ["a", "b", "c", "d", "a"]);
    let models = get(&gateway, "/v1/models").await.json();
    let listed: Vec<_> = models["data"].as_array().unwrap().iter().map(|model| &model["id"]).collect();
    assert_eq!(listed, ["m", "n", "o", "turns", "all"]);
}

#[tokio::test]
async fn a_request_may_ask_for_a_strategy_and_the_others_go_on_as_before() {
    let (upstreams, mut config) = three(answers(200).json("{}")).await;
    config.router.strategy = Strategy::LowestCost;
    config.deployments[2].input_cost_per_token = Some(1e-6);
    let gateway = Gateway::start(&config);
    assert_eq!(served(&gateway, 2, &asking_for("round-robin")).await, ["a", "b"]);
    assert_eq!(served(&gateway, 2, &chat("m")).await, ["c"; 2]);
    assert_eq!(served(&gateway, 2, &asking_for("round-robin")).await, ["c", "a"]);
    assert_eq!(served(&gateway, 1, &asking_for("cost-based-routing")).await, ["c"]);
    assert_eq!(upstreams[1].requests(), 1);
    let answer = post(&gateway, CHAT, &asking_for("lar1")).await;
    assert_eq!((answer.status, answer.json()["error"]["param"].as_str()), {
        (400, Some("router_settings_override.routing_strategy"))
    });
}

#[tokio::test]
async fn a_strategy_asked_for_counts_for_retries_too() {
    let (_upstreams, mut failing) = three(answers(200).json("{}")).await;
    let ill = Upstream::playing(answers(500).json("{}")).await;
    failing.deployments[0].api_base = Some(ill.base());
    failing.router.retries.num_retries = 2;
    let gateway = Gateway::start(&failing);
    // The first turn is that of the ill one; the retry has the next.
    assert_eq!(served(&gateway, 2, &asking_for("round-robin")).await, ["b", "c"]);
    assert_eq!(ill.requests(), 1);
}

#[tokio::test]
async fn whatever_the_strategy_places_are_given_back() {
    for strategy in [Strategy::RoundRobin, Strategy::TwoChoices, Strategy::Shuffle, Strategy::LowestUsage] {
        let upstream = Upstream::playing(hangs()).await;
        let mut config = config([entry("m", "openai/m", "a", &upstream.base())]);
        config.router.strategy = strategy;
        let gateway = Gateway::start(&config);
        let mut client = Client::connect(&gateway).await;
        client.asks("m").await;
        while gateway.in_flight() != [1] {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        client.leaves();
        gateway.ends().await;
        assert_eq!(gateway.in_flight(), [0], "{strategy:?}");
    }
}

/// Fills the first one up to two, then the next.
#[derive(Debug)]
struct FillUp;

impl Choose for FillUp {
    fn choose(&mut self, candidates: &[Candidate], _: &Asked) -> usize {
        candidates.iter().position(|candidate| candidate.in_flight < 2).unwrap_or(0)
    }
}

#[tokio::test]
async fn a_program_brings_a_strategy_of_its_own_and_a_request_may_ask_for_another() {
    const ASKS: &str = r#""router_settings_override":{"routing_strategy":"least-busy"}"#;
    let mut upstream = Upstream::start().await;
    let base = upstream.base();
    let config = config(["a", "b"].map(|id| entry("m", &format!("openai/{id}"), id, &base)));
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let strategies = OwnStrategies::new(move |group| {
        seen.lock().unwrap().push(group.to_owned());
        (group == "m").then(|| Box::new(FillUp) as _)
    });
    let gateway = Gateway::start_with(&config, Options { strategies, ..Options::default() });
    assert_eq!(*asked.lock().unwrap(), ["m"], "once for each group");
    let mut open = Vec::new();
    // Least busy, which the configuration has for all, would go to the other one where one has a request more.
    for (fields, expected) in [(None, [1, 0]), (Some(ASKS), [1, 1]), (None, [2, 1]), (None, [2, 2])] {
        let mut client = Client::connect(&gateway).await;
        match fields {
            None => client.asks("m").await,
            Some(fields) => client.asks_with("m", fields).await,
        }
        open.push((client, upstream.next_request().await));
        assert_eq!(gateway.in_flight(), expected, "{fields:?}");
    }
}
