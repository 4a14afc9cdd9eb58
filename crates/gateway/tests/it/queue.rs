//! Requests that wait at the gateway for a place.

use std::time::{Duration, Instant};

use leastbusy_gateway::config::{ClientKey, Config, KeyHash, Queue, RoutingGroup, Strategy};
use serde_json::Value;

use super::client::{CHAT, Client, chat, get, post, request};
use super::gateway::{Gateway, deployment, entry, eventually, on_one_worker};
use super::script::{Exchange, Upstream, answers};

/// One deployment with one place, and a queue for so many.
pub(crate) fn scene(base: &str, most: u32) -> Config {
    let mut only = deployment("a", base);
    only.max_parallel_requests = Some(1);
    let mut config = on_one_worker([only]);
    config.router.queue = Queue { max: Some(most), ..Queue::default() };
    config
}

/// A request whose answer is being made.
pub(crate) async fn busy(gateway: &Gateway, upstream: &mut Upstream) -> (Client, Exchange) {
    let mut client = Client::connect(gateway).await;
    client.asks("m").await;
    (client, upstream.next_request().await)
}

/// A client whose request waits as the last of so many.
async fn waits(gateway: &Gateway, fields: &str, waiting: u32) -> Client {
    let mut client = Client::connect(gateway).await;
    client.asks_with("m", fields).await;
    waiting_are(gateway, waiting).await;
    client
}

async fn waiting_are(gateway: &Gateway, waiting: u32) {
    eventually("the queue has its length", || gateway.table().fleet().waiting() == waiting).await;
}

#[tokio::test]
async fn who_waits_is_served_in_order_as_places_come_free() {
    let mut upstream = Upstream::start().await;
    let gateway = Gateway::start(&scene(&upstream.base(), 10));
    let (_first, mut exchange) = busy(&gateway, &mut upstream).await;
    let mut clients = Vec::new();
    for name in 1..4 {
        clients.push(waits(&gateway, &format!(r#""user":"{name}""#), name).await);
    }
    upstream.saw_nothing();
    for name in 1..4 {
        exchange.answers(200, "{}").await;
        exchange = upstream.next_request().await;
        assert_eq!(exchange.json()["user"], Value::from(name.to_string()));
        assert_eq!(gateway.in_flight(), [1]);
        // The others wait on.
        waiting_are(&gateway, 3 - name).await;
    }
    exchange.answers(200, "{}").await;
    for mut client in clients {
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.detours()), (200, (0, 0)), "waiting is no retry");
    }
    assert!(gateway.ends().await.iter().all(|end| end.outcome.name() == "success"));
}

#[tokio::test]
async fn the_lowest_priority_goes_first_and_the_field_stays_here() {
    let mut upstream = Upstream::start().await;
    let gateway = Gateway::start(&scene(&upstream.base(), 10));
    let (_first, mut exchange) = busy(&gateway, &mut upstream).await;
    let mut clients = Vec::new();
    for (waiting, fields) in
        (1..).zip([r#""priority":5,"user":"late""#, r#""user":"usual""#, r#""priority":-1,"user":"urgent""#])
    {
        clients.push(waits(&gateway, fields, waiting).await);
    }
    for expected in ["urgent", "usual", "late"] {
        exchange.answers(200, "{}").await;
        exchange = upstream.next_request().await;
        let body = exchange.json();
        assert_eq!((&body["user"], body.get("priority")), (&Value::from(expected), None));
    }
    exchange.answers(200, "{}").await;
}

#[tokio::test]
async fn keys_take_turns() {
    const KEYS: [&str; 2] = ["sk-noisy-0123456789", "sk-quiet-0123456789"];
    let mut upstream = Upstream::start().await;
    let mut config = scene(&upstream.base(), 20);
    config.keys = KEYS.map(|key| ClientKey::new(&key[3..8], KeyHash::of(key.as_bytes()))).into();
    let gateway = Gateway::start(&config);
    let ask = |key: &'static str| {
        let gateway = &gateway;
        async move {
            let mut client = Client::connect(gateway).await;
            let headers = format!("authorization: Bearer {key}\r\n");
            let body = format!(r#"{{"model":"m","user":"{key}"}}"#);
            client.send(request(CHAT, &headers, body.as_bytes())).await;
            client
        }
    };
    let mut clients = vec![ask(KEYS[0]).await];
    let mut exchange = upstream.next_request().await;
    for waiting in 1..=8 {
        clients.push(ask(KEYS[usize::from(7 <= waiting)]).await);
        waiting_are(&gateway, waiting).await;
    }
    let mut order = Vec::new();
    for _ in 0..8 {
        exchange.answers(200, "{}").await;
        exchange = upstream.next_request().await;
        order.push(exchange.json()["user"] == KEYS[1]);
    }
    exchange.answers(200, "{}").await;
    assert_eq!(order, [false, true, false, true, false, false, false, false], "{KEYS:?}");
}

#[tokio::test]
async fn a_full_queue_refuses_with_the_time_that_it_takes() {
    let mut upstream = Upstream::start().await;
    let gateway = Gateway::start(&scene(&upstream.base(), 1));
    let (_first, exchange) = busy(&gateway, &mut upstream).await;
    let _second = waits(&gateway, r#""user":"any""#, 1).await;
    let answer = post(&gateway, CHAT, &chat("m")).await;
    assert_eq!((answer.status, answer.header("retry-after")), (429, Some("1")));
    let error = answer.error();
    assert_eq!(error["type"], "all_deployments_full");
    assert!(error["message"].as_str().unwrap().contains("`max_queued_requests`"), "{error}");
    let backlog = get(&gateway, "/health/backlog").await.json();
    let expected = serde_json::json!({
        "in_flight_requests": 1, "admitted_requests": 1, "queued_requests": 1, "rejected_requests": 1,
        "model_groups": [{"model_group": "m", "queued_requests": 1}],
    });
    assert_eq!(backlog, expected);
    let page = get(&gateway, "/router/deployments").await.json();
    assert_eq!((&page["data"][0]["queued"], &page["data"][0]["state"]), (&1.into(), &"full".into()));
    drop(exchange);
}

#[tokio::test]
async fn a_routing_group_with_the_name_of_a_model_group_is_one_line_with_it() {
    let mut upstream = Upstream::start().await;
    let mut config = scene(&upstream.base(), 1);
    config.deployments.push(entry("other", "openai/other", "b", &upstream.base()));
    config.router.routing_groups =
        vec![RoutingGroup { name: "m".into(), models: vec!["m".into()], strategy: Strategy::RoundRobin }];
    let gateway = Gateway::start(&config);
    let (_first, _exchange) = busy(&gateway, &mut upstream).await;
    let _second = waits(&gateway, r#""user":"any""#, 1).await;
    assert_eq!(post(&gateway, CHAT, &chat("m")).await.status, 429);
    let backlog = get(&gateway, "/health/backlog").await.json();
    assert_eq!((&backlog["queued_requests"], &backlog["rejected_requests"]), (&1.into(), &1.into()));
    assert_eq!(
        backlog["model_groups"],
        serde_json::json!([
            {"model_group": "m", "queued_requests": 1},
            {"model_group": "other", "queued_requests": 0},
        ])
    );
    let metrics = get(&gateway, "/metrics").await;
    assert_eq!(metrics.text().matches(r#"leastbusy_queue_waiting{model_group="m"} "#).count(), 1);
    let page = get(&gateway, "/router/deployments").await.json();
    assert_eq!((&page["data"][0]["queued"], &page["data"][1]["queued"]), (&1.into(), &0.into()));
}

#[tokio::test]
async fn without_a_queue_full_is_full() {
    let mut upstream = Upstream::start().await;
    let gateway = Gateway::start(&scene(&upstream.base(), 0));
    let (_first, _exchange) = busy(&gateway, &mut upstream).await;
    let answer = post(&gateway, CHAT, &chat("m")).await;
    assert_eq!((answer.status, &answer.error()["type"]), (429, &"all_deployments_full".into()));
}

#[tokio::test]
async fn who_has_waited_long_enough_is_told_so() {
    let mut upstream = Upstream::start().await;
    let mut config = scene(&upstream.base(), 10);
    config.router.queue.timeout = Duration::from_millis(150);
    let gateway = Gateway::start(&config);
    let (_first, _exchange) = busy(&gateway, &mut upstream).await;
    let began = Instant::now();
    let answer = post(&gateway, CHAT, &chat("m")).await;
    assert!(Duration::from_millis(150) <= began.elapsed());
    let error = answer.error();
    assert_eq!((answer.status, &error["type"]), (429, &"all_deployments_full".into()));
    assert!(error["message"].as_str().unwrap().contains("`queue_timeout`"), "{error}");
    assert_eq!(gateway.table().fleet().waiting(), 0);
}

#[tokio::test]
async fn who_leaves_leaves_the_queue() {
    let mut upstream = Upstream::start().await;
    let gateway = Gateway::start(&scene(&upstream.base(), 10));
    let (_first, exchange) = busy(&gateway, &mut upstream).await;
    let gone = waits(&gateway, r#""user":"gone""#, 1).await;
    let _stays = waits(&gateway, r#""user":"stays""#, 2).await;
    gone.leaves();
    waiting_are(&gateway, 1).await;
    exchange.answers(200, "{}").await;
    let exchange = upstream.next_request().await;
    assert_eq!(exchange.json()["user"], "stays");
    exchange.answers(200, "{}").await;
    let metrics = get(&gateway, "/metrics").await.text().to_owned();
    for line in [
        r#"leastbusy_queue_left_total{model_group="m",end="client_left"} 1"#,
        r#"leastbusy_queue_left_total{model_group="m",end="served"} 1"#,
        r#"leastbusy_queue_waiting{model_group="m"} 0"#,
        r#"leastbusy_queue_wait_seconds_count{model_group="m"} 2"#,
        r#"leastbusy_queue_ahead_sum{model_group="m"} 1.0"#,
    ] {
        assert!(metrics.contains(line), "{line} is missing in\n{metrics}");
    }
}

#[tokio::test]
async fn a_free_fallback_goes_before_the_queue() {
    let mut upstream = Upstream::start().await;
    let spare = Upstream::playing(answers(200).json("{}")).await;
    let mut config = scene(&upstream.base(), 10);
    config.deployments.push(entry("spare", "openai/m", "b", &spare.base()));
    config.router.fallbacks.general = vec![("m".to_owned(), vec!["spare".to_owned()])];
    let gateway = Gateway::start(&config);
    let (_first, _exchange) = busy(&gateway, &mut upstream).await;
    let answer = post(&gateway, CHAT, &chat("m")).await;
    assert_eq!((answer.status, answer.served_by()), (200, "b"));
}

#[tokio::test]
async fn a_retry_waits_for_the_deployment_it_was_not_on() {
    let first = Upstream::playing(answers(500).json("{}")).await;
    let mut second = Upstream::start().await;
    let mut config = scene(&first.base(), 10);
    let mut other = deployment("b", &second.base());
    other.max_parallel_requests = Some(1);
    config.deployments.push(other);
    config.router.retries.num_retries = 2;
    let gateway = Gateway::start(&config);
    let mut holder = Client::connect(&gateway).await;
    holder.asks("b").await;
    let exchange = second.next_request().await;
    let mut client = waits(&gateway, r#""user":"any""#, 1).await;
    exchange.answers(200, "{}").await;
    second.next_request().await.answers(200, "{}").await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.served_by(), answer.detours()), (200, "b", (1, 0)));
}

#[tokio::test]
async fn a_stop_lets_those_who_wait_finish() {
    let mut upstream = Upstream::start().await;
    let gateway = Gateway::start(&scene(&upstream.base(), 10));
    let (_first, exchange) = busy(&gateway, &mut upstream).await;
    let mut client = waits(&gateway, r#""user":"any""#, 1).await;
    let stopping = tokio::spawn(gateway.stop());
    exchange.answers(200, "{}").await;
    upstream.next_request().await.answers(200, "{}").await;
    assert_eq!(client.answer().await.status, 200);
    stopping.await.unwrap();
}

#[tokio::test]
async fn who_had_its_minute_gets_nothing_and_the_refusal_says_until_when() {
    let first = Upstream::playing(answers(200).json("{}")).await;
    let second = Upstream::playing(answers(200).json("{}")).await;
    let mut limited = deployment("a", &first.base());
    limited.rpm = Some(3);
    let mut other = deployment("b", &second.base());
    other.rpm = Some(2);
    let mut config = on_one_worker([limited, other]);
    config.router.queue.max = Some(0);
    let gateway = Gateway::start(&config);
    for _ in 0..5 {
        assert_eq!(post(&gateway, CHAT, &chat("m")).await.status, 200);
    }
    assert_eq!((first.requests(), second.requests()), (3, 2));
    let answer = post(&gateway, CHAT, &chat("m")).await;
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert_eq!(answer.status, 429);
    assert!((50..=60).contains(&wait), "{wait} s");
    assert!(answer.error()["message"].as_str().unwrap().contains("`rpm`"));
}

#[tokio::test]
async fn tokens_of_a_burst_count_before_its_first_answer() {
    let mut upstream = Upstream::start().await;
    let mut limited = deployment("a", &upstream.base());
    limited.tpm = Some(1000);
    let mut config = on_one_worker([limited]);
    config.router.queue.max = Some(0);
    let gateway = Gateway::start(&config);
    let mut first = Client::connect(&gateway).await;
    first.asks_with("m", r#""max_tokens":1000"#).await;
    let exchange = upstream.next_request().await;
    assert_eq!(post(&gateway, CHAT, &chat("m")).await.status, 429);
    // It took far less than it might have.
    exchange.answers(200, r#"{"usage":{"prompt_tokens":3,"completion_tokens":5}}"#).await;
    assert_eq!(first.answer().await.status, 200);
    let mut second = Client::connect(&gateway).await;
    second.asks("m").await;
    upstream.next_request().await.answers(200, "{}").await;
    assert_eq!(second.answer().await.status, 200);
}

#[tokio::test]
async fn with_prompts_that_count_requests_are_parts_of_the_slots() {
    let (mut large, mut small) = (Upstream::start().await, Upstream::start().await);
    let mut one = deployment("a", &large.base());
    (one.engine.slots, one.engine.prefill_rate) = (Some(6), Some(1e9));
    let mut other = deployment("b", &small.base());
    (other.engine.slots, other.engine.prefill_rate) = (Some(2), Some(1e9));
    let mut config = on_one_worker([one, other]);
    config.router.least_busy_by.prefill = true;
    let gateway = Gateway::start(&config);
    let mut clients = Vec::new();
    for _ in 0..8 {
        let mut client = Client::connect(&gateway).await;
        client.asks("m").await;
        clients.push(client);
    }
    gateway.counts(&[6, 2]).await;
    for _ in 0..6 {
        large.next_request().await.answers(200, "{}").await;
    }
    for _ in 0..2 {
        small.next_request().await.answers(200, "{}").await;
    }
}

#[tokio::test]
async fn who_waits_when_all_deployments_come_to_rest_is_told_that() {
    let mut upstream = Upstream::start().await;
    let mut config = scene(&upstream.base(), 10);
    let mut other = deployment("b", &upstream.base());
    other.model = "openai/other".to_owned();
    other.max_parallel_requests = Some(1);
    config.deployments.push(other);
    config.router.retries.num_retries = 0;
    config.router.cooldown.when_all_cooling = leastbusy_gateway::config::WhenAllCooling::Fail;
    let gateway = Gateway::start(&config);
    let (_first, one) = busy(&gateway, &mut upstream).await;
    let (_second, two) = busy(&gateway, &mut upstream).await;
    let mut client = waits(&gateway, r#""user":"any""#, 1).await;
    for exchange in [one, two] {
        exchange.plays(answers(429).header("retry-after", "30").json("{}")).await;
    }
    let answer = client.answer().await;
    assert_eq!((answer.status, &answer.error()["type"]), (429, &"all_deployments_in_cooldown".into()));
    let metrics = get(&gateway, "/metrics").await.text().to_owned();
    let line = r#"leastbusy_queue_left_total{model_group="m",end="unavailable"} 1"#;
    assert!(metrics.contains(line), "{metrics}");
}

#[tokio::test]
async fn the_wait_that_is_told_is_that_of_what_was_asked_for() {
    let mut upstream = Upstream::start().await;
    let spare = Upstream::playing(answers(200).json("{}")).await;
    let mut config = scene(&upstream.base(), 0);
    let mut limited = entry("spare", "openai/m", "b", &spare.base());
    limited.rpm = Some(1);
    config.deployments.push(limited);
    config.router.fallbacks.general = vec![("m".to_owned(), vec!["spare".to_owned()])];
    let gateway = Gateway::start(&config);
    assert_eq!(post(&gateway, CHAT, &chat("spare")).await.status, 200);
    let (_first, _exchange) = busy(&gateway, &mut upstream).await;
    let answer = post(&gateway, CHAT, &chat("m")).await;
    assert_eq!(
        (answer.status, answer.header("retry-after")),
        (429, Some("1")),
        "and not the fallback's minute"
    );
}

#[tokio::test]
async fn time_in_the_queue_is_no_overhead() {
    let mut upstream = Upstream::start().await;
    let gateway = Gateway::start(&scene(&upstream.base(), 10));
    let (_first, exchange) = busy(&gateway, &mut upstream).await;
    let mut client = waits(&gateway, r#""user":"any""#, 1).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    exchange.answers(200, "{}").await;
    upstream.next_request().await.answers(200, "{}").await;
    let answer = client.answer().await;
    let [whole, overhead] = ["response", "overhead"]
        .map(|kind| answer.header(&format!("x-litellm-{kind}-duration-ms")).unwrap().parse::<f64>().unwrap());
    assert!(300.0 <= whole && overhead < whole - 290.0, "{overhead} of {whole} ms");
}
