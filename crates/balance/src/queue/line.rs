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

/// How many kinds of waiters are asked at most for one place. A ninth that could take it waits for the next look.
const KINDS: usize = 8;

/// The requests that wait for one group.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// Waiters that find the same deployments full are of one kind: when the first of them finds no place, none does.
    kinds: Vec<Kind>,
    waiting: u32,
    next: u64,
    next_kind: u64,
}

/// Waiters that are alike, in the order they are served. There is at least one.
#[derive(Debug)]
struct Kind {
    number: u64,
    core: Arc<Core>,
    wish: Wish,
    /// By priority.
    levels: BTreeMap<i64, Level>,
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
    kind: u64,
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
        Self { core, wish, waker, since: pick.now, number: 0 }
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
}

impl Kind {
    /// Whether a waiter finds the same deployments full.
    fn is_of(&self, waiter: &Waiter) -> bool {
        let (own, other) = (&self.wish, &waiter.wish);
        have_same_places(&self.core, &waiter.core)
            && own.tried == other.tried
            && own.among == other.among
            && own.above_order == other.above_order
            && own.even_resting == other.even_resting
    }

    /// Its next waiter: the most urgent level, and on it the client whose turn it is.
    fn settle(&mut self) -> Option<(i64, u64, &Waiter)> {
        let mut level = self.levels.first_entry()?;
        level.get_mut().settle_turn();
        let (priority, level) = self.levels.first_key_value()?;
        let client = level.turns.front()?;
        Some((*priority, *client, level.clients.get(client)?.waiters.front()?))
    }
}

/// Whether two views of a group lead to the same deployments with the same limits.
fn have_same_places(one: &Arc<Core>, other: &Arc<Core>) -> bool {
    Arc::ptr_eq(one, other)
        || (one.members.len() == other.members.len()
            && one.members.iter().zip(&other.members).all(|(one, other)| {
                (one.deployment, one.limit, one.order) == (other.deployment, other.limit, other.order)
            }))
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
        // After one round of turns that serves nobody it is known how many more there would be.
        for _ in 0..=self.turns.len() {
            let Some(client) = self.turns.front().and_then(|front| self.clients.get_mut(front)) else {
                return;
            };
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
        let rounds = |client: &Client| (client.next_cost() - client.credit + QUANTUM - 1) / QUANTUM;
        let rounds = self.clients.values().map(rounds).min().unwrap_or(1);
        for client in self.clients.values_mut() {
            client.credit += QUANTUM * rounds.max(1);
        }
        // Those who may be served now keep their order among each other.
        for _ in 0..self.turns.len() {
            let Some(client) = self.turns.front().and_then(|front| self.clients.get_mut(front)) else {
                return;
            };
            if client.next_cost() <= client.credit {
                client.has_begun = true;
                return;
            }
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
        let levels = self.kinds.iter().flat_map(|kind| kind.levels.range(..=priority));
        let clients = levels.flat_map(|(_, level)| level.clients.values());
        u32::try_from(clients.map(|client| client.waiters.len()).sum::<usize>()).unwrap_or(u32::MAX)
    }

    /// Whether a place on this deployment may be for one of them.
    pub(super) fn wants(&self, deployment: DeploymentIndex) -> bool {
        let leads_there =
            |kind: &Kind| kind.core.members.iter().any(|member| member.deployment == deployment);
        self.kinds.iter().any(leads_there)
    }

    pub(super) fn push(&mut self, (priority, client): (i64, u64), mut waiter: Waiter) -> Place {
        waiter.number = self.next;
        self.next += 1;
        self.waiting += 1;
        let known = self.kinds.iter().position(|kind| kind.is_of(&waiter));
        let at = known.unwrap_or_else(|| {
            let (core, wish) = (Arc::clone(&waiter.core), waiter.wish.clone());
            self.kinds.push(Kind { number: self.next_kind, core, wish, levels: BTreeMap::new() });
            self.next_kind += 1;
            self.kinds.len() - 1
        });
        let kind = &mut self.kinds[at];
        let place = Place { kind: kind.number, priority, client, number: waiter.number };
        let level = kind.levels.entry(priority).or_default();
        let line = level.clients.entry(client).or_insert_with(|| {
            level.turns.push_back(client);
            Client::default()
        });
        line.waiters.push_back(waiter);
        place
    }

    pub(super) fn get_mut(&mut self, place: Place) -> Option<&mut Waiter> {
        let kind = self.kinds.iter_mut().find(|kind| kind.number == place.kind)?;
        let client = kind.levels.get_mut(&place.priority)?.clients.get_mut(&place.client)?;
        let at = client.waiters.binary_search_by_key(&place.number, |waiter| waiter.number).ok()?;
        client.waiters.get_mut(at)
    }

    /// Takes out whoever leaves.
    pub(super) fn remove(&mut self, place: Place) -> Option<Waiter> {
        let at = self.kinds.iter().position(|kind| kind.number == place.kind)?;
        let kind = &mut self.kinds[at];
        let level = kind.levels.get_mut(&place.priority)?;
        let waiters = &level.clients.get(&place.client)?.waiters;
        let waiter = waiters.binary_search_by_key(&place.number, |waiter| waiter.number).ok()?;
        let waiter = level.take(place.client, waiter)?;
        if level.clients.is_empty() {
            kind.levels.remove(&place.priority);
        }
        if kind.levels.is_empty() {
            self.kinds.swap_remove(at);
        }
        self.waiting -= 1;
        Some(waiter)
    }

    /// Who goes when somebody of this client comes and there is no room: the last of the least urgent, if they are less
    /// urgent, or else the last of the client that has most waiting, if that is more than the newcomer's would have.
    pub(super) fn gives_way(&self, (priority, client): (i64, u64)) -> Option<Place> {
        let least_urgent =
            self.kinds.iter().filter_map(|kind| kind.levels.last_key_value()).map(|last| *last.0).max()?;
        // Of each client how many wait, and the last of them.
        let mut clients: BTreeMap<u64, (usize, Option<Place>)> = BTreeMap::new();
        for kind in &self.kinds {
            let level = kind.levels.get(&least_urgent);
            for (client, line) in level.into_iter().flat_map(|level| &level.clients) {
                let (waiting, last) = clients.entry(*client).or_default();
                *waiting += line.waiters.len();
                let own = line.waiters.back().map(|waiter| Place {
                    kind: kind.number,
                    priority: least_urgent,
                    client: *client,
                    number: waiter.number,
                });
                *last = [*last, own].into_iter().flatten().max_by_key(|place| place.number);
            }
        }
        let own = clients.get(&client).map_or(0, |(waiting, _)| *waiting);
        let (most, last) = clients.into_values().max_by_key(|(waiting, _)| *waiting)?;
        let gives_way = match least_urgent.cmp(&priority) {
            Ordering::Greater => true,
            Ordering::Equal => own + 1 < most,
            Ordering::Less => false,
        };
        last.filter(|_| gives_way)
    }

    /// Offers a place to the waiters in their order, and takes out the first that `accepts`.
    pub(super) fn serve<T>(
        &mut self,
        accepts: impl FnMut(&Waiter) -> Option<T>,
    ) -> Option<(Place, Waiter, T)> {
        let (place, _, accepted) = self.find(accepts)?;
        let kind = self.kinds.iter_mut().find(|kind| kind.number == place.kind)?;
        let client = kind.levels.get_mut(&place.priority)?.clients.get_mut(&place.client)?;
        client.credit -= client.next_cost();
        Some((place, self.remove(place)?, accepted))
    }

    /// Of whoever accepts first, how urgent it is and since when it waits.
    pub(super) fn first<T>(&mut self, accepts: impl FnMut(&Waiter) -> Option<T>) -> Option<(i64, Duration)> {
        self.find(accepts).map(|(place, since, _)| (place.priority, since))
    }

    /// The first waiter of a kind speaks for all of it; of the kinds the most urgent goes first, then whose has waited longest.
    fn find<T>(&mut self, mut accepts: impl FnMut(&Waiter) -> Option<T>) -> Option<(Place, Duration, T)> {
        let mut offers = |kind: &mut Kind| {
            let number = kind.number;
            let (priority, client, waiter) = kind.settle()?;
            let place = Place { kind: number, priority, client, number: waiter.number };
            accepts(waiter).map(|accepted| (place, waiter.since, accepted))
        };
        if let [only] = self.kinds.as_mut_slice() {
            return offers(only);
        }
        let heads = self.kinds.iter_mut().enumerate().filter_map(|(at, kind)| {
            let (priority, _, waiter) = kind.settle()?;
            Some((priority, waiter.number, at))
        });
        let mut heads: Vec<_> = heads.collect();
        heads.sort_unstable();
        heads.into_iter().take(KINDS).find_map(|(_, _, at)| offers(&mut self.kinds[at]))
    }
}
