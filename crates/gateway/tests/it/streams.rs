//! Streams: frame by frame, and one error event when they break.

use leastbusy_balance::Outcome;

use super::client::{CHAT, Client, chat_stream, post};
use super::gateway::Gateway;
use super::script::{Script, Upstream, answers, streams};
use super::wire::Piece;

#[tokio::test]
async fn each_event_reaches_the_client_before_the_next_one_is_sent() {
    let mut upstream = Upstream::start().await;
    let gateway = Gateway::before(&upstream.base());
    let mut client = Client::connect(&gateway).await;
    client.asks_for_stream("m").await;
    let mut request = upstream.next_request().await;
    request.begins_stream().await;
    request.event("token").await;
    let head = client.head().await;
    assert_eq!(head.header("content-type"), Some("text/event-stream"));
    assert_eq!(client.text().await, "data: token\n\n", "the head comes with the first event");
    for at in 0..25 {
        request.event(&format!("token {at}")).await;
        assert_eq!(client.text().await, format!("data: token {at}\n\n"));
    }
    request.ends_stream().await;
    assert_eq!(client.rest().await, (b"data: [DONE]\n\n".to_vec(), true));
    assert_eq!(gateway.only_outcome().await, Outcome::Success);
}

/// What a client sees of a stream that breaks off: all of it, and whether it ended in order.
async fn broken(script: Script) -> (String, bool) {
    let upstream = Upstream::playing(script).await;
    let gateway = Gateway::before(&upstream.base());
    let answer = post(&gateway, CHAT, &chat_stream("m")).await;
    assert_eq!(gateway.only_outcome().await, Outcome::BrokenAnswer);
    (answer.text().to_owned(), answer.whole)
}

#[tokio::test]
async fn a_stream_that_breaks_ends_with_one_error_event_and_no_done() {
    let breaks = [
        ("close", streams().event("a").then_closes()),
        ("reset", streams().event("a").then_resets()),
        ("in the middle of an event", streams().event("a").chunk(b"data: {\"hal").then_closes()),
        ("behind a line of an event", streams().event("a").chunk(b"data: half\n").then_closes()),
        ("behind a carriage return", streams().event("a").chunk(b"data: half\r").then_resets()),
    ];
    for (name, script) in breaks {
        let (text, whole) = broken(script).await;
        assert!(whole, "{name}: the event is the end");
        assert!(!text.contains("[DONE]"), "{name}: {text}");
        let text = text.replace('\r', "\n");
        let last = text.trim_end().rsplit("\n\n").next().unwrap();
        let error: serde_json::Value = serde_json::from_str(last.strip_prefix("data: ").unwrap())
            .unwrap_or_else(|error| panic!("{name}: {error}: {text}"));
        assert_eq!(error["error"]["code"], "502", "{name}");
        assert_eq!(error["error"]["type"], "upstream_connection_error", "{name}");
        assert_eq!(text.matches("\"error\"").count(), 1, "{name}: {text}");
        assert!(text.ends_with("\n\n"), "{name}");
    }
}

#[tokio::test]
async fn a_stream_that_breaks_before_its_first_event_is_a_502() {
    let upstream = Upstream::playing(streams().then_closes()).await;
    let gateway = Gateway::before(&upstream.base());
    let answer = post(&gateway, CHAT, &chat_stream("m")).await;
    assert_eq!(gateway.only_outcome().await, Outcome::BrokenAnswer);
    assert_eq!((answer.status, answer.error()["type"].as_str()), (502, Some("upstream_connection_error")));
}

#[tokio::test]
async fn a_stream_that_breaks_behind_its_done_gets_no_error_event() {
    let (text, whole) = broken(streams().event("a").event("[DONE]").then_closes()).await;
    assert_eq!(text, "data: a\n\ndata: [DONE]\n\n");
    assert!(!whole, "what the upstream left open is not closed for it");
}

#[tokio::test]
async fn a_compressed_or_counted_stream_breaks_off_without_an_event() {
    let kinds = [
        answers(200).raw(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 90\r\n\r\ndata: a\n\n",
        ),
        answers(200)
            .raw(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-encoding: gzip\r\n")
            .raw(b"transfer-encoding: chunked\r\n\r\n")
            .chunk(b"\x1f\x8b"),
    ];
    for script in kinds {
        let upstream = Upstream::playing(script.then_closes()).await;
        let gateway = Gateway::before(&upstream.base());
        let answer = post(&gateway, CHAT, &chat_stream("m")).await;
        assert!(!answer.whole);
        assert!(!String::from_utf8_lossy(&answer.body).contains("error"));
    }
}

#[tokio::test]
async fn a_stream_asked_for_may_be_refused_as_json() {
    let body = r#"{"error":{"message":"no","type":"invalid_request_error","param":null,"code":"400"}}"#;
    let upstream = Upstream::playing(answers(400).json(body)).await;
    let gateway = Gateway::before(&upstream.base());
    let answer = post(&gateway, CHAT, &chat_stream("m")).await;
    assert_eq!((answer.status, answer.text()), (400, body));
}

#[tokio::test]
async fn a_stream_without_a_length_or_chunks_ends_with_its_connection() {
    let script = answers(200)
        .raw(b"HTTP/1.0 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: a\n\ndata: [DONE]\n\n")
        .then_closes();
    let upstream = Upstream::playing(script).await;
    let gateway = Gateway::before(&upstream.base());
    let mut client = Client::connect(&gateway).await;
    client.asks_for_stream("m").await;
    client.head().await;
    let (body, whole) = client.rest().await;
    assert_eq!((body.as_slice(), whole), (b"data: a\n\ndata: [DONE]\n\n".as_slice(), true));
    assert_eq!(client.piece().await, Piece::End);
    assert_eq!(gateway.only_outcome().await, Outcome::Success);
}
