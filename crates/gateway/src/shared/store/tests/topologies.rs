//! Clusters and Sentinels that lose a master.

use super::*;
use crate::shared::redis_kit::{Cluster, SERVICE, Sentinels, eventually, information};

/// How long until the store reaches another master after its own has been frozen. Another store, which says nothing meanwhile,
/// then finds its master gone or demoted, and finds the new one with its next batch.
async fn outlives_a_freeze(target: &Target, servers: &[Server], master: usize) {
    let mut stores = [(); 2].map(|()| Store::new(target.clone()).unwrap());
    for store in &mut stores {
        exchanges(store, "v").await.unwrap();
    }
    let [mut store, mut silent] = stores;
    servers[master].freeze();
    let (took, kinds) = recovers(&mut store).await;
    eprintln!("a frozen master is replaced after {took:?}, with {kinds:?} on the way");
    assert_eq!(kinds[0], "timeout");
    servers[master].thaw();
    eventually("a master that was demoted", async || {
        information(&servers[master], "replication", "role").await.as_deref() == Some("slave")
    })
    .await;
    let (kind, took, text) = fails(&mut silent).await;
    eprintln!("the demoted master on a connection from before: {took:?}: {text}");
    assert!(["read_only", "moved", "disconnected"].contains(&kind), "{text}");
    exchanges(&mut silent, "w").await.unwrap();
    exchanges(&mut store, "x").await.unwrap();
}

#[tokio::test]
async fn a_cluster_outlives_a_frozen_master() {
    let cluster = Cluster::start().await;
    let target = impatient(Topology::Cluster { nodes: nodes(&cluster.nodes) });
    outlives_a_freeze(&target, &cluster.nodes, cluster.owner(KEY).await).await;
}

#[tokio::test]
async fn sentinels_outlive_a_frozen_master() {
    let all = Sentinels::start().await;
    let target = impatient(Topology::Sentinel {
        nodes: nodes(&all.sentinels),
        service: SERVICE.to_owned(),
        username: None,
        password: None,
    });
    outlives_a_freeze(&target, &all.servers, 0).await;
}

#[tokio::test]
async fn a_cluster_is_followed_through_a_failover() {
    let began = Instant::now();
    let mut cluster = Cluster::start().await;
    eprintln!("a Cluster of six began in {:?}", began.elapsed());
    let mut store = Store::new(impatient(Topology::Cluster { nodes: nodes(&cluster.nodes) })).unwrap();
    let began = Instant::now();
    exchanges(&mut store, "v").await.unwrap();
    eprintln!("first exchange, after looking for the slot, {:?}", began.elapsed());
    exchanges(&mut store, "w").await.unwrap();
    assert_eq!(store.counters(), Counters { connections: 1, batches: 2, commands: 4 });

    let mut wrong_slot = Batch::new();
    wrong_slot.command("GET").arg("{elsewhere}");
    let error = store.run(&wrong_slot).await.unwrap_err();
    assert_eq!(error.kind(), "moved", "{error}");
    exchanges(&mut store, "x").await.unwrap();

    let owner = cluster.owner(KEY).await;
    cluster.nodes[owner].kill();
    let (took, kinds) = recovers(&mut store).await;
    eprintln!("a killed master is replaced after {took:?}, with {kinds:?} on the way");
    assert!(!kinds.is_empty());
    let heir = cluster.owner(KEY).await;
    assert!(heir != owner && cluster.is_master(heir).await);
    exchanges(&mut store, "y").await.unwrap();

    // Any node that is alive leads there as soon as it has heard of it, also when the first one asked is dead.
    cluster.nodes.swap(0, owner);
    let mut nodes = nodes(&cluster.nodes);
    exchanges(&mut Store::new(impatient(Topology::Cluster { nodes: nodes.clone() })).unwrap(), "z")
        .await
        .unwrap();
    nodes.truncate(2);
    let mut by_two = Store::new(impatient(Topology::Cluster { nodes })).unwrap();
    let (took, kinds) = recovers(&mut by_two).await;
    eprintln!("another node has heard of it after {took:?}, with {kinds:?} on the way");
}

#[tokio::test]
async fn sentinels_lead_to_the_new_master() {
    let began = Instant::now();
    let mut all = Sentinels::start().await;
    eprintln!("a Sentinel trio began in {:?}", began.elapsed());
    let topology = |nodes, service: &str| {
        impatient(Topology::Sentinel { nodes, service: service.to_owned(), username: None, password: None })
    };
    let sentinels = nodes(&all.sentinels);
    let mut store = Store::new(topology(sentinels.clone(), SERVICE)).unwrap();
    let began = Instant::now();
    exchanges(&mut store, "v").await.unwrap();
    eprintln!("first exchange, after asking a Sentinel, {:?}", began.elapsed());

    let (kind, _, text) = fails(&mut Store::new(topology(sentinels, "counts2")).unwrap()).await;
    assert_eq!(kind, "unknown_service", "{text}");

    // The first Sentinel is frozen all the while.
    all.sentinels[0].freeze();
    let mut late = Store::new(topology(nodes(&all.sentinels), SERVICE)).unwrap();
    let began = Instant::now();
    exchanges(&mut late, "w").await.unwrap();
    eprintln!("with the first Sentinel frozen {:?}", began.elapsed());
    assert!(began.elapsed() < CONNECT);

    all.servers[0].kill();
    let (took, kinds) = recovers(&mut store).await;
    eprintln!("a killed master is replaced after {took:?}, with {kinds:?} on the way");
    assert!(!kinds.is_empty());
    assert_eq!(information(&all.servers[1], "replication", "role").await.as_deref(), Some("master"));
    exchanges(&mut store, "x").await.unwrap();
}

#[tokio::test]
async fn a_master_of_long_ago_is_not_taken_for_the_master() {
    let (named, other) = (Server::start().await, Server::start().await);
    let file = format!("sentinel monitor {SERVICE} 127.0.0.1 {} 2\n", named.port());
    // On its own it can replace nobody, so that it goes on naming the one it was told.
    let sentinel = Server::in_folder(&["sentinel.conf", "--sentinel"], |folder| {
        std::fs::write(folder.join("sentinel.conf"), &file).unwrap();
    })
    .await;
    let topology = Topology::Sentinel {
        nodes: vec![node(sentinel.port())],
        service: SERVICE.to_owned(),
        username: None,
        password: None,
    };
    let mut store = Store::new(target(topology)).unwrap();
    exchanges(&mut store, "v").await.unwrap();
    named.replicates(&other).await;
    assert!(["read_only", "disconnected"].contains(&fails(&mut store).await.0));
    let (kind, took, text) = fails(&mut store).await;
    eprintln!("{took:?}: {text}");
    assert_eq!(kind, "read_only");
    assert_eq!(store.counters().connections, 1, "it is found out before anything is sent");
}
