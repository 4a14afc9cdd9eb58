//! Requests that wait for a place.
//!
//! # The problem
//!
//! When every deployment of a group is full, a request may be refused, or pushed on to a deployment whose own queue
//! grows. Both are worse than one queue for all: whoever is pushed early waits behind one long answer while a place
//! beside it comes free.
//!
//! # The rule
//!
//! A request that finds everybody full takes a [`Ticket`]. Each place that comes free is handed to one waiter, under the
//! lock under which it came free: nobody else can take it, and nobody wakes for nothing. The lowest priority number
//! goes first; of the same priority, clients take turns by deficit round robin (Shreedhar and Varghese, "Efficient
//! fair queuing using deficit round robin", 1995), counted in the tokens that their requests take; of the same
//! client, whoever came first. Those that may go to the same deployments are of one kind, and take turns among themselves. When the
//! first of a kind cannot take a place, because all of its kind was there or must not go there, the next kind is asked:
//! the most urgent first, then whose first has waited longest.
//!
//! Who leaves drops the ticket. A lease that was handed over and not fetched goes to the next. When as many wait as may, a
//! newcomer takes the place of one that is less urgent, or of the last one of a client that has more waiting than it:
//! a queue that one client has filled is not closed to the others.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use self::line::{Line, Place, Waiter};
use crate::fleet::{Books, DeploymentIndex, Fleet};
use crate::group::{Core, Counted, Group};
use crate::lease::{Lease, TYPICAL};
use crate::pick::{Pick, Refusal};
use crate::window::Window;

mod line;
mod ticket;

pub use ticket::{Queued, Ticket};

/// How a request waits.
#[derive(Debug, Clone)]
pub struct Wait {
    /// The lowest number goes first.
    pub priority: i64,
    /// Whose request it is: those with the same number share their turns.
    pub client: u64,
    /// The most requests of the group that may wait at once, this one included.
    pub most: u32,
    /// Until when it would wait: where the first minute moves on later than that, there is nothing to wait for.
    pub until: Duration,
    /// Is woken when a lease is there.
    pub waker: Waker,
}

/// The queue of one group.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    line: Line,
    /// Leases that were handed over and not fetched yet.
    granted: BTreeMap<Place, Grant>,
    /// Those that will get no place, and were not told yet why.
    refused: BTreeMap<Place, Refusal>,
    pace: Pace,
}

/// The seconds that a queue's pace is measured over.
const PACE: usize = 10;

/// How many places were handed on.
#[derive(Debug)]
struct Pace {
    grants: Window<PACE>,
    /// Since when somebody waits.
    since: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { grants: Window::new(), since: Duration::ZERO }
    }
}

impl Pace {
    /// Somebody waits again: what came before says nothing of how places come free for those who wait.
    fn begin(&mut self, now: Duration) {
        self.grants.clear();
        self.since = now;
    }

    /// Seconds between two places; `None` where none was handed on.
    fn seconds(&mut self, now: Duration) -> Option<f64> {
        let (grants, _) = self.grants.sums(now);
        let measured = now.saturating_sub(self.since).min(Duration::from_secs(PACE as u64));
        (0 < grants).then(|| measured.as_secs_f64() / grants as f64)
    }
}

/// A lease that waits for its waiter.
#[derive(Debug)]
struct Grant {
    waiter: Waiter,
    counted: Counted,
    at: Duration,
}

impl Grant {
    fn into_lease(self) -> Lease {
        let Self { waiter, counted, at } = self;
        Lease::new(Arc::clone(&waiter.core), counted, &waiter.pick(at))
    }
}

impl Group {
    /// Takes a lease as [`Group::pick`] does, or a place in the queue where everybody who could serve is full.
    ///
    /// # Errors
    ///
    /// [`Refusal::QueueFull`] when as many wait as may; the other refusals as [`Group::pick`]. Waiting helps against
    /// [`Refusal::AllFull`] and [`Refusal::AllSpent`], so these come only where it would take longer than [`Wait::until`].
    ///
    /// ```
    /// use std::num::NonZeroU32;
    /// use std::task::Waker;
    /// use leastbusy_balance::{Fleet, Member, Pick, Queued, TieBreak, Wait, Weight};
    ///
    /// let fleet = Fleet::new();
    /// let member = Member { limit: NonZeroU32::new(1), ..Member::new(fleet.deploy(), Weight::ONE) };
    /// let group = fleet.group(vec![member], TieBreak::Random);
    /// let until = std::time::Duration::from_secs(60);
    /// let wait = || Wait { priority: 0, client: 0, most: 8, until, waker: Waker::noop().clone() };
    ///
    /// let Ok(Queued::Served(first)) = group.pick_or_queue(&Pick::default(), wait()) else { panic!("idle") };
    /// let Ok(Queued::Waiting(mut ticket)) = group.pick_or_queue(&Pick::default(), wait()) else { panic!("full") };
    /// drop(first);
    /// let lease = ticket.fetch(Pick::default().now, Waker::noop());
    /// assert!(matches!(lease, Some(Ok(_))));
    /// ```
    pub fn pick_or_queue(&self, pick: &Pick<'_>, wait: Wait) -> Result<Queued, Refusal> {
        let Wait { priority, client, most, until, waker } = wait;
        let mut books = self.core.fleet.lock();
        // Who comes now goes after those that wait. What they leave is nothing that they could have.
        let mut wakers = hand_on(&mut books, pick.now, Opened::ByTime(self.core.index));
        let found = self.core.choose(&mut books, pick);
        let lease = found.map(|chosen| self.core.lease(&mut books, chosen, pick));
        let lease = lease.map_err(|refusal| self.core.tell(&mut books, pick, refusal));
        match lease {
            Err(Refusal::AllFull) if pick.now < until => {}
            Err(Refusal::AllSpent { soonest }) if pick.now < until && soonest < until => {}
            done => {
                drop(books);
                wake(wakers);
                return done.map(Queued::Served);
            }
        }
        let waiting = books.queue(self.core.index).line.waiting();
        let mut gave_way = None;
        if most <= waiting {
            let queue = books.queue(self.core.index);
            // Where nobody may wait nobody gives way.
            let place = queue.line.gives_way((priority, client)).filter(|_| 0 < most);
            let Some(place) = place else {
                let refusal = Refusal::QueueFull { wait: self.core.wait(&mut books, pick.now) };
                drop(books);
                wake(wakers);
                return Err(refusal);
            };
            let wait = self.core.wait(&mut books, pick.now);
            let queue = books.queue(self.core.index);
            gave_way = queue.line.remove(place);
            queue.refused.insert(place, Refusal::QueueFull { wait });
        }
        books.clock(pick.now);
        let queue = books.queue(self.core.index);
        if waiting == 0 {
            queue.pace.begin(pick.now);
        }
        let ahead = queue.line.waiting_until(priority);
        let waiter = Waiter::new(Arc::clone(&self.core), pick, waker);
        let place = queue.line.push((priority, client), waiter);
        books.has_queue(self.core.index);
        drop(books);
        wakers.extend(gave_way.map(|waiter| waiter.waker));
        wake(wakers);
        Ok(Queued::Waiting(Ticket::new(Arc::clone(&self.core), place, ahead)))
    }

    /// The time in which those that wait will probably have been served: at the pace of the last 10 s, or where nothing has
    /// moved yet, by the usual answer. At most an hour.
    #[must_use]
    pub fn expected_wait(&self, now: Duration) -> Duration {
        self.core.wait(&mut self.core.fleet.lock(), now)
    }

    /// How many requests wait.
    #[must_use]
    pub fn waiting(&self) -> u32 {
        self.core.fleet.lock().queue(self.core.index).line.waiting()
    }
}

impl Core {
    /// In what time those that wait will probably have been served.
    // At the pace of the last seconds; where nothing has moved yet, each place for as long as answers usually take.
    fn wait(&self, books: &mut Books, now: Duration) -> Duration {
        let places: u32 = self.members.iter().map(|member| books.seat(member.deployment).in_flight).sum();
        let group = books.group(self.index);
        let answer = group.typical.get().unwrap_or(TYPICAL).as_secs_f64();
        let each = group.queue.pace.seconds(now).unwrap_or(answer / f64::from(places.max(1)));
        Duration::try_from_secs_f64(each * f64::from(group.queue.line.waiting()))
            .unwrap_or(LONGEST)
            .min(LONGEST)
    }
}

/// The longest wait that anybody is told.
const LONGEST: Duration = Duration::from_secs(3600);

impl Fleet {
    /// How many requests wait, for whatever group.
    #[must_use]
    pub fn waiting(&self) -> u32 {
        self.lock().waiting()
    }
}

/// What may have opened a place.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Opened {
    /// A lease on this deployment has ended.
    ByLease(DeploymentIndex),
    /// Time has passed: a rest may be over, or a minute. This group looks for itself.
    ByTime(usize),
}

/// Hands the places that are free to those who wait, and returns whom to wake once the lock is open.
pub(crate) fn hand_on(books: &mut Books, now: Duration, opened: Opened) -> Vec<Waker> {
    if !books.anybody_waits() {
        return Vec::new();
    }
    let now = books.clock(now);
    let mut groups = match opened {
        Opened::ByTime(group) => vec![group],
        Opened::ByLease(deployment) => books.groups_waiting_for(deployment),
    };
    let mut wakers = Vec::new();
    while let Some(at) = next_of(books, &groups, now) {
        match serve(books, groups[at], now) {
            Some(waker) => wakers.push(waker),
            None => {
                groups.swap_remove(at);
            }
        }
    }
    wakers
}

pub(crate) fn wake(wakers: Vec<Waker>) {
    wakers.into_iter().for_each(Waker::wake);
}

/// Groups may share deployments: of those who can be served the most urgent goes first, then who has waited longest.
fn next_of(books: &mut Books, groups: &[usize], now: Duration) -> Option<usize> {
    if let [_] = groups {
        return Some(0);
    }
    let mut first = |group: usize| {
        with_queue(books, group, |books, queue| {
            queue.line.first(|waiter| match waiter.core.may_choose(books, &waiter.pick(now)) {
                Err(Refusal::AllFull | Refusal::AllSpent { .. }) => None,
                _ => Some(()),
            })
        })
    };
    let firsts = groups.iter().enumerate().filter_map(|(at, group)| Some((first(*group)?, at)));
    firsts.min().map(|(_, at)| at)
}

/// Hands one place to a waiter of this group, or tells it that there is none to wait for; returns its waker.
fn serve(books: &mut Books, group: usize, now: Duration) -> Option<Waker> {
    with_queue(books, group, |books, queue| {
        let (place, waiter, outcome) = queue.line.serve(|waiter| {
            let pick = waiter.pick(now);
            match waiter.core.choose(books, &pick) {
                Ok(member) => Some(Ok(waiter.core.count(books, member, &pick))),
                Err(Refusal::AllFull | Refusal::AllSpent { .. }) => None,
                Err(refusal) => Some(Err(refusal)),
            }
        })?;
        let waker = waiter.waker.clone();
        match outcome {
            Ok(counted) => {
                queue.pace.grants.add(now, 1, 0);
                queue.granted.insert(place, Grant { waiter, counted, at: now });
            }
            Err(refusal) => _ = queue.refused.insert(place, refusal),
        }
        Some(waker)
    })
}

/// Does something with a group's queue and the books at once. The queue goes back, also when a strategy panics.
fn with_queue<T>(books: &mut Books, group: usize, does: impl FnOnce(&mut Books, &mut Queue) -> T) -> T {
    struct Held<'b> {
        books: &'b mut Books,
        group: usize,
        queue: Queue,
    }
    impl Drop for Held<'_> {
        fn drop(&mut self) {
            *self.books.queue(self.group) = mem::take(&mut self.queue);
            if self.books.queue(self.group).line.waiting() == 0 {
                self.books.has_no_queue(self.group);
            }
        }
    }
    let queue = mem::take(books.queue(group));
    let mut held = Held { books, group, queue };
    let Held { books, queue, .. } = &mut held;
    does(books, queue)
}

impl Books {
    /// Takes out a waiter that leaves.
    fn leave_queue(&mut self, group: usize, place: Place) -> Option<Waiter> {
        let line = &mut self.queue(group).line;
        let left = line.remove(place);
        if line.waiting() == 0 {
            self.has_no_queue(group);
        }
        left
    }

    fn groups_waiting_for(&mut self, deployment: DeploymentIndex) -> Vec<usize> {
        let mut groups = self.queued().to_vec();
        groups.retain(|group| self.queue(*group).line.wants(deployment));
        groups
    }

    fn waiting(&mut self) -> u32 {
        let groups = self.queued().to_vec();
        groups.into_iter().map(|group| self.queue(group).line.waiting()).sum()
    }
}
