//! All small histories of requests that fail, rest, are probed and come back.

use std::sync::Arc;
use std::time::Duration;

use leastbusy_balance::{
    DeploymentIndex, Fleet, Group, Lease, Member, Outcome, Pick, Refusal, Standing, TieBreak, Weight,
};

use crate::choices::Choices;

const ENDINGS: [Outcome; 5] = [
    Outcome::Success,
    Outcome::ServerError,
    Outcome::ConnectionFailed,
    Outcome::RateLimited { retry_after: None },
    Outcome::Authentication,
];

/// A rest ends between the first and the second of these, a doubled one after the third.
const PAUSES: [Duration; 2] = [Duration::from_secs(3), Duration::from_secs(15)];

struct World {
    fleet: Arc<Fleet>,
    deployments: Vec<DeploymentIndex>,
    group: Group,
    /// With the moment of their pick.
    leases: Vec<(Lease, Duration)>,
    now: Duration,
}

impl World {
    fn of(deployments: usize) -> Self {
        let fleet = Fleet::new();
        let deployments: Vec<_> = (0..deployments).map(|_| fleet.deploy()).collect();
        let members = deployments.iter().map(|&deployment| Member::new(deployment, Weight::ONE)).collect();
        let group = fleet.group(members, TieBreak::First);
        Self { fleet, deployments, group, leases: Vec::new(), now: Duration::from_secs(1) }
    }

    fn standings(&self) -> Vec<Standing> {
        let standing = |&deployment| self.fleet.condition(deployment, self.now).standing;
        self.deployments.iter().map(standing).collect()
    }

    fn has_probe(&self, deployment: usize) -> bool {
        // After two seconds a probe that says nothing is joined by another.
        let is_fresh = |picked: Duration| self.now < picked + Duration::from_secs(2);
        let on_it = |lease: &Lease| lease.deployment() == self.deployments[deployment];
        self.leases.iter().any(|(lease, picked)| on_it(lease) && lease.is_probe() && is_fresh(*picked))
    }

    /// Nothing may be asked of it: it rests, or its one probe is out.
    fn is_closed(&self, deployment: usize) -> bool {
        self.standings()[deployment] == Standing::CoolingDown || self.has_probe(deployment)
    }

    /// When it may be asked, or asked about again.
    fn returns(&self, deployment: usize) -> Duration {
        let condition = self.fleet.condition(self.deployments[deployment], self.now);
        let pause = match condition.standing {
            Standing::CoolingDown => condition.cooldown.expect("it has a reason").remaining,
            _ => Duration::from_millis(50),
        };
        self.now + pause
    }

    fn pick(&mut self, tried: &[usize]) -> Option<usize> {
        let closed: Vec<bool> = (0..self.deployments.len()).map(|number| self.is_closed(number)).collect();
        let tried_indices: Vec<_> = tried.iter().map(|&number| self.deployments[number]).collect();
        let pick = Pick { tried: &tried_indices, now: self.now, ..Pick::default() };
        match self.group.pick(&pick) {
            Ok(lease) => {
                let picked = lease.member();
                assert!(!closed[picked], "{picked} was picked although it is closed");
                assert!(!tried.contains(&picked));
                self.leases.push((lease, self.now));
                Some(picked)
            }
            Err(Refusal::AllCooling { soonest }) => {
                assert!(closed.iter().all(|&closed| closed), "{closed:?}");
                assert!(self.now < soonest, "there is something to wait for");
                None
            }
            Err(Refusal::AllTried { untried, soonest }) => {
                let is_untried = |number: &usize| !tried.contains(number);
                let others = (0..closed.len()).filter(is_untried);
                assert!(others.clone().all(|number| closed[number]));
                assert_eq!(untried as usize, others.clone().count());
                assert_eq!(soonest, others.map(|number| self.returns(number)).min());
                None
            }
            Err(Refusal::Empty) => panic!("the group has members"),
            Err(Refusal::AllFull | Refusal::AllSpent { .. } | Refusal::QueueFull { .. }) => {
                panic!("nobody has a limit")
            }
        }
    }

    fn end(&mut self, lease: usize, outcome: Outcome) {
        let (lease, _) = self.leases.swap_remove(lease);
        let member = lease.member();
        let others_closed = (0..self.deployments.len())
            .filter(|&number| number != member)
            .all(|number| self.is_closed(number));
        let was_open = self.standings()[member] == Standing::Available;
        let rested = lease.end(outcome, self.now);
        let is_resting = self.standings()[member] == Standing::CoolingDown;
        assert_eq!(rested.is_some_and(|until| self.now < until), rested.is_some());
        if rested.is_some() {
            assert!(is_resting);
        }
        if was_open && others_closed && !matches!(outcome, Outcome::RateLimited { .. }) {
            assert!(!is_resting, "the last one available was rested for {outcome:?}");
        }
    }

    fn check(&self) {
        for (number, &deployment) in self.deployments.iter().enumerate() {
            let live = self.leases.iter().filter(|(lease, _)| lease.deployment() == deployment);
            assert_eq!(self.fleet.in_flight(deployment) as usize, live.clone().count());
            let probes = live
                .filter(|(lease, picked)| lease.is_probe() && self.now < *picked + Duration::from_secs(2));
            assert!(probes.count() <= 1, "two probes of {number}");
        }
    }

    /// Whatever has happened, with time and successes everything serves again.
    fn recovers(mut self) {
        for (lease, _) in std::mem::take(&mut self.leases) {
            lease.end(Outcome::Success, self.now);
        }
        self.now += Duration::from_secs(400);
        for _ in 0..2 {
            for number in 0..self.deployments.len() {
                let others: Vec<_> = (0..self.deployments.len()).filter(|&other| other != number).collect();
                self.pick(&others).expect("every rest is over");
                self.end(0, Outcome::Success);
                self.now += Duration::from_secs(30);
            }
        }
        self.pick(&[]);
        assert!(
            self.standings().iter().all(|&standing| standing == Standing::Available),
            "{:?}",
            self.standings()
        );
    }
}

fn play(deployments: usize, steps: usize) -> u64 {
    let mut choices = Choices::default();
    let mut histories = 0;
    while choices.advance() {
        let mut world = World::of(deployments);
        for _ in 0..steps {
            // A pick, a retry that was on the first, a pause, or an end of the oldest or the newest request.
            let ends = world.leases.len().min(2) * (ENDINGS.len() + 1);
            match choices.choose(2 + PAUSES.len() + ends) {
                0 => drop(world.pick(&[])),
                1 => drop(world.pick(&[0])),
                pause @ 2..4 => world.now += PAUSES[pause - 2],
                end => {
                    let (newest, ending) = ((end - 4) / (ENDINGS.len() + 1), (end - 4) % (ENDINGS.len() + 1));
                    let lease = if newest == 0 { 0 } else { world.leases.len() - 1 };
                    match ENDINGS.get(ending) {
                        Some(&outcome) => world.end(lease, outcome),
                        None => drop(world.leases.swap_remove(lease)),
                    }
                }
            }
            world.check();
        }
        world.recovers();
        histories += 1;
    }
    histories
}

#[test]
fn every_history_of_failures_keeps_the_books_and_comes_back() {
    let histories = play(1, 6) + play(2, 6) + play(3, 5);
    eprintln!("{histories} histories of failures");
    assert!(100_000 < histories, "{histories} histories");
}
