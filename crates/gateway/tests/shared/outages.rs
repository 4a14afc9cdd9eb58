//! Redis goes in every way it can, and no request notices.

use std::time::Duration;

use super::ordeal::{Ordeal, SLOW, settings};
use super::proxy::Proxy;
use super::redis_kit::Server;
use super::{INTERVAL, SLACK, through, turn, until};

async fn ordeal(name: &'static str, port: u16) -> Ordeal {
    Ordeal::begins(name, &through(port, &settings())).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_and_back_empty() {
    let _turn = turn().await;
    let mut redis = Server::start().await;
    let mut ordeal = ordeal("refused", redis.port()).await;
    ordeal.cuts();
    redis.kill();
    ordeal.is_lost().await;
    redis.restart().await;
    ordeal.is_back().await;
    ordeal.ends(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frozen() {
    let _turn = turn().await;
    let redis = Server::start().await;
    let mut ordeal = ordeal("frozen", redis.port()).await;
    ordeal.cuts();
    redis.freeze();
    ordeal.is_lost().await;
    redis.thaw();
    ordeal.is_back().await;
    ordeal.ends(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_packet_dropped() {
    let _turn = turn().await;
    let redis = Server::start().await;
    let proxy = Proxy::before(redis.port()).await;
    let mut ordeal = ordeal("cut off", proxy.port()).await;
    ordeal.cuts();
    proxy.cuts();
    ordeal.is_lost().await;
    proxy.mends();
    ordeal.is_back().await;
    ordeal.ends(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slower_than_it_may_be() {
    let _turn = turn().await;
    let redis = Server::start().await;
    let proxy = Proxy::before(redis.port()).await;
    let mut ordeal = ordeal("slow: 1 s each way", proxy.port()).await;
    ordeal.cuts();
    proxy.delays(Duration::from_secs(1));
    ordeal.is_lost().await;
    proxy.delays(Duration::ZERO);
    ordeal.is_back().await;
    ordeal.ends(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_but_in_time() {
    let _turn = turn().await;
    let redis = Server::start().await;
    let proxy = Proxy::before(redis.port()).await;
    let mut ordeal = ordeal("slow: 60 ms each way", proxy.port()).await;
    ordeal.cuts();
    proxy.delays(SLOW);
    let [a, b] = &ordeal.instances[..] else { panic!("two instances") };
    let streams = b.opens_many("held", 2).await;
    let took = until("a shared count", async || a.total("held").await == 7).await;
    eprintln!("slow: 60 ms each way: a count is known after {took:.0?}");
    assert!(took < 4 * SLOW + INTERVAL + SLACK);
    drop(streams);
    until("the count before", async || a.total("held").await == 5).await;
    assert!(a.is_connected().await);
    ordeal.ends(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restarted_empty_at_once() {
    let _turn = turn().await;
    let mut redis = Server::start().await;
    let mut ordeal = ordeal("restarted", redis.port()).await;
    ordeal.cuts();
    redis.kill();
    redis.restart().await;
    let took = ordeal.is_told_anew().await;
    eprintln!("restarted: all is there {took:.0?} after it");
    assert!(took < INTERVAL + SLACK);
    ordeal.ends(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn emptied() {
    let _turn = turn().await;
    let redis = Server::start().await;
    let mut ordeal = ordeal("emptied", redis.port()).await;
    ordeal.cuts();
    redis.command(&["FLUSHALL"]).await;
    let took = ordeal.is_told_anew().await;
    eprintln!("emptied: all is there {took:.0?} after it");
    assert!(took < INTERVAL + SLACK);
    ordeal.ends(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_now() {
    let _turn = turn().await;
    let (redis, other) = (Server::start().await, Server::start().await);
    let mut ordeal = ordeal("read-only", redis.port()).await;
    ordeal.cuts();
    redis.replicates(&other).await;
    ordeal.is_lost().await;
    redis.command(&["REPLICAOF", "NO", "ONE"]).await;
    ordeal.is_back().await;
    assert_eq!(ordeal.instances[0].output().lines_with(r#"cause="read_only""#), 1);
    ordeal.ends(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn out_of_memory() {
    let _turn = turn().await;
    let redis = Server::with(&["--maxmemory-policy", "noeviction"]).await;
    let mut ordeal = ordeal("out of memory", redis.port()).await;
    let fill = "x".repeat(1 << 20);
    redis.command(&["SET", "filler", &fill]).await;
    ordeal.cuts();
    redis.command(&["CONFIG", "SET", "maxmemory", "1mb"]).await;
    ordeal.is_lost().await;
    redis.command(&["CONFIG", "SET", "maxmemory", "0"]).await;
    ordeal.is_back().await;
    assert_eq!(ordeal.instances[0].output().lines_with(r#"cause="out_of_memory""#), 1);
    ordeal.ends(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_password() {
    let _turn = turn().await;
    let redis = Server::with(&["--requirepass", "first-password"]).await;
    let sharing = through(redis.port(), &settings()).replace("127.0.0.1", ":first-password@127.0.0.1");
    let mut ordeal = Ordeal::begins("wrong password", &sharing).await;
    ordeal.cuts();
    redis.command(&["CONFIG", "SET", "requirepass", "second-password"]).await;
    // Whoever is in stays in.
    redis.try_command_as(Some("second-password"), &["CLIENT", "KILL", "TYPE", "normal"]).await.unwrap();
    ordeal.is_lost().await;
    redis
        .try_command_as(Some("second-password"), &["CONFIG", "SET", "requirepass", "first-password"])
        .await
        .unwrap();
    ordeal.is_back().await;
    for instance in &ordeal.instances {
        assert_eq!(instance.output().lines_with(r#"cause="authentication""#), 1);
        instance.output().keeps("first-password");
        assert!(!instance.instances().await.to_string().contains("first-password"));
    }
    ordeal.ends(1).await;
}
