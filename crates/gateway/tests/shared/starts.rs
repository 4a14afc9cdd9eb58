//! How an instance starts: with a Redis that is not there, with variables alone, and with nothing.

use super::instance::{BACK, Instance, LOST, fails};
use super::redis_kit::{Server, free_port};
use super::script::{Played, Upstream, answers, streams};
use super::{all_meet, entry, through, turn, until};

const SECRET: &str = "pw-that-nobody-may-see";

async fn well() -> Played {
    Upstream::playing(answers(200).json("{}")).await
}

fn yaml(upstream: &Played, sharing: &str) -> String {
    format!(
        "model_list:\n{}general_settings: {{workers: 1}}\n{sharing}",
        entry("m", "a", &upstream.base(), "")
    )
}

/// Where Redis is required it does not start, and says why and what else could be done.
async fn is_refused(name: &str, yaml: &str, words: &[&str]) {
    let (code, output) = fails(yaml).await;
    eprintln!("{name}: exit code {code:?}: {}", output.log().trim());
    assert_eq!(code, Some(1));
    assert_eq!(output.lines_with(LOST), 0, "it does not go on by its own counts");
    for words in words {
        assert!(output.log().contains(words), "no {words:?} in {}", output.log());
    }
    output.keeps(SECRET);
}

/// Where it is not, it serves, and warns once.
async fn is_warned_of(name: &str, yaml: &str, words: &str) -> Instance {
    let instance = Instance::start(yaml).await;
    until("a warning", async || instance.output().lines_with(LOST) == 1).await;
    let log = instance.output().log();
    eprintln!("{name}: {}", log.lines().find(|line| line.contains(LOST)).unwrap());
    assert!(log.contains(words), "no {words:?} in {log}");
    assert_eq!(instance.asks("m").await.status, 200);
    assert!(!instance.is_connected().await);
    assert_eq!(instance.metric("leastbusy_shared_state_up").await, 0.0);
    instance.output().keeps(SECRET);
    assert!(!instance.instances().await.to_string().contains(SECRET));
    instance
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password() {
    let _turn = turn().await;
    let (redis, upstream) = (Server::with(&["--requirepass", "another"]).await, well().await);
    let sharing =
        |further| through(redis.port(), further).replace("127.0.0.1", &format!(":{SECRET}@127.0.0.1"));
    let words = ["Redis refused the login", "WRONGPASS", "required: true"];
    is_refused("wrong password, required", &yaml(&upstream, &sharing("required: true")), &words).await;
    let instance = is_warned_of("wrong password", &yaml(&upstream, &sharing("")), "authentication").await;
    redis.command(&["CONFIG", "SET", "requirepass", SECRET]).await;
    until("a word about the return", async || instance.output().lines_with(BACK) == 1).await;
    assert!(instance.is_connected().await);
    instance.output().keeps(SECRET);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_listens() {
    let _turn = turn().await;
    let (port, upstream) = (free_port(), well().await);
    let words = ["cannot connect to Redis at 127.0.0.1", "Connection refused", "required: true"];
    is_refused("refused, required", &yaml(&upstream, &through(port, "required: true")), &words).await;
    is_warned_of("refused", &yaml(&upstream, &through(port, "")), "Connection refused").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_authority_that_cannot_be_read() {
    let _turn = turn().await;
    let (redis, upstream) = (Server::start().await, well().await);
    let sharing = format!(
        "litellm_settings:\n  cache: true\n  cache_params: {{type: redis, url: \"rediss://:{SECRET}@127.0.0.1:{}\", \
         ssl_ca_certs: /no/such/ca.pem}}\n",
        redis.port()
    );
    let words = ["/no/such/ca.pem"];
    is_refused("no CA file", &yaml(&upstream, &sharing), &words).await;
    let sharing = sharing + "shared_state: {required: true}\n";
    is_refused("no CA file, required", &yaml(&upstream, &sharing), &words).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn variables_alone_switch_sharing_on() {
    let _turn = turn().await;
    let redis = Server::with(&["--requirepass", SECRET]).await;
    let held = Upstream::playing(streams().event("held").then_hangs()).await;
    let variables = [
        ("REDIS_HOST", "127.0.0.1".to_owned()),
        ("REDIS_PORT", redis.port().to_string()),
        ("REDIS_PASSWORD", SECRET.to_owned()),
    ];
    let yaml = yaml(&held, "");
    let starting = [(); 2].map(|()| Instance::begins(&yaml, &variables));
    let mut instances = Vec::new();
    for instance in starting {
        instances.push(instance.listens().await);
    }
    all_meet(&instances).await;
    let _streams = instances[0].opens_many("m", 2).await;
    until("a shared count", async || instances[1].total("a").await == 2).await;
    for instance in &instances {
        assert_eq!(sharing_threads(instance), 1, "{:?}", instance.threads());
        instance.output().keeps(SECRET);
    }
    eprintln!("REDIS_HOST, REDIS_PORT and REDIS_PASSWORD alone: {}", instances[0].instances().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_redis_there_is_no_word_and_no_thread() {
    let _turn = turn().await;
    let upstream = well().await;
    let instance = Instance::start(&yaml(&upstream, "")).await;
    assert_eq!(instance.asks("m").await.status, 200);
    let log = instance.output().log().to_lowercase();
    eprintln!("without a Redis: threads {:?}, log {log:?}", instance.threads());
    assert_eq!(sharing_threads(&instance), 0, "{:?}", instance.threads());
    assert!(!log.contains("redis") && !log.contains("shared"), "{log}");
    assert!(instance.instances().await["shared_state"].is_null());
    assert!(!instance.get("/metrics").await.text().contains("shared_state"));
    let entry = instance.deployment("a").await;
    assert_eq!(entry["in_flight_total"], entry["in_flight"]);
}

/// The kernel keeps 15 characters of a thread's name.
fn sharing_threads(instance: &Instance) -> usize {
    instance
        .threads()
        .iter()
        .filter(|name| "leastbusy-shared".starts_with(name.as_str()) && 10 < name.len())
        .count()
}
