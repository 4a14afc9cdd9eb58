//! One place in flight, given back when dropped.

use std::sync::Arc;
use std::time::Duration;

use crate::fleet::{Books, DeploymentIndex};
use crate::group::{Core, Counted};
use crate::health::{Report, Role};
use crate::outcome::Outcome;
use crate::pick::{Demand, Pick};
use crate::queue::{Opened, hand_on, wake};
use crate::strategy::Ended;

/// The right to have one request in flight on a deployment.
///
/// The count goes down when the lease ends or is dropped: at the last byte, an error, a cancelled task or a
/// panic alike, and once. A lease cannot be cloned.
#[must_use = "dropping a lease ends it"]
#[derive(Debug)]
pub struct Lease {
    core: Arc<Core>,
    deployment: DeploymentIndex,
    member: usize,
    in_flight: u32,
    started: Duration,
    dice: u64,
    role: Role,
    /// What it is counted to take.
    demand: Demand,
    /// Whether the answer is to be a stream.
    stream: bool,
    /// From the pick to the beginning of the answer.
    first_byte: Option<Duration>,
    /// Whether the place was given back.
    over: bool,
}

/// How a lease ended.
#[derive(Debug, Clone, Copy)]
pub struct Ending {
    /// How the attempt ended.
    pub outcome: Outcome,
    /// False where the client is to blame although the outcome's kind says otherwise: a time limit of its own, or a
    /// model that only it named. Then the deployment's health stays as it is.
    pub counts: bool,
    /// The status of the answer, for [`Cooldown::status`](crate::Cooldown::status).
    pub status: Option<u16>,
    /// Tokens that it took, its prompt's included; 0 where that is not known.
    pub tokens: u32,
    /// Those of them that the answer wrote; 0 where that is not known.
    pub output_tokens: u32,
}

impl From<Outcome> for Ending {
    fn from(outcome: Outcome) -> Self {
        Self { outcome, counts: true, status: None, tokens: 0, output_tokens: 0 }
    }
}

/// The median time of a success in a group that has had none yet.
pub(crate) const TYPICAL: Duration = Duration::from_secs(1);

impl Lease {
    pub(crate) fn new(core: Arc<Core>, counted: Counted, pick: &Pick<'_>) -> Self {
        let Counted { member, in_flight, role, demand } = counted;
        Self {
            demand,
            deployment: core.members[member].deployment,
            core,
            member,
            in_flight,
            started: pick.now,
            dice: pick.dice,
            role,
            stream: pick.stream,
            first_byte: None,
            over: false,
        }
    }

    /// The deployment the request is counted on.
    #[must_use]
    pub fn deployment(&self) -> DeploymentIndex {
        self.deployment
    }

    /// Which of the group's members was picked, as an index into [`Group::members`](crate::Group::members).
    #[must_use]
    pub fn member(&self) -> usize {
        self.member
    }

    /// The level of the member that was picked.
    #[must_use]
    pub fn order(&self) -> i64 {
        self.core.members[self.member].order
    }

    /// The deployment's count right after the pick, this request included.
    #[must_use]
    pub fn in_flight_at_pick(&self) -> u32 {
        self.in_flight
    }

    /// Whether this request shows if a deployment that rested is well again.
    #[must_use]
    pub fn is_probe(&self) -> bool {
        self.role == Role::Probe
    }

    /// Notes that the answer has begun, and well: a probe need not wait for the last byte of a long stream.
    pub fn answered(&mut self, now: Duration) {
        let was_read = self.first_byte.is_some();
        self.first_byte.get_or_insert(now.saturating_sub(self.started));
        // Nearly always there is nothing more to note, and the lock is left alone.
        let is_plain = matches!(self.role, Role::Plain | Role::Proved);
        let has_prompt = 0 < self.demand.prompt && !was_read;
        if is_plain && !has_prompt && self.core.rules.hedge_quantile.is_none() {
            return;
        }
        let mut books = self.core.fleet.lock();
        if has_prompt {
            books.burden_of(self.deployment).was_read(self.demand);
        }
        if let Some(quantile) = self.core.rules.hedge_quantile {
            books.group(self.core.index).first_byte.add(now.saturating_sub(self.started), quantile);
        }
        match self.role {
            Role::Plain | Role::Proved => {}
            Role::Returning => {
                self.role = Role::Plain;
                books.health(self.deployment).answer_began(self.started);
            }
            Role::Probe => {
                self.role = Role::Proved;
                let rules = &self.core.members[self.member].rules;
                books.health(self.deployment).probe_answered(now, rules, self.dice);
            }
        }
    }

    /// Ends the lease and takes in how it ended; when that made the deployment rest, until when. A rest that is only
    /// lengthened is not told again.
    pub fn end(mut self, ending: impl Into<Ending>, now: Duration) -> Option<Duration> {
        let ending = ending.into();
        self.over = true;
        let mut guard = self.core.fleet.lock();
        let books = &mut *guard;
        let in_flight = books.seat(self.deployment).in_flight;
        self.give_back(books);
        if 0 < ending.tokens {
            books.tally(self.deployment).took(ending.tokens, now);
        }
        let well = ending.counts && ending.outcome == Outcome::Success;
        if well {
            let group = books.group(self.core.index);
            group.typical.add(now.saturating_sub(self.started), 0.5);
            group.retries.success(now);
            if 0 < ending.output_tokens {
                group.lengths.add(ending.output_tokens);
            }
        }
        if well && self.core.learns {
            let took = now.saturating_sub(self.started);
            let wrote =
                self.first_byte.filter(|_| self.stream).map_or(took, |first| took.saturating_sub(first));
            books.wrote((self.core.index, self.deployment), wrote, ending.output_tokens, now);
        }
        let group = books.group(self.core.index);
        if !group.strategies.is_empty() {
            let ended = self.ended(&ending, now);
            group.strategies.iter_mut().for_each(|strategy| strategy.ended(&ended));
        }
        let typical = books.group(self.core.index).typical.get().unwrap_or(TYPICAL);
        let report = Report {
            outcome: ending.outcome,
            counts: ending.counts,
            status: ending.status,
            started: self.started,
            now,
            in_flight,
            role: self.role,
            typical,
            rules: &self.core.members[self.member].rules,
            peers: match well {
                true => self.core.no_peers(),
                false => self.core.peers_of(books, self.deployment, now),
            },
            dice: self.dice,
        };
        let rested = books.health(self.deployment).report(&report);
        if !well || self.role != Role::Plain {
            let calm = books.health(self.deployment).settle(now);
            books.set_calm(self.deployment, calm);
        }
        let wakers = hand_on(books, now, Opened::ByLease(self.deployment));
        drop(guard);
        wake(wakers);
        rested
    }

    fn give_back(&self, books: &mut Books) {
        books.give_back(self.deployment);
        if self.demand != Demand::default() {
            books.burden_of(self.deployment).gives_back(self.demand, self.first_byte.is_some());
        }
    }

    /// The end as strategies are told it.
    fn ended(&self, ending: &Ending, now: Duration) -> Ended {
        Ended {
            deployment: self.deployment,
            outcome: ending.outcome,
            counts: ending.counts,
            stream: self.stream,
            first_byte: self.first_byte,
            duration: now.saturating_sub(self.started),
            output_tokens: ending.output_tokens,
            now,
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        let mut books = self.core.fleet.lock();
        self.give_back(&mut books);
        if self.role == Role::Probe {
            books.health(self.deployment).probe_abandoned();
        }
        let wakers = hand_on(&mut books, self.started, Opened::ByLease(self.deployment));
        drop(books);
        wake(wakers);
    }
}
