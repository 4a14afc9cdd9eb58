//! A Redis Cluster: three masters, each with a replica.

use redis::Value;

use super::server::{Server, eventually, free_port, information};

/// Slots of a Cluster.
const SLOTS: usize = 16_384;

const MASTERS: usize = 3;

/// Six nodes, of which the first three began as masters.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Server>,
}

impl Cluster {
    /// Starts it, and waits until all nodes know that all is well.
    pub(crate) async fn start() -> Self {
        let mut nodes = Vec::new();
        let mut bus_ports = Vec::new();
        for _ in 0..2 * MASTERS {
            let bus_port = free_port().to_string();
            // A replica takes over half a second after its master is gone, and a vote.
            nodes.push(
                Server::with(&[
                    "--cluster-enabled",
                    "yes",
                    "--cluster-port",
                    &bus_port,
                    "--cluster-node-timeout",
                    "500",
                    "--cluster-replica-validity-factor",
                    "0",
                ])
                .await,
            );
            bus_ports.push(bus_port);
        }
        for (number, master) in nodes.iter().take(MASTERS).enumerate() {
            let (first, end) = (number * SLOTS / MASTERS, (number + 1) * SLOTS / MASTERS);
            let (first, last) = (first.to_string(), (end - 1).to_string());
            master.command(&["CLUSTER", "ADDSLOTSRANGE", &first, &last]).await;
            master.command(&["CLUSTER", "SET-CONFIG-EPOCH", &(number + 1).to_string()]).await;
        }
        for (node, bus_port) in nodes.iter().zip(&bus_ports).skip(1) {
            let port = node.port().to_string();
            nodes[0].command(&["CLUSTER", "MEET", "127.0.0.1", &port, bus_port]).await;
        }
        let cluster = Self { nodes };
        cluster.all_know("cluster_known_nodes", "6").await;
        for (master, replica) in cluster.nodes.iter().zip(&cluster.nodes[MASTERS..]) {
            let Value::BulkString(id) = master.command(&["CLUSTER", "MYID"]).await else { panic!("no id") };
            let id = String::from_utf8(id).unwrap();
            eventually("a replica that knows its master", async || {
                replica.try_command(&["CLUSTER", "REPLICATE", &id]).await.is_ok()
            })
            .await;
        }
        for replica in &cluster.nodes[MASTERS..] {
            replica.is_in_step().await;
        }
        cluster.all_know("cluster_state", "ok").await;
        cluster
    }

    /// Which node has the slot of a key.
    pub(crate) async fn owner(&self, key: &str) -> usize {
        for (number, node) in self.nodes.iter().enumerate() {
            if node.try_command(&["EXISTS", key]).await.is_ok() {
                return number;
            }
        }
        panic!("nobody has the slot of {key}");
    }

    /// Waits until replicas are known as such everywhere, so that they can take over.
    async fn all_know(&self, name: &str, value: &str) {
        for node in &self.nodes {
            eventually("a node that knows its Cluster", async || {
                let Ok(Value::BulkString(text)) = node.try_command(&["CLUSTER", "INFO"]).await else {
                    return false;
                };
                String::from_utf8(text).unwrap().lines().any(|line| line == format!("{name}:{value}"))
            })
            .await;
        }
    }

    /// Whether a node is a master.
    pub(crate) async fn is_master(&self, number: usize) -> bool {
        information(&self.nodes[number], "replication", "role").await.as_deref() == Some("master")
    }
}
