//! The pick in strict mode: a place is taken in Redis, for all instances, before the lease on it.

use std::num::NonZeroU32;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use leastbusy_balance::{Eligible, Group, Lease, Pick, Refusal};

use super::dispatch::Router;
use super::model_group::ModelGroup;
use super::observer::QueueEnd;
use super::once::BUSY_WAIT;
use super::queue::{Patience, Stay};
use super::table::Route;
use crate::shared::{Answer, Reservation, Strict, Wanted};

/// The shortest pause before one of a few that wait asks again; up to as much is added, so that those who wait do not ask
/// together.
const ASK_AGAIN: Duration = Duration::from_millis(25);

/// The longest such pause, without what is added.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

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
        let table = self.table();
        let group = &table.groups()[route.group];
        let now = || table.since_start(Instant::now());
        let mut stay = Stay::begin(table, route.group, Instant::now());
        let Some(asking) = Asking::begin(group, now()) else {
            stay.ends(Some(QueueEnd::Refused));
            let wait = group.expected_wait(table.fleet(), now());
            return Err(Refusal::QueueFull { wait: wait.max(BUSY_WAIT) });
        };
        let until = table.since_start(patience.until);
        let mut has_waited = false;
        loop {
            let taken = self.take(strict, route, pick).await;
            let may_come = match taken {
                Err(Refusal::AllFull) => now() < until,
                Err(Refusal::AllSpent { soonest }) => soonest.max(now()) < until,
                _ => false,
            };
            if may_come {
                has_waited = true;
                let pause = asking.pause().mul_f64(1.0 + fastrand::f64());
                tokio::time::sleep_until(patience.until.min(Instant::now() + pause).into()).await;
                continue;
            }
            if has_waited && taken.is_ok() {
                asking.has_a_place(now());
            }
            stay.ends(match taken {
                Err(Refusal::AllFull) if !has_waited => Some(QueueEnd::Refused),
                _ if !has_waited => None,
                Ok(_) => Some(QueueEnd::Served),
                Err(Refusal::AllFull | Refusal::AllSpent { .. }) if until <= now() => {
                    Some(QueueEnd::TimedOut)
                }
                Err(_) => Some(QueueEnd::Unavailable),
            });
            return taken;
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
struct Asking<'a>(&'a ModelGroup);

impl<'a> Asking<'a> {
    /// `None` when as many wait as may.
    fn begin(group: &'a ModelGroup, now: Duration) -> Option<Self> {
        let one_more = |waiting| (waiting < group.queue_most).then_some(waiting + 1);
        let before = group.asking.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok()?;
        if before == 0 {
            group.pace.begins(now);
        }
        Some(Self(group))
    }

    /// The shortest time before it asks again: the more wait, the less often each does, or they would keep Redis from the
    /// rest.
    fn pause(&self) -> Duration {
        let asking = self.0.asking.load(Ordering::Relaxed);
        ASK_AGAIN.saturating_mul((asking / 4).max(1)).min(LONGEST_PAUSE)
    }

    /// Its wait is over.
    fn has_a_place(&self, now: Duration) {
        self.0.pace.came(now);
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.asking.fetch_sub(1, Ordering::Relaxed);
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
