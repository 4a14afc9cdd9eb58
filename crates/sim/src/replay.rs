//! Jobs through engines in virtual time, event by event.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use leastbusy_balance::{Fleet, Group, Lease, Member, Pick, TieBreak};

use crate::{Dice, Engine, Job, Times};

/// How the engine for a job is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chooser {
    /// Blindly, each engine with a chance in proportion to its weight.
    Random,
    /// The lowest in-flight for its weight, by the production code.
    LeastBusy,
}

/// What the jobs of one replay saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// From arrival to getting a slot.
    pub waits: Times,
    /// From arrival to the end of the engine's setup: the first token.
    pub first_tokens: Times,
    /// From arrival to the end of the job.
    pub responses: Times,
    /// For each engine, the most jobs it had at once, served and waiting.
    pub largest_in_flight: Vec<u32>,
    /// For each engine, the jobs it served.
    pub served: Vec<u64>,
}

/// Runs the jobs through the engines; the same seed gives the same report.
///
/// Jobs may stand in any order; those with the same arrival are taken in the order given.
///
/// # Panics
///
/// If there are jobs but no engines, or a job's size is not a finite number of at least 0.
#[must_use]
pub fn replay(jobs: &[Job], engines: &[Engine], chooser: Chooser, seed: u64) -> Report {
    assert!(jobs.is_empty() || !engines.is_empty(), "jobs need an engine");
    assert!(jobs.iter().all(|job| job.size.is_finite() && 0.0 <= job.size), "a size is finite, 0 or more");
    let mut arrivals = jobs.to_vec();
    arrivals.sort_by_key(|job| job.arrival);

    let mut world = World::new(engines, Choice::new(engines, chooser), seed);
    for job in arrivals {
        // An end at the same moment comes first: its place is free for the job that arrives.
        world.run_until(job.arrival);
        world.arrive(job);
    }
    world.run_until(Duration::MAX);
    world.report()
}

/// Everything that changes while virtual time goes on.
struct World<'a> {
    choice: Choice,
    dice: Dice,
    engines: Vec<Running<'a>>,
    /// The jobs in a slot by when they end; among equal times, the job that came first.
    ends: BinaryHeap<Reverse<(Duration, usize)>>,
    visits: Vec<Visit>,
}

/// One engine's slots and queue.
struct Running<'a> {
    engine: &'a Engine,
    free: u32,
    waiting: VecDeque<usize>,
}

/// One job on its way; its place in [`World::visits`] is its number.
struct Visit {
    job: Job,
    engine: usize,
    in_flight_at_pick: u32,
    started: Duration,
    ended: Duration,
    // Taken on arrival and given back at the end, as in production.
    lease: Option<Lease>,
}

impl<'a> World<'a> {
    fn new(engines: &'a [Engine], choice: Choice, seed: u64) -> Self {
        let idle = |engine: &'a Engine| Running { engine, free: engine.slots(), waiting: VecDeque::new() };
        Self {
            choice,
            dice: Dice::new(seed),
            engines: engines.iter().map(idle).collect(),
            ends: BinaryHeap::new(),
            visits: Vec::new(),
        }
    }

    fn arrive(&mut self, job: Job) {
        let (engine, lease) = self.choice.pick(&mut self.dice);
        let number = self.visits.len();
        self.visits.push(Visit {
            job,
            engine,
            in_flight_at_pick: lease.in_flight_at_pick(),
            started: Duration::ZERO,
            ended: Duration::ZERO,
            lease: Some(lease),
        });
        if self.engines[engine].free == 0 {
            self.engines[engine].waiting.push_back(number);
        } else {
            self.engines[engine].free -= 1;
            self.start(number, job.arrival);
        }
    }

    fn start(&mut self, number: usize, now: Duration) {
        let visit = &mut self.visits[number];
        visit.started = now;
        visit.ended = now.saturating_add(self.engines[visit.engine].engine.service(visit.job.size));
        self.ends.push(Reverse((visit.ended, number)));
    }

    fn run_until(&mut self, until: Duration) {
        while let Some(&Reverse((now, number))) = self.ends.peek()
            && now <= until
        {
            self.ends.pop();
            let visit = &mut self.visits[number];
            visit.lease = None;
            let engine = &mut self.engines[visit.engine];
            match engine.waiting.pop_front() {
                Some(next) => self.start(next, now),
                None => engine.free += 1,
            }
        }
    }

    fn report(&self) -> Report {
        let setup = |visit: &Visit| self.engines[visit.engine].engine.setup();
        let mut largest_in_flight = vec![0; self.engines.len()];
        let mut served = vec![0; self.engines.len()];
        for visit in &self.visits {
            served[visit.engine] += 1;
            largest_in_flight[visit.engine] = visit.in_flight_at_pick.max(largest_in_flight[visit.engine]);
        }
        let since_arrival = |time: fn(&Visit) -> Duration| {
            self.visits.iter().map(move |visit| time(visit) - visit.job.arrival)
        };
        Report {
            waits: since_arrival(|visit| visit.started).collect(),
            first_tokens: self
                .visits
                .iter()
                .map(|visit| visit.started + setup(visit) - visit.job.arrival)
                .collect(),
            responses: since_arrival(|visit| visit.ended).collect(),
            largest_in_flight,
            served,
        }
    }
}

/// The groups of the heart that jobs are picked from.
enum Choice {
    LeastBusy(Group),
    /// One group for each engine, so that the counts are the heart's here too, and where the chance of
    /// each ends in `0.0..=1.0`.
    Random(Vec<(f64, Group)>),
}

impl Choice {
    fn new(engines: &[Engine], chooser: Chooser) -> Self {
        let fleet = Fleet::new();
        let members = engines.iter().map(|engine| Member::new(fleet.deploy(), engine.weight()));
        match chooser {
            Chooser::LeastBusy => Self::LeastBusy(fleet.group(members.collect(), TieBreak::Random)),
            Chooser::Random => {
                let total: f64 = engines.iter().map(|engine| engine.weight().get()).sum();
                let mut end = 0.0;
                let chances = members.map(|member| {
                    end += member.weight.get() / total;
                    (end, fleet.group(vec![member], TieBreak::Random))
                });
                Self::Random(chances.collect())
            }
        }
    }

    fn pick(&self, dice: &mut Dice) -> (usize, Lease) {
        const MEMBERS: &str = "a replay with jobs has engines";
        match self {
            Self::LeastBusy(group) => {
                let lease = group.pick(&Pick { dice: dice.roll(), ..Pick::default() }).expect(MEMBERS);
                (lease.member(), lease)
            }
            Self::Random(chances) => {
                let point = dice.uniform();
                // Rounding may end the last chance just below 1.
                let chosen = chances.iter().position(|(end, _)| point < *end).unwrap_or(chances.len() - 1);
                let lease = chances[chosen].1.pick(&Pick::default()).expect(MEMBERS);
                (chosen, lease)
            }
        }
    }
}

#[cfg(test)]
mod tests;
