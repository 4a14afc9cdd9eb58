//! Three time limits end an answer: the first byte, the gap between frames, and the whole.

use std::time::{Duration, Instant};

use leastbusy_balance::{Outcome, Phase};
use leastbusy_gateway::config::Timeouts;

use super::client::{Answer, CHAT, Client, chat, chat_stream, post, request};
use super::gateway::{Gateway, deployment, on_one_worker};
use super::script::{Script, Upstream, answers, hangs, streams};

const SHORT: Duration = Duration::from_millis(80);
/// What no test may wait for.
const LONG: Duration = Duration::from_secs(600);

async fn late(script: Script, timeouts: Timeouts, body: &str) -> (Outcome, Answer) {
    let upstream = Upstream::playing(script).await;
    let mut deployment = deployment("a", &upstream.base());
    deployment.timeouts = timeouts;
    let gateway = Gateway::start(&on_one_worker([deployment]));
    let began = Instant::now();
    let answer = post(&gateway, CHAT, body).await;
    assert!(SHORT <= began.elapsed(), "sooner than the limit");
    (gateway.only_outcome().await, answer)
}

fn first_byte() -> Timeouts {
    Timeouts { first_byte: Some(SHORT), ..Timeouts::default() }
}

fn idle() -> Timeouts {
    Timeouts { idle: Some(SHORT), ..Timeouts::default() }
}

fn total() -> Timeouts {
    Timeouts { total: Some(SHORT), ..Timeouts::default() }
}

/// A stream whose frames come faster than any limit, for ever.
fn dripping() -> Script {
    (0..200).fold(streams(), |script, _| script.event("drip").pauses(Duration::from_millis(10)))
}

#[tokio::test]
async fn no_head_in_time_is_a_504_and_the_upstream_is_let_go() {
    let (outcome, answer) = late(hangs(), first_byte(), &chat("m")).await;
    assert_eq!(outcome, Outcome::Timeout(Phase::FirstByte));
    assert_eq!(answer.status, 504);
    let error = answer.error();
    assert_eq!(error["type"], "timeout");
    assert!(error["message"].as_str().unwrap().contains("first_byte_timeout"), "{error}");
    assert_eq!(answer.header("x-litellm-model-id"), Some("a"));
}

#[tokio::test]
async fn half_a_head_is_no_first_byte() {
    let script = answers(200).raw(b"HTTP/1.1 200 OK\r\nx-trickle: ").then_hangs();
    let (outcome, answer) = late(script, first_byte(), &chat_stream("m")).await;
    assert_eq!((outcome, answer.status), (Outcome::Timeout(Phase::FirstByte), 504));
}

#[tokio::test]
async fn a_gap_in_a_stream_is_one_error_event_and_no_done() {
    let (outcome, answer) = late(streams().event("a").then_hangs(), idle(), &chat_stream("m")).await;
    assert_eq!(outcome, Outcome::Timeout(Phase::Idle));
    let events: Vec<&str> = answer.text().split_terminator("\n\n").collect();
    assert_eq!(events.len(), 2, "{events:?}");
    let error: serde_json::Value = serde_json::from_str(events[1].strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!(error["error"]["code"], "504");
    assert!(error["error"]["message"].as_str().unwrap().contains("idle_timeout"), "{error}");
    assert!(answer.whole);
}

#[tokio::test]
async fn a_gap_in_a_json_answer_is_a_504() {
    let (outcome, answer) = late(answers(200).claiming(9, b"{").then_hangs(), idle(), &chat("m")).await;
    assert_eq!(outcome, Outcome::Timeout(Phase::Idle));
    assert_eq!((answer.status, answer.whole), (504, true));
    assert!(answer.text().contains("idle_timeout"), "{}", answer.text());
}

#[tokio::test]
async fn a_stream_that_never_pauses_ends_with_the_total_limit() {
    let (outcome, answer) = late(dripping(), total(), &chat_stream("m")).await;
    assert_eq!(outcome, Outcome::Timeout(Phase::Total));
    assert!(answer.text().contains("total_timeout"), "{}", answer.text());
    assert!(!answer.text().contains("[DONE]"));
}

#[tokio::test]
async fn the_total_limit_holds_before_the_first_byte_as_well() {
    let (outcome, answer) = late(hangs(), total(), &chat("m")).await;
    assert_eq!((outcome, answer.status), (Outcome::Timeout(Phase::Total), 504));
}

#[tokio::test]
async fn a_timeout_of_the_deployment_is_the_whole_answer_or_the_gap_of_a_stream() {
    let timeout = Timeouts { timeout: Some(SHORT), ..Timeouts::default() };
    let (outcome, _) = late(answers(200).claiming(9, b"{").then_hangs(), timeout, &chat("m")).await;
    assert!(matches!(outcome, Outcome::Timeout(Phase::Idle | Phase::Total)), "{outcome:?}");
    let (outcome, _) = late(streams().event("a").then_hangs(), timeout, &chat_stream("m")).await;
    assert_eq!(outcome, Outcome::Timeout(Phase::Idle));
}

#[tokio::test]
async fn a_client_asks_for_a_shorter_time_in_the_body_or_in_a_header() {
    let upstream = Upstream::playing(hangs()).await;
    let mut deployment = deployment("a", &upstream.base());
    deployment.timeouts.timeout = Some(LONG);
    let gateway = Gateway::start(&on_one_worker([deployment]));
    let answer = post(&gateway, CHAT, r#"{"model":"m","timeout":0.05}"#).await;
    assert_eq!(answer.status, 504);
    let answer = post(&gateway, CHAT, r#"{"model":"m","stream":true,"stream_timeout":0.05}"#).await;
    assert_eq!(answer.status, 504);
    let mut client = Client::connect(&gateway).await;
    client.send(request(CHAT, "x-litellm-timeout: 0.05\r\n", chat("m").as_bytes())).await;
    assert_eq!(client.answer().await.status, 504);
    let mut client = Client::connect(&gateway).await;
    client.send(request(CHAT, "x-litellm-timeout: soon\r\n", chat("m").as_bytes())).await;
    assert_eq!(client.answer().await.error()["param"], "x-litellm-timeout");
    assert_eq!(gateway.ends().await.len(), 3);
}

#[tokio::test]
async fn a_late_upstream_is_cut_off() {
    let mut upstream = Upstream::start().await;
    let mut deployment = deployment("a", &upstream.base());
    deployment.timeouts = first_byte();
    let gateway = Gateway::start(&on_one_worker([deployment]));
    let mut client = Client::connect(&gateway).await;
    client.asks("m").await;
    let mut request = upstream.next_request().await;
    request.wait_until_gone(super::wire::PATIENCE).await;
    assert_eq!(client.answer().await.status, 504);
}

#[tokio::test]
async fn a_tls_handshake_that_never_ends_is_a_502() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut deployment = deployment("a", &format!("https://{}/v1", silent.local_addr().unwrap()));
    deployment.timeouts.connect = Some(SHORT);
    let gateway = Gateway::start(&on_one_worker([deployment]));
    let answer = post(&gateway, CHAT, &chat("m")).await;
    assert_eq!((answer.status, answer.error()["type"].as_str()), (502, Some("upstream_connection_error")));
    assert_eq!(gateway.only_outcome().await, Outcome::Timeout(Phase::Connect));
}

#[tokio::test]
async fn a_client_that_stops_reading_does_not_outlast_the_total_limit() {
    let mut upstream = Upstream::start().await;
    let mut limited = deployment("a", &upstream.base());
    limited.timeouts = total();
    let gateway = Gateway::start(&on_one_worker([limited]));
    let mut client = Client::connect_with_little_room(&gateway, 4096).await;
    client.asks_for_stream("m").await;
    let mut exchange = upstream.next_request().await;
    exchange.begins_stream().await;
    let flood = tokio::spawn(async move {
        let frame = vec![b'x'; 64 * 1024];
        loop {
            exchange.chunk(&frame).await;
        }
    });
    gateway.counts(&[0]).await;
    flood.abort();
}
