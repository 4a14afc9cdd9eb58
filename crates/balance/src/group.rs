//! The deployments that may serve one model name, and the pick among them.

use std::fmt;
use std::sync::Arc;

use crate::dice::Dice;
use crate::fleet::{Books, DeploymentIndex, Fleet};
use crate::lease::Lease;
use crate::load::{Weight, load};

/// One deployment as a group sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Member {
    /// The physical deployment, which other groups may share.
    pub deployment: DeploymentIndex,
    /// Its share of this group's work.
    pub weight: Weight,
    /// Its level: members with a higher order are picked only when no member with a lower one can be.
    pub order: i64,
}

impl Member {
    /// A member of the first level.
    #[must_use]
    pub fn new(deployment: DeploymentIndex, weight: Weight) -> Self {
        Self { deployment, weight, order: 0 }
    }
}

/// What decides between members that are equally busy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TieBreak {
    /// Each with the same chance, so that idle deployments share evenly.
    #[default]
    Random,
    /// The one that comes first in the group, as LiteLLM does.
    First,
}

/// What one pick needs to know.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pick<'a> {
    /// Deployments this request was already on; they are left out.
    pub tried: &'a [DeploymentIndex],
    /// A random number, which breaks ties.
    pub dice: u64,
}

/// Why no deployment could be picked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The group has no members.
    Empty,
    /// The request has been on every member.
    AllTried,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the group has no deployments",
            Self::AllTried => "every deployment of the group was tried",
        })
    }
}

impl std::error::Error for Refusal {}

/// Deployments that can answer the same requests.
#[derive(Debug)]
pub struct Group {
    fleet: Arc<Fleet>,
    members: Box<[Member]>,
    tie_break: TieBreak,
}

impl Group {
    pub(crate) fn new(fleet: Arc<Fleet>, members: Vec<Member>, tie_break: TieBreak) -> Self {
        Self { fleet, members: members.into(), tie_break }
    }

    /// The members, in the order they were given.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// Takes a lease on the least busy deployment: chooses and counts under one lock.
    ///
    /// Least busy is the lowest `(in flight + 1) / weight` within the lowest `order` that has an
    /// untried member. N picks on equal idle deployments differ by at most 1, from any number of
    /// threads.
    ///
    /// # Errors
    ///
    /// [`Refusal`] when the group is empty or `tried` holds every member.
    pub fn pick(&self, pick: &Pick<'_>) -> Result<Lease, Refusal> {
        let mut books = self.fleet.lock();
        let Some(chosen) = self.least_busy(&books, pick) else {
            drop(books);
            return Err(if self.members.is_empty() { Refusal::Empty } else { Refusal::AllTried });
        };
        let deployment = self.members[chosen].deployment;
        debug_assert!(!pick.tried.contains(&deployment));
        let in_flight = books.take(deployment);
        drop(books);
        Ok(Lease::new(Arc::clone(&self.fleet), deployment, chosen, in_flight))
    }

    fn least_busy(&self, books: &Books, pick: &Pick<'_>) -> Option<usize> {
        let mut dice = Dice::new(pick.dice);
        let mut chosen = None;
        let (mut level, mut lowest, mut ties) = (i64::MAX, f64::INFINITY, 1);
        for (index, member) in self.members.iter().enumerate() {
            if level < member.order || (!pick.tried.is_empty() && pick.tried.contains(&member.deployment)) {
                continue;
            }
            let load = load(books.in_flight(member.deployment), member.weight);
            // Most members are busier than the best so far. Asking that first, before "less busy" and
            // "as busy", takes a third off a scan of a loaded group (benches/pick.rs).
            if lowest < load && member.order == level {
                continue;
            }
            if chosen.is_none() || member.order < level || load < lowest {
                chosen = Some(index);
                (level, lowest, ties) = (member.order, load, 1);
            } else if self.tie_break == TieBreak::Random {
                // Reservoir sampling: the k-th of the ties takes the place with chance 1/k.
                ties += 1;
                if dice.below(ties) == 0 {
                    chosen = Some(index);
                }
            }
        }
        chosen
    }
}
