//! Several gateways in processes of their own share their state through real Redis servers, whatever befalls either.
//!
//! Each test prints what it measured: `cargo test --test shared -- --nocapture`.

#![expect(
    clippy::disallowed_methods,
    reason = "a test's tasks end with its runtime, and nobody but the test waits for them"
)]
#![expect(clippy::unwrap_used, reason = "a failure in a test's scenery is a failure of the test")]

// The scenery of `tests/it`, and the servers of the shared state's own tests.
#[path = "../it/client.rs"]
#[expect(dead_code, reason = "the scenery does more than this program needs")]
mod client;
#[path = "../it/gateway.rs"]
#[expect(dead_code, reason = "the scenery does more than this program needs")]
mod gateway;
#[path = "../it/pipe.rs"]
mod pipe;
#[path = "../redis_kit/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the kit does more than this program needs")]
mod redis_kit;
#[path = "../it/script.rs"]
#[expect(dead_code, reason = "the scenery does more than this program needs")]
mod script;
#[path = "../it/wire.rs"]
mod wire;

mod instance;
mod load;
mod ordeal;
mod proxy;

mod bursts;
mod failovers;
mod leaving;
mod names;
mod outages;
mod probes;
mod rests;
mod starts;
mod ways;

use std::time::{Duration, Instant};

use instance::Instance;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Time between two exchanges in a fleet of this size, with its jitter.
const INTERVAL: Duration = Duration::from_millis(24);

/// What a busy machine may add to a time. What it tells apart lies seconds away: a lease, or never.
const SLACK: Duration = Duration::from_millis(500);

/// Up to four gateways, their servers and their clients are enough for two cores. Under nextest, where each test is a
/// process of its own, `.config/nextest.toml` does the same.
static TURN: Semaphore = Semaphore::const_new(1);

/// Waits until no other test of this program runs, and lets none begin until it is dropped.
async fn turn() -> SemaphorePermit<'static> {
    TURN.acquire().await.unwrap()
}

/// Waits until something is so; returns how long that took.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < wire::PATIENCE, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    began.elapsed()
}

/// `shared_state` through a server at this port, with further settings such as `lease: 1`.
fn through(port: u16, further: &str) -> String {
    let comma = if further.is_empty() { "" } else { ", " };
    format!("shared_state: {{redis_url: \"redis://127.0.0.1:{port}\"{comma}{further}}}\n")
}

/// Deployments of the group `m`: ids and bases.
fn models(deployments: &[(&str, String)]) -> String {
    let entries: String = deployments.iter().map(|(id, base)| entry("m", id, base, "")).collect();
    format!("model_list:\n{entries}")
}

/// One deployment of a group, with further `litellm_params` such as `order: 1`.
fn entry(group: &str, id: &str, base: &str, further: &str) -> String {
    let comma = if further.is_empty() { "" } else { ", " };
    format!(
        "- {{model_name: {group}, litellm_params: {{model: openai/m, api_base: \"{base}\", api_key: sk-upstream-secret{comma}{further}}}, \
         model_info: {{id: {id}}}}}\n"
    )
}

/// Waits until each of these sees all the others.
async fn all_meet(instances: &[Instance]) -> Duration {
    until("instances that see each other", async || {
        for instance in instances {
            if instance.others().await + 1 != instances.len() {
                return false;
            }
        }
        true
    })
    .await
}

/// Starts `count` instances with the same configuration, and waits until they see each other.
async fn fleet(count: usize, yaml: &str) -> Vec<Instance> {
    let starting: Vec<_> = (0..count).map(|_| Instance::begins(yaml, &[])).collect();
    let mut instances = Vec::new();
    for instance in starting {
        instances.push(instance.listens().await);
    }
    all_meet(&instances).await;
    instances
}
