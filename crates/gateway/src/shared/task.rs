//! The thread that tells and listens, beside all requests.

use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use std::{fmt, io};

use leastbusy_balance::{Fleet, InstanceId};
use tokio::sync::watch;
use tokio::time::{sleep_until, timeout, timeout_at};

use super::exchange::{Change, Exchange};
use super::keys::Keys;
use super::name;
use super::nudge::Nudge;
use super::scripts::Scripts;
use super::status::{Count, Instance, Status};
use super::store::{Batch, Store, StoreError, reply};
use super::strict::Clerk;
use super::usage::UsageExchange;
use super::wire;

/// How often Redis is asked for the CPU it has used.
const CPU_EVERY: Duration = Duration::from_secs(10);

/// While an answer is awaited, what the others told is looked at this often.
const FADE_EVERY: Duration = Duration::from_millis(40);

/// Everything that the thread works with.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) me: InstanceId,
    pub(super) store: Store,
    pub(super) exchange: Exchange,
    pub(super) usage: UsageExchange,
    pub(super) keys: Keys,
    pub(super) scripts: Scripts,
    pub(super) fleet: Arc<Fleet>,
    /// The moment from which the fleet's times are counted.
    pub(super) start: Instant,
    pub(super) status: Arc<Status>,
    pub(super) nudge: Arc<Nudge>,
    /// When Redis is asked for its CPU next; `None` where it does not say.
    pub(super) next_cpu: Option<Instant>,
    /// Why the latest turn failed, if it did: in a word, and in full.
    pub(super) failure: Option<(&'static str, String)>,
}

impl Task {
    /// Shares until `stopped`, then withdraws what was told. Beside the workers, so that no exchange waits for a request
    /// and no request for an exchange.
    ///
    /// How the first exchange went is sent to `first`, if anybody waits for that; whoever does says what comes of a failure.
    /// `clerk` serves strict mode, on a connection of its own.
    pub(super) fn spawn(
        mut self,
        mut clerk: Option<Clerk>,
        mut stopped: watch::Receiver<bool>,
        first: Option<mpsc::SyncSender<Result<(), StoreError>>>,
    ) -> io::Result<JoinHandle<()>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new().name("leastbusy-shared".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = self.share(first) => {}
                    () = Clerk::work(clerk.as_mut()) => {}
                    _ = stopped.wait_for(|stopped| *stopped) => {}
                }
                self.leave().await;
                if let Some(clerk) = &mut clerk {
                    clerk.leave().await;
                }
            });
            // A name that is being looked up is not waited for.
            runtime.shutdown_background();
        })
    }

    async fn share(&mut self, mut first: Option<mpsc::SyncSender<Result<(), StoreError>>>) {
        loop {
            let began = Instant::now();
            let pause = match self.take_turn().await {
                Ok(change) => {
                    self.status.answers();
                    if let Some(Change::Back { after }) = change {
                        tracing::info!(
                            redis = self.status.redis,
                            after_seconds = after.as_secs_f64(),
                            "shared state: Redis is back; counts are those of all instances again"
                        );
                    }
                    self.ask_for_cpu().await;
                    self.share_usage().await;
                    if let Some(first) = first.take() {
                        let _ = first.try_send(Ok(()));
                    }
                    self.exchange.pause(fastrand::f64())
                }
                Err(error) => {
                    match first.take() {
                        Some(first) => {
                            let _ = first.try_send(Err(error));
                        }
                        None => self.failed(&error),
                    }
                    self.exchange.pause(fastrand::f64())
                }
            };
            let until = began + pause;
            let soonest = began + pause.min(self.exchange.pause_min());
            sleep_until(soonest.into()).await;
            // While Redis is away a nudge would only make more failures.
            if self.exchange.is_failing() {
                while Instant::now() < until {
                    sleep_until(until.min(Instant::now() + FADE_EVERY).into()).await;
                    let (exchange, now) = (&mut self.exchange, self.start.elapsed());
                    fade(exchange, &self.fleet, &self.status, self.failure.as_ref(), now);
                }
            } else {
                let _ = timeout_at(until.into(), self.nudge.wait()).await;
            }
        }
    }

    /// One exchange with Redis.
    pub(super) async fn take_turn(&mut self) -> Result<Option<Change>, StoreError> {
        let now = self.start.elapsed();
        let turn = self.exchange.turn(&self.fleet, now);
        let in_flight: u64 = self.fleet.snapshot().into_iter().map(u64::from).sum();
        self.nudge.told((!self.exchange.is_alone()).then_some(in_flight));
        let batch = wire::batch(&turn, &self.keys, &self.scripts, self.me);
        let replies = self.answers(&batch).await;
        let counters = self.store.counters();
        self.status.set(Count::Commands, counters.commands);
        self.status.set(Count::Connections, counters.connections);
        let reply = wire::read(&turn, replies?)?;
        let answered = self.start.elapsed();
        self.status.add(Count::Exchanges, 1);
        let took = u64::try_from((answered - now).as_micros()).unwrap_or(u64::MAX);
        self.status.add(Count::Microseconds, took);
        let change = self.exchange.answered(&self.fleet, &turn, reply, answered);
        self.failure = None;
        self.show(answered);
        Ok(change)
    }

    /// Waits for the replies to a batch. What the others told fades meanwhile, however long Redis is given for an answer.
    async fn answers(&mut self, batch: &Batch) -> Result<Vec<redis::Value>, StoreError> {
        let Self { store, exchange, fleet, start, status, failure, .. } = self;
        let answers = store.run(batch);
        tokio::pin!(answers);
        loop {
            if let Ok(answers) = timeout(FADE_EVERY, &mut answers).await {
                return answers;
            }
            fade(exchange, fleet, status, failure.as_ref(), start.elapsed());
        }
    }

    fn failed(&mut self, error: &StoreError) {
        let now = self.start.elapsed();
        self.status.add(Count::Failures, 1);
        self.status.fails(error.to_string());
        if let Some(change) = self.exchange.failed(&self.fleet, now) {
            tell_lost(&self.status, change, error.kind(), error);
        }
        self.failure = Some((error.kind(), error.to_string()));
        self.show(now);
    }

    fn show(&self, now: Duration) {
        let others = self.exchange.others(now).into_iter().map(|(known, place)| Instance {
            id: name::written(known.id),
            place,
            age: known.age,
            in_flight: known.in_flight,
        });
        self.status.sees(others.collect(), self.exchange.interval());
    }

    /// Asks Redis what CPU it has used, now and then; one that does not say is not asked again.
    async fn ask_for_cpu(&mut self) {
        if self.next_cpu.is_none_or(|next| Instant::now() < next) {
            return;
        }
        let mut batch = Batch::new();
        batch.command("INFO").arg("cpu");
        let answer = self.store.run(&batch).await.and_then(|replies| {
            reply::text(replies.into_iter().next().ok_or(StoreError::Protocol("one reply to INFO"))?)
        });
        self.next_cpu = match answer {
            Ok(info) => {
                self.status.set(Count::RedisMicroseconds, cpu_microseconds(&info));
                Some(Instant::now() + CPU_EVERY)
            }
            Err(error) => {
                tracing::debug!(cause = error.kind(), "Redis does not tell what CPU it uses: {error}");
                None
            }
        };
    }

    /// Usage that is not told now is told with the next; an outage shows in the next exchange.
    async fn share_usage(&mut self) {
        let fleet = (&*self.fleet, || self.start.elapsed());
        let is_alone = self.exchange.is_alone();
        if let Err(error) = self.usage.turn(&mut self.store, fleet, &self.keys, is_alone).await {
            tracing::debug!(cause = error.kind(), "usage could not be shared: {error}");
        }
    }

    /// Withdraws what this instance told, so that nobody waits for its lease to run out.
    async fn leave(&mut self) {
        if self.exchange.is_failing() {
            return;
        }
        let fleet = (&*self.fleet, self.start.elapsed());
        if let Err(error) = self.usage.last_turn(&mut self.store, fleet, &self.keys).await {
            tracing::debug!(cause = error.kind(), "the last usage could not be told: {error}");
        }
        let mut batch = Batch::new();
        self.scripts.leave(&mut batch, &self.keys, self.me);
        if let Err(error) = self.store.run(&batch).await {
            tracing::debug!(cause = error.kind(), "what was told could not be withdrawn: {error}");
        }
    }
}

/// Looks at what the others told while Redis does not answer; `failure` is what became of the latest turn.
fn fade(
    exchange: &mut Exchange,
    fleet: &Fleet,
    status: &Status,
    failure: Option<&(&'static str, String)>,
    now: Duration,
) {
    if let Some(change) = exchange.waits(fleet, now) {
        match failure {
            Some((cause, error)) => tell_lost(status, change, cause, error),
            None => tell_lost(status, change, "silent", &"it has not answered for half a lease"),
        }
    }
}

fn tell_lost(status: &Status, change: Change, cause: &'static str, error: &dyn fmt::Display) {
    let Change::Lost { silent } = change else { return };
    status.is_lost(silent);
    tracing::warn!(
        redis = status.redis,
        cause,
        "shared state: no Redis, so each instance goes by its own counts until it is back: {error}"
    );
}

/// The CPU of Redis' own threads, by what `INFO cpu` says.
fn cpu_microseconds(info: &str) -> u64 {
    let seconds: f64 = info
        .lines()
        .filter_map(|line| line.split_once(':'))
        .filter(|(key, _)| matches!(*key, "used_cpu_sys" | "used_cpu_user"))
        .filter_map(|(_, value)| value.trim().parse::<f64>().ok())
        .sum();
    (seconds * 1e6) as u64
}
