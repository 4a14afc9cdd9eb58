//! The pick in two halves, for a rule that counts somewhere else: who may be chosen, and a lease on whom it chose.

use std::num::NonZeroU32;

use super::{Group, Member, TieBreak};
use crate::candidate::Surveyed;
use crate::health::Availability;
use crate::lease::Lease;
use crate::pick::{Pick, Refusal};

/// A member that a pick may choose, told to a rule that knows the counts of all instances itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Eligible {
    /// Which of the group's members it is, as an index into [`Group::members`].
    pub member: usize,
    /// Those of a lower class go first, while one of them has a free place. Counted from 0.
    pub class: u32,
    /// The most requests in flight on it; `None` where there is no bound.
    pub limit: Option<NonZeroU32>,
    /// Its share of the work, less what its failures take from it; more than 0.
    pub weight: f64,
    /// What counts as busy beside its requests in flight: attempts that failed a moment ago, requests that came from
    /// elsewhere as its engine told, and what prompts and caches count as ([`BusyBy`](crate::BusyBy)), this request's own
    /// included.
    pub extra: f64,
}

impl Group {
    /// What decides between members that are equally busy.
    #[must_use]
    pub fn tie_break(&self) -> TieBreak {
        self.core.rules.tie_break
    }

    /// The members that a pick may choose, those of a lower class first; of what other instances told only [`GroupRules::cap_of_all`](crate::GroupRules::cap_of_all) counts.
    ///
    /// Nothing is counted. [`Group::pick_exactly`] takes a lease on the one that was chosen.
    ///
    /// # Errors
    ///
    /// [`Refusal`] when there is none.
    pub fn eligible(&self, pick: &Pick<'_>) -> Result<Vec<Eligible>, Refusal> {
        let mut books = self.core.fleet.lock();
        let mut found = Vec::with_capacity(self.members().len());
        let unavailable = self.core.survey(&mut books, pick, &self.core.limits(), |surveyed| {
            let class = surveyed.class();
            let Surveyed { member, phantoms, elsewhere, burden, share, .. } = surveyed;
            let eligible = Eligible {
                member,
                class: 0,
                limit: self.members()[member].limit,
                weight: share,
                extra: f64::from(phantoms) + elsewhere + burden,
            };
            found.push((class, eligible));
        });
        if found.is_empty() {
            let member =
                unavailable.instead(pick).map_err(|refusal| self.core.tell(&mut books, pick, refusal))?;
            let Member { limit, weight, .. } = &self.members()[member];
            return Ok(vec![Eligible { member, class: 0, limit: *limit, weight: weight.get(), extra: 0.0 }]);
        }
        drop(books);
        found.sort_by_key(|(class, _)| *class);
        let mut number = 0;
        let mut before = found[0].0;
        Ok(found
            .into_iter()
            .map(|(class, eligible)| {
                number += u32::from(class != before);
                before = class;
                Eligible { class: number, ..eligible }
            })
            .collect())
    }

    /// Takes a lease on this member; `None` when it cannot be picked any more, because it rests, was tried, or has had all
    /// that its terms allow in a minute.
    ///
    /// Its limit does not count: whoever chose it has counted it.
    ///
    /// # Panics
    ///
    /// If the group has no such member.
    #[must_use]
    pub fn pick_exactly(&self, pick: &Pick<'_>, member: usize) -> Option<Lease> {
        let deployment = self.members()[member].deployment;
        if pick.was_tried(deployment) {
            return None;
        }
        let mut books = self.core.fleet.lock();
        // Nobody else counts minutes: requests that were chosen meanwhile may have taken the rest of this one.
        if books.is_spent(deployment, &self.members()[member].terms, pick.now) {
            return None;
        }
        let health = books.health(deployment);
        let calm = health.settle(pick.now);
        match health.availability(pick.now) {
            Availability::Open | Availability::Ready => books.set_calm(deployment, calm),
            // It was chosen as the last resort.
            Availability::Guarded(_) => {}
            Availability::Closed(_) | Availability::Probed(_) if pick.even_resting => {}
            Availability::Closed(_) | Availability::Probed(_) => return None,
        }
        Some(self.core.lease(&mut books, member, pick))
    }

    /// As [`Group::pick`], past whoever waits, with limits of this moment in place of the members' own: `limit` tells that of a member.
    ///
    /// # Errors
    ///
    /// [`Refusal`] when there is none.
    pub fn pick_within(
        &self,
        pick: &Pick<'_>,
        limit: impl Fn(&Member) -> Option<u32>,
    ) -> Result<Lease, Refusal> {
        let mut books = self.core.fleet.lock();
        let limits = |index: usize| limit(&self.core.members[index]);
        let chosen = match books.others().is_some() {
            true => self.core.least_busy_of_all(&mut books, pick, &limits),
            false => self.core.least_busy_in_trouble(&mut books, pick, &limits),
        };
        let chosen = chosen.map_err(|refusal| self.core.tell(&mut books, pick, refusal))?;
        Ok(self.core.lease(&mut books, chosen, pick))
    }
}
