//! The thread that tells and listens, beside all requests.

use std::future::Future;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use std::{fmt, io};

use leastbusy_balance::{Fleet, InstanceId, View};
use tokio::sync::watch;
use tokio::time::{sleep, sleep_until, timeout};

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

/// Between two exchanges the fleet is asked this often whether anything is to be known at once: a request that would
/// probe waits for an answer for 100 ms.
const NEWS_EVERY: Duration = Duration::from_millis(20);

/// An instance that goes takes no longer to say so, whatever the time limits of Redis are.
const LEAVE_MAX: Duration = Duration::from_secs(1);

/// Lookups of names that may go on at once. One that the system does not answer is given up and another one begun.
const LOOKUPS_MAX: usize = 4;

/// Failures in a row of usage alone that the log tells of: one may be the first sign of an outage.
const USAGE_FAILURES: u32 = 2;

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
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(LOOKUPS_MAX)
            .build()?;
        let end = End { fleet: Arc::clone(&self.fleet), start: self.start, status: Arc::clone(&self.status) };
        std::thread::Builder::new().name("leastbusy-shared".to_owned()).spawn(move || {
            let _end = end;
            runtime.block_on(async {
                tokio::select! {
                    () = self.share(first) => {}
                    () = Clerk::work(clerk.as_mut()) => {}
                    _ = stopped.wait_for(|stopped| *stopped) => {}
                }
                let leave = async {
                    let clerk = async {
                        if let Some(clerk) = &mut clerk {
                            clerk.leave().await;
                        }
                    };
                    tokio::join!(self.leave(), clerk);
                };
                if timeout(LEAVE_MAX, leave).await.is_err() {
                    tracing::debug!("what was told could not be withdrawn in time");
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
                    if let Some(first) = first.take() {
                        let _ = first.try_send(Ok(()));
                    }
                    self.ask_for_cpu().await;
                    self.share_usage().await;
                    self.exchange.pause(fastrand::f64())
                }
                Err(error) => {
                    let change = self.failed(&error);
                    match (first.take(), change) {
                        (Some(first), _) => _ = first.try_send(Err(error)),
                        (None, Some(change)) => tell_lost(&self.status, change, error.kind(), &error),
                        (None, None) => {}
                    }
                    self.exchange.pause(fastrand::f64())
                }
            };
            let (until, soonest) = (began + pause, began + pause.min(self.exchange.pause_min()));
            // While Redis is away a nudge would only make more failures.
            match self.exchange.is_failing() {
                true => self.fading().during(sleep_until(until.into())).await,
                false => self.rest(soonest, until).await,
            }
        }
    }

    /// Waits for the next turn: until `until`, from `soonest` on only until so much has changed that it is worth a turn, and
    /// not at all while the others are to know, or to answer, something.
    async fn rest(&mut self, soonest: Instant, until: Instant) {
        sleep_until(soonest.min(Instant::now() + NEWS_EVERY).into()).await;
        loop {
            let now = Instant::now();
            // Nobody answers one that is alone, and who comes is told everything.
            if until <= now || (!self.exchange.is_alone() && self.exchange.has_news(&self.fleet)) {
                return;
            }
            let look = sleep_until(until.min(now + NEWS_EVERY).into());
            tokio::select! {
                () = look => {}
                () = self.nudge.wait(), if soonest <= now => return,
            }
        }
    }

    fn fading(&mut self) -> Fading<'_> {
        let Self { exchange, fleet, start, status, failure, .. } = self;
        Fading { exchange, fleet, start: *start, status, failure: failure.as_ref() }
    }

    /// One exchange with Redis.
    pub(super) async fn take_turn(&mut self) -> Result<Option<Change>, StoreError> {
        let now = self.start.elapsed();
        let turn = self.exchange.turn(&self.fleet, now);
        let in_flight: u64 = self.fleet.snapshot().into_iter().map(u64::from).sum();
        self.nudge.told((!self.exchange.is_alone()).then_some(in_flight));
        let batch = wire::batch(&turn, &self.keys, &self.scripts, self.me);
        let Self { store, exchange, fleet, start, status, failure, .. } = self;
        let fading = Fading { exchange, fleet, start: *start, status, failure: failure.as_ref() };
        let replies = fading.during(store.run(&batch)).await;
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

    fn failed(&mut self, error: &StoreError) -> Option<Change> {
        let now = self.start.elapsed();
        self.status.add(Count::Failures, 1);
        self.status.fails(error.to_string());
        let change = self.exchange.failed(&self.fleet, now);
        self.failure = Some((error.kind(), error.to_string()));
        self.show(now);
        change
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
        let Self { store, exchange, fleet, start, status, failure, .. } = self;
        let fading = Fading { exchange, fleet, start: *start, status, failure: failure.as_ref() };
        let replies = fading.during(store.run(&batch)).await;
        let answer = replies.and_then(|replies| reply::text(reply::Replies::new(replies).next()?));
        self.next_cpu = Some(Instant::now() + CPU_EVERY);
        match answer {
            Ok(info) => self.status.set(Count::RedisMicroseconds, cpu_microseconds(&info)),
            Err(error) => {
                tracing::debug!(cause = error.kind(), "Redis does not tell what CPU it uses: {error}");
                if let StoreError::Forbidden(_) | StoreError::Server(_) = error {
                    self.next_cpu = None;
                }
            }
        }
    }

    /// Usage that is not told now is told with the next; an outage shows in the next exchange.
    async fn share_usage(&mut self) {
        let is_alone = self.exchange.is_alone();
        let before = self.usage.failures;
        let Self { store, exchange, usage, keys, fleet, start, status, failure, .. } = self;
        let start = *start;
        let turn = usage.turn(store, (fleet, || start.elapsed()), keys, is_alone);
        let fading = Fading { exchange, fleet, start, status, failure: failure.as_ref() };
        match fading.during(turn).await {
            Ok(()) if USAGE_FAILURES <= before => {
                tracing::info!("shared state: requests and tokens of the last minute are shared again");
            }
            Ok(()) => {}
            Err(error) => {
                self.status.add(Count::Failures, 1);
                self.status.fails(error.to_string());
                if self.usage.failures == USAGE_FAILURES {
                    tracing::warn!(
                        redis = self.status.redis,
                        cause = error.kind(),
                        "shared state: requests and tokens of the last minute are not shared: {error}"
                    );
                }
            }
        }
    }

    /// Withdraws what this instance told, so that nobody waits for its lease to run out. A turn that was under way is cut
    /// off before; should Redis get to it later than to this, what it tells counts until the lease runs out.
    async fn leave(&mut self) {
        if self.exchange.is_failing() {
            return;
        }
        let mut batch = self.usage.last_words((&self.fleet, self.start.elapsed()), &self.keys);
        self.scripts.leave(&mut batch, &self.keys, self.me);
        if let Err(error) = self.store.run(&batch).await {
            tracing::debug!(cause = error.kind(), "what was told could not be withdrawn: {error}");
        }
    }
}

/// What the others told, which fades while something is waited for, however long Redis is given for an answer.
struct Fading<'a> {
    exchange: &'a mut Exchange,
    fleet: &'a Fleet,
    start: Instant,
    status: &'a Status,
    /// What became of the latest turn, if it failed.
    failure: Option<&'a (&'static str, String)>,
}

impl Fading<'_> {
    async fn during<T>(self, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                () = sleep(FADE_EVERY) => {}
            }
            if let Some(change) = self.exchange.waits(self.fleet, self.start.elapsed()) {
                match self.failure {
                    Some((cause, error)) => tell_lost(self.status, change, cause, error),
                    None => {
                        let silent = "it has not answered for half a lease";
                        self.status.fails(silent.to_owned());
                        tell_lost(self.status, change, "silent", &silent);
                    }
                }
            }
        }
    }
}

/// What is known of the others ends with the thread that knows it: each instance goes by itself from then on.
struct End {
    fleet: Arc<Fleet>,
    start: Instant,
    status: Arc<Status>,
}

impl Drop for End {
    fn drop(&mut self) {
        self.fleet.guard_probes(false);
        self.fleet.see(View::default(), self.start.elapsed());
        self.status.sees(Vec::new(), Duration::ZERO);
        self.status.is_lost(Duration::ZERO);
        if std::thread::panicking() {
            let error = "a fault in this program ended the sharing of state: restart it, and report what it wrote before";
            self.status.fails(error.to_owned());
            tracing::error!(redis = self.status.redis, "shared state: {error}");
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

#[cfg(test)]
mod tests;
