//! Stopping drops no request, starting lets nobody in who should not be.

use std::time::{Duration, Instant};

use leastbusy_balance::Outcome;
use leastbusy_gateway::config::{Config, Runtime, Secret};
use leastbusy_gateway::serve::{self, Options, StartError};
use tokio::net::TcpStream;

use super::client::{CHAT, Client, chat, post};
use super::gateway::{Gateway, config, deployment, eventually, on_one_worker};
use super::script::{Exchange, Upstream, answers, streams};
use super::wire::PATIENCE;

/// A gateway with a stream open, of which the client has seen one event.
async fn streaming(grace: Duration) -> (Gateway, Client, Exchange) {
    let mut upstream = Upstream::start().await;
    let mut config = on_one_worker([deployment("a", &upstream.base())]);
    config.general.shutdown_grace = grace;
    let gateway = Gateway::start(&config);
    let mut client = Client::connect(&gateway).await;
    client.asks_for_stream("m").await;
    let mut request = upstream.next_request().await;
    request.begins_stream().await;
    request.event("a").await;
    client.head().await;
    assert_eq!(client.text().await, "data: a\n\n");
    (gateway, client, request)
}

#[tokio::test]
async fn an_open_stream_ends_whole_while_the_gateway_stops() {
    let (gateway, mut client, mut request) = streaming(PATIENCE).await;
    let (address, told) = (gateway.address(), gateway.told.clone());
    let mut idle = Client::connect(&gateway).await;
    idle.send("GET /health/liveliness HTTP/1.1\r\nhost: g\r\n\r\n").await;
    idle.answer().await;
    let stopping = tokio::spawn(gateway.stop());
    idle.wait_until_closed(PATIENCE).await;
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect(address).await.is_ok() {
        assert!(Instant::now() < deadline, "a gateway that stops accepts connections");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(!stopping.is_finished());
    request.event("b").await;
    assert_eq!(client.text().await, "data: b\n\n");
    request.ends_stream().await;
    assert_eq!(client.rest().await, (b"data: [DONE]\n\n".to_vec(), true));
    client.wait_until_closed(PATIENCE).await;
    super::wire::soon("the stop", stopping).await.unwrap();
    assert_eq!(told.ends()[0].outcome, Outcome::Success);
}

#[tokio::test]
async fn an_answer_that_has_not_begun_is_waited_for_too() {
    let mut upstream = Upstream::start().await;
    let gateway = Gateway::before(&upstream.base());
    let mut client = Client::connect(&gateway).await;
    client.asks("m").await;
    let request = upstream.next_request().await;
    let stopping = tokio::spawn(gateway.stop());
    tokio::time::sleep(Duration::from_millis(50)).await;
    request.answers(200, "{}").await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    super::wire::soon("the stop", stopping).await.unwrap();
}

#[tokio::test]
async fn the_grace_ends_what_is_left() {
    let (gateway, mut client, mut request) = streaming(Duration::from_millis(100)).await;
    let told = gateway.told.clone();
    super::wire::soon("the stop", gateway.stop()).await;
    request.wait_until_gone(PATIENCE).await;
    let (_, whole) = client.rest().await;
    assert!(!whole, "the client sees that its stream is not whole");
    eventually("an end of the attempt", || told.ends().len() == 1).await;
    assert_eq!(told.ends()[0].outcome, Outcome::ClientLeft);
}

#[tokio::test]
async fn a_gateway_that_is_dropped_leaves_at_once() {
    let (gateway, mut client, mut request) = streaming(PATIENCE).await;
    let told = gateway.told.clone();
    drop(gateway);
    request.wait_until_gone(PATIENCE).await;
    client.wait_until_closed(PATIENCE).await;
    eventually("an end of the attempt", || told.ends().len() == 1).await;
}

#[tokio::test]
async fn a_stop_under_load_drops_no_request() {
    let upstream =
        Upstream::playing(streams().event("a").pauses(Duration::from_millis(5)).event("b").done()).await;
    let gateway = Gateway::start(&config([deployment("a", &upstream.base())]));
    let mut clients = Vec::new();
    for _ in 0..40 {
        let mut client = Client::connect(&gateway).await;
        client.asks_for_stream("m").await;
        clients.push(client);
    }
    let told = gateway.told.clone();
    super::wire::soon("the stop", gateway.stop()).await;
    for client in &mut clients {
        let answer = client.answer().await;
        assert!(answer.status == 200 && answer.whole && answer.text().ends_with("data: [DONE]\n\n"));
    }
    assert_eq!((told.pre_calls(), told.ends().len()), (40, 40));
}

fn refusal(config: &Config, host: [u8; 4], open_to_everyone: bool) -> Option<StartError> {
    let options = Options { host: host.into(), port: 0, open_to_everyone, ..Options::default() };
    serve::start(config, options).err()
}

#[test]
fn an_address_that_others_reach_needs_a_key() {
    let mut config = on_one_worker([deployment("a", "http://127.0.0.1:9/v1")]);
    let refused = refusal(&config, [0, 0, 0, 0], false);
    assert!(matches!(refused, Some(StartError::OpenDoor(_))), "{refused:?}");
    assert!(refused.unwrap().to_string().contains("master_key"));
    assert!(refusal(&config, [127, 0, 0, 1], false).is_none());
    assert!(refusal(&config, [0, 0, 0, 0], true).is_none());
    config.general.master_key = Some(Secret::new("sk-long-enough"));
    assert!(refusal(&config, [0, 0, 0, 0], false).is_none());
}

#[test]
fn a_configuration_with_mistakes_or_a_port_in_use_does_not_start() {
    let mistakes = refusal(&Config::default(), [127, 0, 0, 1], false);
    assert!(matches!(mistakes, Some(StartError::Config(_))), "{mistakes:?}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let config = on_one_worker([deployment("a", "http://127.0.0.1:9/v1")]);
    let error = serve::start(&config, Options { port, ..Options::default() }).unwrap_err();
    assert!(matches!(error, StartError::Listen { .. }), "{error:?}");
    assert!(error.to_string().contains(&port.to_string()));
}

#[tokio::test]
async fn the_work_stealing_runtime_serves_as_well() {
    let upstream = Upstream::playing(answers(200).json("{}")).await;
    let mut config = config([deployment("a", &upstream.base())]);
    config.general.runtime = Runtime::WorkStealing;
    let gateway = Gateway::start(&config);
    let mut clients = Vec::new();
    for _ in 0..20 {
        let mut client = Client::connect(&gateway).await;
        client.asks("m").await;
        clients.push(client);
    }
    for client in &mut clients {
        assert_eq!(client.answer().await.status, 200);
    }
    assert_eq!(post(&gateway, CHAT, &chat("m")).await.status, 200);
    assert_eq!(gateway.ends().await.len(), 21);
    super::wire::soon("the stop", gateway.stop()).await;
}

#[test]
fn a_port_that_another_gateway_has_is_refused() {
    let mut config = on_one_worker([deployment("a", "http://127.0.0.1:9/v1")]);
    config.general.workers = std::num::NonZeroUsize::new(2);
    let first = serve::start(&config, Options { port: 0, ..Options::default() }).unwrap();
    let port = first.address().port();
    let second = serve::start(&config, Options { port, ..Options::default() });
    assert!(matches!(second, Err(StartError::Listen { .. })), "{second:?}");
}
