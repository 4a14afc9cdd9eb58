//! A choice of one's own: who may be picked, for a rule that is not least busy.

use std::mem;

use crate::fleet::{Books, DeploymentIndex};
use crate::group::{Core, Group};
use crate::lease::Lease;
use crate::pick::{Pick, Refusal};
use crate::strategy::Terms;
use crate::usage::Usage;

/// A member that a pick may choose.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// Which of the group's members it is, as an index into [`Group::members`].
    pub member: usize,
    /// Its deployment.
    pub deployment: DeploymentIndex,
    /// Its level.
    pub order: i64,
    /// Requests in flight on it, through whatever group of this instance; [`Fleet::in_flight_total`](crate::Fleet::in_flight_total)
    /// has those of the others as well.
    pub in_flight: u32,
    /// Its share of the group's work.
    pub weight: f64,
    /// Whether it has as many requests as it can take, as was learned from its answers, while it comes back, or by
    /// its limit and what other instances told.
    pub is_full: bool,
    /// What least busy goes by without other instances: `(busy + 1) / weight`, or what is known of the capacities, with what
    /// prompts and caches count as ([`BusyBy`](crate::BusyBy)), this request's own included, added to `busy`. Lower is better.
    pub load: f64,
    /// Requests in flight on it, those that failed a moment ago and still count, and those that came from elsewhere as
    /// its engine told. Without prompts and caches: 0 means that it has nothing to do.
    pub busy: f64,
    /// What its provider grants and asks.
    pub terms: Terms,
    /// What it was asked for in the last minute, through all instances as far as they told.
    pub usage: Usage,
}

/// A member that may be picked, and what its load was made of.
pub(crate) struct Surveyed {
    pub(crate) member: usize,
    pub(crate) order: i64,
    pub(crate) in_flight: u32,
    /// Whether it is full, what the other instances and the engine told left out.
    pub(crate) is_full: bool,
    pub(crate) load: f64,
    /// Failed requests of this instance that still count.
    pub(crate) phantoms: u32,
    /// Requests of other instances, as they told.
    pub(crate) others: u32,
    /// Requests that came past all instances, as far as the engine told of them.
    pub(crate) elsewhere: f64,
    /// Requests that its prompts and its cache count as, with this request on it.
    pub(crate) burden: f64,
    /// Its weight, or what its places do, as far as its answers are good.
    pub(crate) share: f64,
    /// Whether it has reached its limit, what the other instances and the engine told included.
    pub(crate) seems_full: bool,
}

impl Surveyed {
    /// Requests of this instance, with failed ones that still count, and those that came from elsewhere.
    pub(crate) fn busy(&self) -> f64 {
        f64::from(self.in_flight) + f64::from(self.phantoms) + self.elsewhere
    }

    /// Who is picked first: the lowest level, and on it whoever has a free place.
    pub(crate) fn class(&self) -> (i64, bool) {
        (self.order, self.is_full)
    }

    /// The same for a pick that goes by what the other instances and the engines told.
    pub(crate) fn class_as_told(&self) -> (i64, bool) {
        (self.order, self.is_full || self.seems_full)
    }
}

impl Group {
    /// Takes a lease on the candidate that `choose` names: shows, chooses and counts under one lock.
    ///
    /// It goes past whoever waits for a place. The rules of [`Group::pick`] hold for who is a candidate: untried, not resting, below its limit, of the lowest order, and
    /// with a free place if anybody has one. `choose` gets at least one of them, in the members' order, and
    /// returns a place in what it got.
    ///
    /// ```
    /// use leastbusy_balance::{Fleet, Member, Pick, TieBreak, Weight};
    ///
    /// let fleet = Fleet::new();
    /// let members = (0..3).map(|_| Member::new(fleet.deploy(), Weight::ONE)).collect();
    /// let group = fleet.group(members, TieBreak::Random);
    /// let lease = group.pick_by(&Pick::default(), |candidates| candidates.len() - 1).unwrap();
    /// assert_eq!(lease.member(), 2);
    /// ```
    ///
    /// # Errors
    ///
    /// [`Refusal`] when there is no candidate.
    ///
    /// # Panics
    ///
    /// If `choose` returns a place that is not there. It runs under the fleet's lock: it must not pick, ask the fleet or
    /// drop a lease, which would wait for itself for ever.
    pub fn pick_by(
        &self,
        pick: &Pick<'_>,
        choose: impl FnOnce(&[Candidate]) -> usize,
    ) -> Result<Lease, Refusal> {
        let mut books = self.core.fleet.lock();
        let chosen = self.core.choose_among(&mut books, pick, |_, candidates| choose(candidates));
        let chosen = chosen.map_err(|refusal| self.core.tell(&mut books, pick, refusal))?;
        Ok(self.core.lease(&mut books, chosen, pick))
    }
}

impl Core {
    /// Shows the candidates and lets one be chosen.
    pub(crate) fn choose_among(
        &self,
        books: &mut Books,
        pick: &Pick<'_>,
        choose: impl FnOnce(&mut Books, &[Candidate]) -> usize,
    ) -> Result<usize, Refusal> {
        let mut candidates = mem::take(&mut books.candidates);
        candidates.clear();
        let mut best = (i64::MAX, true);
        let unavailable = self.survey(books, pick, &self.limits(), |surveyed| {
            let class = surveyed.class_as_told();
            if class < best {
                best = class;
                candidates.clear();
            }
            if class == best {
                candidates.push(self.candidate(&surveyed));
            }
        });
        let chosen = match candidates.is_empty() {
            true => unavailable.instead(pick),
            false => {
                for candidate in &mut candidates {
                    candidate.usage = books.tally(candidate.deployment).usage(pick.now);
                }
                Ok(candidates[choose(books, &candidates)].member)
            }
        };
        books.candidates = candidates;
        chosen
    }

    /// All but its usage, for which the books are asked once the survey is over.
    fn candidate(&self, surveyed: &Surveyed) -> Candidate {
        let member = &self.members[surveyed.member];
        Candidate {
            member: surveyed.member,
            deployment: member.deployment,
            order: surveyed.order,
            in_flight: surveyed.in_flight,
            weight: member.weight.get(),
            is_full: surveyed.class_as_told().1,
            load: surveyed.load,
            busy: surveyed.busy(),
            terms: *member.terms,
            usage: Usage::default(),
        }
    }
}
