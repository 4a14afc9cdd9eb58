//! Turns as commands, against a real server.

use std::time::Duration;

use leastbusy_balance::{InstanceId, Outcome, Rest};
use redis::Value;

use super::world::name_of;
use crate::config::{Redis, RedisNode, SharedState, Topology};
use crate::shared::exchange::{Note, Reply, Turn};
use crate::shared::keys::Keys;
use crate::shared::redis_kit::Server;
use crate::shared::scripts::Scripts;
use crate::shared::store::{Batch, Store, StoreError, Target};
use crate::shared::wire;

/// A real Redis, and what it is asked with.
pub(super) struct Real {
    store: Store,
    pub(super) keys: Keys,
    scripts: Scripts,
}

impl Real {
    pub(super) fn at(server: &Server) -> Self {
        let keys = Keys::new("test");
        let store = patient(server, &keys);
        Self { store, keys, scripts: Scripts::new() }
    }

    pub(super) async fn take(&mut self, me: InstanceId, turn: &Turn) -> Reply {
        let batch = wire::batch(turn, &self.keys, &self.scripts, me);
        wire::read(turn, self.store.run(&batch).await.unwrap()).unwrap()
    }

    pub(super) async fn leave(&mut self, me: InstanceId) {
        let mut batch = Batch::new();
        self.scripts.leave(&mut batch, &self.keys, me);
        self.store.run(&batch).await.unwrap();
    }
}

/// A way to a server that a busy machine does not cut off.
pub(in crate::shared) fn patient(server: &Server, keys: &Keys) -> Store {
    let settings = SharedState {
        connect_timeout: Duration::from_secs(5),
        response_timeout: Duration::from_secs(5),
        ..settings(server)
    };
    Store::new(Target::new(&settings, keys.version())).unwrap()
}

pub(super) fn settings(server: &Server) -> SharedState {
    let node = RedisNode { host: "127.0.0.1".to_owned(), port: server.port() };
    SharedState::through(Redis { topology: Topology::Standalone(node), ..Redis::default() })
}

/// A turn that tells its number, and reads what these told.
pub(super) fn turn(number: u64, read: &[InstanceId]) -> Turn {
    Turn {
        telling: number.to_string().into_bytes(),
        lease: Duration::from_secs(2),
        read: read.to_vec(),
        roll_call: false,
        marks: false,
        notes: Vec::new(),
    }
}

#[tokio::test]
async fn a_turn_asks_for_everything_in_one_round_trip() {
    let server = Server::start().await;
    let mut real = Real::at(&server);
    let [first, second] = [1, 2].map(InstanceId);
    real.take(second, &turn(7, &[])).await;
    let remaining = Duration::from_secs(9);
    let reason = Some(Outcome::ServerError);
    let rest = Rest { until: remaining, reason, status: Some(500), relapses: 1 };
    let mut all = turn(8, &[second, InstanceId(3)]);
    (all.roll_call, all.marks) = (true, true);
    all.notes = vec![
        (name_of(0), Note::Rests { remaining, rest }),
        (name_of(1), Note::Probe { hold: Duration::from_secs(2) }),
        (name_of(2), Note::Returns { ramp: 255, age: Duration::from_secs(1) }),
    ];
    let before = real.store.counters().batches;
    let reply = real.take(first, &all).await;
    assert_eq!(real.store.counters().batches, before + 1);
    assert_eq!(reply.tellings, [Some(b"7".to_vec()), None]);
    assert_eq!(reply.version, 2, "two notes; the roll call came after");
    assert_eq!(reply.rights, [Duration::from_secs(2)]);
    assert_eq!(reply.members.unwrap(), ["00000000000000000000000000000001"]);
    assert_eq!(reply.marks.unwrap().written.len(), 3);
    assert_eq!(real.take(first, &turn(9, &[first])).await.version, 3);
    let Value::Int(left) = server.command(&["PTTL", &real.keys.instance(first)]).await else { panic!() };
    assert!((1..=2000).contains(&left), "{left} ms");
    real.leave(first).await;
    assert_eq!(real.take(second, &turn(10, &[first])).await.tellings, [None]);
}

#[test]
fn replies_of_another_shape_are_errors() {
    let mut all = turn(1, &[InstanceId(2)]);
    (all.roll_call, all.marks) = (true, true);
    all.notes = vec![(name_of(1), Note::Probe { hold: Duration::from_secs(2) })];
    let text = |text: &str| Value::BulkString(text.into());
    let good = vec![
        Value::Okay,
        Value::Int(2000),
        Value::Array(vec![text("5"), Value::Nil]),
        Value::Array(vec![]),
        Value::Array(vec![text("1700000000000"), Value::Array(vec![text("f"), text("{}")])]),
    ];
    assert!(wire::read(&all, good.clone()).is_ok());
    for end in 0..good.len() {
        assert!(matches!(wire::read(&all, good[..end].to_vec()), Err(StoreError::Protocol(_))), "{end}");
    }
    let odd = [
        Value::Nil,
        Value::Array(vec![]),
        Value::Array(vec![text("no number")]),
        Value::Array(vec![Value::Nil]),
        text("x"),
    ];
    for at in 1..good.len() {
        for odd in &odd {
            let mut bad = good.clone();
            bad[at] = odd.clone();
            // Whatever comes of it, it is no panic.
            let _ = wire::read(&all, bad);
        }
    }
    for time in ["nan", "inf", "-inf", "1e999", "x", ""] {
        let mut bad = good.clone();
        bad[4] = Value::Array(vec![text(time), Value::Array(vec![])]);
        assert!(matches!(wire::read(&all, bad), Err(StoreError::Protocol(_))), "{time}");
    }
    // What somebody else wrote stops nothing.
    for version in [&b"-5"[..], b"no number", b"\xff"] {
        let mut odd = good.clone();
        odd[2] = Value::Array(vec![Value::BulkString(version.into()), Value::Nil]);
        odd[3] = Value::Array(vec![Value::BulkString(b"\xff".into()), text("f")]);
        let read = wire::read(&all, odd).unwrap();
        assert_eq!((read.version, read.members.unwrap()), (0, vec!["f".to_owned()]));
    }
}

#[tokio::test]
async fn all_keys_of_a_namespace_are_in_one_slot_of_a_cluster() {
    let server = Server::with(&["--cluster-enabled", "yes"]).await;
    for namespace in ["default", "a:b", "prod-eu/west"] {
        let keys = Keys::new(namespace);
        let all = [
            keys.version(),
            keys.members(),
            keys.marks(),
            keys.instance(InstanceId(u128::MAX)),
            keys.instance(InstanceId(0)),
            keys.usages(),
            keys.usage(InstanceId(7)),
            keys.strict_members(),
            keys.strict_totals(),
            keys.strict_own(InstanceId(7)),
            keys.strict_alive(InstanceId(7)),
        ];
        let mut slots = Vec::new();
        for key in &all {
            slots.push(server.command(&["CLUSTER", "KEYSLOT", key]).await);
        }
        assert!(matches!(slots[0], Value::Int(_)));
        assert!(slots.iter().all(|slot| *slot == slots[0]), "{all:?} are in {slots:?}");
    }
}
