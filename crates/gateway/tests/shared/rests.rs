//! A deployment that rests for one instance rests for all.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::instance::Instance;
use super::redis_kit::Server;
use super::script::{Played, Upstream, answers, streams};
use super::{INTERVAL, SLACK, entry, fleet, through, turn, until};

/// Streams that make a deployment busier than one that always fails looks: its weight falls to a fiftieth.
const BUSY: usize = 40;

async fn holding() -> Played {
    Upstream::playing(streams().event("held").then_hangs()).await
}

/// Two deployments, of which the first is asked while it can be.
fn yaml(first: &str, second: &str, redis: &Server, router: &str) -> String {
    let models = entry("m", "a", first, "order: 1") + &entry("m", "b", second, "order: 2");
    sharing(&models, redis, router)
}

fn sharing(models: &str, redis: &Server, router: &str) -> String {
    let settings = format!("router_settings: {{{router}}}\ngeneral_settings: {{workers: 1}}\n");
    format!("model_list:\n{models}{settings}{}", through(redis.port(), ""))
}

/// When the rest of a deployment ends, as an instance says, and how exactly that is known here.
async fn deadline(instance: &Instance, id: &str) -> (Instant, Duration) {
    let mut best: Option<(Instant, Duration)> = None;
    for _ in 0..8 {
        let asked = Instant::now();
        let cooldown = instance.deployment(id).await["cooldown"].clone();
        let took = asked.elapsed();
        let remaining = cooldown["remaining_seconds"].as_f64().unwrap_or_else(|| panic!("{cooldown}"));
        if best.is_none_or(|(_, known)| took < known) {
            best = Some((asked + took / 2 + Duration::from_secs_f64(remaining), took));
        }
    }
    best.unwrap()
}

async fn remaining(instance: &Instance) -> f64 {
    instance.deployment("a").await["cooldown"]["remaining_seconds"].as_f64().unwrap_or(0.0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rest_is_known_to_all_within_an_interval() {
    let _turn = turn().await;
    let redis = Server::start().await;
    let refused: Arc<Mutex<Option<Instant>>> = Arc::default();
    let at = Arc::clone(&refused);
    let sick = Upstream::playing_each(move |_| {
        *at.lock().unwrap() = Some(Instant::now());
        answers(429).header("retry-after", "37").json("{}")
    })
    .await;
    let well = Upstream::playing(answers(200).json("{}")).await;
    let instances = fleet(4, &yaml(&sick.base(), &well.base(), &redis, "")).await;
    let rests = async |at: usize| {
        until("a rest", async || instances[at].state("a").await == "cooling_down").await;
        Instant::now()
    };
    let (answer, second, third, fourth) = tokio::join!(instances[0].asks("m"), rests(1), rests(2), rests(3));
    assert_eq!((answer.status, answer.served_by()), (200, "b"));
    let refused = refused.lock().unwrap().unwrap();
    let took = [second, third, fourth].map(|known| known - refused);
    eprintln!("from the 429 at the first to cooling_down at the others: {took:.0?}");
    assert!(took.iter().all(|took| *took < INTERVAL + SLACK), "{took:?}");

    let mut deadlines = Vec::new();
    for instance in &instances {
        deadlines.push(deadline(instance, "a").await);
    }
    let ends = || deadlines.iter().map(|(end, _)| *end);
    let apart = ends().max().unwrap() - ends().min().unwrap();
    let known = deadlines.iter().map(|(_, known)| *known).max().unwrap();
    eprintln!("the ends of the rest are {apart:.0?} apart, read within {known:.0?}");
    assert!(apart < SLACK + known, "{apart:?}");
    let (end, _) = deadlines[1];
    let rest = end - refused;
    assert!(Duration::from_secs(36) < rest && rest < Duration::from_secs(38), "{rest:?}");
    for instance in &instances {
        let cooldown = instance.deployment("a").await["cooldown"].clone();
        assert_eq!(
            (&cooldown["status"], instance.asks("m").await.served_by()),
            (&429.into(), "b"),
            "{cooldown}"
        );
    }
    assert_eq!(sick.requests(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_rests_the_later_end_counts() {
    let _turn = turn().await;
    for (first, second) in [("100", "2"), ("2", "100")] {
        let redis = Server::start().await;
        let mut sick = Upstream::start().await;
        let well = Upstream::playing(answers(200).json("{}")).await;
        let instances = fleet(2, &yaml(&sick.base(), &well.base(), &redis, "")).await;
        // Both are under way before either is answered.
        let mut clients = Vec::new();
        let mut requests = Vec::new();
        for instance in &instances {
            let mut client = instance.connect().await;
            client.asks("m").await;
            requests.push(sick.next_request().await);
            clients.push(client);
        }
        for (at, (request, after)) in requests.into_iter().zip([first, second]).enumerate() {
            request.plays(answers(429).header("retry-after", after).json("{}")).await;
            assert_eq!(clients[at].answer().await.served_by(), "b");
            for instance in &instances {
                until("a rest", async || instance.state("a").await == "cooling_down").await;
            }
        }
        for instance in &instances {
            until("the later end", async || 90.0 < remaining(instance).await).await;
        }
        let settled = Instant::now() + 4 * INTERVAL;
        while Instant::now() < settled {
            for instance in &instances {
                assert!(90.0 < remaining(instance).await, "{first} s, then {second} s");
            }
        }
        let ends = [remaining(&instances[0]).await, remaining(&instances[1]).await];
        eprintln!("429 with {first} s at the first, then {second} s at the second: {ends:.1?} s are left");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_through_several_instances_add_up() {
    let _turn = turn().await;
    let redis = Server::start().await;
    let sick = Upstream::playing(answers(500).json("{}")).await;
    let [well, held] = [holding().await, holding().await];
    let models = entry("m", "a", &sick.base(), "")
        + &entry("m", "b", &well.base(), "")
        + &entry("after", "c", &held.base(), "");
    let router = "allowed_fails: 3, num_retries: 0, cooldown_time: 60";
    let instances = fleet(2, &sharing(&models, &redis, router)).await;
    let [one, two] = &instances[..] else { panic!("two instances") };
    // Who fails is asked less often, unless the other is busy.
    let _busy = [one.opens_many("b", BUSY).await, two.opens_many("b", BUSY).await];
    let fails = async |instance: &Instance, times: usize| {
        for _ in 0..times {
            assert_eq!(instance.asks("m").await.status, 500);
        }
    };
    fails(one, 2).await;
    // One telling has all that an instance knows: who has heard of this has heard of the failures.
    let _after = one.opens("after").await;
    until("the first's failures at the second", async || two.total("c").await == 1).await;
    assert!(two.deployment("a").await["success_rate"].as_f64().unwrap() < 1.0);
    fails(two, 1).await;
    assert_eq!(two.state("a").await, "available", "three are tolerated");
    fails(two, 1).await;
    let fourth = Instant::now();
    for instance in &instances {
        until("a rest", async || instance.state("a").await == "cooling_down").await;
        eprintln!(
            "2 failures through each of two, 3 tolerated: it rests {:.1?} after the fourth",
            fourth.elapsed()
        );
    }
    assert!(fourth.elapsed() < INTERVAL + SLACK);
    let _elsewhere = one.opens("m").await;
    assert_eq!(sick.requests(), 4);
}
