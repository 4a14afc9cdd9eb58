//! Bursts over four gateways spread as if there were one.

use std::time::{Duration, Instant};

use super::client::Client;
use super::instance::Instance;
use super::redis_kit::Server;
use super::script::{Played, Upstream, streams};
use super::{INTERVAL, SLACK, fleet, models, through, turn, until};

const GATEWAYS: usize = 4;
const DEPLOYMENTS: usize = 16;

/// Each gateway has fewer streams than there are deployments: their own counts do not tell it where the others' are.
const PER_GATEWAY: usize = 8;

/// Between two requests of the slow burst: each gateway gets several between two exchanges.
const GAP: Duration = Duration::from_millis(8);

const WAVES: usize = 5;

struct Scene {
    upstreams: Vec<Played>,
    instances: Vec<Instance>,
}

impl Scene {
    async fn start(sharing: Option<&Server>) -> Self {
        let mut upstreams = Vec::new();
        for _ in 0..DEPLOYMENTS {
            upstreams.push(Upstream::playing(streams().event("held").then_hangs()).await);
        }
        let ids: Vec<_> = (0..DEPLOYMENTS).map(|at| format!("d{at}")).collect();
        let named: Vec<_> = ids.iter().map(String::as_str).zip(upstreams.iter().map(Played::base)).collect();
        let yaml = models(&named) + "general_settings: {workers: 1}\n";
        let instances = match sharing {
            Some(redis) => fleet(GATEWAYS, &(yaml + &through(redis.port(), ""))).await,
            None => {
                let mut instances = Vec::new();
                for _ in 0..GATEWAYS {
                    instances.push(Instance::start(&yaml).await);
                }
                instances
            }
        };
        Self { upstreams, instances }
    }

    /// Opens a stream for each of the gateways' turns, `gap` apart; returns them with each deployment's count.
    async fn wave(&self, gap: Duration) -> (Vec<Client>, Vec<usize>) {
        let before: Vec<_> = self.upstreams.iter().map(Played::requests).collect();
        let mut clients = Vec::new();
        for at in 0..GATEWAYS * PER_GATEWAY {
            clients.push(self.instances[at % GATEWAYS].connect().await);
        }
        let began = Instant::now();
        for (at, client) in (0u32..).zip(&mut clients) {
            tokio::time::sleep_until((began + at * gap).into()).await;
            client.asks_for_stream("m").await;
        }
        for client in &mut clients {
            assert_eq!(client.head().await.first_line, "HTTP/1.1 200 OK");
        }
        let counts = self
            .upstreams
            .iter()
            .zip(before)
            .map(|(upstream, before)| upstream.requests() - before)
            .collect();
        (clients, counts)
    }

    /// Waits until each of them sees as many in flight in all.
    async fn all_see(&self, total: usize) -> Duration {
        until("the same totals everywhere", async || {
            for instance in &self.instances {
                if instance.totals().await.values().sum::<u64>() != total as u64 {
                    return false;
                }
            }
            true
        })
        .await
    }

    /// Each deployment's count at the end of several waves.
    async fn waves(&self) -> Vec<Vec<usize>> {
        let mut waves = Vec::new();
        for _ in 0..WAVES {
            let (clients, counts) = self.wave(GAP).await;
            waves.push(counts);
            drop(clients);
            self.all_see(0).await;
        }
        waves
    }
}

fn spread(counts: &[usize]) -> usize {
    counts.iter().max().unwrap() - counts.iter().min().unwrap()
}

/// The mean square of what counts are away from the even share.
fn variance(waves: &[Vec<usize>]) -> f64 {
    let even = (GATEWAYS * PER_GATEWAY) as f64 / DEPLOYMENTS as f64;
    let squares = waves.iter().flatten().map(|&count| (count as f64 - even).powi(2));
    squares.sum::<f64>() / (waves.len() * DEPLOYMENTS) as f64
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_over_four_gateways_spreads_over_equal_deployments() {
    let _turn = turn().await;
    let redis = Server::start().await;
    let shared = Scene::start(Some(&redis)).await.waves().await;
    let alone = Scene::start(None).await.waves().await;
    let [of_shared, of_alone] =
        [&shared, &alone].map(|waves| waves.iter().map(|wave| spread(wave)).collect::<Vec<_>>());
    let [shared, alone] = [shared, alone].map(|waves| variance(&waves));
    eprintln!(
        "{} streams over {GATEWAYS} gateways and {DEPLOYMENTS} deployments, {GAP:?} apart: largest - smallest {of_shared:?}, \
         variance {shared:.2}; without sharing {of_alone:?}, {alone:.2}",
        GATEWAYS * PER_GATEWAY,
    );
    // The spread itself is printed and not judged: alone it is at most 4 as well, so that only the variance tells.
    assert!(shared < 0.75 * alone, "{shared} is no better than {alone}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_at_once_each_gateway_spreads_its_own_and_all_agree_within_an_interval() {
    let _turn = turn().await;
    let redis = Server::start().await;
    let scene = Scene::start(Some(&redis)).await;
    let (clients, counts) = scene.wave(Duration::ZERO).await;
    eprintln!("{} at once: {counts:?}", clients.len());
    for instance in &scene.instances {
        let own = instance.own().await;
        assert_eq!(own.iter().sum::<usize>(), PER_GATEWAY);
        assert!(spread(&own) <= 1, "what a gateway counts itself is never late: {own:?}");
    }
    let agreed = scene.all_see(clients.len()).await;
    eprintln!("all four agree on {} in flight after {agreed:.0?}", clients.len());
    assert!(agreed < INTERVAL + SLACK);
    let seen = [scene.instances[0].totals().await, scene.instances[3].totals().await];
    assert_eq!(seen[0], seen[1]);
    let opened = Instant::now();
    let more = scene.instances[1].opens("m").await;
    scene.all_see(clients.len() + 1).await;
    eprintln!("one more is known to all {:.1?} after it was asked for", opened.elapsed());
    assert!(opened.elapsed() < INTERVAL + SLACK);
    drop(more);
    let agreed = scene.all_see(clients.len()).await;
    eprintln!("that it has ended is known to all after {agreed:.0?}");
    assert!(agreed < INTERVAL + SLACK);
}
