//! Strict mode against real servers.

mod desk;
mod script_histories;
mod script_rules;

use std::time::Duration;

use leastbusy_balance::InstanceId;
use redis::Value;

use super::scripts::{
    Adopted, Beat, Offer, Owner, Reserved, Scripts, read_adopted, read_beat, read_reserved, read_settled,
};
use crate::config::{Redis, RedisNode, SharedState, Topology};
use crate::shared::keys::Keys;
use crate::shared::name::{self, DeploymentName};
use crate::shared::redis_kit::Server;
use crate::shared::store::Target;
use crate::shared::store::{Batch, Store, reply};

const PATIENCE: Duration = Duration::from_secs(5);
const LEASE_MS: u64 = 60_000;

fn store_at(port: u16) -> Store {
    Store::new(target_at(port)).unwrap()
}

fn target_at(port: u16) -> Target {
    let mut settings =
        SharedState::through(Redis::new(Topology::Standalone(RedisNode::new("127.0.0.1", port))));
    (settings.connect_timeout, settings.response_timeout) = (Duration::from_secs(5), Duration::from_secs(5));
    Target::new(&settings, "{leastbusy:test}:any")
}

fn keys() -> Keys {
    Keys::new("test")
}

fn deployment(number: usize) -> DeploymentName {
    DeploymentName::of(&format!("deployment {number}"))
}

/// An offer of the first class without a limit.
fn offer(number: usize) -> Offer {
    Offer { deployment: deployment(number), class: 0, limit: None, weight: 1.0, extra: 0.0 }
}

fn limited(number: usize, limit: u32) -> Offer {
    Offer { limit: Some(limit), ..offer(number) }
}

/// A Redis and the scripts, each run in a round trip of its own.
struct Desk {
    server: Server,
    store: Store,
    scripts: Scripts,
}

impl Desk {
    async fn open() -> Self {
        let server = Server::start().await;
        let store = store_at(server.port());
        Self { server, store, scripts: Scripts::new(keys()) }
    }

    async fn run(&mut self, write: impl FnOnce(&Scripts, &mut Batch)) -> Value {
        let mut batch = Batch::new();
        write(&self.scripts, &mut batch);
        let mut replies = self.store.run(&batch).await.unwrap();
        assert_eq!(replies.len(), 1);
        replies.remove(0)
    }

    async fn reserve(&mut self, owner: Owner, seed: u32, offers: &[Offer]) -> Reserved {
        let answer = self.run(|scripts, batch| scripts.reserve(batch, owner, seed, offers)).await;
        read_reserved(answer).unwrap().0
    }

    async fn settle(&mut self, owner: Owner, changes: &[(DeploymentName, i64)]) -> Option<usize> {
        let answer = self.run(|scripts, batch| scripts.settle(batch, owner, changes)).await;
        read_settled(&answer).unwrap()
    }

    async fn adopt(&mut self, owner: Owner, others: &[InstanceId], has: &[(DeploymentName, u32)]) -> Adopted {
        let answer = self.run(|scripts, batch| scripts.adopt(batch, owner, LEASE_MS, others, has)).await;
        read_adopted(answer).unwrap()
    }

    async fn beat(&mut self, owner: Owner, others: &[InstanceId]) -> Option<Beat> {
        let answer = self.run(|scripts, batch| scripts.beat(batch, owner, LEASE_MS, others)).await;
        read_beat(answer).unwrap()
    }

    async fn leave(&mut self, owner: Owner) -> bool {
        let answer = self.run(|scripts, batch| scripts.leave(batch, owner)).await;
        reply::integer(&answer).unwrap() == 1
    }

    /// Has an instance's lease run out.
    async fn dies(&self, id: InstanceId) {
        self.server.command(&["DEL", &keys().strict_alive(id)]).await;
    }

    /// A hash of numbers, in the order of its fields.
    async fn hash(&self, key: &str) -> Vec<(String, i64)> {
        let Value::Array(fields) = self.server.command(&["HGETALL", key]).await else { panic!("a hash") };
        let texts: Vec<String> = fields.into_iter().map(|field| reply::text(field).unwrap()).collect();
        let mut pairs: Vec<_> =
            texts.chunks(2).map(|pair| (pair[0].clone(), pair[1].parse().unwrap())).collect();
        pairs.sort();
        pairs
    }

    async fn total(&self, number: usize) -> i64 {
        let name = deployment(number).to_string();
        let totals = self.hash(&keys().strict_totals()).await;
        totals.into_iter().find(|(field, _)| *field == name).map_or(0, |(_, total)| total)
    }

    /// Whether each total is the sum of what its owners have, nothing is below 0 and no owner is unknown.
    async fn is_right(&self, everybody: &[InstanceId]) {
        let mut sums = std::collections::BTreeMap::new();
        let members = self.hash(&keys().strict_members()).await;
        for id in everybody {
            let own = self.hash(&keys().strict_own(*id)).await;
            let is_member = members.iter().any(|(member, _)| *member == name::written(*id));
            assert!(is_member || own.is_empty(), "{id:?} has {own:?} and is no member");
            for (deployment, count) in own {
                assert!(0 < count, "{id:?} has {count} of {deployment}");
                *sums.entry(deployment).or_insert(0) += count;
            }
        }
        let totals = self.hash(&keys().strict_totals()).await;
        assert_eq!(totals, sums.into_iter().collect::<Vec<_>>(), "totals, and the sums of the owners'");
    }
}

fn owner(id: u128, epoch: u64) -> Owner {
    Owner { id: InstanceId(id), epoch }
}
