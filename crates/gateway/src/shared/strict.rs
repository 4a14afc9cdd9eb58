//! Strict mode: a place on a deployment is taken in Redis, for all instances in one step.
//!
//! A request asks for a place on one of several deployments and waits for the answer, for a short time. The thread that
//! shares asks Redis: one round trip for all that have asked meanwhile, and for all places that were given back. There a
//! script takes the place only where the limit leaves one, counted over all instances.
//!
//! Each instance owns what it has taken, under an epoch. Whenever it cannot be sure what Redis has counted for it, it
//! begins a new epoch with all that it has, and what was asked under the old one is refused, however late it arrives. An
//! instance that is gone is found by the others, who take out what it had.
//!
//! Without an answer in time a request goes by this instance's share of the limit.

mod clerk;
mod held;
mod scripts;
mod shares;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use leastbusy_balance::{DeploymentIndex, TieBreak};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout_at;

pub(super) use self::clerk::Clerk;
use self::held::Held;
pub use self::held::Reservation;
use self::scripts::Offer;
use self::shares::Shares;
use super::name::DeploymentName;
use super::status::{Count, Status};

/// Requests that may wait for an answer at a time; those beyond it go by their share at once.
const ASKS_MAX: usize = 1024;
/// The deployments that one request may choose from; of more, the first are asked for. Redis takes 0.6 ms for so many.
const OFFERS_MAX: usize = 1000;

/// Asks for places that all instances share. One for all workers.
#[derive(Debug)]
pub struct Strict {
    held: Arc<Held>,
    /// The deployments' places in `names` and `held`.
    places: HashMap<DeploymentIndex, usize>,
    names: Vec<DeploymentName>,
    asks: mpsc::Sender<Ask>,
    /// Whether Redis answers, and all that was taken is counted there.
    is_open: AtomicBool,
    shares: Mutex<Shares>,
    timeout: Duration,
    status: Arc<Status>,
}

/// A deployment that a request may go to.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// The deployment.
    pub deployment: DeploymentIndex,
    /// Those of a lower class go first, while one of them has a free place.
    pub class: u32,
    /// The most requests in flight through all instances; `None` where there is no bound.
    pub limit: Option<u32>,
    /// Its share of the work; more than 0.
    pub weight: f64,
    /// What counts as busy beside its requests in flight.
    pub extra: f64,
}

/// What became of asking for a place.
#[derive(Debug)]
pub enum Answer {
    /// There is one on the deployment at this place of those that were wanted.
    Reserved(usize, Reservation),
    /// All are at their limits.
    Full,
    /// Nobody has answered in time.
    Silence,
}

/// A request that asks for a place.
#[derive(Debug)]
struct Ask {
    seed: u32,
    offers: Vec<Offer>,
    /// The offers' places in [`Strict::names`].
    places: Vec<usize>,
    /// How long the answer is waited for.
    deadline: Instant,
    reply: oneshot::Sender<Answer>,
}

impl Strict {
    /// A desk that is closed until its clerk opens it, and where the clerk gets the asks.
    fn new(
        names: impl IntoIterator<Item = (DeploymentIndex, DeploymentName)>,
        timeout: Duration,
        status: Arc<Status>,
    ) -> (Arc<Self>, mpsc::Receiver<Ask>) {
        let (indices, names): (Vec<_>, Vec<_>) = names.into_iter().unzip();
        let places = indices.into_iter().enumerate().map(|(at, deployment)| (deployment, at)).collect();
        let (asks, asked) = mpsc::channel(ASKS_MAX);
        let strict = Self {
            held: Held::new(names.len()),
            places,
            names,
            asks,
            is_open: AtomicBool::new(false),
            shares: Mutex::default(),
            timeout,
            status,
        };
        (Arc::new(strict), asked)
    }

    /// When a request that begins to ask now has waited for long enough.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        Instant::now() + self.timeout
    }

    /// Takes a place on the least busy of the deployments that have one, and waits for it until `deadline` at most.
    pub async fn reserve(&self, wanted: &[Wanted], ties: TieBreak, deadline: Instant) -> Answer {
        let answer = self.ask(wanted, ties, deadline).await;
        self.status.add(
            match &answer {
                Answer::Reserved(..) | Answer::Full => Count::Answered,
                Answer::Silence => Count::Unanswered,
            },
            1,
        );
        answer
    }

    async fn ask(&self, wanted: &[Wanted], ties: TieBreak, deadline: Instant) -> Answer {
        if !self.is_open.load(Ordering::Relaxed) {
            return Answer::Silence;
        }
        let wanted = &wanted[..wanted.len().min(OFFERS_MAX)];
        let mut places = Vec::with_capacity(wanted.len());
        let mut offers = Vec::with_capacity(wanted.len());
        for one in wanted {
            let Some(&at) = self.places.get(&one.deployment) else { return Answer::Silence };
            places.push(at);
            offers.push(Offer {
                deployment: self.names[at],
                class: one.class,
                limit: one.limit,
                weight: one.weight,
                extra: one.extra,
            });
        }
        let seed = match ties {
            TieBreak::Random => fastrand::u32(1..1 << 31),
            TieBreak::First => 0,
        };
        let (reply, answered) = oneshot::channel();
        if self.asks.try_send(Ask { seed, offers, places, deadline, reply }).is_err() {
            return Answer::Silence;
        }
        match timeout_at(deadline.into(), answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => Answer::Silence,
        }
    }

    /// The most that this instance may have in flight on a deployment of this limit while nobody answers.
    #[must_use]
    pub fn share(&self, deployment: DeploymentIndex, limit: u32) -> u32 {
        // One whose name is not shared is this instance's alone.
        let Some(&at) = self.places.get(&deployment) else { return limit };
        self.shares().of((at, self.names[at]), limit, Instant::now())
    }

    /// Holds a place that was taken without asking; it is told as soon as somebody listens. `None` where the deployment
    /// is not shared.
    #[must_use]
    pub fn hold(&self, deployment: DeploymentIndex) -> Option<Reservation> {
        self.places.get(&deployment).map(|at| self.held.take_untold(*at))
    }

    // Written in one piece, so that poison says nothing.
    fn shares(&self) -> std::sync::MutexGuard<'_, Shares> {
        self.shares.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
