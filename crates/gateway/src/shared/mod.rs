//! What several gateways know together, kept in Redis.
//!
//! Each instance overwrites one expiring key with what it has in flight and reads the others', on a thread of its own; a
//! request never waits for that. What is told goes to the heart ([`Fleet::see`]), which weighs it against its age.
//! Rests and returns of deployments are noted beside it, with deadlines in the server's time.

mod blob;
mod exchange;
mod keys;
mod marks;
mod name;
mod nudge;
mod retry;
mod scripts;
mod status;
pub(crate) mod store;
mod strict;
mod task;
mod usage;
mod wire;

#[cfg(test)]
#[path = "../../tests/redis_kit/mod.rs"]
mod redis_kit;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Instant;

use leastbusy_balance::{DeploymentIndex, Fleet, InstanceId};
use tokio::sync::watch;

use self::blob::Names;
use self::exchange::Exchange;
use self::keys::Keys;
pub use self::name::DeploymentName;
pub use self::nudge::Nudge;
use self::scripts::Scripts;
pub use self::status::{Count, Instance, Snapshot, Status};
use self::store::{Store, StoreError, Target};
use self::strict::Clerk;
pub use self::strict::{Answer, Reservation, Strict, Wanted};
use self::task::Task;
use self::usage::UsageExchange;
use crate::config::{SharedState, SharingMode};

/// Sharing that goes on until it is stopped or dropped.
#[derive(Debug)]
pub struct Sharing {
    status: Arc<Status>,
    nudge: Arc<Nudge>,
    strict: Option<Arc<Strict>>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

/// Why nothing can be shared.
#[derive(Debug, thiserror::Error)]
pub enum NotShared {
    /// What the settings ask for can never work.
    #[error("shared state: {0}")]
    Settings(String),
    /// Redis does not answer, and `shared_state.required` says that it must.
    #[error(
        "shared state: {0}\nRedis is at {1}; without `shared_state.required: true` the gateway would start and go by its own counts"
    )]
    Unreachable(String, String),
    /// A thread or a runtime could not be made.
    #[error("shared state: cannot start: {0}")]
    Io(#[from] io::Error),
}

impl Sharing {
    /// Begins to share a fleet's counts with the other instances of the namespace.
    ///
    /// `start` is the moment from which the fleet's times are counted, `names` are those of its deployments, and `place` is
    /// where this instance listens, for people.
    ///
    /// # Errors
    ///
    /// [`NotShared`] where it can never work, and where Redis is required and does not answer now.
    pub fn start(
        settings: &SharedState,
        (fleet, start): (Arc<Fleet>, Instant),
        names: impl IntoIterator<Item = (DeploymentIndex, DeploymentName)>,
        place: String,
    ) -> Result<Self, NotShared> {
        let keys = Keys::new(&settings.namespace);
        let a_store = || {
            Store::new(Target::new(settings, keys.version()))
                .map_err(|error| NotShared::Settings(error.to_string()))
        };
        let store = a_store()?;
        let me = InstanceId(u128::from(fastrand::u64(..)) << 64 | u128::from(fastrand::u64(..)));
        let status = Arc::new(Status::new(settings, name::written(me), place.clone()));
        let nudge = Arc::new(Nudge::new());
        let (stop, stopped) = watch::channel(false);
        let names: Vec<_> = names.into_iter().collect();
        let shared = Arc::new(settings.clone());
        let (counted, first_counted) = mpsc::sync_channel(1);
        let (clerk, strict) = match settings.mode {
            SharingMode::Counts => (None, None),
            SharingMode::Strict => {
                let (clerk, strict) = Clerk::new(
                    (me, keys.clone(), a_store()?),
                    Arc::clone(&shared),
                    names.iter().copied(),
                    Arc::clone(&status),
                    counted,
                );
                (Some(clerk), Some(strict))
            }
        };
        let names = Names::new(names);
        let task = Task {
            me,
            store,
            usage: UsageExchange::new(me, names.clone()),
            exchange: Exchange::new(me, place, shared, names),
            keys,
            scripts: Scripts::new(),
            fleet,
            start,
            status: Arc::clone(&status),
            nudge: Arc::clone(&nudge),
            next_cpu: Some(Instant::now()),
            failure: None,
        };
        let (first, met) = mpsc::sync_channel(1);
        let thread = Some(task.spawn(clerk, stopped, settings.required.then_some(first))?);
        let sharing = Self { status, nudge, strict, stop, thread };
        if sharing.strict.is_some() {
            // Nobody sends anything: its end is dropped when the instance is counted or cannot be. One that does not
            // know the others yet would take their shares for its own.
            let _ = first_counted.recv_timeout(settings.connect_timeout + 3 * settings.response_timeout);
        }
        if settings.required {
            // Both time limits of the first exchange lie within this wait.
            let met: Result<(), StoreError> =
                met.recv().map_err(|_| NotShared::Io(io::Error::other("its thread has ended")))?;
            met.map_err(|error| NotShared::Unreachable(error.to_string(), settings.redis.to_string()))?;
        }
        Ok(sharing)
    }

    /// How it goes.
    #[must_use]
    pub fn status(&self) -> &Arc<Status> {
        &self.status
    }

    /// Where requests ask for a place in strict mode.
    #[must_use]
    pub fn strict(&self) -> Option<&Arc<Strict>> {
        self.strict.as_ref()
    }

    /// What is to be told of every request that begins or ends.
    #[must_use]
    pub fn nudge(&self) -> &Arc<Nudge> {
        &self.nudge
    }

    /// Withdraws what was told, and returns when that is done or Redis has had its time.
    pub fn stop(mut self) {
        let _ = self.stop.send(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Sharing {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
    }
}
