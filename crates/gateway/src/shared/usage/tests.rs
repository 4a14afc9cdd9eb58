//! Usage through a real server. Each test prints what it measured.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Instant;

use leastbusy_balance::{DeploymentIndex, Ending, Group, Member, Outcome, Pick, TieBreak, Usage, Weight};

use super::*;
use crate::shared::redis_kit::Server;
use crate::shared::tests::{cpu, patient};

/// One run of a gateway with some deployments, which are called the same everywhere, and a clock that the test moves.
struct Instance {
    fleet: Arc<Fleet>,
    groups: Vec<(Group, DeploymentIndex)>,
    exchange: UsageExchange,
    store: Store,
    keys: Keys,
    now: Cell<Duration>,
}

impl Instance {
    fn new(id: u128, server: &Server, deployments: usize, seconds: u64) -> Self {
        let fleet = Fleet::new();
        // Nobody's places are anybody else's.
        (0..id % 3).for_each(|_| _ = fleet.deploy());
        let groups: Vec<_> = (0..deployments)
            .map(|_| {
                let deployment = fleet.deploy();
                let members = vec![Member::new(deployment, Weight::ONE)];
                (fleet.group(members, TieBreak::Random), deployment)
            })
            .collect();
        let names = groups.iter().enumerate();
        let names = names.map(|(at, (_, deployment))| (*deployment, DeploymentName::of(&at.to_string())));
        let exchange = UsageExchange::new(InstanceId(id), Names::new(names));
        let keys = Keys::new("test");
        let store = patient(server, &keys);
        Self { fleet, groups, exchange, store, keys, now: Cell::new(Duration::from_secs(seconds)) }
    }

    /// One request that takes so many tokens, on one of the deployments.
    fn asks(&self, at: usize, tokens: u32) {
        let lease = self.groups[at].0.pick(&Pick { now: self.now.get(), ..Pick::default() }).unwrap();
        lease.end(Ending { tokens, ..Outcome::Success.into() }, self.now.get());
    }

    fn waits(&self, millis: u64) {
        self.now.set(self.now.get() + Duration::from_millis(millis));
    }

    async fn turn(&mut self, is_alone: bool) {
        let fleet = (&*self.fleet, || self.now.get());
        self.exchange.turn(&mut self.store, fleet, &self.keys, is_alone).await.unwrap();
    }

    fn usage(&self, at: usize) -> (u64, u64) {
        let Usage { requests, tokens } = self.fleet.usage(self.groups[at].1, self.now.get());
        (requests, tokens)
    }

    fn commands(&self) -> u64 {
        self.store.counters().commands
    }
}

#[tokio::test]
async fn every_instance_sees_what_all_have_asked_for() {
    let server = Server::start().await;
    let mut all = [Instance::new(1, &server, 2, 700), Instance::new(2, &server, 2, 33)];
    for (instance, tokens) in all.iter().zip([10, 500]) {
        instance.asks(0, tokens);
        instance.waits(400);
        instance.asks(0, tokens);
        instance.asks(1, 7);
    }
    // The first has nobody to hear yet, the second hears in the turn after it learned who is there.
    for _ in 0..2 {
        for instance in &mut all {
            instance.turn(false).await;
            instance.waits(1000);
        }
    }
    all[0].turn(false).await;
    assert_eq!(all.each_ref().map(|instance| instance.usage(0)), [(4, 1020); 2]);
    assert_eq!(all.each_ref().map(|instance| instance.usage(1)), [(2, 14); 2]);
    let written = server.command(&["GET", &all[1].keys.usage(InstanceId(2))]).await;
    eprintln!("a telling: {}", reply::text(written).unwrap());
}

#[tokio::test]
async fn a_newcomer_hears_of_the_minute_and_the_dead_count_until_it_is_over() {
    let server = Server::start().await;
    let mut dead = Instance::new(1, &server, 1, 300);
    dead.asks(0, 40);
    dead.waits(50_000);
    dead.asks(0, 2);
    dead.turn(true).await;
    assert_eq!(dead.usage(0), (2, 42));
    let told = Instant::now();
    drop(dead);
    // It has just started: what it hears of is older than its own clock.
    let mut newcomer = Instance::new(2, &server, 1, 0);
    newcomer.turn(true).await;
    newcomer.turn(true).await;
    let heard = told.elapsed();
    eprintln!("heard {heard:?} after it was told, in two turns");
    // Nobody tells anything more. Seconds are counted whole, and are older by the time that it took to hear of them.
    let minute = Duration::from_secs(60);
    let fifty = Duration::from_secs(50);
    let before = |end: Duration| end.saturating_sub(Duration::from_secs(1) + heard);
    for (later, usage) in [
        (before(minute - fifty), (2, 42)),
        (minute - fifty, (1, 2)),
        (before(minute), (1, 2)),
        (minute, (0, 0)),
    ] {
        newcomer.now.set(later);
        assert_eq!(newcomer.usage(0), usage, "{later:?} after it was heard");
    }
}

#[tokio::test]
async fn redis_lets_go_of_a_telling_when_its_life_is_over() {
    let server = Server::start().await;
    let (mut dead, mut other) = (Instance::new(1, &server, 1, 0), Instance::new(2, &server, 1, 0));
    dead.exchange.kept = Duration::from_millis(600);
    dead.asks(0, 1);
    dead.turn(true).await;
    let told = Instant::now();
    other.turn(true).await;
    other.turn(true).await;
    assert_eq!(other.usage(0), (1, 1));
    let key = dead.keys.usage(InstanceId(1));
    while server.command(&["EXISTS", &key]).await == Value::Int(1) {
        assert!(told.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let life = told.elapsed();
    eprintln!("with a life of 600 ms it was gone after {life:?}");
    assert!(Duration::from_millis(500) < life);
    other.waits(1000);
    other.turn(false).await;
    assert_eq!(other.usage(0), (0, 0));
    assert_eq!(server.command(&["EXISTS", &dead.keys.usages()]).await, Value::Int(0));
}

#[tokio::test]
async fn an_instance_without_traffic_and_alone_asks_once_and_never_again() {
    let server = Server::start().await;
    let mut alone = Instance::new(1, &server, 1, 0);
    let mut commands = Vec::new();
    let mut turns = async |instance: &mut Instance, seconds: u64| {
        let before = instance.commands();
        for _ in 0..5 * seconds {
            instance.waits(200);
            instance.turn(true).await;
        }
        commands.push(instance.commands() - before);
    };
    turns(&mut alone, 10).await;
    alone.asks(0, 1);
    turns(&mut alone, 30).await;
    turns(&mut alone, 30).await;
    turns(&mut alone, 60).await;
    eprintln!(
        "commands in 10 s before, 30 s and 30 s after a request, and the minute after that: {commands:?}"
    );
    assert_eq!(commands, [1, 30, 30, 0]);
}

#[tokio::test]
async fn sixteen_instances_agree_and_cost_redis_little() {
    const INSTANCES: usize = 16;
    const DEPLOYMENTS: usize = 10;
    let server = Server::start().await;
    let mut all: Vec<_> =
        (0..INSTANCES).map(|id| Instance::new(id as u128, &server, DEPLOYMENTS, 100)).collect();
    for instance in &all {
        for _ in 0..60 {
            instance.waits(1000);
            (0..DEPLOYMENTS).for_each(|at| instance.asks(at, 1234));
        }
    }
    let mut rounds = 0;
    let mut microseconds = Vec::new();
    while rounds < 10 {
        let before = cpu(&server).await;
        for instance in &mut all {
            instance.turn(false).await;
            // The clock stands, so that no second leaves.
            instance.exchange.due = Duration::ZERO;
        }
        microseconds.push(cpu(&server).await - before);
        rounds += 1;
    }
    let telling = server.command(&["STRLEN", &all[0].keys.usage(InstanceId(3))]).await;
    microseconds.sort_by(f64::total_cmp);
    eprintln!("a telling has {telling:?} bytes; CPU of Redis for a round of all: {microseconds:.0?} µs");
    let Value::Int(bytes) = telling else { panic!("{telling:?}") };
    assert!(bytes < 3000, "{bytes}");
    // Ten times what it takes, for a busy machine.
    assert!(microseconds[rounds / 2] < 20_000.0, "{microseconds:?}");
    for instance in &all {
        assert_eq!(instance.usage(3), (60 * 16, 60 * 16 * 1234));
    }
}

#[test]
fn older_seconds_are_told_in_steps_that_last_as_long_as_their_youngest() {
    let minute = (0..60).map(|back| Row(back, 1, 10));
    let told = in_steps(minute);
    assert_eq!(told.len(), 20);
    assert_eq!(told[..11].iter().map(|row| row.0).collect::<Vec<_>>(), (0..=10).collect::<Vec<_>>());
    assert_eq!(told[10..12], [Row(10, 5, 50), Row(15, 5, 50)]);
    let sum = |part: fn(&Row) -> u32| told.iter().map(part).sum::<u32>();
    assert_eq!((sum(|row| row.1), sum(|row| row.2)), (60, 600));
    let few = [Row(18, 1, u32::MAX), Row(16, 2, 7), Row(9, 1, 1), Row(59, 4, 4)];
    assert_eq!(in_steps(few.into_iter()), [Row(9, 1, 1), Row(16, 3, u32::MAX), Row(59, 4, 4)]);
}

#[test]
fn what_cannot_be_read_is_nobodys() {
    let fleet = Fleet::new();
    let deployment = fleet.deploy();
    let name = DeploymentName::of("a");
    let names = Names::new([(deployment, name)]);
    let heard = |text: &str| heard(text.as_bytes(), 10_000.0, &names);
    let second =
        |millis, requests, tokens| UsedSecond { age: Duration::from_millis(millis), requests, tokens };
    for (text, seconds) in [
        (
            format!(r#"{{"at":9500,"d":{{"{name}":[[0,1,2],[59,3,4]]}}}}"#),
            vec![second(500, 1, 2), second(59_500, 3, 4)],
        ),
        // The server's clock was set back.
        (format!(r#"{{"at":99999999,"d":{{"{name}":[[0,1,2]]}}}}"#), vec![second(0, 1, 2)]),
        (format!(r#"{{"at":9500,"more":1,"d":{{"{name}":[]}}}}"#), vec![]),
    ] {
        assert_eq!(heard(&text), [ToldUsage { deployment, seconds }], "{text}");
    }
    let other = DeploymentName::of("b");
    for text in [
        "",
        "null",
        "[]",
        r#"{"d":{}}"#,
        &format!(r#"{{"at":1,"d":{{"{other}":[[0,1,2]]}}}}"#),
        &format!(r#"{{"at":1,"d":{{"{name}":[[0,-1,2]]}}}}"#),
        &format!(r#"{{"at":1,"d":{{"{name}":[[0,1]]}}}}"#),
        &format!(r#"{{"at":"x","d":{{"{name}":[[0,1,2]]}}}}"#),
    ] {
        assert_eq!(heard(text), [], "{text}");
    }
    let long = format!(r#"{{"at":1e300,"d":{{"{name}":{:?}}}}}"#, vec![[0; 3]; 1000]);
    assert_eq!(heard(&long)[0].seconds.len(), 60);
    let old = format!(r#"{{"at":-1e300,"d":{{"{name}":[[4294967295,1,1]]}}}}"#);
    assert_eq!(heard(&old)[0].seconds[0].age, Duration::MAX);
}
