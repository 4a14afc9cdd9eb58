//! Who waits, and whose turn it is.

use std::cmp::Ordering;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use crate::fleet::DeploymentIndex;
use crate::group::Core;
use crate::pick::{Demand, Pick, Preference};

#[cfg(test)]
mod tests;

/// Tokens that a client may have served in one turn.
const QUANTUM: i64 = 1024;
/// What a request counts at least: many tiny requests of one client are still many places.
const LEAST_COST: i64 = QUANTUM / 4;
/// What a request counts at most, so that a turn comes after so many rounds at the latest.
const MOST_COST: i64 = 64 * QUANTUM;

/// How many kinds of waiters are told apart, so that no look is longer than the line times this.
const KINDS: usize = 8;

/// The requests that wait for one group.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// By priority.
    levels: BTreeMap<i64, Level>,
    waiting: u32,
    /// Waiters that may find a place where an ordinary one finds none, or the other way round.
    unusual: u32,
    /// The group as the first of them saw it; who came in by another name may see other members.
    home: Option<Arc<Core>>,
    next: u64,
}

/// Those of one priority. A client without waiters is not here.
#[derive(Debug, Default)]
struct Level {
    /// Whose turn it is, and who follows.
    turns: VecDeque<u64>,
    clients: BTreeMap<u64, Client>,
}

#[derive(Debug, Default)]
struct Client {
    /// Tokens that it may still have served.
    credit: i64,
    /// Whether this turn has brought its credit.
    has_begun: bool,
    /// In the order they came.
    waiters: VecDeque<Waiter>,
}

/// Where a waiter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) priority: i64,
    pub(super) client: u64,
    pub(super) number: u64,
}

/// A request that waits.
#[derive(Debug)]
pub(super) struct Waiter {
    /// The group as this request sees it.
    pub(super) core: Arc<Core>,
    wish: Wish,
    pub(super) waker: Waker,
    pub(super) since: Duration,
    number: u64,
    is_unusual: bool,
}

/// A [`Pick`] that outlives its call.
#[derive(Debug, Clone, PartialEq)]
struct Wish {
    tried: Box<[DeploymentIndex]>,
    barred: Box<[DeploymentIndex]>,
    among: Option<Box<[bool]>>,
    above_order: Option<i64>,
    even_resting: bool,
    stream: bool,
    dice: u64,
    prefer: Option<Preference>,
    demand: Demand,
}

impl Waiter {
    pub(super) fn new(core: Arc<Core>, pick: &Pick<'_>, waker: Waker) -> Self {
        let wish = Wish {
            tried: pick.tried.into(),
            barred: pick.barred.into(),
            among: pick.among.map(Into::into),
            above_order: pick.above_order,
            even_resting: pick.even_resting,
            stream: pick.stream,
            dice: pick.dice,
            prefer: pick.prefer,
            demand: pick.demand,
        };
        Self { core, wish, waker, since: pick.now, number: 0, is_unusual: false }
    }

    /// Its pick, made now.
    pub(super) fn pick(&self, now: Duration) -> Pick<'_> {
        let Wish { above_order, even_resting, stream, dice, prefer, demand, .. } = self.wish;
        Pick {
            tried: &self.wish.tried,
            barred: &self.wish.barred,
            among: self.wish.among.as_deref(),
            dice,
            now,
            above_order,
            even_resting,
            stream,
            prefer,
            demand,
        }
    }

    fn cost(&self) -> i64 {
        match self.wish.demand.tokens() {
            0 => QUANTUM,
            tokens => i64::from(tokens).clamp(LEAST_COST, MOST_COST),
        }
    }

    /// Whether the two find the same deployments full.
    fn is_like(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.core, &other.core)
            && self.wish.tried == other.wish.tried
            && self.wish.among == other.wish.among
            && self.wish.above_order == other.wish.above_order
            && self.wish.even_resting == other.wish.even_resting
    }

    fn leaves_out_nobody(&self) -> bool {
        self.wish.tried.is_empty()
            && self.wish.among.is_none()
            && self.wish.above_order.is_none()
            && !self.wish.even_resting
    }
}

impl Client {
    /// The cost of whoever is first.
    fn next_cost(&self) -> i64 {
        self.waiters.front().map_or(0, Waiter::cost)
    }
}

impl Level {
    /// Goes on until the client in front may be served.
    fn settle_turn(&mut self) {
        while let Some(front) = self.turns.front() {
            let Some(client) = self.clients.get_mut(front) else { return };
            if !client.has_begun {
                client.credit += QUANTUM;
                client.has_begun = true;
            }
            if client.next_cost() <= client.credit {
                return;
            }
            client.has_begun = false;
            self.turns.rotate_left(1);
        }
    }

    fn take(&mut self, client: u64, at: usize) -> Option<Waiter> {
        let line = self.clients.get_mut(&client)?;
        let waiter = line.waiters.remove(at)?;
        if line.waiters.is_empty() {
            self.clients.remove(&client);
            self.turns.retain(|turn| *turn != client);
        }
        Some(waiter)
    }
}

impl Line {
    pub(super) fn waiting(&self) -> u32 {
        self.waiting
    }

    /// How many of this priority or a more urgent one wait.
    pub(super) fn waiting_until(&self, priority: i64) -> u32 {
        let before = self
            .levels
            .range(..=priority)
            .map(|(_, level)| level.clients.values().map(|client| client.waiters.len()).sum::<usize>());
        u32::try_from(before.sum::<usize>()).unwrap_or(u32::MAX)
    }

    /// The most urgent priority, and since when the first of its next client waits.
    pub(super) fn head(&self) -> Option<(i64, Duration)> {
        let (priority, level) = self.levels.first_key_value()?;
        let first = level.clients.get(level.turns.front()?)?.waiters.front()?;
        Some((*priority, first.since))
    }

    pub(super) fn push(&mut self, (priority, client): (i64, u64), mut waiter: Waiter) -> Place {
        let number = self.next;
        self.next += 1;
        let home = self.home.get_or_insert_with(|| Arc::clone(&waiter.core));
        waiter.is_unusual = !waiter.leaves_out_nobody() || !Arc::ptr_eq(home, &waiter.core);
        waiter.number = number;
        self.waiting += 1;
        self.unusual += u32::from(waiter.is_unusual);
        let level = self.levels.entry(priority).or_default();
        let line = level.clients.entry(client).or_insert_with(|| {
            level.turns.push_back(client);
            Client::default()
        });
        line.waiters.push_back(waiter);
        Place { priority, client, number }
    }

    pub(super) fn get_mut(&mut self, place: Place) -> Option<&mut Waiter> {
        let client = self.levels.get_mut(&place.priority)?.clients.get_mut(&place.client)?;
        let at = client.waiters.binary_search_by_key(&place.number, |waiter| waiter.number).ok()?;
        client.waiters.get_mut(at)
    }

    /// Takes out whoever leaves.
    pub(super) fn remove(&mut self, place: Place) -> Option<Waiter> {
        let client = self.levels.get(&place.priority)?.clients.get(&place.client)?;
        let at = client.waiters.binary_search_by_key(&place.number, |waiter| waiter.number).ok()?;
        self.take(place.priority, place.client, at)
    }

    /// Who goes when somebody of this client comes and there is no room: the last of the least urgent, if they are less
    /// urgent, or else the last of the client that has most waiting, if that is more than the newcomer's would have.
    pub(super) fn gives_way(&self, (priority, client): (i64, u64)) -> Option<Place> {
        let (least_urgent, level) = self.levels.last_key_value()?;
        let waiting = |client: &Client| client.waiters.len();
        let (most, crowd) = level.clients.iter().max_by_key(|(_, client)| waiting(client))?;
        let own = level.clients.get(&client).map_or(0, waiting);
        let gives_way = match least_urgent.cmp(&priority) {
            Ordering::Greater => true,
            Ordering::Equal => own + 1 < waiting(crowd),
            Ordering::Less => false,
        };
        let last = crowd.waiters.back().filter(|_| gives_way)?;
        Some(Place { priority: *least_urgent, client: *most, number: last.number })
    }

    fn take(&mut self, priority: i64, client: u64, at: usize) -> Option<Waiter> {
        let level = self.levels.get_mut(&priority)?;
        let waiter = level.take(client, at)?;
        if level.clients.is_empty() {
            self.levels.remove(&priority);
        }
        self.waiting -= 1;
        self.unusual -= u32::from(waiter.is_unusual);
        if self.waiting == 0 {
            self.home = None;
        }
        Some(waiter)
    }

    /// Offers a place to the waiters in their order, and takes out the first that `accepts`.
    pub(super) fn serve<T>(
        &mut self,
        mut accepts: impl FnMut(&Waiter) -> Option<T>,
    ) -> Option<(Place, Waiter, T)> {
        self.levels.values_mut().for_each(Level::settle_turn);
        let (priority, client, at, accepted) = self.find(|waiter| accepts(waiter))?;
        let line = self.levels.get_mut(&priority)?.clients.get_mut(&client)?;
        line.credit -= line.waiters.get(at)?.cost();
        let waiter = self.take(priority, client, at)?;
        Some((Place { priority, client, number: waiter.number }, waiter, accepted))
    }

    fn find<T>(&self, mut accepts: impl FnMut(&Waiter) -> Option<T>) -> Option<(i64, u64, usize, T)> {
        // Those like one that found nobody free need not look.
        let mut refused: Vec<&Waiter> = Vec::new();
        for (priority, level) in &self.levels {
            for client in &level.turns {
                let waiters = level.clients.get(client).map(|client| &client.waiters).into_iter().flatten();
                for (at, waiter) in waiters.enumerate() {
                    if refused.iter().any(|refused| refused.is_like(waiter)) {
                        continue;
                    }
                    if let Some(accepted) = accepts(waiter) {
                        return Some((*priority, *client, at, accepted));
                    }
                    if self.unusual == 0 {
                        return None;
                    }
                    if refused.len() < KINDS {
                        refused.push(waiter);
                    }
                }
            }
        }
        None
    }
}
