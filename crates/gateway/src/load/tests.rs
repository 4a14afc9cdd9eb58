use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::client::{RequestError, chat, deployments};
use super::events::{Event, Events};
use super::{Load, Planned, Progress};
use crate::config::SimulatedEngine;
use crate::simulated;

/// A server that gives one connection this answer, whatever it asks, and closes.
pub(crate) async fn says(answer: &'static str) -> (SocketAddr, JoinSet<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let mut server = JoinSet::new();
    server.spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        assert_ne!(socket.read(&mut request).await.unwrap(), 0);
        socket.write_all(answer.as_bytes()).await.unwrap();
    });
    (addr, server)
}

async fn refusal(answer: &'static str) -> String {
    let (addr, _server) = says(answer).await;
    chat(addr, 2, Instant::now(), Duration::from_secs(60)).await.unwrap_err().to_string()
}

fn planned(count: u32, every: Duration) -> Vec<Planned> {
    (0..count).map(|number| Planned { arrival: every * number, tokens: 3 + number % 5 }).collect()
}

#[tokio::test]
async fn every_planned_request_is_answered_and_timed() {
    let first_token_time = Duration::from_millis(30);
    let engine = SimulatedEngine { slots: 2, first_token_time, tokens_per_second: 500.0, mean_tokens: 9.0 };
    let engine = simulated::start("only", &engine).await.unwrap();
    let progress = Progress::default();
    let measured = Load::of(&planned(20, Duration::from_millis(5))).send(engine.addr(), &progress).await;
    assert_eq!(measured.errors, [].into());
    assert_eq!((progress.sent(), progress.answered(), progress.failed()), (20, 20, 0));
    assert_eq!((measured.first_tokens.count(), measured.responses.count()), (20, 20));
    // Twenty answers of 34 ms and more through two slots take 340 ms; the last was asked for at 95 ms.
    assert!(Duration::from_millis(245) <= measured.responses.largest());
    assert!(measured.first_tokens.mean() < measured.responses.mean());
}

#[tokio::test]
async fn only_the_times_of_counted_requests_are_kept_and_only_so_long_ones() {
    let engine = SimulatedEngine {
        slots: 9,
        first_token_time: Duration::ZERO,
        tokens_per_second: 10_000.0,
        ..SimulatedEngine::default()
    };
    let engine = simulated::start("only", &engine).await.unwrap();
    let plan = [Planned { arrival: Duration::ZERO, tokens: 1 }; 5];
    let (load, progress) = (Load { uncounted: 3, ..Load::of(&plan) }, Progress::default());
    let measured = load.send(engine.addr(), &progress).await;
    assert_eq!((progress.answered(), measured.first_tokens.count(), measured.responses.count()), (5, 2, 2));
    // A million tokens take 100 s.
    let endless = [Planned { arrival: Duration::ZERO, tokens: 1_000_000 }];
    let load = Load { request_time_max: Duration::from_millis(100), ..Load::of(&endless) };
    let measured = load.send(engine.addr(), &progress).await;
    assert_eq!(measured.errors.keys().collect::<Vec<_>>(), ["no complete answer within 0.1 s"]);
}

#[tokio::test]
async fn a_gateway_that_is_not_there_is_an_error_for_each_request() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let closed = listener.local_addr().unwrap();
    drop(listener);
    let progress = Progress::default();
    let measured = Load::of(&planned(3, Duration::ZERO)).send(closed, &progress).await;
    assert_eq!((progress.failed(), measured.errors.values().sum::<usize>()), (3, 3));
    let refused = deployments(closed).await.unwrap_err();
    assert!(
        matches!(&refused, RequestError::Connect(error) if error.kind() == ErrorKind::ConnectionRefused),
        "{refused}"
    );
}

#[tokio::test]
async fn an_answer_that_is_not_whole_is_an_error() {
    const TOKEN: &str = r#"data: {"choices":[{"delta":{"content":"x"}}]}"#;
    let head = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";
    for (events, expected) in [
        (format!("{TOKEN}\n\n"), "it ended after 1 of 2 tokens without [DONE]"),
        (format!("{TOKEN}\n\ndata: [DONE]\n\n"), "1 tokens instead of 2"),
        ("data: {\"error\":{\"message\":\"gone\"}}\n\n".to_owned(), "gone"),
        ("data: {\n\n".to_owned(), "EOF while parsing"),
    ] {
        let error = refusal(format!("{head}{events}").leak()).await;
        assert!(error.contains(expected), "{events}: {error}");
    }
    let error = refusal("HTTP/1.1 503 Busy\r\ncontent-length: 4\r\n\r\nfull").await;
    assert_eq!(error, "status 503 Service Unavailable: full");
    let error = refusal("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\ndata: ").await;
    assert!(error.starts_with("the connection broke"), "{error}");
}

#[test]
fn events_are_the_same_however_the_bytes_are_cut() {
    let stream = b"data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n\
        : a comment\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\r\n\r\n\
        data: {\"choices\":[],\"usage\":{}}\n\ndata: [DONE]\n\n";
    for cut in 0..=stream.len() {
        let mut events = Events::default();
        let mut read = events.read(&stream[..cut]).unwrap();
        read.extend(events.read(&stream[cut..]).unwrap());
        assert_eq!(read, [Event::Other, Event::Token, Event::Other, Event::Done], "cut at {cut}");
    }
}
