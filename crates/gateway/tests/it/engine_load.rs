//! What engines say of their load: read from their pages and headers, and gone by, also when they say it no longer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use leastbusy_balance::Standing;
use leastbusy_gateway::config::{Config, Deployment, EngineKind, Secret, SimulatedEngine};
use leastbusy_gateway::engine_load::{Outcome, Source};
use leastbusy_gateway::router::Table;
use leastbusy_gateway::simulated;

use super::client::{CHAT, Client, chat, get, post, request};
use super::gateway::{Gateway, deployment, entry, eventually, on_one_worker};
use super::process::{Process, config_file};
use super::script::{Script, Upstream, answers, hangs};

const INTERVAL: Duration = Duration::from_millis(100);
/// Where the age of a reading counts, and the machine may be busy with other things for a while.
const SELDOM: Duration = Duration::from_secs(1);

/// As the configuration has it, with pages that are read ten times a second.
fn reading(deployments: impl IntoIterator<Item = Deployment>, kind: EngineKind) -> Config {
    let mut config = on_one_worker(deployments);
    config.deployments.iter_mut().for_each(|deployment| deployment.engine.kind = Some(kind));
    config.router.engine_load.interval = INTERVAL;
    config
}

/// The same with pages that are read once a second.
fn reading_seldom(deployments: impl IntoIterator<Item = Deployment>, kind: EngineKind) -> Config {
    let mut config = reading(deployments, kind);
    config.router.engine_load.interval = SELDOM;
    config
}

/// Requests past the gateway on the deployment at this place; `None` while nothing was told.
fn elsewhere(table: &Table, place: usize) -> Option<f64> {
    let deployment = table.deployments().nth(place).unwrap();
    table.engine_load(deployment).map(|load| load.requests_elsewhere)
}

fn reads(gateway: &Gateway, outcome: Outcome) -> u64 {
    gateway.table().engine_reads().count(Source::Metrics, outcome)
}

/// An engine whose answers take longer than a test.
async fn slow_engine(name: &str) -> simulated::Engine {
    let engine = SimulatedEngine {
        slots: 2,
        first_token_time: Duration::from_secs(60),
        tokens_per_second: 1.0,
        mean_tokens: 5.0,
    };
    simulated::start(name, &engine).await.unwrap()
}

#[tokio::test]
async fn traffic_past_the_gateway_is_made_room_for() {
    let (ada, bob) = (slow_engine("ada").await, slow_engine("bob").await);
    let entries = [&ada, &bob].map(|engine| entry("m", "openai/m", engine.name(), &engine.base_url()));
    let gateway = Gateway::start(&reading_seldom(entries, EngineKind::Vllm));
    let mut strangers = Vec::new();
    for _ in 0..3 {
        let mut stranger = Client::connect_to(ada.addr()).await;
        stranger.post(CHAT, &chat("m")).await;
        strangers.push(stranger);
    }
    eventually("a word of three requests elsewhere", || elsewhere(gateway.table(), 0) == Some(3.0)).await;
    let mut clients = Vec::new();
    for sent in 1..=3 {
        let mut client = Client::connect(&gateway).await;
        client.post(CHAT, &chat("m")).await;
        clients.push(client);
        gateway.counts(&[0, sent]).await;
    }

    let page = get(&gateway, "/router/deployments").await.json();
    let shown = &page["data"][0]["engine"];
    // A reading that is late has begun to fade.
    let numbers = ["requests_elsewhere", "kv_use", "age_seconds"].map(|name| shown[name].as_f64().unwrap());
    assert!(numbers[0] > 1.5 && numbers[1] > 0.5 && numbers[2] < 5.0, "{page}");
    let metrics = get(&gateway, "/metrics").await;
    for gauge in ["requests_elsewhere", "kv_use"] {
        let line = format!("leastbusy_deployment_engine_{gauge}{{model_group=\"m\",deployment=\"ada\"}} ");
        assert!(metrics.text().contains(&line), "{}", metrics.text());
    }
    assert!(metrics.text().contains("leastbusy_engine_load_reads_total{source=\"metrics\",outcome=\"ok\"}"));

    // The own requests are not taken for somebody else's, and those that leave are forgotten with the next reading.
    eventually("three of its own on the other", || elsewhere(gateway.table(), 1) == Some(0.0)).await;
    strangers.into_iter().for_each(Client::leaves);
    eventually("no request elsewhere", || elsewhere(gateway.table(), 0) == Some(0.0)).await;
    let mut client = Client::connect(&gateway).await;
    client.post(CHAT, &chat("m")).await;
    gateway.counts(&[1, 3]).await;
}

/// What a page of metrics does next.
#[derive(Clone)]
struct Mood(Arc<AtomicU8>);

const WELL: u8 = 0;
const HANGS: u8 = 1;

impl Mood {
    fn new(mood: u8) -> Self {
        Self(Arc::new(AtomicU8::new(mood)))
    }

    fn is(&self, mood: u8) {
        self.0.store(mood, Ordering::SeqCst);
    }
}

/// Pages that go wrong in every way, and one that is right.
fn page(mood: u8) -> Script {
    let right = "vllm:num_requests_running 5\nvllm:num_requests_waiting 1\n";
    match mood {
        WELL => answers(200).claiming(right.len(), right.as_bytes()),
        HANGS => hangs(),
        2 => answers(500).json("{}"),
        3 => answers(200).claiming(9, b"\xff{\"x\"} 1\n"),
        4 => answers(200).claiming(2_000_000, &vec![b'#'; 2_000_000]),
        5 => answers(200).claiming(1_000, right.as_bytes()).then_closes(),
        6 => answers(200).claiming(1_000, right.as_bytes()).then_hangs(),
        _ => answers(200).claiming(0, b""),
    }
}

/// An engine that serves chats, and whose page does what it is told to.
async fn engine(mood: &Mood) -> super::script::Played {
    let mood = mood.clone();
    Upstream::playing_each(move |exchange| match exchange.path() {
        "/metrics" => page(mood.0.load(Ordering::SeqCst)),
        _ => answers(200).json(r#"{"choices":[]}"#),
    })
    .await
}

#[tokio::test]
async fn a_page_that_fails_changes_nothing_for_requests() {
    for (mood, outcome) in [
        (HANGS, Outcome::Timeout),
        (2, Outcome::Status),
        (3, Outcome::Unreadable),
        (4, Outcome::Unreadable),
        (5, Outcome::Connection),
        (6, Outcome::Timeout),
        (7, Outcome::Unreadable),
    ] {
        let engine = engine(&Mood::new(mood)).await;
        let gateway = Gateway::start(&reading([deployment("a", &engine.base())], EngineKind::Vllm));
        eventually(&format!("two failures of {mood}"), || 2 <= reads(&gateway, outcome)).await;
        for _ in 0..3 {
            let began = Instant::now();
            let answer = post(&gateway, CHAT, &chat("m")).await;
            assert_eq!(answer.status, 200, "{mood}");
            assert!(began.elapsed() < Duration::from_secs(2), "{mood}: {:?}", began.elapsed());
        }
        assert_eq!(gateway.condition(0).standing, Standing::Available, "{mood}");
        assert_eq!(elsewhere(gateway.table(), 0), None, "{mood}");
        let shown = get(&gateway, "/router/deployments").await.json();
        assert!(shown["data"][0]["engine"].is_null(), "{shown}");
        let others = Outcome::ALL.into_iter().filter(|other| *other != outcome);
        assert_eq!(others.map(|other| reads(&gateway, other)).sum::<u64>(), 0, "{mood}");
    }
}

#[tokio::test]
async fn what_was_told_fades_when_nothing_more_is() {
    let mood = Mood::new(WELL);
    let (told, quiet) = (engine(&mood).await, engine(&Mood::new(2)).await);
    let entries = [deployment("told", &told.base()), deployment("quiet", &quiet.base())];
    let gateway = Gateway::start(&reading_seldom(entries, EngineKind::Vllm));
    eventually("a word of six requests", || elsewhere(gateway.table(), 0) == Some(6.0)).await;
    for _ in 0..8 {
        assert_eq!(post(&gateway, CHAT, &chat("m")).await.served_by(), "quiet");
    }
    mood.is(HANGS);
    let silent = Instant::now();
    let mut last = 6.0;
    while let Some(left) = elsewhere(gateway.table(), 0).filter(|left| 0.0 < *left) {
        // A reading that was under way may have renewed it.
        assert!(left <= last || silent.elapsed() < SELDOM, "{left} after {last}");
        last = left;
        assert!(silent.elapsed() < 20 * SELDOM, "{left} is left");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(2 * SELDOM < silent.elapsed(), "{:?}", silent.elapsed());
    let mut served = Vec::new();
    for _ in 0..40 {
        served.push(post(&gateway, CHAT, &chat("m")).await.served_by().to_owned());
    }
    assert!(served.iter().any(|by| by == "told"), "{served:?}");
    mood.is(WELL);
    eventually("a new word", || elsewhere(gateway.table(), 0) == Some(6.0)).await;
}

#[tokio::test]
async fn a_server_is_asked_once_for_all_its_deployments_and_with_their_key() {
    let mut upstream = Upstream::start().await;
    let base = upstream.base();
    let mut entries = [
        entry("m", "openai/m", "m", &base),
        entry("n", "openai/n", "n", &base),
        entry("again", "openai/m", "again", &base),
    ];
    entries.iter_mut().for_each(|entry| entry.api_key = Some(Secret::new("sk-engine")));
    let began = Instant::now();
    let gateway = Gateway::start(&reading_seldom(entries, EngineKind::Sglang));
    for _ in 0..3 {
        let exchange = upstream.next_request().await;
        assert_eq!(exchange.head.first_line, "GET /metrics HTTP/1.1");
        assert_eq!(exchange.header("authorization"), Some("Bearer sk-engine"));
        assert!(exchange.body.is_empty());
        let page = "sglang:num_running_reqs{model_name=\"m\"} 2\nsglang:num_queue_reqs{model_name=\"m\"} 0\n\
                    sglang:num_running_reqs{model_name=\"n\"} 5\nsglang:num_queue_reqs{model_name=\"n\"} 4\n";
        exchange.plays(answers(200).claiming(page.len(), page.as_bytes())).await;
    }
    assert!(2 * SELDOM.mul_f64(0.9) <= began.elapsed(), "{:?}", began.elapsed());
    // The later of two entries that lead to one deployment shows the same as the first.
    let seen = [0, 1, 2].map(|place| elsewhere(gateway.table(), place).unwrap());
    assert!(seen[0] <= 2.0 && 2.0 < seen[1] && (seen[0] - seen[2]).abs() < 0.5, "{seen:?}");
    assert_eq!(gateway.told.pre_calls(), 0, "a reading is no attempt");
}

#[tokio::test]
async fn a_page_lies_beside_the_api() {
    let mut upstream = Upstream::start().await;
    let base = format!("http://{}/engines/one/v1/", upstream.address());
    let _gateway = Gateway::start(&reading([deployment("a", &base)], EngineKind::LlamaCpp));
    assert_eq!(upstream.next_request().await.path(), "/engines/one/metrics");
}

#[tokio::test]
async fn engines_are_asked_for_load_headers_where_that_is_wanted() {
    const REPORT: &str =
        "TEXT named_metrics.kv_cache_usage_perc=0.25, named_metrics.num_requests_waiting=4.0";
    let asked = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&asked);
    let upstream = Upstream::playing_each(move |exchange| {
        if exchange.path() == "/metrics" {
            return answers(404).json("{}");
        }
        if let Some(format) = exchange.header("endpoint-load-metrics-format") {
            seen.fetch_add(if format == "text" { 1 } else { 100 }, Ordering::SeqCst);
        }
        answers(200).header("endpoint-load-metrics", REPORT).json(r#"{"choices":[]}"#)
    })
    .await;
    let passed = |answer: &super::client::Answer| answer.header("endpoint-load-metrics").map(str::to_owned);
    let with_own = request(CHAT, "Endpoint-Load-Metrics-Format: JSON\r\n", chat("m").as_bytes());

    let mut config = reading([deployment("a", &upstream.base())], EngineKind::Vllm);
    config.router.engine_load.headers = true;
    let gateway = Gateway::start(&config);
    assert_eq!(passed(&post(&gateway, CHAT, &chat("m")).await), None, "the client did not ask");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    let deployment_of = |gateway: &Gateway| {
        let load = gateway.table().engine_load(gateway.table().deployments().next().unwrap());
        load.map(|load| (load.requests_elsewhere, load.kv_use))
    };
    assert_eq!(deployment_of(&gateway), Some((3.0, Some(0.25))), "four wait, and one may be this one");
    let mut client = Client::connect(&gateway).await;
    client.send(&with_own).await;
    assert_eq!(passed(&client.answer().await).as_deref(), Some(REPORT), "it asked itself");
    assert_eq!(asked.load(Ordering::SeqCst), 101, "in its own format");
    let header = |outcome| gateway.table().engine_reads().count(Source::Header, outcome);
    assert_eq!((header(Outcome::Ok), header(Outcome::Unreadable)), (2, 0));

    // Without the setting, or without an engine, all goes as it did.
    config.router.engine_load.headers = false;
    let mut unknown = config.clone();
    unknown.router.engine_load.headers = true;
    unknown.deployments[0].engine.kind = None;
    for config in [config, unknown] {
        let gateway = Gateway::start(&config);
        let answer = post(&gateway, CHAT, &chat("m")).await;
        assert_eq!(passed(&answer).as_deref(), Some(REPORT));
        assert_eq!(asked.load(Ordering::SeqCst), 101);
        assert_eq!(deployment_of(&gateway), None);
    }
}

#[tokio::test]
async fn the_log_says_once_that_a_page_cannot_be_read_and_once_that_it_can() {
    let mood = Mood::new(2);
    let engine = engine(&mood).await;
    let file = config_file(&format!(
        "model_list:\n\
         - model_name: m\n  litellm_params: {{model: openai/m, api_base: \"{}\", api_key: sk-upstream-secret}}\n  \
         model_info: {{id: a, engine: vllm}}\n\
         router_settings: {{engine_load_interval: 0.1}}\n",
        engine.base()
    ));
    let process = Process::start(file.path(), |_| {}).await;
    let said = |what: &str| process.log.lock().unwrap().matches(what).count();
    eventually("four failures", || 4 <= engine.requests()).await;
    assert_eq!(said("/metrics cannot be read"), 1, "{}", process.log.lock().unwrap());
    mood.is(WELL);
    eventually("a word that it is well", || said("/metrics is read again") == 1).await;
    mood.is(3);
    eventually("a word that it is not", || said("/metrics cannot be read") == 2).await;
    let log = process.log.lock().unwrap().clone();
    assert!(log.contains("it answered 500 Internal Server Error"), "{log}");
    assert!(log.contains("is it the engine that model_info.engine names?"), "{log}");
    assert!(!log.contains("sk-upstream-secret"), "{log}");
}
