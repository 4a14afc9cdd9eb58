//! One physical deployment has one count in the whole fleet, whatever each instance calls it.

use tokio::net::TcpListener;

use super::instance::Instance;
use super::redis_kit::Server;
use super::script::{Upstream, streams};
use super::{all_meet, entry, through, turn, until};

/// An instance with a value of `UPSTREAM_KEY`.
async fn instance(yaml: &str, key: &str) -> Instance {
    Instance::begins(yaml, &[("UPSTREAM_KEY", key.to_owned()), ("OTHER_KEY", key.to_owned())]).listens().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_order_other_names_and_a_deployment_of_ones_own() {
    let _turn = turn().await;
    let redis = Server::start().await;
    let mut upstreams = Vec::new();
    for _ in 0..3 {
        upstreams.push(Upstream::playing(streams().event("held").then_hangs()).await);
    }
    let [first, second, third] = [0, 1, 2].map(|at: usize| upstreams[at].base());
    let sharing = format!("general_settings: {{workers: 1}}\n{}", through(redis.port(), ""));
    let list = entry("m", "a", &first, "") + &entry("m", "b", &second, "weight: 2");
    let one = instance(&format!("model_list:\n{list}{sharing}"), "sk-of-yesterday").await;
    let list = entry("mine", "own", &third, "")
        + &entry("other", "zwei", &second, "timeout: 30")
        + &entry("another", "eins", &first, "");
    let list = list.replace("sk-upstream-secret", "os.environ/UPSTREAM_KEY");
    let two = instance(&format!("{sharing}model_list:\n{list}"), "sk-of-today").await;
    let instances = [one, two];
    all_meet(&instances).await;
    let [one, two] = &instances;

    let _at_one = [one.opens_many("a", 2).await, one.opens_many("b", 1).await];
    let _at_two =
        [two.opens_many("eins", 3).await, two.opens_many("zwei", 4).await, two.opens_many("own", 5).await];
    until("sums", async || two.total("eins").await == 5 && one.total("a").await == 5).await;
    until("sums", async || two.total("zwei").await == 5 && one.total("b").await == 5).await;
    assert_eq!(two.total("own").await, 5);
    assert_eq!(one.totals().await.len(), 2, "a deployment that it does not know");
    let told = &one.instances().await["data"][1]["in_flight"];
    eprintln!("one: {:?}, two: {:?}; the second tells {told} in all", one.totals().await, two.totals().await);
    assert_eq!(*told, 7, "of those that are known here");
    for instance in &instances {
        for secret in ["sk-of-yesterday", "sk-of-today"] {
            instance.output().keeps(secret);
        }
        assert_eq!(instance.output().lines_with("shared state"), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotated_key_behind_the_same_variable() {
    let _turn = turn().await;
    let redis = Server::start().await;
    // Takes connections and never speaks: requests are in flight in the middle of the TLS handshake.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("https://{}/v1", silent.local_addr().unwrap());
    let sharing = format!("general_settings: {{workers: 1}}\n{}", through(redis.port(), ""));
    let with_key = |variable: &str| {
        let list =
            entry("m", "a", &base, "").replace("sk-upstream-secret", &format!("os.environ/{variable}"));
        format!("model_list:\n{list}{sharing}")
    };
    let instances = [
        instance(&with_key("UPSTREAM_KEY"), "sk-of-yesterday").await,
        instance(&with_key("UPSTREAM_KEY"), "sk-of-today").await,
        instance(&with_key("OTHER_KEY"), "sk-of-another-account").await,
    ];
    all_meet(&instances).await;
    let mut waiting = Vec::new();
    for instance in &instances[..2] {
        for _ in 0..2 {
            let mut client = instance.connect().await;
            client.asks("m").await;
            waiting.push(client);
        }
    }
    for instance in &instances[..2] {
        until("one count for both keys", async || instance.total("a").await == 4).await;
    }
    let stranger = instances[2].total("a").await;
    eprintln!("two values of one variable: 4 in flight; another variable: {stranger}");
    assert_eq!(stranger, 0, "another account has limits of its own");
    for (instance, secret) in
        instances.iter().zip(["sk-of-yesterday", "sk-of-today", "sk-of-another-account"])
    {
        instance.output().keeps(secret);
    }
}
