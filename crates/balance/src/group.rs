//! The deployments that may serve one model name, and the pick among them.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use crate::budget::RetryBudget;
use crate::burden::{BusyBy, Room, Scale};
use crate::dice::Dice;
use crate::fleet::{Books, DeploymentIndex, Fleet};
use crate::health::{HealthRules, Role};
use crate::lease::{Lease, TYPICAL};
use crate::load::{Capacity, Weight, load, load_by_speed};
use crate::pick::{Demand, Pick, Refusal};
use crate::queue::{Opened, hand_on, wake};
use crate::strategy::{Strategy, Terms};

mod by_strategy;
mod exactly;
mod preferred;
mod shared;
mod survey;
mod unavailable;
mod usual;

pub use exactly::Eligible;

pub(crate) use unavailable::Unavailable;

/// One deployment as a group sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// The physical deployment, which other groups may share.
    pub deployment: DeploymentIndex,
    /// Its share of this group's work.
    pub weight: Weight,
    /// Its level: members with a higher order are picked only when no member with a lower one can be.
    pub order: i64,
    /// When it is rested, for requests of this group.
    pub rules: Arc<HealthRules>,
    /// What it can do at once, as far as that is known; it decides where all members' is.
    pub capacity: Option<Capacity>,
    /// The most requests in flight on the deployment, through whatever group; `None` where there is no bound.
    pub limit: Option<NonZeroU32>,
    /// What its provider grants in a minute, and asks.
    pub terms: Arc<Terms>,
    /// What its engine can hold, where least busy goes by that.
    pub room: Room,
}

impl Member {
    /// A member of the first level, by the usual rules, whose capacity and terms are not known and which has no limit.
    #[must_use]
    pub fn new(deployment: DeploymentIndex, weight: Weight) -> Self {
        Self {
            deployment,
            weight,
            order: 0,
            rules: Arc::default(),
            capacity: None,
            limit: None,
            terms: Arc::default(),
            room: Room::default(),
        }
    }

    fn is_at_limit(&self, in_flight: u32) -> bool {
        self.limit.is_some_and(|limit| limit.get() <= in_flight)
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

/// The rules of a group as a whole.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct GroupRules {
    /// How a pick chooses.
    pub strategy: Strategy,
    /// What makes a member busy beside its requests in flight.
    pub busy_by: BusyBy,
    /// Whether the speed of members is measured where it is not given ([`Member::capacity`]), by the time that answers take
    /// for each token. The places of all must be known ([`Room::places`]).
    pub learn_speeds: bool,
    /// What decides between members that are equally busy.
    pub tie_break: TieBreak,
    /// How many retries the group's requests may have together.
    pub retry_budget: RetryBudget,
    /// The share of first bytes, between 0 and 1, that come before a second attempt is worth while; `None`
    /// where nobody asks.
    pub hedge_quantile: Option<f64>,
    /// How many times its limit the requests of all instances on a member may be, as far as the others told, before this
    /// instance holds its own back; more than 0. Of the places that one view leaves below it each instance takes its part, at least
    /// one. `None` where only the requests of this instance are limited.
    pub cap_of_all: Option<f64>,
}

impl From<Strategy> for GroupRules {
    fn from(strategy: Strategy) -> Self {
        Self { strategy, ..Self::default() }
    }
}

impl From<TieBreak> for GroupRules {
    fn from(tie_break: TieBreak) -> Self {
        Self { tie_break, ..Self::default() }
    }
}

/// Deployments that can answer the same requests.
#[derive(Debug, Clone)]
pub struct Group {
    pub(crate) core: Arc<Core>,
}

#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) fleet: Arc<Fleet>,
    /// Its place among the fleet's groups.
    pub(crate) index: usize,
    pub(crate) members: Box<[Member]>,
    /// What each member can do at once, where that is known of all: one unknown speed cannot be compared.
    capacities: Option<Box<[Capacity]>>,
    /// Whether the speeds in `capacities` are to be learned.
    pub(crate) learns: bool,
    /// Whether any member has a limit.
    is_limited: bool,
    /// Whether any member has a limit by the minute.
    is_metered: bool,
    /// How the members' burdens count; `None` where they do not.
    pub(crate) scales: Option<Box<[Scale]>>,
    pub(crate) rules: GroupRules,
    /// The strategy's place in the group's book; `None` for least busy.
    strategy: Option<usize>,
}

impl Group {
    pub(crate) fn new(
        (fleet, index): (Arc<Fleet>, usize),
        members: Vec<Member>,
        rules: GroupRules,
        strategy: Option<usize>,
    ) -> Self {
        let known: Option<Box<[Capacity]>> = members.iter().map(|member| member.capacity).collect();
        // To be learned are speeds; places must be known.
        let places = |member: &Member| Capacity::new(member.room.places?.get(), 1.0);
        let learned: Option<Box<[Capacity]>> = match known.is_none() && rules.learn_speeds {
            true => members.iter().map(places).collect(),
            false => None,
        };
        let learns = learned.is_some();
        let capacities = known.or(learned);
        let is_limited = members.iter().any(|member| member.limit.is_some());
        let is_metered = members.iter().any(|member| member.terms.has_limit());
        let scale = |member: &Member| Scale::new(rules.busy_by, &member.room);
        let scales = (rules.busy_by != BusyBy::default()).then(|| members.iter().map(scale).collect());
        let members = members.into();
        let core = Core {
            fleet,
            index,
            members,
            capacities,
            learns,
            is_limited,
            is_metered,
            scales,
            rules,
            strategy,
        };
        Self { core: Arc::new(core) }
    }

    /// This group with other members: what was learned of it, and its retry budget, are shared.
    ///
    /// # Panics
    ///
    /// If a member is not a deployment of the group's fleet.
    #[must_use]
    pub fn with_members(&self, members: Vec<Member>) -> Self {
        self.core.fleet.lock().expect_all(&members);
        self.with(members, self.core.rules, self.core.strategy)
    }

    pub(crate) fn with(&self, members: Vec<Member>, rules: GroupRules, strategy: Option<usize>) -> Self {
        Self::new((Arc::clone(&self.core.fleet), self.core.index), members, rules, strategy)
    }

    /// The members, in the order they were given.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.core.members
    }

    /// Takes a lease on the least busy deployment, or on whom the group's strategy chooses: chooses and counts under one
    /// lock.
    ///
    /// Among the members that can be picked (untried, not resting, below their limit) of the lowest `order`, those with a free place
    /// go first, then the lowest `(in flight + 1) / weight`. N picks on equal idle deployments differ by at
    /// most 1, from any number of threads. Attempts that failed fast still count in the score for a while, a low
    /// success rate lowers the weight, and a deployment that comes back has few places first (see [`Fleet`]).
    ///
    /// Where the capacity of all members is known, the score is another one: a free place on the fastest goes
    /// first, and when there is none, the place that will be free soonest (see [`Capacity`]).
    ///
    /// Where other instances send requests to the same deployments, what they told decides as well (see
    /// [`Fleet::see`]). There a limit binds each instance's own requests; a deployment that has reached it through all
    /// of them goes after those that have not, and is full from [`GroupRules::cap_of_all`] times the limit on: the others'
    /// counts are a little old, and a cap at the limit itself would leave places empty. Requests that came from elsewhere,
    /// where an engine told of them (see [`Fleet::see_engine`]), only make a deployment go after the others.
    ///
    /// Another [`Strategy`] chooses among the same members, by this instance's counts.
    ///
    /// Requests that wait for a place ([`Group::pick_or_queue`]) are served before.
    ///
    /// # Errors
    ///
    /// [`Refusal`] when there is none.
    ///
    /// # Panics
    ///
    /// If a [`Choose`](crate::Choose) of one's own returns a place that is not there.
    pub fn pick(&self, pick: &Pick<'_>) -> Result<Lease, Refusal> {
        let mut books = self.core.fleet.lock();
        // Who waits for a place goes before who asks in passing.
        let wakers = hand_on(&mut books, pick.now, Opened::ByTime(self.core.index));
        let found = self.core.choose(&mut books, pick);
        let lease = match found {
            Ok(chosen) => Ok(self.core.lease(&mut books, chosen, pick)),
            Err(refusal) => Err(self.core.tell(&mut books, pick, refusal)),
        };
        drop(books);
        wake(wakers);
        lease
    }

    /// Whether one more retry is within the group's budget; if so, it is taken.
    #[must_use]
    pub fn may_retry(&self, now: Duration) -> bool {
        self.core.fleet.lock().group(self.core.index).retries.try_retry(now)
    }

    /// The median time of the group's successes; 1 s where it has had none.
    #[must_use]
    pub fn usual_answer(&self) -> Duration {
        self.core.fleet.lock().group(self.core.index).typical.get().unwrap_or(TYPICAL)
    }

    /// The time to a first byte below which the group's `hedge_quantile` of answers lie, as far as it is known.
    #[must_use]
    pub fn slow_first_byte(&self) -> Option<Duration> {
        self.core.fleet.lock().group(self.core.index).first_byte.get()
    }
}

/// A request that was counted on a member, and whose lease is still to be made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counted {
    pub(crate) member: usize,
    /// The new count.
    pub(crate) in_flight: u32,
    /// What the request is to the deployment's health.
    pub(crate) role: Role,
    /// What it was counted to take.
    pub(crate) demand: Demand,
}

/// What a look over the members found.
enum Look {
    Chosen(usize),
    Nobody,
    /// Some member may not be told by its count alone.
    Troubled,
}

/// The best member so far.
struct Best<'a> {
    chosen: Option<usize>,
    level: i64,
    is_full: bool,
    load: f64,
    ties: u32,
    dice: Dice,
    tie_break: &'a TieBreak,
}

impl Best<'_> {
    fn see(&mut self, index: usize, level: i64, is_full: bool, load: f64) {
        let (known, new) = ((self.level, self.is_full), (level, is_full));
        if self.chosen.is_none() || new < known || (new == known && load < self.load) {
            (self.chosen, self.ties) = (Some(index), 1);
            (self.level, self.is_full, self.load) = (level, is_full, load);
        } else if new == known && load == self.load && *self.tie_break == TieBreak::Random {
            // Reservoir sampling: the k-th of the ties takes the place with chance 1/k.
            self.ties += 1;
            if self.dice.below(self.ties) == 0 {
                self.chosen = Some(index);
            }
        }
    }
}

impl Core {
    /// Whom a pick goes to.
    pub(crate) fn choose(&self, books: &mut Books, pick: &Pick<'_>) -> Result<usize, Refusal> {
        if let Some(preferred) = self.preferred(books, pick) {
            return Ok(preferred);
        }
        if let Some(strategy) = self.strategy {
            return self.choose_by_strategy(books, pick, strategy);
        }
        if books.others().is_some() {
            return self.least_busy_of_all(books, pick, &self.limits());
        }
        // Seldom more than counts, weights and levels are to be looked at; then the quick look over them is enough.
        let is_more =
            self.is_metered || self.learns || self.scales.is_some() || books.hears_of_elsewhere(pick.now);
        let look = match is_more {
            true => Look::Troubled,
            false => self.least_busy(books, pick),
        };
        match look {
            Look::Chosen(chosen) => Ok(chosen),
            Look::Nobody => Err(self.refusal(books, pick)),
            Look::Troubled => self.least_busy_in_trouble(books, pick, &self.limits()),
        }
    }

    /// Whether a pick could go to somebody, and if not, why; nothing is chosen.
    pub(crate) fn may_choose(&self, books: &mut Books, pick: &Pick<'_>) -> Result<(), Refusal> {
        let mut is_anybody = false;
        let unavailable = self.survey(books, pick, &self.limits(), |_| is_anybody = true);
        if is_anybody { Ok(()) } else { unavailable.instead(pick).map(|_| ()) }
    }

    /// Counts a request on the member that was chosen, and hands out its lease.
    pub(crate) fn lease(self: &Arc<Self>, books: &mut Books, chosen: usize, pick: &Pick<'_>) -> Lease {
        let counted = self.count(books, chosen, pick);
        Lease::new(Arc::clone(self), counted, pick)
    }

    /// Counts a request on the member that was chosen.
    pub(crate) fn count(&self, books: &mut Books, member: usize, pick: &Pick<'_>) -> Counted {
        let deployment = self.members[member].deployment;
        debug_assert!(!pick.tried.contains(&deployment));
        let demand = match pick.demand == Demand::default() {
            true => pick.demand,
            false => books.group(self.index).lengths.expected(pick.demand),
        };
        let in_flight = books.take(deployment, demand, pick.now);
        let role = match books.seat(deployment).calm {
            true => Role::Plain,
            false => books.health(deployment).picked(pick.now, pick.even_resting),
        };
        Counted { member, in_flight, role, demand }
    }

    fn best(&self, pick: &Pick<'_>) -> Best<'_> {
        Best {
            chosen: None,
            level: i64::MAX,
            is_full: true,
            load: f64::INFINITY,
            ties: 1,
            dice: Dice::new(pick.dice),
            tie_break: &self.rules.tie_break,
        }
    }

    /// The pick while nothing has failed lately: counts, weights or capacities, and levels are all there is.
    fn least_busy(&self, books: &Books, pick: &Pick<'_>) -> Look {
        let by_weight = |index: usize, busy| load(busy, self.members[index].weight.get());
        let at_limit = |index: usize, in_flight| self.members[index].is_at_limit(in_flight);
        // Groups without limits, which are most, do not look for one at each member.
        match (&self.capacities, self.is_limited) {
            (None, false) => self.scan(books, pick, by_weight, |_, _| false),
            (None, true) => self.scan(books, pick, by_weight, at_limit),
            (Some(all), _) => self.scan(
                books,
                pick,
                |index, busy| load_by_speed(busy, all[index].places().into(), all[index].speed()),
                at_limit,
            ),
        }
    }

    fn scan(
        &self,
        books: &Books,
        pick: &Pick<'_>,
        load: impl Fn(usize, f64) -> f64,
        is_at_limit: impl Fn(usize, u32) -> bool,
    ) -> Look {
        let mut best = self.best(pick);
        for (index, member) in self.members.iter().enumerate() {
            let seat = books.seat(member.deployment);
            if !seat.calm {
                return Look::Troubled;
            }
            if best.level < member.order
                || !pick.allows(index, member.order)
                || pick.was_tried(member.deployment)
                || is_at_limit(index, seat.in_flight)
            {
                continue;
            }
            let load = load(index, f64::from(seat.in_flight));
            // Most members are busier than the best so far. Asking that first, before "less busy" and
            // "as busy", takes a third off a scan of a loaded group (benches/pick.rs).
            if best.load < load && member.order == best.level {
                continue;
            }
            best.see(index, member.order, false, load);
        }
        best.chosen.map_or(Look::Nobody, Look::Chosen)
    }

    /// The pick while some members rest, come back, have failed, or are asked past this program.
    fn least_busy_in_trouble(
        &self,
        books: &mut Books,
        pick: &Pick<'_>,
        limits: &impl Fn(usize) -> Option<u32>,
    ) -> Result<usize, Refusal> {
        let mut best = self.best(pick);
        let unavailable = self.survey(books, pick, limits, |surveyed| {
            let (order, is_full) = surveyed.class_as_told();
            best.see(surveyed.member, order, is_full, surveyed.load);
        });
        best.chosen.map_or_else(|| unavailable.instead(pick), Ok)
    }
}
