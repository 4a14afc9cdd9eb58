//! A lease ends exactly once, however the upstream ends its answer.

use std::time::Duration;

use leastbusy_balance::Outcome;

use super::client::{CHAT, Client, chat, chat_stream, post};
use super::gateway::{Gateway, deployment, on_one_worker};
use super::script::{Script, Upstream, answers, closes, resets, streams};

/// Sends one request through a gateway of its own; gives the outcome and what the client saw.
async fn ending(script: Script, body: &str) -> (Outcome, super::client::Answer) {
    let upstream = Upstream::playing(script).await;
    let gateway = Gateway::before(&upstream.base());
    let answer = post(&gateway, CHAT, body).await;
    assert_eq!(upstream.requests(), 1);
    (gateway.only_outcome().await, answer)
}

#[tokio::test]
async fn a_lease_ends_with_the_last_byte() {
    let whole = r#"{"choices":[]}"#;
    let endings = [
        ("content-length", answers(200).json(whole), whole),
        ("chunks", answers(200).chunked().chunk(b"{\"choices\"").chunk(b":[]}").last_chunk(), whole),
        ("until the connection closes", answers(200).empty().raw(whole.as_bytes()).then_closes(), whole),
        ("an empty body", answers(200).json(""), ""),
        ("no chunk", answers(200).chunked().last_chunk(), ""),
        ("204", answers(204).empty(), ""),
        ("trailers", answers(200).chunked().chunk(whole.as_bytes()).raw(b"0\r\nx-t: 1\r\n\r\n"), whole),
    ];
    for (name, script, body) in endings {
        let (outcome, answer) = ending(script, &chat("m")).await;
        assert_eq!(outcome, Outcome::Success, "{name}");
        assert_eq!((answer.text(), answer.whole), (body, true), "{name}");
    }
}

#[tokio::test]
async fn a_lease_ends_with_the_stream() {
    let (outcome, answer) = ending(streams().event("a").event("b").done(), &chat_stream("m")).await;
    assert_eq!(outcome, Outcome::Success);
    assert_eq!(answer.text(), "data: a\n\ndata: b\n\ndata: [DONE]\n\n");
    assert!(answer.whole);
}

#[tokio::test]
async fn a_lease_lives_until_the_last_byte_and_no_longer() {
    let mut upstream = Upstream::start().await;
    let gateway = Gateway::before(&upstream.base());
    let mut client = Client::connect(&gateway).await;
    client.asks_for_stream("m").await;
    let mut request = upstream.next_request().await;
    gateway.counts(&[1]).await;
    request.begins_stream().await;
    request.event("a").await;
    client.head().await;
    assert_eq!(client.text().await, "data: a\n\n");
    request.event("[DONE]").await;
    assert_eq!(client.text().await, "data: [DONE]\n\n");
    assert_eq!(gateway.in_flight(), [1], "the body has not ended yet");
    request.ends_chunks().await;
    assert_eq!(client.rest().await, (Vec::new(), true));
    assert_eq!(gateway.in_flight(), [0], "the client has everything");
}

#[tokio::test]
async fn an_error_that_the_upstream_answers_is_an_answer() {
    let cases = [
        (400, Outcome::BadRequest),
        (401, Outcome::Authentication),
        (404, Outcome::NotFound),
        (422, Outcome::BadRequest),
        (429, Outcome::RateLimited { retry_after: Some(Duration::from_secs(7)) }),
        (500, Outcome::ServerError),
        (502, Outcome::BadGateway),
        (503, Outcome::Overloaded { retry_after: Some(Duration::from_secs(7)) }),
    ];
    for (status, expected) in cases {
        let body = r#"{"error":{"message":"the upstream's own words"}}"#;
        let script = answers(status).header("retry-after", "7").json(body);
        let (outcome, answer) = ending(script, &chat("m")).await;
        assert_eq!(outcome, expected);
        assert_eq!((answer.status, answer.text()), (status, body));
        assert_eq!(answer.header("retry-after"), Some("7"));
    }
}

#[tokio::test]
async fn a_json_answer_that_breaks_off_is_a_502_and_not_half_an_answer() {
    let endings = [
        ("a length that is not kept", answers(200).claiming(100, b"{\"cho").then_closes()),
        ("a reset", answers(200).claiming(100, b"{\"cho").then_resets()),
        ("no last chunk", answers(200).chunked().chunk(b"{\"cho").then_closes()),
        ("a reset between chunks", answers(200).chunked().chunk(b"{\"cho").then_resets()),
        ("half a chunk", answers(200).chunked().chunk(b"{\"cho").raw(b"20\r\nices").then_closes()),
        ("a chunk without a size", answers(200).chunked().chunk(b"{\"cho").raw(b"what\r\n").then_hangs()),
    ];
    for (name, script) in endings {
        let (outcome, answer) = ending(script, &chat("m")).await;
        assert_eq!(outcome, Outcome::BrokenAnswer, "{name}");
        assert_eq!((answer.status, answer.whole), (502, true), "{name}");
        assert_eq!(answer.error()["type"], "upstream_connection_error", "{name}");
    }
}

#[tokio::test]
async fn an_error_whose_body_does_not_come_is_what_its_status_says() {
    let endings = [
        ("it hangs", answers(503).header("retry-after", "7").claiming(100, b"{\"err").then_hangs()),
        ("it breaks off", answers(503).header("retry-after", "7").claiming(100, b"{\"err").then_resets()),
    ];
    for (name, script) in endings {
        let (outcome, answer) = ending(script, &chat("m")).await;
        assert_eq!(outcome, Outcome::Overloaded { retry_after: Some(Duration::from_secs(7)) }, "{name}");
        assert_eq!(
            (answer.status, answer.whole, answer.header("retry-after")),
            (503, true, Some("7")),
            "{name}"
        );
        assert_eq!(answer.error()["type"], "upstream_connection_error", "{name}");
    }
}

#[tokio::test]
async fn speech_that_breaks_off_breaks_off_for_the_client() {
    let speech =
        || answers(200).header("content-type", "audio/mpeg").header("transfer-encoding", "chunked").empty();
    for script in [speech().chunk(b"half a").then_closes(), speech().chunk(b"half a").then_resets()] {
        let (outcome, answer) = ending(script, &chat("m")).await;
        assert_eq!(outcome, Outcome::BrokenAnswer);
        assert_eq!((answer.status, answer.text(), answer.whole), (200, "half a", false));
    }
}

#[tokio::test]
async fn an_upstream_that_gives_no_answer_is_a_502() {
    let endings = [
        ("closes", closes()),
        ("resets", resets()),
        ("half a head", answers(200).raw(b"HTTP/1.1 200 OK\r\nx-").then_closes()),
        ("not HTTP", answers(200).raw(b"SSH-2.0-OpenSSH_9.6\r\n\r\n").then_hangs()),
    ];
    for (name, script) in endings {
        let (outcome, answer) = ending(script, &chat("m")).await;
        assert_eq!(outcome, Outcome::ConnectionFailed, "{name}");
        assert_eq!((answer.status, answer.whole), (502, true), "{name}");
        assert_eq!(answer.error()["type"], "upstream_connection_error", "{name}");
    }
}

#[tokio::test]
async fn an_upstream_that_is_not_there_is_a_502() {
    let gone = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let gateway = Gateway::before(&format!("http://{gone}/v1"));
    let answer = post(&gateway, CHAT, &chat("m")).await;
    assert_eq!(answer.status, 502);
    assert_eq!(answer.error()["type"], "upstream_connection_error");
    assert!(!answer.text().contains(&gone.port().to_string()), "the address stays in the log");
    assert_eq!(gateway.only_outcome().await, Outcome::ConnectionFailed);
}

#[tokio::test]
async fn bytes_behind_an_answer_belong_to_nobody() {
    let upstream = Upstream::playing(answers(200).claiming(2, b"{}HTTP/1.1 200 OK\r\n\r\nmore")).await;
    let gateway = Gateway::before(&upstream.base());
    for _ in 0..3 {
        let answer = post(&gateway, CHAT, &chat("m")).await;
        assert_eq!((answer.status, answer.text()), (200, "{}"));
    }
    let ends = gateway.ends().await;
    assert!(ends.iter().all(|end| end.outcome == Outcome::Success), "{ends:?}");
    assert_eq!((upstream.requests(), upstream.connections()), (3, 3), "such a connection is not used again");
}

#[tokio::test]
async fn an_answer_that_comes_before_the_request_is_read_ends_the_lease_too() {
    let mut upstream = Upstream::start().await;
    let gateway = Gateway::start(&on_one_worker([deployment("a", &upstream.base())]));
    let mut client = Client::connect(&gateway).await;
    let long = "x".repeat(4 << 20);
    client.post(CHAT, &format!(r#"{{"model":"m","messages":["{long}"]}}"#)).await;
    let mut request = upstream.next_head().await;
    request.writes(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\n{}").await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.text()), (413, "{}"));
    request.closes();
    assert_eq!(gateway.only_outcome().await, Outcome::BadRequest);
}

#[tokio::test]
async fn an_address_with_all_its_connections_in_use_is_a_503() {
    let mut upstream = Upstream::start().await;
    let mut config = on_one_worker([deployment("a", &upstream.base())]);
    config.general.max_upstream_connections = 1;
    let gateway = Gateway::start(&config);
    let mut first = Client::connect(&gateway).await;
    first.asks("m").await;
    let request = upstream.next_request().await;
    let answer = post(&gateway, CHAT, &chat("m")).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    assert_eq!(answer.error()["type"], "service_unavailable_error");
    request.answers(200, "{}").await;
    assert_eq!(first.answer().await.status, 200);
    let outcomes: Vec<Outcome> = gateway.ends().await.iter().map(|end| end.outcome).collect();
    assert_eq!(outcomes, [Outcome::GatewayLimit, Outcome::Success]);
}
