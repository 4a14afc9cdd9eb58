//! The store against real servers. Each test prints what it measured.

mod garbage;
mod login;
mod outages;
mod scripts;
mod topologies;

use std::time::{Duration, Instant};

use redis::Value;

use crate::config::{Redis, RedisNode, SharedState, Topology};

use super::*;
use crate::shared::redis_kit::Server;

/// Where a test is not about time.
const PATIENCE: Duration = Duration::from_secs(5);

const CONNECT: Duration = Duration::from_millis(500);
const RESPONSE: Duration = Duration::from_millis(300);

/// What a busy machine may add to a time.
const SLACK: Duration = Duration::from_millis(400);

const KEY: &str = "{leastbusy:test}:a";
const OTHER: &str = "{leastbusy:test}:b";

fn node(port: u16) -> RedisNode {
    RedisNode::new("127.0.0.1", port)
}

fn nodes(servers: &[Server]) -> Vec<RedisNode> {
    servers.iter().map(|server| node(server.port())).collect()
}

fn target(topology: Topology) -> Target {
    let mut settings = SharedState::through(Redis::new(topology));
    (settings.connect_timeout, settings.response_timeout) = (PATIENCE, PATIENCE);
    Target::new(&settings, KEY)
}

fn store_at(port: u16) -> Store {
    Store::new(target(Topology::Standalone(node(port)))).unwrap()
}

fn impatient(topology: Topology) -> Target {
    Target { connect_timeout: CONNECT, response_timeout: RESPONSE, ..target(topology) }
}

fn impatient_at(port: u16) -> Store {
    Store::new(impatient(Topology::Standalone(node(port)))).unwrap()
}

/// What one exchange of counts looks like: a write that expires, and a read.
fn exchange(value: &str) -> Batch {
    let mut batch = Batch::new();
    batch.command("SET").arg(KEY).arg(value).arg("PX").arg(60_000);
    batch.command("MGET").arg(KEY).arg(OTHER);
    batch
}

/// Runs an exchange, and checks its replies to the last bit.
async fn exchanges(store: &mut Store, value: &str) -> Result<(), StoreError> {
    let mut replies = store.run(&exchange(value)).await?.into_iter();
    assert_eq!(replies.next(), Some(Value::Okay));
    let mut read = reply::list(replies.next().unwrap()).unwrap().into_iter();
    assert_eq!(reply::bytes(read.next().unwrap()).unwrap().as_deref(), Some(value.as_bytes()));
    assert_eq!(reply::bytes(read.next().unwrap()).unwrap(), None);
    assert_eq!((read.next(), replies.next()), (None, None));
    assert!(store.is_connected());
    Ok(())
}

/// Runs an exchange that fails, and returns the kind of the error, how long it took, and its text.
async fn fails(store: &mut Store) -> (&'static str, Duration, String) {
    let began = Instant::now();
    let error = store.run(&exchange("x")).await.unwrap_err();
    assert!(!store.is_connected(), "a connection that failed is kept");
    (error.kind(), began.elapsed(), error.to_string())
}

/// Tries every 20 ms until an exchange succeeds; how long that took, and the kinds of errors on the way.
async fn recovers(store: &mut Store) -> (Duration, Vec<&'static str>) {
    let began = Instant::now();
    let mut kinds = Vec::new();
    while let Err(error) = store.run(&exchange("x")).await {
        if kinds.last() != Some(&error.kind()) {
            kinds.push(error.kind());
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{error}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    (began.elapsed(), kinds)
}

#[tokio::test]
async fn one_connection_serves_all_batches() {
    let server = Server::start().await;
    let mut store = store_at(server.port());
    assert!(!store.is_connected());
    assert_eq!(store.counters(), Counters::default());
    let began = Instant::now();
    exchanges(&mut store, "first").await.unwrap();
    let connected = began.elapsed();
    let rounds = 1000;
    let began = Instant::now();
    for round in 0..rounds {
        exchanges(&mut store, &round.to_string()).await.unwrap();
    }
    let each = began.elapsed() / rounds;
    eprintln!("first exchange {connected:?}, each of the next {each:?}");
    let logged_in = Counters { connections: 1, batches: 1 + 1000, commands: 2 * (1 + 1000) };
    assert_eq!(store.counters(), logged_in);
    assert!(server.command(&["CLIENT", "LIST"]).await.to_text().contains(" name=leastbusy "));
}

#[tokio::test]
async fn a_batch_of_nothing_is_no_round_trip() {
    let server = Server::start().await;
    let mut store = store_at(server.port());
    assert_eq!(store.run(&Batch::new()).await.unwrap(), []);
    assert_eq!(store.counters(), Counters { connections: 1, batches: 0, commands: 0 });
}

/// For looking into answers.
trait ToText {
    fn to_text(&self) -> String;
}

impl ToText for Value {
    fn to_text(&self) -> String {
        reply::text(self.clone()).unwrap()
    }
}
