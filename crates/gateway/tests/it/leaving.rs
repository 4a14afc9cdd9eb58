//! A client that leaves stops its upstream work, streaming or not.

use std::time::Duration;

use leastbusy_balance::Outcome;

use super::client::{CHAT, Client, request};
use super::gateway::{Gateway, deployment, on_one_worker};
use super::script::{Exchange, Upstream};
use super::wire::Piece;

/// The gateway needs about a millisecond; a machine that builds something else beside needs this.
const AT_ONCE: Duration = Duration::from_secs(2);

/// A client whose request the upstream has read.
async fn asking(streaming: bool) -> (Gateway, Upstream, Client, Exchange) {
    let mut upstream = Upstream::start().await;
    let gateway = Gateway::before(&upstream.base());
    let mut client = Client::connect(&gateway).await;
    if streaming {
        client.asks_for_stream("m").await;
    } else {
        client.asks("m").await;
    }
    let request = upstream.next_request().await;
    gateway.counts(&[1]).await;
    (gateway, upstream, client, request)
}

async fn left(gateway: &Gateway, mut request: Exchange) {
    request.wait_until_gone(AT_ONCE).await;
    assert_eq!(gateway.only_outcome().await, Outcome::ClientLeft);
}

#[tokio::test]
async fn before_the_answer_has_begun() {
    for streaming in [false, true] {
        let (gateway, _upstream, client, request) = asking(streaming).await;
        client.leaves();
        left(&gateway, request).await;
    }
}

#[tokio::test]
async fn with_a_reset() {
    for streaming in [false, true] {
        let (gateway, _upstream, client, request) = asking(streaming).await;
        client.resets();
        left(&gateway, request).await;
    }
}

#[tokio::test]
async fn in_the_middle_of_a_stream() {
    let (gateway, _upstream, mut client, mut request) = asking(true).await;
    request.begins_stream().await;
    request.event("a").await;
    client.head().await;
    assert_eq!(client.text().await, "data: a\n\n");
    client.leaves();
    left(&gateway, request).await;
}

#[tokio::test]
async fn in_the_middle_of_a_body() {
    let (gateway, _upstream, mut client, mut request) = asking(false).await;
    request.writes(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{").await;
    client.head().await;
    assert_eq!(client.text().await, "{");
    client.leaves();
    left(&gateway, request).await;
}

#[tokio::test]
async fn while_it_does_not_read() {
    let mut upstream = Upstream::start().await;
    let mut config = on_one_worker([deployment("a", &upstream.base())]);
    config.general.write_timeout = Duration::from_millis(200);
    let gateway = Gateway::start(&config);
    let mut client = Client::connect_with_little_room(&gateway, 4096).await;
    client.asks_for_stream("m").await;
    let mut request = upstream.next_request().await;
    request.begins_stream().await;
    // More than all the buffers between the two sides hold, so that the upstream itself has to wait.
    let flood = "x".repeat(64 << 20);
    tokio::select! {
        () = request.event(&flood) => {}
        () = tokio::time::sleep(super::wire::PATIENCE) => panic!("nobody gave the slow client up"),
    }
    request.wait_until_gone(AT_ONCE).await;
    assert_eq!(gateway.only_outcome().await, Outcome::ClientLeft);
    drop(client);
}

#[tokio::test]
async fn a_client_that_reads_slowly_is_not_given_up() {
    // Ten pauses together are longer than the limit, each is far shorter.
    const PAUSE: Duration = Duration::from_millis(150);
    const PART_BYTES: usize = 1 << 20;
    let mut upstream = Upstream::start().await;
    let mut config = on_one_worker([deployment("a", &upstream.base())]);
    config.general.write_timeout = Duration::from_millis(1200);
    let gateway = Gateway::start(&config);
    let mut client = Client::connect_with_little_room(&gateway, 128 << 10).await;
    client.asks_for_stream("m").await;
    let mut request = upstream.next_request().await;
    request.begins_stream().await;
    let events = tokio::spawn(async move {
        for _ in 0..10 {
            request.event(&"x".repeat(PART_BYTES)).await;
        }
        request.ends_stream().await;
    });
    client.head().await;
    let (mut read, mut paused) = (0, 0);
    while let Piece::Data(data) = client.piece().await {
        read += data.len();
        if paused < read / PART_BYTES {
            paused += 1;
            tokio::time::sleep(PAUSE).await;
        }
    }
    events.await.unwrap();
    assert_eq!(read, 10 * (PART_BYTES + 8) + 14);
    assert_eq!(gateway.only_outcome().await, Outcome::Success);
}

#[tokio::test]
async fn a_pipelined_request_waits_for_the_answer_before_it() {
    let (gateway, mut upstream, mut client, first) = asking(false).await;
    client.asks("m").await;
    first.answers(200, "1").await;
    assert_eq!(client.answer().await.text(), "1");
    upstream.next_request().await.answers(200, "2").await;
    assert_eq!(client.answer().await.text(), "2");
    let ends = gateway.ends().await;
    assert_eq!(ends.len(), 2);
}

#[tokio::test]
async fn before_its_body_has_arrived_no_upstream_hears_of_it() {
    let mut upstream = Upstream::start().await;
    let gateway = Gateway::before(&upstream.base());
    for _ in 0..5 {
        let mut client = Client::connect(&gateway).await;
        let whole = request(CHAT, "", br#"{"model":"m"}"#);
        client.send(&whole[..whole.len() - 1]).await;
        client.leaves();
    }
    // A request that is answered after them shows that they have been dealt with.
    let mut client = Client::connect(&gateway).await;
    client.asks("m").await;
    upstream.next_request().await.answers(200, "{}").await;
    assert_eq!(client.answer().await.status, 200);
    upstream.saw_nothing();
    assert_eq!(gateway.ends().await.len(), 1);
}
