//! A naive model of the heart, and a world in which the two live side by side.
//!
//! The model keeps no counts: a deployment's count is the number of live leases on it, found by
//! looking through all of them. It compares loads by multiplying crosswise with whole numbers, so it
//! shares neither the arithmetic nor the scan of the code it judges.

use std::sync::Arc;

use leastbusy_balance::{
    Capacity, DeploymentIndex, Fleet, Group, Lease, Member, Pick, Refusal, Room, TieBreak, Weight,
};

/// One way from a group to a deployment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seat {
    pub(crate) deployment: usize,
    pub(crate) weight: u32,
    pub(crate) order: i64,
    /// Its places and the speed of one of them, where they are known.
    pub(crate) capacity: Option<(u32, u32)>,
}

/// What a group is made of.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) seats: Vec<Seat>,
    pub(crate) tie_break: TieBreak,
}

/// A fleet, its groups and every live lease, checked against the model at each step.
pub(crate) struct World {
    plans: Vec<Plan>,
    fleet: Arc<Fleet>,
    deployments: Vec<DeploymentIndex>,
    groups: Vec<Group>,
    leases: Vec<Lease>,
}

impl World {
    pub(crate) fn new(deployments: usize, plans: &[Plan]) -> Self {
        let fleet = Fleet::new();
        let deployments: Vec<_> = (0..deployments).map(|_| fleet.deploy()).collect();
        let groups = plans
            .iter()
            .map(|plan| {
                let members = plan.seats.iter().map(|seat| Member {
                    room: Room::default(),
                    deployment: deployments[seat.deployment],
                    weight: Weight::new(f64::from(seat.weight)).expect("a plan's weights are positive"),
                    order: seat.order,
                    rules: Arc::default(),
                    limit: None,
                    terms: Arc::default(),
                    capacity: seat.capacity.map(|(places, speed)| {
                        Capacity::new(places, f64::from(speed)).expect("a plan's capacities are positive")
                    }),
                });
                fleet.group(members.collect(), plan.tie_break)
            })
            .collect();
        Self { plans: plans.to_vec(), fleet, deployments, groups, leases: Vec::new() }
    }

    pub(crate) fn live(&self) -> usize {
        self.leases.len()
    }

    /// The naive count: how many live leases are on a deployment.
    fn count(&self, deployment: usize) -> u32 {
        let on_it = self.leases.iter().filter(|lease| lease.deployment() == self.deployments[deployment]);
        u32::try_from(on_it.count()).expect("a test holds few leases")
    }

    /// The naive pick: every seat that may win, in the group's order; `tried` is a bit for each deployment.
    pub(crate) fn winners(&self, group: usize, tried: u32) -> Vec<usize> {
        let seats = &self.plans[group].seats;
        let free = |index: &usize| tried & (1 << seats[*index].deployment) == 0;
        let level = (0..seats.len()).filter(free).map(|index| seats[index].order).min();
        let candidates: Vec<usize> =
            (0..seats.len()).filter(free).filter(|&index| Some(seats[index].order) == level).collect();
        let all_known: Option<Vec<_>> = seats.iter().map(|seat| seat.capacity).collect();
        let count = |seat: usize| self.count(seats[seat].deployment);
        let busier = |a: usize, b: usize| match &all_known {
            Some(known) => is_busier_by_speed((count(a), known[a]), (count(b), known[b])),
            // (count a + 1) / weight a > (count b + 1) / weight b.
            None => {
                u64::from(count(a) + 1) * u64::from(seats[b].weight)
                    > u64::from(count(b) + 1) * u64::from(seats[a].weight)
            }
        };
        candidates.iter().copied().filter(|&a| !candidates.iter().any(|&b| busier(a, b))).collect()
    }

    /// Picks, checks that the model would too, keeps the lease, and returns the seat that won.
    pub(crate) fn pick(&mut self, group: usize, tried: u32, dice: u64) -> Option<usize> {
        let winners = self.winners(group, tried);
        let tried: Vec<_> = (0..self.deployments.len())
            .filter(|deployment| tried & (1 << deployment) != 0)
            .map(|deployment| self.deployments[deployment])
            .collect();
        let plan = &self.plans[group];
        match self.groups[group].pick(&Pick { tried: &tried, dice, ..Pick::default() }) {
            Ok(lease) => {
                let seat = lease.member();
                assert!(winners.contains(&seat), "seat {seat} was picked, least busy are {winners:?}");
                if plan.tie_break == TieBreak::First {
                    assert_eq!(seat, winners[0], "the first of the least busy");
                }
                let deployment = plan.seats[seat].deployment;
                assert_eq!(lease.deployment(), self.deployments[deployment], "member and deployment agree");
                assert_eq!(lease.in_flight_at_pick(), self.count(deployment) + 1, "the count at the pick");
                self.leases.push(lease);
                Some(seat)
            }
            Err(refusal) => {
                let all_tried = Refusal::AllTried { untried: 0, soonest: None };
                let expected = if plan.seats.is_empty() { Refusal::Empty } else { all_tried };
                assert_eq!(winners, [0_usize; 0], "refused although a deployment is free");
                assert_eq!(refusal, expected);
                None
            }
        }
    }

    /// Picks until chance falls on `seat`, one of the winners.
    pub(crate) fn pick_seat(&mut self, group: usize, tried: u32, seat: usize) {
        for dice in 0..1000 {
            if self.pick(group, tried, dice) == Some(seat) {
                return;
            }
            self.leases.pop();
        }
        panic!("seat {seat} of group {group} ties with the others but never won in 1000 picks");
    }

    /// Ends a live lease.
    pub(crate) fn end(&mut self, lease: usize) {
        drop(self.leases.swap_remove(lease));
    }

    /// The books agree with the live leases.
    pub(crate) fn check(&self) {
        let counts: Vec<u32> = (0..self.deployments.len()).map(|deployment| self.count(deployment)).collect();
        assert_eq!(self.fleet.snapshot(), counts, "in flight = live leases");
    }

    /// Ends everything; nothing may be left in flight.
    pub(crate) fn end_all(mut self) {
        self.leases.clear();
        self.check();
    }
}

/// Whether a deployment with this count, and these places of this speed, is busier than another.
fn is_busier_by_speed(a: (u32, (u32, u32)), b: (u32, (u32, u32))) -> bool {
    let [a, b] = [a, b].map(|(count, (places, speed))| [count, places, speed].map(u64::from));
    let ([count_a, places_a, speed_a], [count_b, places_b, speed_b]) = (a, b);
    match (count_a < places_a, count_b < places_b) {
        (true, false) => false,
        (false, true) => true,
        // speed a * (1 - (count a + 1) / places a / 10) < the same of b.
        (true, true) => {
            speed_a * (10 * places_a - count_a - 1) * places_b
                < speed_b * (10 * places_b - count_b - 1) * places_a
        }
        // (count a + 1 - places a) / (places a * speed a) > the same of b.
        (false, false) => {
            (count_a + 1 - places_a) * places_b * speed_b > (count_b + 1 - places_b) * places_a * speed_a
        }
    }
}
