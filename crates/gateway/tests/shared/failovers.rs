//! The master dies, and a replica takes its place: under Sentinels, and in a Cluster.

use std::time::Duration;

use super::ordeal::{Ordeal, settings_with_lease};
use super::redis_kit::{Cluster, Sentinels};
use super::turn;
use super::ways::{through_cluster, through_sentinels};

/// How long what an instance told counts, in seconds: less than any failover here takes, so that each is worth a word.
const LEASE: f64 = 1.0;

/// An election that fails is held again after twice the Sentinels' failover timeout of 2 s; a Cluster is quicker.
const FAILOVER: Duration = Duration::from_secs(2 * 2 + 4);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sentinels_name_a_new_master() {
    let _turn = turn().await;
    let mut sentinels = Sentinels::start().await;
    let sharing = through_sentinels(&sentinels, &settings_with_lease(LEASE));
    let mut ordeal = Ordeal::begins("failover by Sentinel", &sharing).await;
    ordeal.cuts();
    sentinels.servers[0].kill();
    ordeal.comes_through(FAILOVER).await;
    ordeal.ends(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_takes_over_the_slot() {
    let _turn = turn().await;
    let mut cluster = Cluster::start().await;
    let sharing = through_cluster(&cluster, &settings_with_lease(LEASE));
    let mut ordeal = Ordeal::begins("failover in a Cluster", &sharing).await;
    let master = cluster.owner("{leastbusy:default}:v").await;
    ordeal.cuts();
    cluster.nodes[master].kill();
    ordeal.comes_through(FAILOVER).await;
    ordeal.ends(1).await;
}
