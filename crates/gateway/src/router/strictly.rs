//! The pick in strict mode: a place is taken in Redis, for all instances, before the lease on it.

use std::num::NonZeroU32;
use std::time::Instant;

use leastbusy_balance::{Eligible, Group, Lease, Pick, Refusal};

use super::dispatch::Router;
use super::table::Route;
use crate::shared::{Answer, Reservation, Strict, Wanted};

/// How often a place is asked for, when what was chosen has meanwhile come to rest.
const ASKS: usize = 2;

/// A lease, when it was taken, and the place that goes back with it.
pub(super) type Taken = ((Lease, Instant), Option<Reservation>);

impl Router {
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

fn wanted(group: &Group, eligible: &Eligible) -> Wanted {
    Wanted {
        deployment: group.members()[eligible.member].deployment,
        class: eligible.class,
        limit: eligible.limit.map(NonZeroU32::get),
        weight: eligible.weight,
        extra: eligible.extra,
    }
}
