//! A kept connection that dies under a request is replaced; a fresh one that dies is the answer.

use leastbusy_balance::Outcome;

use super::client::{CHAT, Client, chat, chat_stream, post};
use super::forms;
use super::gateway::Gateway;
use super::script::{Exchange, Upstream, answers, closes};

/// A gateway that keeps one connection, which has served one request.
async fn warm() -> (Gateway, Upstream, Client) {
    let mut upstream = Upstream::start().await;
    let gateway = Gateway::before(&upstream.base());
    let mut client = Client::connect(&gateway).await;
    client.asks("m").await;
    upstream.next_request().await.answers(200, "{}").await;
    assert_eq!(client.answer().await.status, 200);
    (gateway, upstream, client)
}

#[tokio::test]
async fn connections_are_kept_for_the_next_request() {
    let upstream = Upstream::playing(answers(200).json("{}")).await;
    let gateway = Gateway::before(&upstream.base());
    for _ in 0..20 {
        assert_eq!(post(&gateway, CHAT, &chat("m")).await.status, 200);
    }
    assert_eq!((upstream.requests(), upstream.connections()), (20, 1));
}

#[tokio::test]
async fn a_kept_connection_that_dies_without_a_byte_is_replayed_once_on_a_fresh_one() {
    let deaths: [fn(Exchange); 2] = [Exchange::closes, Exchange::resets];
    for dies in deaths {
        let (gateway, mut upstream, mut client) = warm().await;
        let body = r#"{"model":"m","messages":["the same bytes"]}"#;
        client.post(CHAT, body).await;
        let first = upstream.next_request().await;
        assert_eq!(first.connection, 1);
        dies(first);
        let second = upstream.next_request().await;
        assert_eq!((second.connection, second.body.as_slice()), (2, body.as_bytes()));
        assert_eq!(second.header("content-type"), Some("application/json"));
        second.answers(200, "{}").await;
        assert_eq!(client.answer().await.status, 200);
        let ends = gateway.ends().await;
        assert_eq!(ends.len(), 2, "one attempt for each request: {ends:?}");
        assert!(ends.iter().all(|end| end.outcome == Outcome::Success), "{ends:?}");
    }
}

#[tokio::test]
async fn the_replay_is_the_last_try() {
    let (gateway, mut upstream, mut client) = warm().await;
    client.asks("m").await;
    upstream.next_request().await.closes();
    upstream.next_request().await.closes();
    assert_eq!(client.answer().await.status, 502);
    upstream.saw_nothing();
    let ends = gateway.ends().await;
    assert_eq!(ends.last().unwrap().outcome, Outcome::ConnectionFailed);
}

#[tokio::test]
async fn a_fresh_connection_that_dies_is_not_replayed() {
    let upstream = Upstream::playing(closes()).await;
    let gateway = Gateway::before(&upstream.base());
    assert_eq!(post(&gateway, CHAT, &chat("m")).await.status, 502);
    assert_eq!(upstream.requests(), 1);
    assert_eq!(gateway.only_outcome().await, Outcome::ConnectionFailed);
}

#[tokio::test]
async fn half_an_answer_on_a_kept_connection_is_not_replayed() {
    let (gateway, mut upstream, mut client) = warm().await;
    client.asks("m").await;
    let mut request = upstream.next_request().await;
    request.writes(b"HTTP/1.1 200 OK\r\nx-half: ").await;
    request.closes();
    assert_eq!(client.answer().await.status, 502);
    upstream.saw_nothing();
    assert_eq!(gateway.ends().await.len(), 2);
}

#[tokio::test]
async fn an_answer_that_is_not_http_is_not_replayed() {
    let (gateway, mut upstream, mut client) = warm().await;
    client.asks("m").await;
    upstream.next_request().await.writes(b"what?\r\n\r\n").await;
    assert_eq!(client.answer().await.status, 502);
    upstream.saw_nothing();
    assert_eq!(gateway.ends().await.len(), 2);
}

#[tokio::test]
async fn a_file_that_can_be_sent_once_goes_out_on_a_fresh_connection() {
    let (gateway, mut upstream, mut client) = warm().await;
    client.send(forms::upload_to("/v1/audio/transcriptions", "m", b"RIFF")).await;
    let request = upstream.next_request().await;
    assert_eq!(request.connection, 2);
    request.answers(200, "{}").await;
    assert_eq!(client.answer().await.status, 200);
    assert_eq!(gateway.ends().await.len(), 2);
}

#[tokio::test]
async fn a_connection_that_the_upstream_closed_while_idle_is_not_used() {
    let upstream = Upstream::playing(answers(200).json("{}").then_closes()).await;
    let gateway = Gateway::before(&upstream.base());
    for _ in 0..10 {
        assert_eq!(post(&gateway, CHAT, &chat("m")).await.status, 200);
    }
    assert_eq!(upstream.connections(), 10);
    let ends = gateway.ends().await;
    assert_eq!(ends.len(), 10);
}

#[tokio::test]
async fn a_connection_that_the_upstream_means_to_close_is_not_used() {
    let upstream = Upstream::playing(answers(200).header("connection", "close").json("{}")).await;
    let gateway = Gateway::before(&upstream.base());
    for _ in 0..5 {
        assert_eq!(post(&gateway, CHAT, &chat("m")).await.status, 200);
    }
    assert_eq!((upstream.requests(), upstream.connections()), (5, 5));
}

#[tokio::test]
async fn a_stream_that_ended_leaves_its_connection_to_the_next() {
    let upstream = Upstream::playing(super::script::streams().event("a").done()).await;
    let gateway = Gateway::before(&upstream.base());
    for _ in 0..10 {
        assert!(post(&gateway, CHAT, &chat_stream("m")).await.text().ends_with("[DONE]\n\n"));
    }
    assert_eq!((upstream.requests(), upstream.connections()), (10, 1));
}
