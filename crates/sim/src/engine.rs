//! What is replayed: jobs, and the engines that serve them.

use std::time::Duration;

use leastbusy_balance::Weight;

/// One request: when it comes and how much work it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Job {
    /// Time since the start of the replay.
    pub arrival: Duration,
    /// Work in the unit that [`Engine`] speeds are in a second of; finite, 0 or more.
    pub size: f64,
}

/// A deployment with some slots, each serving one job at a time; further jobs wait in the order they came.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Engine {
    slots: u32,
    speed: f64,
    setup: Duration,
    weight: Weight,
}

impl Engine {
    /// An engine whose slots each do `speed` units of work a second; its weight is slots times speed.
    ///
    /// # Panics
    ///
    /// If `slots` is 0 or `speed` is not a finite number above 0.
    #[must_use]
    pub fn new(slots: u32, speed: f64) -> Self {
        assert!(0 < slots, "an engine has at least one slot");
        let weight = Weight::new(f64::from(slots) * speed).expect("a speed is finite and more than 0");
        Self { slots, speed, setup: Duration::ZERO, weight }
    }

    /// The same engine, with a time that every job spends in its slot before its work begins: the time to
    /// the first token. Default 0.
    #[must_use]
    pub fn with_setup(self, setup: Duration) -> Self {
        Self { setup, ..self }
    }

    /// The same engine, with another share of the work than slots times speed.
    #[must_use]
    pub fn with_weight(self, weight: Weight) -> Self {
        Self { weight, ..self }
    }

    /// Jobs served at once.
    #[must_use]
    pub fn slots(&self) -> u32 {
        self.slots
    }

    /// What balancing takes it to be worth.
    #[must_use]
    pub fn weight(&self) -> Weight {
        self.weight
    }

    /// Time in a slot before the work begins.
    #[must_use]
    pub fn setup(&self) -> Duration {
        self.setup
    }

    /// How long a job of this size keeps a slot.
    pub(crate) fn service(&self, size: f64) -> Duration {
        let work = Duration::try_from_secs_f64(size / self.speed).unwrap_or(Duration::MAX);
        self.setup.saturating_add(work)
    }
}
