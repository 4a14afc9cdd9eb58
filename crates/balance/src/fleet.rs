//! All deployments and their counts, under one lock.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::budget::RetryLedger;
use crate::burden::{Burden, Lengths};
use crate::candidate::Candidate;
use crate::engine::Engines;
use crate::group::{Group, GroupRules, Member};
use crate::health::{Condition, Crew, Health};
use crate::others::{Others, Sharing};
use crate::pace::Pace;
use crate::pick::Demand;
use crate::quantile::Quantile;
use crate::queue::Queue;
use crate::strategy::Choose;
use crate::usage::Tally;

/// The place of one physical deployment in its [`Fleet`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeploymentIndex(pub(crate) u32);

impl DeploymentIndex {
    pub(crate) fn at(place: usize) -> Self {
        Self(u32::try_from(place).expect("fewer than 2^32 deployments"))
    }
}

/// The deployments that requests may go to: how many are in flight on each, and how each is.
///
/// One lock covers the whole fleet, not one for each group: groups may share deployments, and a pick
/// must see the count that another group's pick just raised. The lock is held for a scan of one group's
/// members (tens of nanoseconds; 0.2 to 0.5 µs for 4 to 16 members where other instances have told something) and,
/// where instances share, for a look at all deployments at every exchange: [`tell`](Self::tell) and [`see`](Self::see) take
/// 0.3 µs each for 16 deployments, 2 µs for 100, 17 and 28 µs for 1000 (`cargo bench -p leastbusy-balance`). Where requests
/// wait, handing a freed place on takes 0.6 µs for 16 deployments, however many wait, and 0.2 µs more for each kind of waiters that
/// must not go where others may. It is never held across I/O.
///
/// Wherever `now` is asked for, it is the time since a moment that the caller chose once, such as its start.
/// Two calls may come in the wrong order by a little: then the earlier `now` does no harm.
#[derive(Debug, Default)]
pub struct Fleet {
    books: Mutex<Books>,
}

#[derive(Debug, Default)]
pub(crate) struct Books {
    seats: Vec<Seat>,
    health: Vec<Health>,
    /// Requests and tokens of the last minute.
    tallies: Vec<Tally>,
    /// How fast each writes, where groups learn it.
    pub(crate) paces: Vec<Pace>,
    /// Tokens in flight.
    pub(crate) burdens: Vec<Burden>,
    groups: Vec<GroupBook>,
    /// Where other instances send requests to the same deployments.
    sharing: Option<Box<Sharing>>,
    /// What the engines behind the deployments told.
    pub(crate) engines: Engines,
    /// Whether instances give each other the right to probe.
    probes_guarded: bool,
    /// The groups that somebody waits for.
    queued: Vec<usize>,
    /// The latest moment that a queue was told of.
    clock: Duration,
    /// Room for the candidates of a pick, so that none allocates.
    pub(crate) candidates: Vec<Candidate>,
}

/// What every pick looks at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seat {
    pub(crate) in_flight: u32,
    /// Whether the count is all there is to know: nothing has failed lately.
    pub(crate) calm: bool,
}

/// What is learned of a group as a whole.
#[derive(Debug)]
pub(crate) struct GroupBook {
    /// The median time of a success.
    pub(crate) typical: Quantile,
    /// The time to a first byte that the group's hedge waits for.
    pub(crate) first_byte: Quantile,
    pub(crate) retries: RetryLedger,
    pub(crate) lengths: Lengths,
    /// The median time for a token, on whichever deployment.
    pub(crate) pace: Quantile,
    /// The strategies that it is picked from by, but for least busy.
    pub(crate) strategies: Vec<Box<dyn Choose>>,
    pub(crate) queue: Queue,
}

impl GroupBook {
    /// Returns its place.
    pub(crate) fn add_strategy(&mut self, choose: Box<dyn Choose>) -> usize {
        self.strategies.push(choose);
        self.strategies.len() - 1
    }
}

impl Fleet {
    /// A fleet without deployments.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// Adds an idle deployment that takes its full share at once, as at the start of a gateway.
    ///
    /// Call it once for each physical deployment, however many groups lead there.
    pub fn deploy(&self) -> DeploymentIndex {
        self.add(true, Health::default())
    }

    /// Adds an idle deployment to a fleet at work: one request goes there first, then more and more, as to one
    /// that comes back from a rest.
    pub fn deploy_gently(&self, now: Duration) -> DeploymentIndex {
        self.add(false, Health::joining(now))
    }

    fn add(&self, calm: bool, mut health: Health) -> DeploymentIndex {
        let mut books = self.lock();
        health.guard_probes(books.probes_guarded);
        let index = DeploymentIndex::at(books.seats.len());
        books.seats.push(Seat { in_flight: 0, calm });
        books.health.push(health);
        books.tallies.push(Tally::new());
        books.paces.push(Pace::default());
        books.burdens.push(Burden::default());
        index
    }

    /// A group of this fleet's deployments.
    ///
    /// # Panics
    ///
    /// If a member is not a deployment of this fleet.
    #[must_use]
    pub fn group(self: &Arc<Self>, members: Vec<Member>, rules: impl Into<GroupRules>) -> Group {
        let mut books = self.lock();
        books.expect_all(&members);
        let rules = rules.into();
        let index = books.groups.len();
        let mut book = GroupBook {
            typical: Quantile::default(),
            first_byte: Quantile::default(),
            retries: RetryLedger::new(rules.retry_budget),
            lengths: Lengths::default(),
            pace: Quantile::default(),
            strategies: Vec::new(),
            queue: Queue::default(),
        };
        let strategy = rules.strategy.choose().map(|choose| book.add_strategy(choose));
        books.groups.push(book);
        drop(books);
        Group::new((Arc::clone(self), index), members, rules, strategy)
    }

    /// Requests in flight on a deployment: its live leases.
    ///
    /// # Panics
    ///
    /// If the deployment is not one of this fleet.
    #[must_use]
    pub fn in_flight(&self, deployment: DeploymentIndex) -> u32 {
        self.lock().seat(deployment).in_flight
    }

    /// Requests in flight on every deployment at one moment, in the order they were added.
    #[must_use]
    pub fn snapshot(&self) -> Vec<u32> {
        self.lock().counts().collect()
    }

    /// How a deployment is.
    ///
    /// # Panics
    ///
    /// If the deployment is not one of this fleet.
    #[must_use]
    pub fn condition(&self, deployment: DeploymentIndex, now: Duration) -> Condition {
        let mut books = self.lock();
        let in_flight = books.seat(deployment).in_flight;
        books.health(deployment).condition(in_flight, now)
    }

    // A panic while the lock is held cannot leave the books half-written: every change is a single
    // assignment made after all checks. So poison says nothing, and giving back must never fail.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Books {
    pub(crate) fn expect_all(&self, members: &[Member]) {
        assert!(
            members.iter().all(|member| (member.deployment.0 as usize) < self.seats.len()),
            "every member of a group is a deployment of its fleet"
        );
    }

    pub(crate) fn seat(&self, deployment: DeploymentIndex) -> Seat {
        self.seats[deployment.0 as usize]
    }

    pub(crate) fn health(&mut self, deployment: DeploymentIndex) -> &mut Health {
        &mut self.health[deployment.0 as usize]
    }

    pub(crate) fn tally(&mut self, deployment: DeploymentIndex) -> &mut Tally {
        &mut self.tallies[deployment.0 as usize]
    }

    /// How many deployments there are.
    pub(crate) fn deployments(&self) -> usize {
        self.seats.len()
    }

    pub(crate) fn group(&mut self, index: usize) -> &mut GroupBook {
        &mut self.groups[index]
    }

    pub(crate) fn queue(&mut self, group: usize) -> &mut Queue {
        &mut self.groups[group].queue
    }

    /// Whether a freed place may be somebody's.
    pub(crate) fn anybody_waits(&self) -> bool {
        !self.queued.is_empty()
    }

    /// The groups that somebody waits for.
    pub(crate) fn queued(&self) -> &[usize] {
        &self.queued
    }

    pub(crate) fn has_queue(&mut self, group: usize) {
        if !self.queued.contains(&group) {
            self.queued.push(group);
        }
    }

    pub(crate) fn has_no_queue(&mut self, group: usize) {
        self.queued.retain(|queued| *queued != group);
    }

    /// This moment, or the latest one that it was told of: a lease that is dropped does not know the time.
    pub(crate) fn clock(&mut self, now: Duration) -> Duration {
        self.clock = self.clock.max(now);
        self.clock
    }

    /// Requests in flight on each deployment, in the order they were added.
    pub(crate) fn counts(&self) -> impl Iterator<Item = u32> {
        self.seats.iter().map(|seat| seat.in_flight)
    }

    /// What is shared with other instances, from now on if it was not yet.
    pub(crate) fn sharing(&mut self) -> &mut Sharing {
        self.sharing.get_or_insert_default()
    }

    /// What other instances told, if there are any.
    pub(crate) fn others(&self) -> Option<&Sharing> {
        self.sharing.as_deref().filter(|sharing| sharing.view().is_some())
    }

    /// The instances that share a returning deployment's places.
    pub(crate) fn crew(&self) -> Crew {
        let view = self.sharing.as_deref().and_then(Sharing::view);
        view.map_or(Crew::default(), |view| Crew { others: view.others, rank: view.rank })
    }

    /// What is shared with other instances, and every deployment that it is about, in the order they were added.
    pub(crate) fn share(
        &mut self,
    ) -> (&mut Sharing, impl ExactSizeIterator<Item = (&mut Seat, &mut Health)>) {
        (self.sharing.get_or_insert_default(), self.seats.iter_mut().zip(&mut self.health))
    }

    /// The health of every deployment, in the order they were added.
    pub(crate) fn all_health(&mut self) -> &mut [Health] {
        &mut self.health
    }

    /// Whether every probe needs a right, those of deployments to come included.
    pub(crate) fn guard_probes(&mut self, guarded: bool) {
        if self.probes_guarded != guarded {
            self.probes_guarded = guarded;
            self.health.iter_mut().for_each(|health| health.guard_probes(guarded));
        }
    }

    /// Requests in flight on a deployment through other instances, as they told last.
    pub(crate) fn others_in_flight(&self, deployment: DeploymentIndex) -> u32 {
        self.others_on(deployment).in_flight
    }

    /// What other instances have on a deployment, as they told last.
    pub(crate) fn others_on(&self, deployment: DeploymentIndex) -> Others {
        self.sharing.as_ref().map_or_else(Others::default, |sharing| sharing.others(deployment))
    }

    /// Notes that a deployment is, or is no longer, told by its count alone.
    pub(crate) fn set_calm(&mut self, deployment: DeploymentIndex, calm: bool) {
        self.seats[deployment.0 as usize].calm = calm;
    }

    /// Counts one more request and returns the new count.
    pub(crate) fn take(&mut self, deployment: DeploymentIndex, demand: Demand, now: Duration) -> u32 {
        if let Some(sharing) = &mut self.sharing {
            sharing.picked(deployment);
        }
        self.tally(deployment).requested(now);
        if demand != Demand::default() {
            self.burden_of(deployment).takes(demand);
        }
        let seat = &mut self.seats[deployment.0 as usize];
        seat.in_flight += 1;
        seat.in_flight
    }

    pub(crate) fn give_back(&mut self, deployment: DeploymentIndex) {
        let seat = &mut self.seats[deployment.0 as usize];
        debug_assert!(0 < seat.in_flight, "a lease ends once");
        seat.in_flight = seat.in_flight.saturating_sub(1);
    }
}
