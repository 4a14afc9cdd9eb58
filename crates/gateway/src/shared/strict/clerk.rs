//! Who asks Redis for all that wait, on the thread that shares.

use std::collections::HashMap;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc as std_mpsc;
use std::time::Instant;

use leastbusy_balance::{DeploymentIndex, InstanceId};
use redis::Value;
use tokio::sync::mpsc;
use tokio::time::{sleep, sleep_until};

use super::scripts::{
    Adopted, Beat, Owner, Reserved, Scripts, read_adopted, read_beat, read_reserved, read_settled,
};
use super::shares::Shares;
use super::{ASKS_MAX, Answer, Ask, Strict};
use crate::config::SharedState;
use crate::shared::keys::Keys;
use crate::shared::name::DeploymentName;
use crate::shared::retry;
use crate::shared::status::Status;
use crate::shared::store::{Batch, Store, StoreError};

/// Asks Redis for all that wait.
#[derive(Debug)]
pub(in crate::shared) struct Clerk {
    owner: Owner,
    settings: Arc<SharedState>,
    store: Store,
    scripts: Scripts,
    desk: Arc<Strict>,
    asks: mpsc::Receiver<Ask>,
    /// The deployments' places on the desk.
    places: HashMap<DeploymentName, usize>,
    /// What Redis has counted for this instance, by deployment.
    known: Vec<u32>,
    /// The other instances that are there.
    others: Vec<InstanceId>,
    /// Those that were there before Redis was lost and have not told what they have; until when they are waited for.
    awaited: (Vec<InstanceId>, Instant),
    next_beat: Instant,
    /// Somebody waits for the first adoption, or for its failure.
    first: Option<std_mpsc::SyncSender<()>>,
}

/// What a round trip carries.
struct Round {
    is_beat: bool,
    changes: Vec<(usize, i64)>,
    asks: Vec<Ask>,
}

/// Whether the epoch still counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Owner,
    Fenced,
}

impl Clerk {
    /// A clerk and its desk; `first` is told when what this instance has is counted for the first time, or cannot be.
    pub(in crate::shared) fn new(
        (me, keys, store): (InstanceId, Keys, Store),
        settings: Arc<SharedState>,
        names: impl IntoIterator<Item = (DeploymentIndex, DeploymentName)>,
        status: Arc<Status>,
        first: std_mpsc::SyncSender<()>,
    ) -> (Self, Arc<Strict>) {
        let (desk, asks) = Strict::new(names, settings.strict_timeout, status);
        let now = Instant::now();
        let clerk = Self {
            owner: Owner { id: me, epoch: 0 },
            settings,
            store,
            scripts: Scripts::new(keys),
            places: desk.names.iter().enumerate().map(|(at, name)| (*name, at)).collect(),
            known: vec![0; desk.names.len()],
            desk: Arc::clone(&desk),
            asks,
            others: Vec::new(),
            awaited: (Vec::new(), now),
            next_beat: now,
            first: Some(first),
        };
        (clerk, desk)
    }

    /// Answers until it is dropped; `None` has nothing to do.
    pub(in crate::shared) async fn work(clerk: Option<&mut Self>) {
        match clerk {
            Some(clerk) => clerk.serve().await,
            None => pending().await,
        }
    }

    async fn serve(&mut self) {
        let mut failures = 0_u32;
        let mut lost = None;
        loop {
            let error = match self.adopt().await {
                Ok(()) => {
                    failures = 0;
                    if let Some(since) = lost.take() {
                        let after_seconds = Instant::now().duration_since(since).as_secs_f64();
                        tracing::info!(
                            after_seconds,
                            "strict mode: limits are kept by all instances together again"
                        );
                    }
                    match self.rounds().await {
                        Ok(()) => continue,
                        Err(error) => error,
                    }
                }
                Err(error) => error,
            };
            self.close();
            self.first.take();
            if lost.is_none() {
                lost = Some(Instant::now());
                tracing::warn!(
                    cause = error.kind(),
                    "strict mode: no Redis, so each instance keeps to its share of every limit until it is back: {error}"
                );
            }
            let interval = self.settings.interval_among(self.others.len() + 1);
            sleep(retry::pause(interval, failures, fastrand::f64())).await;
            failures = failures.saturating_add(1);
        }
    }

    /// Has all that this instance holds counted under a new epoch.
    async fn adopt(&mut self) -> Result<(), StoreError> {
        let before = std::mem::take(&mut self.others);
        let mut named = before.clone();
        // Until it counts nobody is forgotten.
        self.others.clone_from(&before);
        self.owner.epoch += 1;
        loop {
            let has: Vec<u32> = self.desk.held.counts().collect();
            let names = self.desk.names.iter().zip(&has).filter(|(_, has)| 0 < **has);
            let counts: Vec<_> = names.map(|(name, has)| (*name, *has)).collect();
            let mut batch = Batch::new();
            self.scripts.adopt(&mut batch, self.owner, self.lease_ms(), &named, &counts);
            match read_adopted(self.one(&batch).await?)? {
                Adopted::Counts(members) => {
                    self.known = has;
                    self.others = self.without_me(members);
                    let missing = before.into_iter().filter(|id| !self.others.contains(id));
                    let (awaited, until) = &mut self.awaited;
                    awaited.extend(missing);
                    awaited.retain(|id| !self.others.contains(id));
                    *until = Instant::now() + self.settings.lease_time();
                    self.next_beat = Instant::now();
                    return Ok(());
                }
                Adopted::NameThese(members) => named = self.without_me(members),
                Adopted::Fenced => self.owner.epoch += 1,
            }
        }
    }

    /// Round trips until the epoch is over.
    async fn rounds(&mut self) -> Result<(), StoreError> {
        let mut asks = Vec::new();
        loop {
            let mut changes = self.changes();
            while let Ok(ask) = self.asks.try_recv() {
                asks.push(ask);
                if ASKS_MAX <= asks.len() {
                    break;
                }
            }
            if asks.is_empty() && changes.is_empty() && Instant::now() < self.next_beat {
                tokio::select! {
                    _ = self.asks.recv_many(&mut asks, ASKS_MAX) => {}
                    () = self.desk.held.changed() => {}
                    () = sleep_until(self.next_beat.into()) => {}
                }
                changes = self.changes();
            }
            // Who has gone by its share meanwhile needs no place.
            asks.retain(|ask| !ask.reply.is_closed());
            let is_beat = self.next_beat <= Instant::now();
            if !is_beat && changes.is_empty() && asks.is_empty() {
                continue;
            }
            let round = Round { is_beat, changes, asks: std::mem::take(&mut asks) };
            if self.round(round).await? == Standing::Fenced {
                return Ok(());
            }
        }
    }

    async fn round(&mut self, round: Round) -> Result<Standing, StoreError> {
        let mut batch = Batch::new();
        if round.is_beat {
            self.scripts.beat(&mut batch, self.owner, self.lease_ms(), &self.others);
        }
        if !round.changes.is_empty() {
            let named = round.changes.iter().map(|(at, change)| (self.desk.names[*at], *change));
            self.scripts.settle(&mut batch, self.owner, &named.collect::<Vec<_>>());
        }
        for ask in &round.asks {
            self.scripts.reserve(&mut batch, self.owner, ask.seed, &ask.offers);
        }
        let patience = round.asks.iter().map(|ask| ask.deadline).min();
        let mut replies = self.run(&batch, patience).await?.into_iter();
        let mut next = || replies.next().ok_or(StoreError::Protocol("a reply for each script"));
        let mut instances = None;
        if round.is_beat {
            let Some(beat) = read_beat(next()?)? else { return Ok(Standing::Fenced) };
            self.saw(beat);
        }
        if !round.changes.is_empty() {
            let Some(members) = read_settled(&next()?)? else { return Ok(Standing::Fenced) };
            instances = Some(members);
            for (at, change) in round.changes {
                self.known[at] = self.known[at].saturating_add_signed(i32::try_from(change).unwrap_or(0));
            }
        }
        for ask in round.asks {
            let (reserved, members) = read_reserved(next()?)?;
            let answer = match reserved {
                Reserved::Taken(place) => {
                    let at = *ask.places.get(place).ok_or(StoreError::Protocol("one of the offers"))?;
                    self.known[at] += 1;
                    Answer::Reserved(place, self.desk.held.take(at))
                }
                Reserved::Full => Answer::Full,
                Reserved::Fenced => return Ok(Standing::Fenced),
            };
            instances = Some(members);
            // Whoever does not wait any more has dropped its end, and the place goes back with the answer.
            let _ = ask.reply.send(answer);
        }
        if instances.is_some_and(|instances| instances != self.others.len() + 1) {
            self.next_beat = Instant::now();
        }
        self.open();
        Ok(Standing::Owner)
    }

    /// What has changed since Redis was told.
    fn changes(&self) -> Vec<(usize, i64)> {
        let counts = self.desk.held.counts().zip(&self.known).enumerate();
        let changed = counts.filter(|(_, (held, known))| held != *known);
        changed.map(|(at, (held, known))| (at, i64::from(held) - i64::from(*known))).collect()
    }

    fn saw(&mut self, beat: Beat) {
        let now = Instant::now();
        self.others = self.without_me(beat.members);
        let (awaited, until) = &mut self.awaited;
        awaited.retain(|id| !self.others.contains(id) && now < *until);
        let mut totals = vec![0; self.known.len()];
        for (name, total) in beat.totals {
            if let Some(at) = self.places.get(&name) {
                totals[*at] = total;
            }
        }
        let is_complete = awaited.is_empty();
        let is_alone = self.others.is_empty() && is_complete;
        // The totals are not those of everybody before all are back.
        if is_complete {
            let in_flight = self.known.iter().copied().zip(totals).collect();
            *self.desk.shares() = Shares::new(self.owner.id, &self.others, in_flight, now);
        }
        self.next_beat = now
            + match is_alone {
                true => self.settings.lease_time() / 3,
                false => self.settings.interval_among(self.others.len() + 1),
            };
    }

    fn open(&mut self) {
        if self.awaited.0.is_empty() && !self.desk.is_open.swap(true, Ordering::Relaxed) {
            self.first.take();
        }
    }

    /// From now on requests go by their shares, those that wait as well.
    fn close(&mut self) {
        self.desk.is_open.store(false, Ordering::Relaxed);
        while self.asks.try_recv().is_ok() {}
    }

    /// Runs a batch. One that takes longer than a request waits closes the desk, so that only the first ones wait.
    async fn run(&mut self, batch: &Batch, patience: Option<Instant>) -> Result<Vec<Value>, StoreError> {
        let Self { store, desk, settings, .. } = self;
        let patience = patience.unwrap_or_else(|| Instant::now() + settings.strict_timeout);
        let run = store.run(batch);
        tokio::pin!(run);
        tokio::select! {
            replies = &mut run => return replies,
            () = sleep_until(patience.into()) => desk.is_open.store(false, Ordering::Relaxed),
        }
        run.await
    }

    async fn one(&mut self, batch: &Batch) -> Result<Value, StoreError> {
        self.run(batch, None).await?.pop().ok_or(StoreError::Protocol("one reply for a script"))
    }

    fn without_me(&self, members: Vec<InstanceId>) -> Vec<InstanceId> {
        members.into_iter().filter(|id| *id != self.owner.id).collect()
    }

    fn lease_ms(&self) -> u64 {
        u64::try_from(self.settings.lease_time().as_millis()).unwrap_or(u64::MAX)
    }

    /// Withdraws all that was taken, so that nobody waits for the lease to run out.
    pub(in crate::shared) async fn leave(&mut self) {
        self.close();
        if !self.store.is_connected() {
            return;
        }
        let mut batch = Batch::new();
        self.scripts.leave(&mut batch, self.owner);
        if let Err(error) = self.store.run(&batch).await {
            tracing::debug!(cause = error.kind(), "the places taken could not be withdrawn: {error}");
        }
    }
}
