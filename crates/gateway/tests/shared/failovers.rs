//! The master dies, and a replica takes its place: under Sentinels, and in a Cluster.

use super::ordeal::{Ordeal, settings};
use super::redis_kit::{Cluster, Sentinels};
use super::ways::{through_cluster, through_sentinels};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sentinels_name_a_new_master() {
    let mut sentinels = Sentinels::start().await;
    let sharing = through_sentinels(&sentinels, &settings());
    let mut ordeal = Ordeal::begins("failover by Sentinel", &sharing).await;
    ordeal.cuts();
    sentinels.servers[0].kill();
    ordeal.comes_through().await;
    ordeal.ends_having_said_little().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_takes_over_the_slot() {
    let mut cluster = Cluster::start().await;
    let sharing = through_cluster(&cluster, &settings());
    let mut ordeal = Ordeal::begins("failover in a Cluster", &sharing).await;
    let master = cluster.owner("{leastbusy:default}:v").await;
    ordeal.cuts();
    cluster.nodes[master].kill();
    ordeal.comes_through().await;
    ordeal.ends_having_said_little().await;
}
