//! The desk and its clerk: places that are asked for, given back, and owed through outages.

use std::sync::Arc;
use std::sync::mpsc;
use std::time::Instant;

use leastbusy_balance::{DeploymentIndex, Fleet, TieBreak};
use tokio::sync::watch;

use super::*;
use crate::config::SharedState;
use crate::shared::redis_kit::eventually;
use crate::shared::status::{Count, Status};
use crate::shared::strict::{Answer, Clerk, Reservation, Strict, Wanted};

/// A clerk on a thread of its own, as in the gateway.
struct Instance {
    strict: Arc<Strict>,
    status: Arc<Status>,
    deployments: Vec<DeploymentIndex>,
    stop: watch::Sender<bool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Instance {
    fn start(redis: &Server, id: u128, deployments: usize) -> Self {
        let settings = SharedState { strict_timeout: Duration::from_millis(50), ..SharedState::default() };
        let status = Arc::new(Status::new(&settings, id.to_string(), String::new()));
        let fleet = Fleet::new();
        let deployments: Vec<_> = (0..deployments).map(|_| fleet.deploy()).collect();
        let names = deployments.iter().enumerate().map(|(at, index)| (*index, deployment(at)));
        let mut target = target_at(redis.port());
        target.response_timeout = settings.response_timeout;
        target.connect_timeout = settings.connect_timeout;
        let (first, opened) = mpsc::sync_channel(1);
        let (mut clerk, strict) = Clerk::new(
            (InstanceId(id), keys(), Store::new(target).unwrap()),
            Arc::new(settings),
            names,
            Arc::clone(&status),
            first,
        );
        let (stop, mut stopped) = watch::channel(false);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                tokio::select! {
                    () = Clerk::work(Some(&mut clerk)) => {}
                    _ = stopped.wait_for(|stopped| *stopped) => {}
                }
                clerk.leave().await;
            });
        });
        // Its end is dropped when the clerk has heard of Redis.
        let _ = opened.recv_timeout(PATIENCE);
        Self { strict, status, deployments, stop, thread: Some(thread) }
    }

    async fn reserve(&self, limit: u32) -> Answer {
        let wanted = |deployment: &DeploymentIndex| Wanted {
            deployment: *deployment,
            class: 0,
            limit: Some(limit),
            weight: 1.0,
            extra: 0.0,
        };
        let wanted: Vec<_> = self.deployments.iter().map(wanted).collect();
        self.strict.reserve(&wanted, TieBreak::Random, self.strict.deadline()).await
    }

    async fn place(&self, limit: u32) -> Reservation {
        match self.reserve(limit).await {
            Answer::Reserved(_, reservation) => reservation,
            other => panic!("{other:?}"),
        }
    }

    fn stop(&mut self) {
        self.stop.send_replace(true);
        self.thread.take().unwrap().join().unwrap();
    }
}

/// The total of the first deployment.
async fn total(redis: &Server) -> i64 {
    match redis.command(&["HGET", &keys().strict_totals(), &deployment(0).to_string()]).await {
        Value::Nil => 0,
        total => reply::text(total).unwrap().parse().unwrap(),
    }
}

async fn comes_to(redis: &Server, expected: i64) {
    eventually(&format!("a total of {expected}"), async || total(redis).await == expected).await;
}

#[tokio::test]
async fn places_are_taken_by_all_and_given_back_by_dropping() {
    let redis = Server::start().await;
    let (mut a, mut b) = (Instance::start(&redis, 1, 1), Instance::start(&redis, 2, 1));
    let mut held = vec![a.place(3).await, b.place(3).await, a.place(3).await];
    for instance in [&a, &b] {
        assert!(matches!(instance.reserve(3).await, Answer::Full));
    }
    held.pop();
    comes_to(&redis, 2).await;
    held.push(b.place(3).await);
    assert_eq!((a.status.count(Count::Answered), a.status.count(Count::Unanswered)), (3, 0));
    drop(held);
    comes_to(&redis, 0).await;
    held = vec![b.place(3).await];
    b.stop();
    comes_to(&redis, 0).await;
    drop(held);
    a.stop();
}

#[tokio::test]
async fn who_leaves_while_it_asks_leaves_no_place_behind() {
    let redis = Server::start().await;
    let mut a = Instance::start(&redis, 1, 1);
    for round in 0..200_u64 {
        // Cut at another point each time: before it is sent, on the way, when the answer is there.
        let wait = Duration::from_micros(round * 5);
        drop(tokio::time::timeout(wait, a.reserve(1000)).await);
    }
    comes_to(&redis, 0).await;
    a.stop();
}

#[tokio::test]
async fn what_is_taken_and_given_back_in_an_outage_is_counted_when_it_is_over() {
    let redis = Server::start().await;
    let mut a = Instance::start(&redis, 1, 1);
    let mut held = vec![a.place(5).await, a.place(5).await];
    redis.freeze();
    let mut waits = Vec::new();
    for _ in 0..10 {
        let began = Instant::now();
        assert!(matches!(a.reserve(5).await, Answer::Silence));
        waits.push(began.elapsed());
    }
    eprintln!("frozen: {waits:?}");
    // The second may be there before the first has been given up.
    let waited = waits.iter().filter(|wait| Duration::from_millis(25) < **wait);
    assert!(waited.count() <= 2, "only the first wait: {waits:?}");
    let deployment = a.deployments[0];
    assert_eq!(a.strict.share(deployment, 5), 5, "it is alone");
    held.extend((0..3).map(|_| a.strict.hold(deployment).unwrap()));
    drop(held.remove(0));
    // Longer than Redis may take to answer, so that its answers are lost.
    tokio::time::sleep(Duration::from_millis(500)).await;
    redis.thaw();
    comes_to(&redis, 4).await;
    drop(held);
    comes_to(&redis, 0).await;
    let place = a.place(5).await;
    assert_eq!(total(&redis).await, 1);
    drop(place);
    a.stop();
}

#[tokio::test]
async fn an_instance_that_was_reaped_while_it_slept_counts_what_it_has_again() {
    let redis = Server::start().await;
    let mut a = Instance::start(&redis, 1, 1);
    let held = [a.place(5).await, a.place(5).await];
    // As the other instances do when its lease has run out.
    for key in [keys().strict_members(), keys().strict_totals(), keys().strict_own(InstanceId(1))] {
        redis.command(&["DEL", &key]).await;
    }
    let third = loop {
        // The first may be refused, under the epoch that is over.
        if let Answer::Reserved(_, reservation) = a.reserve(5).await {
            break reservation;
        }
    };
    assert_eq!(total(&redis).await, 3);
    drop((held, third));
    comes_to(&redis, 0).await;
    a.stop();
}

#[tokio::test]
async fn shares_of_two_that_know_each_other_are_the_limit_together() {
    let mut redis = Server::start().await;
    let (mut a, mut b) = (Instance::start(&redis, 1, 1), Instance::start(&redis, 2, 1));
    let shares = || [&a, &b].map(|one| one.strict.share(one.deployments[0], 5));
    eventually("both to know", async || shares().iter().sum::<u32>() == 5).await;
    let [of_a, of_b] = shares();
    eprintln!("of 5 places {of_a} and {of_b}");
    assert!(of_a.abs_diff(of_b) == 1);
    let held = [a.place(5).await, a.place(5).await, a.place(5).await, a.place(5).await];
    eventually("both to see it", async || shares()[1] <= 1).await;
    redis.kill();
    eventually("silence", async || matches!(a.reserve(5).await, Answer::Silence)).await;
    // a has 4 until they end, so b may have no more than the one that was free.
    assert!(shares()[1] <= 1, "{:?}", shares());
    drop(held);
    a.stop();
    b.stop();
}

#[tokio::test]
async fn what_a_place_costs() {
    const ROUNDS: usize = 2000;
    let redis = Server::start().await;
    let mut a = Instance::start(&redis, 1, 16);
    let mut times = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let began = Instant::now();
        // On a busy machine one may come late.
        if let Answer::Reserved(_, place) = a.reserve(64).await {
            times.push(began.elapsed());
            drop(place);
        }
    }
    times.sort();
    eprintln!(
        "a place among 16 deployments, one after the other: p50 {:?}, p99 {:?}, longest {:?}",
        times[times.len() / 2],
        times[times.len() * 99 / 100],
        times[times.len() - 1]
    );
    assert!(ROUNDS * 9 / 10 < times.len(), "{} of {ROUNDS} were answered in time", times.len());
    a.stop();

    let mut desk = Desk::open().await;
    let me = owner(1, 1);
    desk.adopt(me, &[], &[]).await;
    let offers: Vec<_> = (0..16).map(|number| limited(number, 1_000_000)).collect();
    for (what, is_reserve) in [("reserve", true), ("release", false)] {
        desk.server.command(&["CONFIG", "RESETSTAT"]).await;
        for round in 0..ROUNDS {
            match is_reserve {
                true => drop(desk.reserve(me, 1 + round as u32, &offers).await),
                false => drop(desk.settle(me, &[(deployment(round % 16), -1)]).await),
            }
        }
        eprintln!("Redis' CPU for a {what} among 16: {} µs", evalsha_microseconds(&desk.server).await);
    }
    let others: Vec<_> = (2..=16).map(InstanceId).collect();
    for other in &others {
        let everybody: Vec<_> = (1..=16).map(InstanceId).collect();
        desk.adopt(Owner { id: *other, epoch: 1 }, &everybody, &[(deployment(0), 3)]).await;
    }
    desk.server.command(&["CONFIG", "RESETSTAT"]).await;
    for _ in 0..ROUNDS {
        desk.beat(me, &others).await.unwrap();
    }
    eprintln!("Redis' CPU for a beat of 16 instances: {} µs", evalsha_microseconds(&desk.server).await);
}

/// Time of a call of a script, on average, by what Redis says.
async fn evalsha_microseconds(server: &Server) -> String {
    let stats = reply::text(server.command(&["INFO", "commandstats"]).await).unwrap();
    let line = stats.lines().find(|line| line.starts_with("cmdstat_evalsha:")).unwrap();
    line.split("usec_per_call=").nth(1).unwrap().split(',').next().unwrap().to_owned()
}

#[tokio::test]
async fn nobody_takes_the_places_of_those_who_have_not_come_back_yet() {
    let mut desk = Desk::open().await;
    let b = owner(2, 1);
    desk.adopt(b, &[], &[(deployment(0), 2)]).await;
    let mut a = Instance::start(&desk.server, 1, 1);
    let held = a.place(3).await;
    assert!(matches!(a.reserve(3).await, Answer::Full));
    eventually("a to see that", async || a.strict.share(a.deployments[0], 3) == 1).await;
    desk.server.kill();
    desk.server.restart().await;
    desk.store = store_at(desk.server.port());
    let restarted = Instant::now();
    let (members, me) = (keys().strict_members(), name::written(InstanceId(1)));
    let is_there = ["HEXISTS", members.as_str(), me.as_str()];
    eventually("a to come back", async || desk.server.command(&is_there).await == Value::Int(1)).await;
    // b still has two, of which this Redis knows nothing.
    assert!(matches!(a.reserve(3).await, Answer::Silence));
    assert_eq!(a.strict.share(a.deployments[0], 3), 1, "it has its one");
    let again = Owner { epoch: 2, ..b };
    assert!(matches!(desk.adopt(again, &[InstanceId(1)], &[(deployment(0), 2)]).await, Adopted::Counts(_)));
    eventually("b's return", async || matches!(a.reserve(3).await, Answer::Full)).await;
    assert!(restarted.elapsed() < Duration::from_millis(1900), "not only when the wait for it was over");
    assert!(desk.leave(again).await);
    drop((held, a.place(3).await));
    a.stop();
}
