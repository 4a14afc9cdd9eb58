//! Two instances under load lose Redis and get it back.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use tokio::time::sleep_until;

use super::client::Client;
use super::instance::{BACK, Instance, LOST};
use super::load::Load;
use super::script::{Played, Upstream, answers, streams};
use super::{INTERVAL, SLACK, entry, fleet, until};

/// How long what an instance told counts, in seconds.
const LEASE: f64 = 2.1;

/// How long Redis may take, in seconds. A request that waits for it in an outage takes as long.
const TIMEOUT: f64 = 0.9;

/// What Redis takes each way where it is slow and in time. Half of the requests take a tenth of it.
pub(crate) const SLOW: Duration = Duration::from_millis(60);

/// The longest pause between two attempts to reach Redis.
const RETRY_MAX: Duration = Duration::from_millis(250);

/// Streams that the second instance holds before the outage, and those that it opens while it lasts.
const HELD: usize = 5;
const OPENED: usize = 3;

/// What the tests set of `shared_state`.
pub(crate) fn settings() -> String {
    settings_with_lease(LEASE)
}

/// As [`settings`], with what they tell counting for so many seconds.
pub(crate) fn settings_with_lease(lease: f64) -> String {
    // It must be less than half a lease.
    let response_timeout = TIMEOUT.min(lease * 0.45);
    format!("lease: {lease}, response_timeout: {response_timeout}, connect_timeout: {TIMEOUT}")
}

/// Two instances, each of which answers requests all the time.
#[derive(Debug)]
pub(crate) struct Ordeal {
    name: &'static str,
    // Gone before the instances are.
    loads: Vec<Load>,
    pub(crate) instances: Vec<Instance>,
    streams: Vec<Client>,
    began: Instant,
    cut: Instant,
    report: String,
    _upstreams: [Played; 2],
}

impl Ordeal {
    /// Starts them; `sharing` says through what they share.
    pub(crate) async fn begins(name: &'static str, sharing: &str) -> Self {
        let quick = Upstream::playing(answers(200).json("{}")).await;
        let held = Upstream::playing(streams().event("held").then_hangs()).await;
        let models = entry("quick", "quick", &quick.base(), "") + &entry("held", "held", &held.base(), "");
        let yaml = format!("model_list:\n{models}{sharing}general_settings: {{workers: 1}}\n");
        let instances = fleet(2, &yaml).await;
        let streams = instances[1].opens_many("held", HELD).await;
        until("a shared count", async || instances[0].total("held").await == HELD as u64).await;
        let load = |instance: &Instance| {
            [Load::asking(instance.address, "quick"), Load::getting(instance.address, "/health/liveliness")]
        };
        let loads = instances.iter().flat_map(load).collect();
        let began = Instant::now();
        tokio::time::sleep(Duration::from_millis(300)).await;
        let (cut, report) = (Instant::now(), String::new());
        Self { name, loads, instances, streams, began, cut, report, _upstreams: [quick, held] }
    }

    /// To be called right before Redis goes.
    pub(crate) fn cuts(&mut self) {
        self.cut = Instant::now();
    }

    /// Waits until the first instance goes by its own counts, and says so; in the meantime the second's change.
    pub(crate) async fn is_lost(&mut self) {
        until("no count of the other's", async || self.instances[0].total("held").await == 0).await;
        let faded = self.cut.elapsed();
        let latest = Duration::from_secs_f64(LEASE) + INTERVAL + SLACK;
        assert!(faded < latest, "the other's counts were there for {faded:?}");
        for instance in &self.instances {
            until("a word about the outage", async || instance.output().lines_with(LOST) == 1).await;
            assert!(!instance.is_connected().await);
            assert_eq!(instance.metric("leastbusy_shared_state_up").await, 0.0);
            until("it alone", async || instance.metric("leastbusy_shared_state_instances").await == 1.0)
                .await;
        }
        write!(self.report, "faded after {faded:.2?}; ").unwrap();
        self.streams.extend(self.instances[1].opens_many("held", OPENED).await);
    }

    /// Redis answers again: waits until both know everything.
    pub(crate) async fn is_back(&mut self) {
        let (mended, seen_before) = (Instant::now(), self.count_of(BACK));
        let mut reconnected = None;
        until("the other's counts", async || {
            if reconnected.is_none()
                && seen_before.iter().zip(self.count_of(BACK)).all(|(before, now)| *before < now)
            {
                reconnected = Some(Instant::now());
            }
            self.instances[0].total("held").await == self.streams.len() as u64
                && self.instances[1].others().await == 1
        })
        .await;
        let exact = Instant::now();
        let reconnected = reconnected.unwrap_or(exact);
        let (late, after) = (exact - mended, exact - reconnected);
        write!(self.report, "exact {late:.2?} after the return, {after:.2?} after the reconnect").unwrap();
        let longest = RETRY_MAX + Duration::from_secs_f64(TIMEOUT) + INTERVAL + SLACK;
        assert!(late < longest, "{}: exact only {late:?} after the return", self.name);
        assert!(after < INTERVAL + SLACK, "{}: exact only {after:?} after the reconnect", self.name);
        for instance in &self.instances {
            until("a word about the return", async || instance.output().lines_with(BACK) == 1).await;
            assert!(instance.is_connected().await);
            assert_eq!(instance.metric("leastbusy_shared_state_up").await, 1.0);
            assert_eq!(instance.metric("leastbusy_shared_state_instances").await, 2.0);
            assert_eq!(instance.total("held").await, self.streams.len() as u64);
        }
    }

    /// What an empty Redis is told is everything: the counts before, and those from now on. Returns how long that takes.
    pub(crate) async fn is_told_anew(&mut self) -> Duration {
        let emptied = Instant::now();
        // Each opens one, so that no count of before can be taken for one of now.
        for instance in &self.instances {
            self.streams.push(instance.opens("held").await);
        }
        let all = self.streams.len() as u64;
        until("a shared count", async || {
            for instance in &self.instances {
                if (instance.total("held").await, instance.others().await) != (all, 1) {
                    return false;
                }
            }
            true
        })
        .await;
        emptied.elapsed()
    }

    /// Waits until Redis is there again by itself and both know everything, what began in the meantime included, and
    /// nothing twice.
    pub(crate) async fn comes_through(&mut self, within: Duration) {
        self.streams.extend(self.instances[1].opens_many("held", OPENED).await);
        let all = self.streams.len() as u64;
        until("a shared count again", async || {
            self.instances[0].total("held").await == all && self.instances[1].others().await == 1
        })
        .await;
        let took = self.cut.elapsed();
        write!(self.report, "exact {took:.2?} after the master's death").unwrap();
        assert!(took < within, "{}: exact only {took:?} after the master's death", self.name);
        let settled = Instant::now() + 10 * INTERVAL;
        while Instant::now() < settled {
            assert_eq!(self.instances[0].total("held").await, all, "{}", self.name);
        }
    }

    /// No request failed, none waited, liveness answered at once; each instance has said `said` times that Redis went and
    /// that it is back.
    pub(crate) async fn ends(self, said: usize) {
        // So that a calm time is not judged by a handful of answers.
        sleep_until((self.cut + Duration::from_millis(300)).into()).await;
        let (before, after) = ((self.began, self.cut), (self.cut, Instant::now()));
        eprintln!("{}: {}", self.name, self.report);
        for (load, what) in
            self.loads.iter().zip(["chat at a", "liveness at a", "chat at b", "liveness at b"])
        {
            let [calm, outage] = [before, after].map(|(from, to)| load.between(from, to));
            eprintln!("{}: {what}: before: {calm}; through the outage: {outage}", self.name);
            assert_eq!(calm.failed + outage.failed, 0, "{}: {what}", self.name);
            assert!(10 < calm.count && 10 < outage.count, "{}: {what}", self.name);
            let waited = Duration::from_secs_f64(TIMEOUT) <= outage.max || SLOW <= outage.p50;
            assert!(!waited, "{}: {what} waited: {outage}", self.name);
        }
        for instance in &self.instances {
            let log = instance.output();
            if let Some(line) = log.log().lines().find(|line| line.contains(LOST)) {
                eprintln!("{}: {line}", self.name);
            }
            until("a word about the return", async || log.lines_with(BACK) == said).await;
            assert_eq!(log.lines_with(LOST), said, "{}", log.log());
            assert_eq!(log.lines_with("shared state"), 2 * said, "{}", log.log());
            log.keeps("sk-upstream-secret");
        }
    }

    fn count_of(&self, words: &str) -> Vec<usize> {
        self.instances.iter().map(|instance| instance.output().lines_with(words)).collect()
    }
}
