//! Limits of deployments: of one instance, and in strict mode of all of them together, with a real Redis.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use leastbusy_gateway::config::{Config, Queue, Redis, RedisNode, SharedState, SharingMode, Topology};
use tokio::net::TcpListener;

use super::client::{Client, get};
use super::gateway::{Gateway, config, deployment, eventually};
use super::process::{Process, config_file};
use super::redis_kit::Server;

const LIMIT: u32 = 3;

/// An engine that takes this long for each answer and sees how many it is asked for at once.
#[derive(Debug, Clone)]
struct Engine {
    address: SocketAddr,
    seen: Arc<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    now: AtomicUsize,
    most: AtomicUsize,
    answers: AtomicUsize,
}

impl Engine {
    async fn start(takes: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let engine = Self { address: listener.local_addr().unwrap(), seen: Arc::default() };
        let seen = Arc::clone(&engine.seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let seen = Arc::clone(&seen);
                let service = service_fn(move |_| answer(Arc::clone(&seen), takes));
                let connection = hyper::server::conn::http1::Builder::new();
                tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
            }
        });
        engine
    }

    fn base(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    fn now(&self) -> usize {
        self.seen.now.load(Ordering::SeqCst)
    }

    fn most(&self) -> usize {
        self.seen.most.load(Ordering::SeqCst)
    }
}

/// One less at the engine, also when whoever asked has gone.
struct Leaving(Arc<Seen>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn answer(seen: Arc<Seen>, takes: Duration) -> Result<hyper::Response<Full<Bytes>>, Infallible> {
    let now = seen.now.fetch_add(1, Ordering::SeqCst) + 1;
    let leaving = Leaving(Arc::clone(&seen));
    seen.most.fetch_max(now, Ordering::SeqCst);
    tokio::time::sleep(takes).await;
    seen.answers.fetch_add(1, Ordering::SeqCst);
    // Before the answer goes out: the gateway may send the next request as soon as it is there.
    drop(leaving);
    let body = Full::new(Bytes::from_static(b"{}"));
    Ok(hyper::Response::builder().header("content-type", "application/json").body(body).unwrap())
}

/// A gateway's configuration before one engine, whose requests may wait this long for a place.
fn limited(engine: &Engine, wait: Duration) -> Config {
    let mut deployment = deployment("a", &engine.base());
    deployment.max_parallel_requests = Some(LIMIT);
    let mut config = config([deployment]);
    config.router.queue = Queue { max: Some(1000), timeout: wait, ..Queue::default() };
    config
}

pub(crate) fn strictly(config: Config, redis: &Server) -> Config {
    let redis = Redis::new(Topology::Standalone(RedisNode::new("127.0.0.1", redis.port())));
    let shared = SharedState { mode: SharingMode::Strict, ..SharedState::through(redis) };
    Config { shared_state: Some(shared), ..config }
}

/// So many requests at once, spread over the gateways; the answers' statuses and times, in no order.
async fn burst(gateways: &[SocketAddr], requests: usize) -> Vec<(u16, Duration)> {
    let asking: Vec<_> = (0..requests)
        .map(|number| {
            let address = gateways[number % gateways.len()];
            tokio::spawn(async move {
                let began = Instant::now();
                let mut client = Client::connect_to(address).await;
                client.asks("m").await;
                (client.answer().await.status, began.elapsed())
            })
        })
        .collect();
    let mut answers = Vec::with_capacity(requests);
    for asked in asking {
        answers.push(asked.await.unwrap());
    }
    answers
}

fn served(answers: &[(u16, Duration)]) -> usize {
    answers.iter().filter(|(status, _)| *status == 200).count()
}

fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort();
    times[(times.len() * percent / 100).min(times.len() - 1)]
}

#[tokio::test]
async fn one_instance_never_sends_more_than_the_limit() {
    let engine = Engine::start(Duration::from_millis(20)).await;
    let gateway = Gateway::start(&limited(&engine, Duration::from_secs(30)));
    let answers = burst(&[gateway.address()], 50).await;
    assert_eq!((served(&answers), engine.most()), (50, LIMIT as usize));
    gateway.ends().await;
}

#[tokio::test]
async fn who_waits_in_vain_is_told_when_to_come_back() {
    let engine = Engine::start(Duration::from_secs(5)).await;
    let gateway = Gateway::start(&limited(&engine, Duration::from_millis(100)));
    let mut held = Vec::new();
    for _ in 0..LIMIT {
        let mut client = Client::connect(&gateway).await;
        client.asks("m").await;
        held.push(client);
    }
    eventually("a full engine", || engine.now() == LIMIT as usize).await;
    let mut client = Client::connect(&gateway).await;
    client.asks("m").await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.header("retry-after")), (429, Some("1")));
    let error = &answer.json()["error"];
    assert_eq!(error["type"], "all_deployments_full");
    assert!(error["message"].as_str().unwrap().contains("`max_parallel_requests`"), "{error}");
    let page = get(&gateway, "/router/deployments").await.json();
    assert_eq!(page["data"][0]["state"], "full");
    assert_eq!(engine.most(), LIMIT as usize);
}

#[tokio::test]
async fn strictly_two_instances_together_never_send_more_than_the_limit() {
    let redis = Server::start().await;
    let engine = Engine::start(Duration::from_millis(20)).await;
    let config = strictly(limited(&engine, Duration::from_secs(30)), &redis);
    let gateways = [Gateway::start(&config), Gateway::start(&config)];
    let answers = burst(&[0, 1].map(|at: usize| gateways[at].address()), 50).await;
    let mut times: Vec<_> = answers.iter().map(|(_, took)| *took).collect();
    eprintln!(
        "50 requests of 20 ms, 3 places, 2 instances: at most {} at once, the last after {:?}",
        engine.most(),
        percentile(&mut times, 100)
    );
    assert_eq!((served(&answers), engine.most()), (50, LIMIT as usize));
    for gateway in gateways {
        gateway.ends().await;
        gateway.stop().await;
    }
    // Well before a lease would have run out.
    let nothing = redis::Value::Array(Vec::new());
    let mut left = redis.command(&["KEYS", "*:s:*"]).await;
    let gone_by = Instant::now() + Duration::from_secs(1);
    while left != nothing && Instant::now() < gone_by {
        tokio::time::sleep(Duration::from_millis(20)).await;
        left = redis.command(&["KEYS", "*:s:*"]).await;
    }
    assert_eq!(left, nothing, "those that leave take out what they had");
}

#[tokio::test]
async fn strictly_the_least_busy_of_all_instances_is_chosen() {
    let redis = Server::start().await;
    let engines = [0; 4].map(|_| ());
    let mut bases = Vec::new();
    for () in engines {
        // So that even a busy machine has all of them in flight at once.
        bases.push(Engine::start(Duration::from_millis(1500)).await);
    }
    let deployments =
        bases.iter().enumerate().map(|(at, engine)| deployment(&at.to_string(), &engine.base()));
    let mut config = strictly(config(deployments), &redis);
    // One that Redis does not answer in time goes by a share.
    config.shared_state.as_mut().unwrap().strict_timeout = Duration::from_secs(5);
    let gateways = [Gateway::start(&config), Gateway::start(&config), Gateway::start(&config)];
    let answers = burst(&[0, 1, 2].map(|at: usize| gateways[at].address()), 42).await;
    assert_eq!(served(&answers), 42);
    let most: Vec<_> = bases.iter().map(Engine::most).collect();
    eprintln!("42 requests at once through 3 instances on 4 deployments: {most:?}");
    let (least, most) = (most.iter().min().unwrap(), most.iter().max().unwrap());
    assert!(most - least <= 1, "{least} to {most}");
}

#[tokio::test]
async fn a_frozen_redis_costs_the_budget_once_and_no_request_and_the_limit_holds() {
    let redis = Server::start().await;
    let engine = Engine::start(Duration::from_millis(20)).await;
    let config = strictly(limited(&engine, Duration::from_secs(30)), &redis);
    let gateways = [Gateway::start(&config), Gateway::start(&config)];
    let addresses = [0, 1].map(|at: usize| gateways[at].address());
    assert_eq!(served(&burst(&addresses, 10).await), 10);
    // Until each knows of the other and of its end.
    tokio::time::sleep(Duration::from_millis(500)).await;

    redis.freeze();
    let mut first = burst(&addresses, 2).await;
    assert_eq!(served(&first), 2);
    let mut later = Vec::new();
    for _ in 0..20 {
        later.extend(burst(&addresses, 2).await);
    }
    assert_eq!(served(&later), 40);
    let mut times: Vec<_> = later.iter().map(|(_, took)| *took - Duration::from_millis(20)).collect();
    eprintln!(
        "Redis frozen: {:?} for the first with their 20 ms, then p50 {:?} and p99 {:?} without",
        first.iter_mut().map(|(_, took)| *took).max().unwrap(),
        percentile(&mut times, 50),
        percentile(&mut times, 99)
    );
    let answers = burst(&addresses, 50).await;
    assert_eq!((served(&answers), engine.most()), (50, LIMIT as usize), "by shares");

    redis.thaw();
    let answers = burst(&addresses, 50).await;
    assert_eq!((served(&answers), engine.most()), (50, LIMIT as usize), "when it is back");
    tokio::time::sleep(Duration::from_secs(1)).await;
    let answers = burst(&addresses, 50).await;
    assert_eq!((served(&answers), engine.most()), (50, LIMIT as usize), "later");
    for gateway in gateways {
        gateway.ends().await;
    }
}

#[tokio::test]
async fn a_redis_that_restarts_empty_knows_soon_what_is_in_flight() {
    let mut redis = Server::start().await;
    let engine = Engine::start(Duration::from_millis(1500)).await;
    let config = strictly(limited(&engine, Duration::from_secs(30)), &redis);
    let gateways = [Gateway::start(&config), Gateway::start(&config)];
    let addresses = [0, 1].map(|at: usize| gateways[at].address());
    let held = tokio::spawn(async move { burst(&addresses, 3).await });
    eventually("a full engine", || engine.now() == LIMIT as usize).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    redis.kill();
    redis.restart().await;
    let answers = burst(&addresses, 4).await;
    assert_eq!((served(&held.await.unwrap()), served(&answers)), (3, 4));
    assert_eq!(engine.most(), LIMIT as usize);
}

#[tokio::test]
async fn the_places_of_a_killed_instance_come_back_within_its_lease() {
    let redis = Server::start().await;
    let engine = Engine::start(Duration::from_secs(60)).await;
    let config = config_file(&format!(
        "model_list:\n- model_name: m\n  litellm_params: {{model: openai/m, api_base: \"{}\", api_key: none, \
         max_parallel_requests: {LIMIT}}}\nrouter_settings: {{max_queued_requests: 1000, queue_timeout: 30}}\n\
         shared_state: {{redis_url: \"redis://{}/\", mode: strict, lease: 1}}\n",
        engine.base(),
        redis.address()
    ));
    let doomed = Process::start(config.path(), |_| ()).await;
    let other = Process::start(config.path(), |_| ()).await;
    let mut held = Vec::new();
    for _ in 0..LIMIT {
        let mut client = doomed.connect().await;
        client.asks("m").await;
        held.push(client);
    }
    eventually("a full engine", || engine.now() == LIMIT as usize).await;
    let mut waiting = other.connect().await;
    waiting.asks("m").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(engine.now(), LIMIT as usize, "all places are taken");
    drop(doomed);
    let killed = Instant::now();
    // The engine loses its requests when the process dies, and gets the next one when its places are free.
    eventually("an engine without them", || engine.now() == 0).await;
    eventually("the next request", || engine.now() == 1).await;
    let after = killed.elapsed();
    eprintln!("lease 1 s: the place of a killed instance was free after {after:?}");
    assert!(Duration::from_millis(300) < after && after < Duration::from_secs(5), "{after:?}");
}
