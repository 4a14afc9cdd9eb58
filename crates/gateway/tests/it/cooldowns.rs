//! When a deployment rests, for how long, and what a request meets while all of them do.

use std::time::{Duration, Instant};

use leastbusy_balance::Standing;
use leastbusy_gateway::config::{Config, WhenAllCooling};

use super::client::{CHAT, Client, chat, post, request};
use super::gateway::{Gateway, deployment, entry, eventually, retrying};
use super::script::{Script, Upstream, answers, closes, hangs};

fn failing(status: u16) -> Script {
    answers(status).json("{}")
}

/// Deployments `a` and `b` at one upstream, one attempt for each request.
fn both(base: &str) -> Config {
    let mut config = retrying([deployment("a", base), deployment("b", base)]);
    config.deployments[1].model = "openai/n".to_owned();
    config.router.retries.num_retries = 0;
    config.router.cooldown.when_all_cooling = WhenAllCooling::Fail;
    config
}

fn only(base: &str) -> Config {
    let mut config = both(base);
    config.deployments.truncate(1);
    config
}

fn standing(gateway: &Gateway, place: usize) -> Standing {
    gateway.condition(place).standing
}

fn remaining(gateway: &Gateway, place: usize) -> Duration {
    gateway.condition(place).cooldown.unwrap().remaining
}

async fn asks(gateway: &Gateway) {
    post(gateway, CHAT, &chat("m")).await;
    gateway.ends().await;
}

// D-13, K12
#[tokio::test]
async fn an_explicit_allowed_fails_of_3_rests_at_the_4th_failure() {
    let upstream = Upstream::playing(failing(500)).await;
    let mut config = only(&upstream.base());
    config.router.cooldown.allowed_fails = Some(3);
    let gateway = Gateway::start(&config);
    for _ in 0..3 {
        asks(&gateway).await;
        assert_eq!(standing(&gateway, 0), Standing::Available);
    }
    asks(&gateway).await;
    assert_eq!(standing(&gateway, 0), Standing::CoolingDown);
}

// D-14, K24
#[tokio::test]
async fn every_failed_attempt_of_a_request_counts() {
    let upstream = Upstream::playing(failing(429)).await;
    let mut config = both(&upstream.base());
    config.router.retries.num_retries = 1;
    let gateway = Gateway::start(&config);
    asks(&gateway).await;
    assert_eq!(gateway.story().await, ["a: rate_limited", "b: rate_limited"]);
    assert_eq!([0, 1].map(|at| standing(&gateway, at)), [Standing::CoolingDown; 2]);
}

// D-15, K25
#[tokio::test]
async fn the_later_of_two_rests_holds() {
    for rests in [["60", "1"], ["1", "60"]] {
        let [mut a, mut b] = [Upstream::start().await, Upstream::start().await];
        let mut config = both(&a.base());
        config.deployments[1].api_base = Some(b.base());
        let gateway = Gateway::start(&config);
        let mut clients = Vec::new();
        for count in [[1, 0], [1, 1], [2, 1]] {
            let mut client = Client::connect(&gateway).await;
            client.asks("m").await;
            gateway.counts(&count).await;
            clients.push(client);
        }
        for rest in rests {
            a.next_request().await.plays(answers(429).header("retry-after", rest).json("{}")).await;
        }
        b.next_request().await.answers(200, "{}").await;
        for mut client in clients {
            client.answer().await;
        }
        gateway.ends().await;
        assert!(Duration::from_secs(50) < remaining(&gateway, 0), "{rests:?}");
    }
}

// D-16
#[tokio::test]
async fn a_wildcard_deployment_rests_like_others() {
    let (a, b) = (Upstream::playing(failing(429)).await, Upstream::playing(failing(429)).await);
    let mut config = both(&a.base());
    config.deployments =
        [("a", a.base()), ("b", b.base())].map(|(id, base)| entry("any/*", "openai/*", id, &base)).into();
    let gateway = Gateway::start(&config);
    assert_eq!(post(&gateway, CHAT, &chat("any/x")).await.status, 429);
    assert_eq!(gateway.story().await, ["a: rate_limited"]);
    assert_eq!(standing(&gateway, 0), Standing::CoolingDown);
}

// D-17
#[tokio::test]
async fn one_failed_connection_rests_a_deployment() {
    let upstream = Upstream::playing(closes()).await;
    let gateway = Gateway::start(&both(&upstream.base()));
    asks(&gateway).await;
    assert_eq!(standing(&gateway, 0), Standing::CoolingDown);
    asks(&gateway).await;
    assert_eq!(standing(&gateway, 1), Standing::Available, "the last one stays");
}

// D-19
#[tokio::test]
async fn a_rest_that_an_upstream_asks_for_is_bounded() {
    let upstream = Upstream::playing(answers(429).header("retry-after", "287441").json("{}")).await;
    let gateway = Gateway::start(&both(&upstream.base()));
    asks(&gateway).await;
    let remaining = remaining(&gateway, 0);
    assert!(Duration::from_secs(290) < remaining && remaining <= Duration::from_secs(300));
}

// D-20, K03
#[tokio::test]
async fn the_last_deployment_is_not_rested_for_a_refused_key_or_an_unknown_model() {
    for status in [400, 401, 402, 403, 404] {
        let upstream = Upstream::playing(failing(status)).await;
        let gateway = Gateway::start(&only(&upstream.base()));
        for _ in 0..6 {
            asks(&gateway).await;
        }
        assert_eq!((upstream.requests(), standing(&gateway, 0)), (6, Standing::Available), "{status}");
    }
}

// D-22, D-33
#[tokio::test]
async fn while_all_rest_the_refusal_tells_the_time_that_remains() {
    let upstream = Upstream::playing(failing(429)).await;
    let mut config = both(&upstream.base());
    config.router.retries.num_retries = 1;
    config.router.cooldown.time = Some(Duration::from_millis(20_500));
    let gateway = Gateway::start(&config);
    asks(&gateway).await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    let answer = post(&gateway, CHAT, &chat("m")).await;
    let error = answer.error();
    assert_eq!((answer.status, &error["type"]), (429, &"all_deployments_in_cooldown".into()));
    let told: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((10..=20).contains(&told), "{told} of 20.5 s are told after 0.7 s");
    assert_eq!(upstream.requests(), 2, "nobody was asked");
    gateway.ends().await;
}

// D-22
#[tokio::test]
async fn while_all_rest_a_request_waits_or_tries_the_soonest() {
    for (way, waits) in [(WhenAllCooling::Wait, true), (WhenAllCooling::TrySoonest, false)] {
        let mut upstream = Upstream::start().await;
        let mut config = both(&upstream.base());
        config.router.retries.num_retries = 1;
        config.router.cooldown.time = Some(Duration::from_millis(if waits { 400 } else { 60_000 }));
        config.router.cooldown.when_all_cooling = way;
        let gateway = Gateway::start(&config);
        let mut client = Client::connect(&gateway).await;
        client.asks("m").await;
        let request = upstream.next_request().await;
        let began = Instant::now();
        request.answers(429, "{}").await;
        upstream.next_request().await.answers(429, "{}").await;
        client.answer().await;
        client.asks("m").await;
        upstream.next_request().await.answers(200, "{}").await;
        assert_eq!(client.answer().await.status, 200, "{way:?}");
        let elapsed = began.elapsed();
        assert!(!waits || Duration::from_millis(400) <= elapsed, "{way:?}: {elapsed:?}");
        assert!(elapsed < Duration::from_secs(10), "{way:?}: {elapsed:?}");
        gateway.ends().await;
    }
}

// K27
#[tokio::test]
async fn a_time_limit_of_the_clients_own_rests_nobody() {
    let upstream = Upstream::playing(hangs()).await;
    for (headers, expected) in
        [("x-litellm-timeout: 0.1\r\n", Standing::Available), ("", Standing::CoolingDown)]
    {
        let mut config = only(&upstream.base());
        config.router.cooldown.allowed_fails = Some(0);
        config.router.timeouts.first_byte = Some(Duration::from_millis(300));
        let gateway = Gateway::start(&config);
        let mut client = Client::connect(&gateway).await;
        client.send(request(CHAT, headers, chat("m").as_bytes())).await;
        assert_eq!(client.answer().await.status, 504);
        gateway.ends().await;
        assert_eq!(standing(&gateway, 0), expected);
    }
}

// K28
#[tokio::test]
async fn a_client_that_leaves_rests_nobody() {
    let mut upstream = Upstream::start().await;
    let mut config = only(&upstream.base());
    config.router.cooldown.allowed_fails = Some(0);
    let gateway = Gateway::start(&config);
    let mut client = Client::connect(&gateway).await;
    client.asks("m").await;
    let _request = upstream.next_request().await;
    client.leaves();
    eventually("an end", || !gateway.told.ends().is_empty()).await;
    assert_eq!(gateway.story().await, ["a: client_left"]);
    assert_eq!(standing(&gateway, 0), Standing::Available);
}
