//! Who waits, and whose turn it is.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
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

/// How many kinds of waiters are asked at most, one of each, for one place. A ninth that could take it waits for the next look.
const KINDS: usize = 8;
/// The deepest debt of a client whose requests were served out of turn.
const DEBT_MAX: i64 = -MOST_COST;

/// The requests that wait for one group.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// By priority.
    levels: BTreeMap<i64, Level>,
    waiting: u32,
    /// Waiters that may find a place where an ordinary one finds none, or the other way round.
    unusual: BTreeSet<Place>,
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
        have_same_places(&self.core, &other.core)
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
        let before = self
            .levels
            .range(..=priority)
            .map(|(_, level)| level.clients.values().map(|client| client.waiters.len()).sum::<usize>());
        u32::try_from(before.sum::<usize>()).unwrap_or(u32::MAX)
    }

    /// Whether a place on this deployment may be for one of them.
    pub(super) fn wants(&self, deployment: DeploymentIndex) -> bool {
        let leads_there =
            |core: &Arc<Core>| core.members.iter().any(|member| member.deployment == deployment);
        !self.unusual.is_empty() || self.home.as_ref().is_some_and(leads_there)
    }

    pub(super) fn push(&mut self, (priority, client): (i64, u64), mut waiter: Waiter) -> Place {
        let number = self.next;
        self.next += 1;
        let home = self.home.get_or_insert_with(|| Arc::clone(&waiter.core));
        waiter.is_unusual = !waiter.leaves_out_nobody() || !have_same_places(home, &waiter.core);
        waiter.number = number;
        self.waiting += 1;
        let place = Place { priority, client, number };
        if waiter.is_unusual {
            self.unusual.insert(place);
        }
        let level = self.levels.entry(priority).or_default();
        let line = level.clients.entry(client).or_insert_with(|| {
            level.turns.push_back(client);
            Client::default()
        });
        line.waiters.push_back(waiter);
        place
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
        if waiter.is_unusual {
            self.unusual.remove(&Place { priority, client, number: waiter.number });
        }
        if self.waiting == 0 {
            self.home = None;
        }
        Some(waiter)
    }

    /// Offers a place to the waiters in their order, and takes out the first that `accepts`.
    pub(super) fn serve<T>(
        &mut self,
        accepts: impl FnMut(&Waiter) -> Option<T>,
    ) -> Option<(Place, Waiter, T)> {
        let (place, accepted) = self.find(accepts)?;
        let client = self.levels.get_mut(&place.priority)?.clients.get_mut(&place.client)?;
        let at = client.waiters.binary_search_by_key(&place.number, |waiter| waiter.number).ok()?;
        client.credit = (client.credit - client.waiters.get(at)?.cost()).max(DEBT_MAX);
        let waiter = self.take(place.priority, place.client, at)?;
        Some((place, waiter, accepted))
    }

    /// Whoever accepts first, and since when it waits, urgency before.
    pub(super) fn first<T>(&mut self, accepts: impl FnMut(&Waiter) -> Option<T>) -> Option<(i64, Duration)> {
        let (place, _) = self.find(accepts)?;
        Some((place.priority, get(&self.levels, place)?.since))
    }

    fn find<T>(&mut self, mut accepts: impl FnMut(&Waiter) -> Option<T>) -> Option<(Place, T)> {
        // Nearly always the first level is the only one that is looked at.
        if let Some(mut level) = self.levels.first_entry() {
            level.get_mut().settle_turn();
        }
        // Those like one that found nobody free need not look.
        let mut refused: Vec<&Waiter> = Vec::new();
        'ordinary: for (priority, level) in &self.levels {
            for client in &level.turns {
                let waiters = level.clients.get(client).map(|client| &client.waiters).into_iter().flatten();
                for waiter in waiters {
                    if refused.iter().any(|refused| refused.is_like(waiter)) {
                        continue;
                    }
                    if let Some(accepted) = accepts(waiter) {
                        let place = Place { priority: *priority, client: *client, number: waiter.number };
                        return Some((place, accepted));
                    }
                    refused.push(waiter);
                    if !waiter.is_unusual || refused.len() == KINDS {
                        break 'ordinary;
                    }
                }
            }
        }
        // No other ordinary one can take it either.
        for place in &self.unusual {
            if KINDS <= refused.len() {
                break;
            }
            let Some(waiter) = get(&self.levels, *place) else { continue };
            if refused.iter().any(|refused| refused.is_like(waiter)) {
                continue;
            }
            if let Some(accepted) = accepts(waiter) {
                return Some((*place, accepted));
            }
            refused.push(waiter);
        }
        None
    }
}

fn get(levels: &BTreeMap<i64, Level>, place: Place) -> Option<&Waiter> {
    let waiters = &levels.get(&place.priority)?.clients.get(&place.client)?.waiters;
    let at = waiters.binary_search_by_key(&place.number, |waiter| waiter.number).ok()?;
    waiters.get(at)
}
