//! Health checks: what they ask, what they show, and whom those in the background leave out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use leastbusy_gateway::config::{Config, Deployment, HealthChecks, Strategy};
use serde_json::json;

use super::client::{CHAT, Client, chat, get};
use super::gateway::{Gateway, deployment, entry, eventually, on_one_worker};
use super::script::{Played, Upstream, answers, hangs};

/// The shortest interval that a configuration may have.
const INTERVAL: Duration = Duration::from_secs(1);

/// An upstream that serves every request, and whose list of models has this status.
struct Engine {
    played: Played,
    status: Arc<AtomicU16>,
}

impl Engine {
    async fn with(status: u16) -> Self {
        let status = Arc::new(AtomicU16::new(status));
        let now = Arc::clone(&status);
        let played = Upstream::playing_each(move |exchange| match exchange.path() {
            "/v1/models" => answers(now.load(Ordering::SeqCst)).json("{}"),
            _ => answers(200).json("{}"),
        });
        Self { played: played.await, status }
    }

    fn serves(&self, id: &str) -> Deployment {
        deployment(id, &self.played.base())
    }
}

fn checked(deployments: impl IntoIterator<Item = Deployment>, checks: HealthChecks) -> Config {
    let mut config = on_one_worker(deployments);
    config.router.filters.health_checks = Some(HealthChecks { interval: INTERVAL, ..checks });
    config.router.strategy = Strategy::RoundRobin;
    config
}

fn routing() -> HealthChecks {
    HealthChecks { routing: true, ..HealthChecks::default() }
}

impl Gateway {
    /// Whether the last check found the deployment at this place up; `None` before the first.
    fn is_up(&self, place: usize) -> Option<bool> {
        let counted_as = self.table().deployment(place).counted_as;
        self.table().health_board().unwrap().last(counted_as).map(|check| check.healthy)
    }

    async fn knows(&self, expected: &[Option<bool>]) {
        let known = || (0..expected.len()).map(|place| self.is_up(place)).collect::<Vec<_>>();
        eventually(&format!("{expected:?} found by checks"), || known() == expected).await;
    }
}

/// Who serves 20 requests, each named once: where several may, they take turns.
async fn served(gateway: &Gateway) -> Vec<String> {
    let mut client = Client::connect(gateway).await;
    let mut served = Vec::new();
    for _ in 0..20 {
        client.post(CHAT, &chat("m")).await;
        let answer = client.answer().await;
        assert_eq!(answer.status, 200);
        served.push(answer.served_by().to_owned());
    }
    served.sort();
    served.dedup();
    served
}

// K32
#[tokio::test]
async fn one_that_is_not_healthy_gets_no_requests_until_it_is() {
    let (sick, well) = (Engine::with(500).await, Engine::with(200).await);
    let gateway = Gateway::start(&checked([sick.serves("sick"), well.serves("well")], routing()));
    gateway.knows(&[Some(false), Some(true)]).await;
    assert_eq!(served(&gateway).await, ["well"]);
    sick.status.store(200, Ordering::SeqCst);
    gateway.knows(&[Some(true), Some(true)]).await;
    assert_eq!(served(&gateway).await, ["sick", "well"]);
}

// K32
#[tokio::test]
async fn where_none_is_healthy_all_are_asked() {
    let (one, two) = (Engine::with(500).await, Engine::with(401).await);
    let gateway = Gateway::start(&checked([one.serves("one"), two.serves("two")], routing()));
    gateway.knows(&[Some(false), Some(false)]).await;
    assert_eq!(served(&gateway).await, ["one", "two"]);
}

// K32
#[tokio::test]
async fn a_check_that_is_stale_leaves_nobody_out() {
    let (sick, well) = (Engine::with(500).await, Engine::with(200).await);
    let well = Deployment { unchecked: true, ..well.serves("well") };
    let checks = HealthChecks { staleness: Some(Duration::from_secs(4)), ..routing() };
    let mut config = checked([sick.serves("sick"), well], checks);
    // The second check is a long way off.
    config.router.filters.health_checks.as_mut().unwrap().interval = Duration::from_secs(600);
    let gateway = Gateway::start(&config);
    gateway.knows(&[Some(false), None]).await;
    assert_eq!(served(&gateway).await, ["well"]);
    tokio::time::sleep(Duration::from_millis(4100)).await;
    assert_eq!(served(&gateway).await, ["sick", "well"]);
}

#[tokio::test]
async fn without_routing_checks_are_shown_and_leave_nobody_out() {
    let (sick, well) = (Engine::with(503).await, Engine::with(200).await);
    let config = checked([sick.serves("sick"), well.serves("well")], HealthChecks::default());
    let gateway = Gateway::start(&config);
    let before = get(&gateway, "/router/deployments").await.json();
    gateway.knows(&[Some(false), Some(true)]).await;
    assert_eq!(served(&gateway).await, ["sick", "well"]);

    let asked = (sick.played.requests(), well.played.requests());
    let health = get(&gateway, "/health").await.json();
    let shown = get(&gateway, "/router/deployments").await.json();
    let metrics = get(&gateway, "/metrics").await.text().to_owned();
    assert_eq!((sick.played.requests(), well.played.requests()), asked, "nobody is asked for a page");

    assert_eq!((&health["healthy_count"], &health["unhealthy_count"]), (&json!(1), &json!(1)));
    let unhealthy = &health["unhealthy_endpoints"][0];
    assert_eq!(
        (&unhealthy["model_id"], &unhealthy["error"]),
        (&json!("sick"), &json!("503 Service Unavailable"))
    );
    assert!(unhealthy["checked_seconds_ago"].as_f64().unwrap() < 5.0, "{unhealthy}");

    assert!(before["data"][0].as_object().unwrap().contains_key("health_check"));
    let (sick, well) = (&shown["data"][0]["health_check"], &shown["data"][1]["health_check"]);
    assert_eq!((&sick["healthy"], &sick["reason"]), (&json!(false), &json!("503 Service Unavailable")));
    assert_eq!((&well["healthy"], &well["reason"]), (&json!(true), &json!(null)));
    assert!(sick["seconds_ago"].as_f64().unwrap() < 5.0, "{sick}");

    for line in [
        r#"leastbusy_deployment_health_check{model_group="m",deployment="sick"} 0"#,
        r#"leastbusy_deployment_health_check{model_group="m",deployment="well"} 1"#,
        r#"leastbusy_health_checks_total{model_group="m",deployment="sick",outcome="healthy"} 0"#,
        r#"leastbusy_health_checks_total{model_group="m",deployment="well",outcome="unhealthy"} 0"#,
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
    gateway.ends().await;
}

#[tokio::test]
async fn one_that_is_busy_stays_as_it_was_where_that_is_wanted() {
    let (busy, well) = (Engine::with(200).await, Engine::with(200).await);
    let checks = HealthChecks { ignore_transient: true, ..routing() };
    let gateway = Gateway::start(&checked([busy.serves("busy"), well.serves("well")], checks));
    gateway.knows(&[Some(true), Some(true)]).await;
    busy.status.store(429, Ordering::SeqCst);
    let counted_as = gateway.table().deployment(0).counted_as;
    let board = gateway.table().health_board().unwrap();
    eventually("a check that is ignored", || 0 < board.counts(counted_as).ignored).await;
    assert_eq!((gateway.is_up(0), board.counts(counted_as).unhealthy), (Some(true), 0));
    assert_eq!(served(&gateway).await, ["busy", "well"]);
}

#[tokio::test]
async fn each_deployment_is_asked_once_and_only_those_that_are_to_be() {
    let (at, other, blocked) = (Engine::with(200).await, Engine::with(200).await, Engine::with(200).await);
    let checks = HealthChecks { groups: vec!["m".to_owned(), "n".to_owned()], ..routing() };
    let config = checked(
        [
            at.serves("a"),
            entry("n", "openai/m", "same-as-a", &at.played.base()),
            Deployment { unchecked: true, ..other.serves("unchecked") },
            Deployment { blocked: true, ..blocked.serves("blocked") },
            entry("o", "openai/o", "elsewhere", &other.played.base()),
        ],
        checks,
    );
    let gateway = Gateway::start(&config);
    assert_eq!(gateway.table().health_board().unwrap().checked(), [0]);
    let expected = [Some(true), Some(true), None, None, None];
    gateway.knows(&expected).await;
    let counted_as = gateway.table().deployment(0).counted_as;
    let board = gateway.table().health_board().unwrap();
    eventually("a third check", || 3 <= board.counts(counted_as).healthy).await;
    gateway.knows(&expected).await;
    let health = get(&gateway, "/health").await.json();
    assert_eq!((&health["healthy_count"], &health["unhealthy_count"]), (&json!(2), &json!(0)));
    assert_eq!((other.played.requests(), blocked.played.requests()), (0, 0));
    // The latest may be on its way.
    let (asked, counted) = (at.played.requests() as u64, board.counts(counted_as).healthy);
    assert!((counted..=counted + 1).contains(&asked), "{asked} requests for {counted} checks");
    gateway.stop().await;
}

#[tokio::test]
async fn a_check_waits_as_long_as_its_deployment_says() {
    let hung = Upstream::playing(hangs()).await;
    let slow = Deployment {
        health_check_timeout: Some(Duration::from_millis(100)),
        ..deployment("slow", &hung.base())
    };
    let gateway = Gateway::start(&checked([slow], routing()));
    gateway.knows(&[Some(false)]).await;
    let counted_as = gateway.table().deployment(0).counted_as;
    let check = gateway.table().health_board().unwrap().last(counted_as).unwrap();
    assert!(check.seen.contains("timeout"), "{}", check.seen);
    gateway.stop().await;
}

#[tokio::test]
async fn one_that_is_at_its_limit_is_not_asked_and_is_healthy() {
    let busy = Upstream::playing(hangs()).await;
    let full = Deployment { max_parallel_requests: Some(1), ..deployment("full", &busy.base()) };
    let gateway = Gateway::start(&on_one_worker([full]));
    let mut client = Client::connect(&gateway).await;
    client.asks("m").await;
    gateway.counts(&[1]).await;
    let health = get(&gateway, "/health").await.json();
    assert_eq!((&health["healthy_count"], &health["unhealthy_count"]), (&json!(1), &json!(0)), "{health}");
    let entry = &health["healthy_endpoints"][0];
    assert_eq!(
        (&entry["not_asked"], &entry["checked_seconds_ago"]),
        (&json!("it is at its limit"), &json!(null))
    );
    eventually("the one request", || busy.requests() == 1).await;
    client.leaves();
    gateway.ends().await;
}
