//! A server that is gone, frozen, cut off, full or a replica.

use std::net::TcpStream;

use socket2::{Domain, Socket, Type};
use tokio::time::timeout;

use super::*;

#[tokio::test]
async fn a_killed_server_is_an_error_at_once_and_back_when_it_is_back() {
    let mut server = Server::start().await;
    let mut store = store_at(server.port());
    exchanges(&mut store, "v").await.unwrap();
    server.kill();
    let (kind, took, text) = fails(&mut store).await;
    eprintln!("on the connection that was open: {took:?}: {text}");
    assert_eq!(kind, "disconnected");
    assert!(took < SLACK);
    let (kind, took, text) = fails(&mut store).await;
    eprintln!("on a fresh one: {took:?}: {text}");
    assert_eq!(kind, "connect");
    assert!(took < SLACK);
    server.restart().await;
    exchanges(&mut store, "v").await.unwrap();
    assert_eq!(store.counters().connections, 2);
}

#[tokio::test]
async fn a_restart_between_two_batches_fails_once() {
    let mut server = Server::start().await;
    let mut store = store_at(server.port());
    exchanges(&mut store, "v").await.unwrap();
    server.kill();
    server.restart().await;
    assert_eq!(fails(&mut store).await.0, "disconnected");
    exchanges(&mut store, "v").await.unwrap();
}

#[tokio::test]
async fn a_frozen_server_costs_the_response_timeout_then_the_connect_timeout() {
    let server = Server::start().await;
    let mut store = impatient_at(server.port());
    exchanges(&mut store, "v").await.unwrap();
    server.freeze();
    let (kind, took, text) = fails(&mut store).await;
    eprintln!("on the connection that was open: {took:?}: {text}");
    assert_eq!(kind, "timeout");
    assert!(RESPONSE <= took && took < RESPONSE + SLACK);
    // The kernel still accepts, but nobody answers the login.
    let (kind, took, text) = fails(&mut store).await;
    eprintln!("on a fresh one: {took:?}: {text}");
    assert_eq!(kind, "connect_timeout");
    assert!(CONNECT <= took && took < CONNECT + SLACK);
    server.thaw();
    // The late replies to what was asked before went with their connections.
    for value in ["one", "two", "three"] {
        exchanges(&mut store, value).await.unwrap();
    }
}

#[tokio::test]
async fn a_network_that_drops_packets_costs_the_connect_timeout() {
    // With its queue full the kernel drops who wants to connect, as a firewall does.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let _in_queue = TcpStream::connect(address).unwrap();
    let mut store = impatient_at(address.port());
    let (kind, took, text) = fails(&mut store).await;
    eprintln!("{took:?}: {text}");
    assert_eq!(kind, "connect_timeout");
    assert!(CONNECT <= took && took < CONNECT + SLACK);
}

#[tokio::test]
async fn a_full_server_fails_the_batch_though_it_still_reads() {
    let server = Server::with(&["--maxmemory", "1", "--maxmemory-policy", "noeviction"]).await;
    let mut store = store_at(server.port());
    let (kind, took, text) = fails(&mut store).await;
    eprintln!("{took:?}: {text}");
    assert_eq!(kind, "out_of_memory");
    let mut read = Batch::new();
    read.command("MGET").arg(KEY).arg(OTHER);
    assert_eq!(store.run(&read).await.unwrap(), [Value::Array(vec![Value::Nil, Value::Nil])]);
    server.command(&["CONFIG", "SET", "maxmemory", "0"]).await;
    exchanges(&mut store, "v").await.unwrap();
}

#[tokio::test]
async fn a_replica_takes_no_writes_until_it_is_promoted() {
    let (master, replica) = (Server::start().await, Server::start().await);
    replica.replicates(&master).await;
    let mut store = store_at(replica.port());
    let (kind, took, text) = fails(&mut store).await;
    eprintln!("{took:?}: {text}");
    assert_eq!(kind, "read_only");
    replica.command(&["REPLICAOF", "NO", "ONE"]).await;
    exchanges(&mut store, "v").await.unwrap();
}

#[tokio::test]
async fn who_drops_a_batch_drops_its_connection() {
    let server = Server::start().await;
    let mut store = store_at(server.port());
    exchanges(&mut store, "v").await.unwrap();
    server.freeze();
    let impatient = timeout(Duration::from_millis(20), store.run(&exchange("dropped"))).await;
    assert!(impatient.is_err());
    assert!(!store.is_connected());
    server.thaw();
    exchanges(&mut store, "w").await.unwrap();
    assert_eq!(store.counters().connections, 2);
}
