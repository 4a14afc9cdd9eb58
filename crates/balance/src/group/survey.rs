//! How the members of a group are at the moment of a pick, and how the others are when one has failed.

use std::time::Duration;

use super::{Core, Unavailable};
use crate::candidate::Surveyed;
use crate::fleet::{Books, DeploymentIndex, Seat};
use crate::health::{Availability, Peers};
use crate::load::{load, load_by_speed};
use crate::others::Others;
use crate::pick::Pick;

impl Core {
    /// Tells of each member that this pick may choose, and then of the others.
    pub(crate) fn survey(
        &self,
        books: &mut Books,
        pick: &Pick<'_>,
        limits: &impl Fn(usize) -> Option<u32>,
        mut see: impl FnMut(Surveyed),
    ) -> Unavailable {
        // Only a ramp asks for it.
        let mut peers = None;
        let crew = books.crew();
        let mut unavailable = Unavailable::default();
        for (index, member) in self.members.iter().enumerate() {
            if !pick.allows(index, member.order) {
                continue;
            }
            let tried = pick.was_tried(member.deployment);
            let Seat { in_flight, calm } = books.seat(member.deployment);
            let weight = member.weight.get();
            let limit = limits(index);
            let told = books.others_on(member.deployment);
            let others = told.in_flight;
            let is_at_limit = limit.is_some_and(|limit| {
                limit <= in_flight || self.is_at_cap(limit, in_flight, told, crew.others)
            });
            let elsewhere = books.elsewhere(member.deployment, pick.now);
            let burden = self.burden(books, index, pick.demand, pick.now);
            let beside = elsewhere + burden;
            let is_spent = self.is_metered && books.is_spent(member.deployment, &member.terms, pick.now);
            let speed = if self.learns { books.speed(self.index, member.deployment, pick.now) } else { 1.0 };
            let mut tell = |unavailable: &mut Unavailable, is_full, load, phantoms, factor| {
                unavailable.somebody_open = true;
                if tried {
                    return;
                }
                if is_at_limit {
                    unavailable.somebody_full = true;
                    return;
                }
                if is_spent {
                    unavailable.somebody_spent = true;
                    return;
                }
                let seems_full = limit.is_some_and(|limit| {
                    f64::from(limit) <= f64::from(in_flight.saturating_add(others)) + elsewhere
                });
                let share = factor * self.share(index);
                let (member, order) = (index, member.order);
                see(Surveyed {
                    member,
                    order,
                    in_flight,
                    is_full,
                    load,
                    phantoms,
                    others,
                    elsewhere,
                    burden,
                    share,
                    seems_full,
                });
            };
            if calm {
                let busy = f64::from(in_flight) + beside;
                tell(&mut unavailable, false, self.load(index, busy, speed, None), 0, speed);
                continue;
            }
            let peers = *peers.get_or_insert_with(|| self.load_of_peers(books, pick.now));
            let health = books.health(member.deployment);
            let calm = health.settle(pick.now);
            let availability = health.availability(pick.now);
            if !tried {
                health.ask_to_probe(availability, pick.now);
            }
            let (is_full, load, phantoms, factor) = match availability {
                closed @ (Availability::Closed(_) | Availability::Probed(_) | Availability::Guarded(_)) => {
                    // Two entries may lead to one deployment.
                    let is_known =
                        || self.members[..index].iter().any(|before| before.deployment == member.deployment);
                    if !pick.barred.contains(&member.deployment) && !is_known() {
                        unavailable.resting.see(index, closed, (tried, is_at_limit || is_spent));
                    }
                    unavailable.somebody_out |= tried;
                    continue;
                }
                Availability::Ready => {
                    let busy = f64::from(in_flight) + beside;
                    (false, self.load(index, busy, speed, None), 0, speed)
                }
                Availability::Open => {
                    let places = health.places(pick.now, &member.rules, peers * weight, crew);
                    let phantoms = health.phantoms();
                    let busy = f64::from(in_flight) + f64::from(phantoms) + beside;
                    let factor = speed * health.weight_factor(pick.now);
                    let load = self.load(index, busy, factor, places.least());
                    // A ramp that takes places of a known number needs no more than its part in the score: there it
                    // gives way when nobody else has a free one. What is answered with a 429 does not.
                    let bound = if self.capacities.is_some() { places.limit } else { places.least() };
                    (bound.is_some_and(|bound| bound <= in_flight), load, phantoms, factor)
                }
            };
            books.set_calm(member.deployment, calm);
            tell(&mut unavailable, is_full, load, phantoms, factor);
        }
        unavailable
    }

    /// Whether a member is full for this instance, as it and so many others share what the limit allows all of them.
    // They all see the same places, each by an older count of the rest. Whoever took all of them, as every other may, filled
    // them as often as there are instances (docs/queue.md); so one view gives each its part, and at least one.
    fn is_at_cap(&self, limit: u32, own: u32, told: Others, instances: u32) -> bool {
        let Some(cap) = self.rules.cap_of_all.filter(|_| 0 < instances) else { return false };
        let left = (cap * f64::from(limit)).ceil() - f64::from(told.in_flight);
        let had = f64::from(told.own);
        let part = ((left - had) / (f64::from(instances) + 1.0)).ceil();
        left.min(had + part) <= f64::from(own)
    }

    /// The score of a member with so many requests, whose weight or speed counts by a factor, and which has no more
    /// than so many places.
    fn load(&self, index: usize, busy: f64, factor: f64, places: Option<u32>) -> f64 {
        match &self.capacities {
            None => load(busy, self.members[index].weight.get() * factor),
            Some(all) => {
                let known = all[index].places();
                let places = places.map_or(known, |places| known.min(places.max(1)));
                load_by_speed(busy, places.into(), all[index].speed() * factor)
            }
        }
    }

    /// What a member can carry relative to the others.
    fn share(&self, index: usize) -> f64 {
        match &self.capacities {
            None => self.members[index].weight.get(),
            Some(all) => f64::from(all[index].places()) * all[index].speed(),
        }
    }

    /// Requests in flight for each unit of weight on the members that are open and not ramping, of all instances.
    fn load_of_peers(&self, books: &mut Books, now: Duration) -> f64 {
        let (mut busy, mut weight) = (0.0, 0.0);
        for member in &self.members {
            let own = books.seat(member.deployment).in_flight;
            let in_flight = f64::from(own) + f64::from(books.others_in_flight(member.deployment));
            let health = books.health(member.deployment);
            if health.availability(now) == Availability::Open && !health.is_ramping() {
                busy += in_flight;
                weight += member.weight.get();
            }
        }
        if weight == 0.0 { 0.0 } else { busy / weight }
    }

    /// How the others are, as far as it matters for resting one.
    pub(crate) fn peers_of(&self, books: &mut Books, deployment: DeploymentIndex, now: Duration) -> Peers {
        let (mut others, mut resting) = (0, 0);
        for (at, member) in self.members.iter().enumerate() {
            // Two entries may lead to one deployment.
            let is_known = self.members[..at].iter().any(|before| before.deployment == member.deployment);
            if member.deployment == deployment || is_known {
                continue;
            }
            others += 1;
            let is_open = match books.health(member.deployment).availability(now) {
                Availability::Open | Availability::Ready => true,
                Availability::Closed(_) | Availability::Probed(_) | Availability::Guarded(_) => false,
            };
            resting += usize::from(!is_open);
        }
        Peers { members: others + 1, resting }
    }

    pub(crate) fn no_peers(&self) -> Peers {
        Peers { members: self.members.len(), resting: 0 }
    }
}
