//! The pick in strict mode: a place is taken in Redis, for all instances, before the lease on it.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use leastbusy_balance::{Eligible, Group, Lease, Pick, Refusal};

use super::dispatch::Router;
use super::observer::QueueEnd;
use super::once::BUSY_WAIT;
use super::queue::{Patience, Stay};
use super::table::Route;
use crate::shared::{Answer, Reservation, Strict, Wanted};

/// The shortest pause before one that waits asks again; up to as much is added, so that those who wait do not ask together.
const ASK_AGAIN: Duration = Duration::from_millis(25);

/// How often a place is asked for, when what was chosen has meanwhile come to rest.
const ASKS: usize = 2;

/// A lease, when it was taken, and the place that goes back with it.
pub(super) type Taken = ((Lease, Instant), Option<Reservation>);

impl Router {
    /// The same, where the request may wait for a place: it asks again and again, because places of all instances come
    /// free in Redis, where nobody knows who waits.
    pub(super) async fn take_or_wait(
        &self,
        strict: &Strict,
        route: &Route<'_>,
        pick: Pick<'_>,
        patience: Patience,
    ) -> Result<Taken, Refusal> {
        let group = &self.table().groups()[route.group];
        let mut stay = Stay::begin(self.table(), route.group, Instant::now());
        let Some(_asking) = Asking::begin(&group.asking, group.queue_most) else {
            stay.ends(Some(QueueEnd::Refused));
            let now = self.table().since_start(Instant::now());
            return Err(Refusal::QueueFull { wait: group.group.expected_wait(now).max(BUSY_WAIT) });
        };
        loop {
            match self.take(strict, route, pick).await {
                Err(Refusal::AllFull) if Instant::now() < patience.until => {
                    let pause = ASK_AGAIN.mul_f64(1.0 + fastrand::f64());
                    tokio::time::sleep_until(patience.until.min(Instant::now() + pause).into()).await;
                }
                taken => {
                    stay.ends(match taken {
                        Ok(_) => Some(QueueEnd::Served),
                        Err(Refusal::AllFull) => Some(QueueEnd::TimedOut),
                        Err(_) => None,
                    });
                    return taken;
                }
            }
        }
    }

    /// Takes a lease for a request, and a place that all instances count.
    pub(super) async fn take(
        &self,
        strict: &Strict,
        route: &Route<'_>,
        pick: Pick<'_>,
    ) -> Result<Taken, Refusal> {
        // A strategy other than least busy goes by counts of this instance, which are not what binds here.
        let group = self.table().counting(route, None);
        let deadline = strict.deadline();
        let now = |pick| {
            let now = Instant::now();
            (now, Pick { dice: fastrand::u64(..), now: self.table().since_start(now), ..pick })
        };
        for _ in 0..ASKS {
            let eligible = group.eligible(&now(pick).1)?;
            let wanted: Vec<_> = eligible.iter().map(|one| wanted(&group, one)).collect();
            let (place, reservation) = match strict.reserve(&wanted, group.tie_break(), deadline).await {
                Answer::Reserved(place, reservation) => (place, reservation),
                Answer::Full => return Err(Refusal::AllFull),
                Answer::Silence => break,
            };
            let (now, pick) = now(pick);
            if let Some(lease) = group.pick_exactly(&pick, eligible[place].member) {
                return Ok(((lease, now), Some(reservation)));
            }
        }
        let (now, pick) = now(pick);
        let lease = group.pick_within(&pick, |member| {
            member.limit.map(|limit| strict.share(member.deployment, limit.get()))
        })?;
        let reservation = strict.hold(lease.deployment());
        Ok(((lease, now), reservation))
    }
}

/// One that waits in strict mode, counted for as long as it does.
struct Asking<'a>(&'a AtomicU32);

impl<'a> Asking<'a> {
    /// `None` when `most` wait already.
    fn begin(waiting: &'a AtomicU32, most: u32) -> Option<Self> {
        let one_more = |waiting| (waiting < most).then_some(waiting + 1);
        waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok().map(|_| Self(waiting))
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn wanted(group: &Group, eligible: &Eligible) -> Wanted {
    Wanted {
        deployment: group.members()[eligible.member].deployment,
        class: eligible.class,
        limit: eligible.limit.map(NonZeroU32::get),
        weight: eligible.weight,
        extra: eligible.extra,
    }
}
