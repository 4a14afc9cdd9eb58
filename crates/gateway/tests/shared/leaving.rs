//! Instances that die, leave or pause, with requests in flight.

use std::time::{Duration, Instant};

use super::redis_kit::Server;
use super::script::{Played, Upstream, streams};
use super::{INTERVAL, SLACK, all_meet, entry, fleet, through, turn, until};

/// What an operator waits for at most when an instance has died.
const LIFE_MAX: Duration = Duration::from_secs(5);

async fn holding() -> Played {
    Upstream::playing(streams().event("held").then_hangs()).await
}

fn yaml(held: &Played, redis: &Server, sharing: &str) -> String {
    let entry = entry("m", "a", &held.base(), "");
    format!("model_list:\n{entry}general_settings: {{workers: 1}}\n{}", through(redis.port(), sharing))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_with_20_streams_open() {
    let _turn = turn().await;
    let (redis, held) = (Server::start().await, holding().await);
    let mut instances = fleet(3, &yaml(&held, &redis, "")).await;
    let _kept = instances[1].opens_many("m", 2).await;
    let _lost = instances[0].opens_many("m", 20).await;
    for instance in &instances {
        until("22 in flight", async || instance.total("a").await == 22).await;
    }
    let lease = instances[1].instances().await["shared_state"]["lease_seconds"].as_f64().unwrap();
    let killed = Instant::now();
    instances[0].kill();
    for survivor in &instances[1..] {
        until("the counts of the living", async || survivor.total("a").await == 2).await;
        eprintln!(
            "kill -9 with 20 streams: gone at a survivor after {:.2?}; the lease is {lease} s",
            killed.elapsed()
        );
        until("the living alone", async || survivor.others().await == 1).await;
    }
    assert!(killed.elapsed() < LIFE_MAX);
    assert!(killed.elapsed() < Duration::from_secs_f64(lease) + INTERVAL + SLACK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn terminated_while_streams_run() {
    let _turn = turn().await;
    let (redis, held) = (Server::start().await, holding().await);
    let mut instances = fleet(2, &yaml(&held, &redis, "")).await;
    let running = instances[0].opens_many("m", 3).await;
    until("3 in flight", async || instances[1].total("a").await == 3).await;
    instances[0].signal("-TERM");
    until("a word about stopping", async || instances[0].output().lines_with("stopping") == 1).await;
    // Many intervals: what it still has in flight is still told.
    let stays_until = Instant::now() + 10 * INTERVAL;
    while Instant::now() < stays_until {
        assert_eq!((instances[1].total("a").await, instances[1].others().await), (3, 1));
    }
    let ended = Instant::now();
    drop(running);
    until("nothing in flight", async || instances[1].total("a").await == 0).await;
    let empty = ended.elapsed();
    until("nobody else", async || instances[1].others().await == 0).await;
    let gone = ended.elapsed();
    eprintln!(
        "SIGTERM: 3 streams told until they ended; then nothing after {empty:.0?}, nobody after {gone:.0?}"
    );
    assert_eq!(instances[0].exit().await.code(), Some(0));
    assert!(gone < INTERVAL + 2 * SLACK, "its lease would have run for 2 s");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paused_for_longer_than_its_lease() {
    let _turn = turn().await;
    let (redis, held) = (Server::start().await, holding().await);
    let instances = fleet(2, &yaml(&held, &redis, "lease: 0.5")).await;
    let _own = instances[0].opens_many("m", 4).await;
    let _others = instances[1].opens_many("m", 2).await;
    for instance in &instances {
        until("6 in flight", async || instance.total("a").await == 6).await;
    }
    let stopped = Instant::now();
    instances[0].signal("-STOP");
    until("the counts of the running one", async || instances[1].total("a").await == 2).await;
    let gone = stopped.elapsed();
    assert!(gone < Duration::from_millis(500) + INTERVAL + SLACK, "{gone:?}");
    until("the running one alone", async || instances[1].others().await == 0).await;
    let more = instances[1].opens("m").await;
    let goes_on = Instant::now();
    instances[0].signal("-CONT");
    for instance in &instances {
        until("exact counts", async || instance.total("a").await == 7).await;
    }
    let back = goes_on.elapsed();
    eprintln!("SIGSTOP: gone after {gone:.0?} of a lease of 500 ms; exact {back:.0?} after SIGCONT");
    assert!(back < INTERVAL + SLACK, "{back:?}");
    all_meet(&instances).await;
    drop(more);
    for instance in &instances {
        until("6 in flight", async || instance.total("a").await == 6).await;
    }
}
