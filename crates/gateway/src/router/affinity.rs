//! Who served requests like this one: those of its session, of its user, or with a prompt that begins alike.
//!
//! The memory is this process's own, shared by its workers. It holds hashes under a seed that is drawn at the start,
//! so no prompt, user or session can be read from it, nor from a dump of it on another machine.

mod memory;

use std::sync::Arc;
use std::time::{Duration, Instant};

use leastbusy_balance::{DeploymentIndex, Group, Lease, Member, Pick, Preference, Standing};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use self::memory::Memory;
use super::observer::AffinityResult;
use super::table::{Route, Table};
use crate::config;
use crate::openai::{Beginning, Pieces, Prompt, beginnings};

/// The rules of affinity, and what is remembered for them.
#[derive(Debug)]
pub(super) struct Affinity {
    asked: config::Affinity,
    seed: u64,
    memory: Memory,
}

/// What requests can have in common.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Traits<'a> {
    pub(super) session: Option<&'a str>,
    pub(super) user: Option<&'a str>,
    /// The body, and where in it the prompt stands.
    pub(super) prompt: Option<(&'a Pieces, &'a Prompt)>,
}

/// The traits of one request as hashes: what says most comes first.
#[derive(Debug)]
pub(super) struct Marks(Box<[Mark]>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    hash: u64,
    /// Whether it is learned, or only looked up.
    is_learned: bool,
}

/// What the memory says of a request that goes to one model group.
#[derive(Debug, Clone)]
pub(super) struct Recalled {
    /// Who served last what has most in common with it.
    pub(super) served: Option<DeploymentIndex>,
    bound: f64,
    /// Under which keys whoever serves is to be remembered.
    pub(super) keys: Arc<[u64]>,
}

/// Who served last what has most in common with a request, as a pick for it sees that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// Nobody wants to know, or nothing of the request is like others.
    NotAsked,
    Nobody,
    /// One that the pick leaves out.
    LeftOut,
    /// One that may be picked.
    Member {
        deployment: DeploymentIndex,
        order: i64,
    },
}

/// Makes hashes of different things differ.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Session,
    User,
    Prompt,
    Place,
}

impl Affinity {
    /// `None` where no requests belong together.
    pub(super) fn new(asked: config::Affinity) -> Option<Self> {
        asked.is_on().then(|| Self { asked, seed: fastrand::u64(..), memory: Memory::new(asked.ttl) })
    }

    /// What counts of a request's traits; `None` where that is nothing.
    pub(super) fn marks(&self, traits: Traits<'_>) -> Option<Marks> {
        let text = |is_on: bool, kind, text: Option<&str>| {
            let hash = xxh3_64_with_seed(text.filter(|_| is_on)?.as_bytes(), self.seed_of(kind));
            Some(Mark { hash, is_learned: true })
        };
        let session = text(self.asked.session, Kind::Session, traits.session);
        let user = text(self.asked.user, Kind::User, traits.user);
        let mut marks: Vec<_> = session.into_iter().chain(user).collect();
        if let Some((body, prompt)) = traits.prompt.filter(|_| self.asked.prefix) {
            let found = beginnings(body, prompt, self.seed_of(Kind::Prompt));
            marks.extend(found.into_iter().map(|Beginning { hash, is_learned }| Mark { hash, is_learned }));
        }
        (!marks.is_empty()).then(|| Marks(marks.into()))
    }

    /// Who served last what has most in common with a request, in the group that a route leads to.
    pub(super) fn recall(&self, marks: &Marks, route: &Route<'_>, now: Duration) -> Recalled {
        // What serves one model has read nothing for another.
        let group = xxh3_64_with_seed(&route.group.to_ne_bytes(), self.seed_of(Kind::Place));
        let place =
            route.captures.iter().fold(group, |seed, model| xxh3_64_with_seed(model.as_bytes(), seed));
        let served = marks.0.iter().find_map(|mark| self.memory.recall(mark.hash ^ place, now));
        let keys = marks.0.iter().filter(|mark| mark.is_learned).map(|mark| mark.hash ^ place).collect();
        Recalled { served, bound: self.asked.bound, keys }
    }

    /// A deployment has served what has these keys, and has it in its cache.
    pub(super) fn learn(&self, keys: &[u64], deployment: DeploymentIndex, now: Duration) {
        for key in keys {
            self.memory.learn(*key, deployment, now);
        }
    }

    fn seed_of(&self, kind: Kind) -> u64 {
        self.seed.wrapping_add(kind as u64)
    }
}

impl Recalled {
    /// Where it should go.
    pub(super) fn preference(&self) -> Option<Preference> {
        self.served.map(|deployment| Preference { deployment, bound: self.bound })
    }

    /// The same as a pick among this group sees it.
    pub(super) fn known(&self, pick: &Pick<'_>, group: &Group) -> Known {
        let Some(deployment) = self.served else { return Known::Nobody };
        let may_be_picked = |(at, member): &(usize, &Member)| {
            member.deployment == deployment
                && pick.among.is_none_or(|among| among.get(*at).is_none_or(|is_among| *is_among))
                && pick.above_order.is_none_or(|above| above < member.order)
                && !pick.tried.contains(&deployment)
        };
        let members = group.members().iter().enumerate().filter(may_be_picked);
        match members.map(|(_, member)| member.order).min() {
            Some(order) => Known::Member { deployment, order },
            None => Known::LeftOut,
        }
    }
}

impl Known {
    /// What became of it when the request went where this lease is.
    pub(super) fn result(self, lease: &Lease, table: &Table, now: Instant) -> Option<AffinityResult> {
        let known = match self {
            Self::NotAsked => return None,
            Self::Nobody => return Some(AffinityResult::Unknown),
            Self::LeftOut => return Some(AffinityResult::Unavailable),
            Self::Member { deployment, .. } if deployment == lease.deployment() => {
                return Some(AffinityResult::Hit);
            }
            // Whoever could serve of a lower order goes first.
            Self::Member { order, .. } if lease.order() < order => return Some(AffinityResult::Unavailable),
            Self::Member { deployment, .. } => deployment,
        };
        Some(match table.fleet().condition(known, table.since_start(now)).standing {
            Standing::CoolingDown | Standing::Probing => AffinityResult::Unavailable,
            Standing::Available | Standing::Ramping | Standing::Full => AffinityResult::TooBusy,
        })
    }
}

#[cfg(test)]
mod tests;
