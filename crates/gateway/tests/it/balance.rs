//! Requests spread over deployments: bursts, ties, weights, long streams.

use leastbusy_gateway::config::{Config, TieBreak};

use super::client::{CHAT, Client, chat, post};
use super::gateway::{Gateway, config, deployment, on_one_worker};
use super::script::{Played, Upstream, answers, streams};

const IDS: [&str; 4] = ["a", "b", "c", "d"];

/// Upstreams that hold every stream open until its client leaves.
async fn holding<const N: usize>() -> [Played; N] {
    playing(streams().event("held").then_hangs()).await
}

async fn playing<const N: usize>(script: super::script::Script) -> [Played; N] {
    let mut upstreams = Vec::new();
    for _ in 0..N {
        upstreams.push(Upstream::playing(script.clone()).await);
    }
    upstreams.try_into().unwrap()
}

fn over(upstreams: &[Played]) -> Config {
    config(upstreams.iter().zip(IDS).map(|(upstream, id)| deployment(id, &upstream.base())))
}

/// Opens `count` streams at once and waits until all are counted.
async fn burst(gateway: &Gateway, count: usize) -> Vec<Client> {
    let mut clients = Vec::new();
    for _ in 0..count {
        clients.push(Client::connect(gateway).await);
    }
    for client in &mut clients {
        client.asks_for_stream("m").await;
    }
    for client in &mut clients {
        assert_eq!(client.head().await.first_line, "HTTP/1.1 200 OK");
    }
    clients
}

#[tokio::test]
async fn a_burst_on_idle_deployments_spreads_evenly() {
    let upstreams = holding::<3>().await;
    let gateway = Gateway::start(&over(&upstreams));
    for count in [2, 10, 30, 120] {
        let clients = burst(&gateway, count).await;
        let counts = gateway.in_flight();
        assert_eq!(counts.iter().sum::<u32>() as usize, count);
        let spread = counts.iter().max().unwrap() - counts.iter().min().unwrap();
        assert!(spread <= 1, "{count} at once: {counts:?}");
        drop(clients);
        gateway.ends().await;
    }
}

#[tokio::test]
async fn idle_deployments_share_quiet_traffic() {
    let upstreams = playing::<3>(answers(200).json("{}")).await;
    let gateway = Gateway::start(&over(&upstreams));
    let mut client = Client::connect(&gateway).await;
    for _ in 0..300 {
        client.asks("m").await;
        assert_eq!(client.answer().await.status, 200);
    }
    for upstream in &upstreams {
        // A fair coin of three sides gives 100 with a standard deviation of 8.2: 45 is 5.5 of them, which
        // one run in ten million exceeds.
        let share = upstream.requests();
        assert!((55..=145).contains(&share), "{share} of 300");
    }
    gateway.ends().await;
}

#[tokio::test]
async fn with_tie_break_first_quiet_traffic_goes_to_the_first() {
    let upstreams = playing::<3>(answers(200).json("{}")).await;
    let mut config = over(&upstreams);
    config.router.tie_break = TieBreak::First;
    let gateway = Gateway::start(&config);
    for _ in 0..10 {
        assert_eq!(post(&gateway, CHAT, &chat("m")).await.status, 200);
    }
    assert_eq!(upstreams[0].requests(), 10);
}

#[tokio::test]
async fn weights_of_three_to_one_hold_three_to_one() {
    let upstreams = holding::<2>().await;
    let mut config = over(&upstreams);
    config.deployments[0].weight = 3.0;
    let gateway = Gateway::start(&config);
    let clients = burst(&gateway, 40).await;
    assert_eq!(gateway.in_flight(), [30, 10]);
    drop(clients);
    gateway.ends().await;
}

#[tokio::test]
async fn a_higher_order_is_left_alone_while_a_lower_one_serves() {
    let upstreams = holding::<3>().await;
    let mut config = over(&upstreams);
    config.deployments[2].order = 1;
    let gateway = Gateway::start(&config);
    let clients = burst(&gateway, 10).await;
    assert_eq!(gateway.in_flight(), [5, 5, 0]);
    drop(clients);
    gateway.ends().await;
}

#[tokio::test]
async fn while_a_long_stream_holds_one_deployment_short_calls_land_on_the_others() {
    let upstreams: Vec<Played> = {
        let mut upstreams = Vec::new();
        for _ in IDS {
            upstreams.push(
                Upstream::playing_each(|exchange| match exchange.json()["stream"].as_bool() {
                    Some(true) => streams().event("held").then_hangs(),
                    _ => answers(200).json("{}"),
                })
                .await,
            );
        }
        upstreams
    };
    let gateway = Gateway::start(&over(&upstreams));
    let _long = burst(&gateway, 1).await;
    let held = gateway.in_flight().iter().position(|&count| count == 1).unwrap();
    for _ in 0..40 {
        let answer = post(&gateway, CHAT, &chat("m")).await;
        assert_ne!(answer.header("x-litellm-model-id"), Some(IDS[held]));
    }
    assert_eq!(upstreams[held].requests(), 1);
}

#[tokio::test]
async fn streams_opened_one_after_another_go_to_one_deployment_each() {
    let upstreams = holding::<3>().await;
    let gateway = Gateway::start(&over(&upstreams));
    let mut clients = Vec::new();
    for open in 1..=3 {
        clients.extend(burst(&gateway, 1).await);
        let counts = gateway.in_flight();
        assert_eq!(counts.iter().filter(|&&count| count == 1).count(), open, "{counts:?}");
    }
}

#[tokio::test]
async fn the_least_busy_one_is_picked_whatever_its_place() {
    let mut upstreams = [Upstream::start().await, Upstream::start().await, Upstream::start().await];
    let config =
        on_one_worker(upstreams.iter().zip(IDS).map(|(upstream, id)| deployment(id, &upstream.base())));
    let gateway = Gateway::start(&config);
    for idle in 0..3 {
        let mut held = Vec::new();
        // An id leads to its deployment alone, so the counts can be set as the test wants them.
        for at in (0..3).filter(|&at| at != idle) {
            let mut client = Client::connect(&gateway).await;
            client.asks(IDS[at]).await;
            held.push((upstreams[at].next_request().await, client));
        }
        let mut client = Client::connect(&gateway).await;
        client.asks("m").await;
        upstreams[idle].next_request().await.answers(200, "{}").await;
        assert_eq!(client.answer().await.header("x-litellm-model-id"), Some(IDS[idle]));
        // An upstream that closed before its client left would be one that failed.
        let (requests, clients): (Vec<_>, Vec<_>) = held.into_iter().unzip();
        drop(clients);
        gateway.ends().await;
        drop(requests);
    }
}
