//! Requests that wait in strict mode, where each asks Redis again and again.

use std::time::{Duration, Instant};

use leastbusy_gateway::config::{Config, WhenAllCooling};
use serde_json::Value;

use super::client::{CHAT, Client, chat, get, post};
use super::gateway::{Gateway, deployment, eventually, on_one_worker};
use super::queue::{busy, scene};
use super::redis_kit::Server;
use super::script::{Upstream, answers};
use super::strict::strictly;

/// A strict gateway whose asking for places never takes too long, however busy the machine is.
fn start(config: Config, redis: &Server) -> Gateway {
    let mut config = strictly(config, redis);
    config.shared_state.as_mut().unwrap().strict_timeout = Duration::from_secs(5);
    Gateway::start(&config)
}

async fn waiting_are(gateway: &Gateway, waiting: u32) {
    eventually("so many wait", || gateway.table().waiting().any(|(_, group)| group.count() == waiting)).await;
}

/// A client whose request waits as the last of so many.
async fn waits(gateway: &Gateway, waiting: u32) -> Client {
    let mut client = Client::connect(gateway).await;
    client.asks("m").await;
    waiting_are(gateway, waiting).await;
    client
}

async fn says(gateway: &Gateway, lines: &[&str]) {
    let metrics = get(gateway, "/metrics").await.text().to_owned();
    for line in lines {
        assert!(metrics.contains(&format!("leastbusy_queue_{line}\n")), "{line} is missing in\n{metrics}");
    }
}

#[tokio::test]
async fn no_more_wait_than_may_and_who_leaves_makes_room() {
    let (redis, mut upstream) = (Server::start().await, Upstream::start().await);
    let gateway = start(scene(&upstream.base(), 1), &redis);
    let (_first, exchange) = busy(&gateway, &mut upstream).await;
    let gone = waits(&gateway, 1).await;
    let refused = post(&gateway, CHAT, &chat("m")).await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")));
    let message = refused.error()["message"].to_string();
    assert!(message.contains("`max_queued_requests`"), "{message}");
    gone.leaves();
    waiting_are(&gateway, 0).await;
    let mut stays = waits(&gateway, 1).await;
    exchange.answers(200, "{}").await;
    upstream.next_request().await.answers(200, "{}").await;
    assert_eq!(stays.answer().await.status, 200);
    upstream.saw_nothing();
    let left = |end, times| format!("left_total{{model_group=\"m\",end=\"{end}\"}} {times}");
    let (refused, gone, served) = (left("refused", 1), left("client_left", 1), left("served", 1));
    says(&gateway, &[&refused, &gone, &served, r#"wait_seconds_count{model_group="m"} 2"#]).await;
}

#[tokio::test]
async fn who_finds_no_room_is_told_the_pace_of_those_that_wait() {
    const WAITING: u32 = 8;
    let (redis, mut upstream) = (Server::start().await, Upstream::start().await);
    let gateway = start(scene(&upstream.base(), WAITING), &redis);
    let (_first, mut exchange) = busy(&gateway, &mut upstream).await;
    let mut clients = Vec::new();
    for waiting in 1..=WAITING {
        clients.push(waits(&gateway, waiting).await);
    }
    let began = Instant::now();
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(400)).await;
        exchange.answers(200, "{}").await;
        exchange = upstream.next_request().await;
        waiting_are(&gateway, WAITING - 1).await;
        clients.push(waits(&gateway, WAITING).await);
    }
    let least = WAITING * (began.elapsed() / 3);
    let refused = post(&gateway, CHAT, &chat("m")).await;
    let told: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert_eq!(refused.status, 429);
    assert!(least.as_secs() <= told && told < 60, "{told} s, where a place takes {least:?} / {WAITING}");
    drop(exchange);
}

#[tokio::test]
async fn who_has_waited_long_enough_is_told_so() {
    let (redis, mut upstream) = (Server::start().await, Upstream::start().await);
    let mut config = scene(&upstream.base(), 10);
    config.router.queue.timeout = Duration::from_millis(150);
    let gateway = start(config, &redis);
    let (_first, _exchange) = busy(&gateway, &mut upstream).await;
    let answer = post(&gateway, CHAT, &chat("m")).await;
    let message = answer.error()["message"].to_string();
    assert!(answer.status == 429 && message.contains("`queue_timeout`"), "{message}");
    says(&gateway, &[r#"left_total{model_group="m",end="timed_out"} 1"#]).await;
}

#[tokio::test]
async fn who_waits_where_all_begin_to_rest_waits_in_vain() {
    let (redis, mut upstream) = (Server::start().await, Upstream::start().await);
    let mut config = scene(&upstream.base(), 10);
    // The last one that is left is not rested for its own 429.
    let mut other = deployment("b", &upstream.base());
    (other.model, other.max_parallel_requests) = ("openai/other".to_owned(), Some(1));
    config.deployments.push(other);
    config.router.retries.num_retries = 0;
    config.router.cooldown.when_all_cooling = WhenAllCooling::Fail;
    let gateway = start(config, &redis);
    let (_first, one) = busy(&gateway, &mut upstream).await;
    let (_second, two) = busy(&gateway, &mut upstream).await;
    let mut client = waits(&gateway, 1).await;
    for exchange in [one, two] {
        exchange.plays(answers(429).header("retry-after", "30").json("{}")).await;
    }
    let answer = client.answer().await;
    assert_eq!(answer.error()["type"], Value::from("all_deployments_in_cooldown"), "{}", answer.text());
    says(&gateway, &[r#"left_total{model_group="m",end="unavailable"} 1"#]).await;
}

#[tokio::test]
async fn tokens_that_come_back_in_time_are_waited_for() {
    let (redis, mut upstream) = (Server::start().await, Upstream::start().await);
    let mut limited = deployment("a", &upstream.base());
    limited.tpm = Some(1000);
    let mut config = on_one_worker([limited]);
    config.router.queue.timeout = Duration::from_secs(90);
    let gateway = start(config, &redis);
    let mut first = Client::connect(&gateway).await;
    first.asks_with("m", r#""max_tokens":1000"#).await;
    let exchange = upstream.next_request().await;
    let mut second = waits(&gateway, 1).await;
    exchange.answers(200, r#"{"usage":{"prompt_tokens":3,"completion_tokens":5}}"#).await;
    assert_eq!(first.answer().await.status, 200);
    upstream.next_request().await.answers(200, "{}").await;
    assert_eq!(second.answer().await.status, 200);
    says(&gateway, &[r#"left_total{model_group="m",end="served"} 1"#]).await;
}
