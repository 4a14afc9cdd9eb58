//! How sharing goes, for pages and metrics.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::config::{SharedState, SharingMode};

/// How sharing goes. The task that shares writes it; pages and metrics read it.
#[derive(Debug)]
pub struct Status {
    /// What picks ask of Redis.
    pub mode: SharingMode,
    /// Where Redis is, without secrets.
    pub redis: String,
    /// This instance's name.
    pub id: String,
    /// Where this instance listens.
    pub place: String,
    connected: AtomicBool,
    counters: [AtomicU64; Count::ALL.len()],
    now: Mutex<Now>,
}

/// What has been counted since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// Round trips that were answered.
    Exchanges,
    /// Round trips that failed.
    Failures,
    /// Commands sent.
    Commands,
    /// Connections opened.
    Connections,
    /// Microseconds that answered round trips took, together.
    Microseconds,
    /// Strict mode: requests that Redis has given a place, or told that there is none.
    Answered,
    /// Strict mode: requests that went by this instance's share, because Redis did not answer in time.
    Unanswered,
    /// Microseconds of CPU that Redis has used for all its clients since it started, as it said last.
    RedisMicroseconds,
}

impl Count {
    /// Every one once.
    pub const ALL: [Self; 8] = [
        Self::Exchanges,
        Self::Failures,
        Self::Commands,
        Self::Connections,
        Self::Microseconds,
        Self::Answered,
        Self::Unanswered,
        Self::RedisMicroseconds,
    ];
}

/// What changes from exchange to exchange.
#[derive(Debug, Default)]
struct Now {
    others: Vec<Instance>,
    interval: Duration,
    lease: Duration,
    /// Since when Redis has not answered.
    lost: Option<Instant>,
    error: Option<String>,
    seen: Option<Instant>,
}

/// Another instance, as it told last.
#[derive(Debug, Clone)]
pub struct Instance {
    /// Its name.
    pub id: String,
    /// Where it listens.
    pub place: String,
    /// Time since it told something new.
    pub age: Duration,
    /// Requests that it had in flight then.
    pub in_flight: u64,
}

/// Sharing at one moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The others that are alive.
    pub others: Vec<Instance>,
    /// Time between two exchanges.
    pub interval: Duration,
    /// How long what an instance told counts.
    pub lease: Duration,
    /// For how long Redis has not answered, while it does not.
    pub outage: Option<Duration>,
    /// What the latest failure was.
    pub error: Option<String>,
}

impl Status {
    /// Sharing that has not begun: `id` is this instance's name, `place` where it listens.
    #[must_use]
    pub fn new(settings: &SharedState, id: String, place: String) -> Self {
        Self {
            mode: settings.mode,
            redis: settings.redis.to_string(),
            id,
            place,
            connected: AtomicBool::new(false),
            counters: Default::default(),
            now: Mutex::new(Now { lease: settings.lease_time(), ..Now::default() }),
        }
    }

    /// Whether Redis answers.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Relaxed)
    }

    /// What has been counted so far.
    #[must_use]
    pub fn count(&self, what: Count) -> u64 {
        self.counters[what as usize].load(Ordering::Relaxed)
    }

    /// How sharing goes now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let now = self.lock();
        let since = now.seen.map_or(Duration::ZERO, |seen| seen.elapsed());
        let aged = |other: &Instance| Instance { age: other.age + since, ..other.clone() };
        Snapshot {
            others: now.others.iter().map(aged).filter(|other| other.age < now.lease).collect(),
            interval: now.interval,
            lease: now.lease,
            outage: now.lost.map(|lost| lost.elapsed()),
            error: now.error.clone(),
        }
    }

    pub(super) fn add(&self, what: Count, number: u64) {
        self.counters[what as usize].fetch_add(number, Ordering::Relaxed);
    }

    pub(super) fn set(&self, what: Count, number: u64) {
        self.counters[what as usize].store(number, Ordering::Relaxed);
    }

    pub(super) fn sees(&self, others: Vec<Instance>, interval: Duration) {
        let mut now = self.lock();
        (now.others, now.interval, now.seen) = (others, interval, Some(Instant::now()));
    }

    pub(super) fn answers(&self) {
        self.connected.store(true, Ordering::Relaxed);
        let mut now = self.lock();
        (now.lost, now.error) = (None, None);
    }

    pub(super) fn fails(&self, error: String) {
        self.lock().error = Some(error);
    }

    /// Redis has not answered for so long.
    pub(super) fn is_lost(&self, silent: Duration) {
        self.connected.store(false, Ordering::Relaxed);
        self.lock().lost = Instant::now().checked_sub(silent);
    }

    // Nothing that is half-written could be seen: each field stands for itself.
    fn lock(&self) -> std::sync::MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
