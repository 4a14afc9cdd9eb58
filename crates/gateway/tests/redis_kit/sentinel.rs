//! A master with a replica, and three Sentinels that watch them.

use redis::Value;

use super::server::{Server, eventually};

/// The name under which the Sentinels know the master.
pub(crate) const SERVICE: &str = "counts";

/// Three Sentinels, two of which must agree.
#[derive(Debug)]
pub(crate) struct Sentinels {
    pub(crate) sentinels: Vec<Server>,
    /// The first began as the master, the second as its replica.
    pub(crate) servers: [Server; 2],
}

impl Sentinels {
    /// Starts them all, and waits until the Sentinels know each other and the replica.
    pub(crate) async fn start() -> Self {
        let servers = [Server::start().await, Server::start().await];
        let [master, replica] = &servers;
        replica.replicates(master).await;
        let file = format!(
            "sentinel monitor {SERVICE} 127.0.0.1 {} 2\n\
             sentinel down-after-milliseconds {SERVICE} 300\n\
             sentinel failover-timeout {SERVICE} 2000\n",
            master.port()
        );
        let mut sentinels = Vec::new();
        for _ in 0..3 {
            sentinels.push(
                Server::in_folder(&["sentinel.conf", "--sentinel"], |folder| {
                    std::fs::write(folder.join("sentinel.conf"), &file).unwrap();
                })
                .await,
            );
        }
        for sentinel in &sentinels {
            // They talk every 2 s and look around every 10 s otherwise.
            let quick =
                ["SENTINEL", "DEBUG", "PUBLISH-PERIOD", "100", "INFO-PERIOD", "100", "ASK-PERIOD", "100"];
            sentinel.command(&quick).await;
        }
        for sentinel in &sentinels {
            eventually("Sentinels that know each other", async || {
                let of_them = count(sentinel, "SENTINELS").await;
                let of_replicas = count(sentinel, "REPLICAS").await;
                (of_them, of_replicas) == (2, 1)
            })
            .await;
        }
        Self { sentinels, servers }
    }
}

async fn count(sentinel: &Server, whom: &str) -> usize {
    match sentinel.command(&["SENTINEL", whom, SERVICE]).await {
        Value::Array(known) => known.len(),
        other => panic!("{whom}: {other:?}"),
    }
}
