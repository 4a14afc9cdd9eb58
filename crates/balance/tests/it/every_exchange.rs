//! All small histories of instances that tell each other their counts, with everything that can go wrong on the way.

use std::time::Duration;

use leastbusy_balance::{Fleet, HealthRules, InstanceId, TieBreak};

use crate::choices::Choices;
use crate::instances::{Board, Instance, LEASE, Message, exchange};

const DEPLOYMENTS: usize = 2;
const SHORT: Duration = Duration::from_millis(900);

/// What one instance has read of others, in order: a telling, or that one was missing.
#[derive(Debug)]
enum Read {
    Told { by: InstanceId, number: u64, at: Duration, counts: [u32; DEPLOYMENTS] },
    Missing { id: InstanceId },
}

struct World {
    instances: Vec<Instance>,
    board: Board,
    now: Duration,
    /// All that each instance ever told.
    said: Vec<(InstanceId, Vec<Message>)>,
    /// What each live instance has read, and when last.
    heard: Vec<(Vec<Read>, Duration)>,
}

fn counts(message: &Message) -> [u32; DEPLOYMENTS] {
    // All fleets number the same deployments alike.
    let first = Fleet::new().deploy();
    let mut counts = [0; DEPLOYMENTS];
    for told in &message.told {
        counts[usize::from(told.deployment != first)] = told.in_flight;
    }
    counts
}

impl World {
    /// Each instance has one request, or two, and knows of the others'.
    fn of(instances: usize) -> Self {
        let new = |number| Instance::new(number, DEPLOYMENTS, &HealthRules::default(), TieBreak::First);
        let instances: Vec<_> = (0..instances).map(new).collect();
        let said = instances.iter().map(|instance| (instance.id, Vec::new())).collect();
        let heard = instances.iter().map(|_| (Vec::new(), Duration::ZERO)).collect();
        let mut world =
            Self { instances, board: Board::default(), now: Duration::from_secs(1000), said, heard };
        (0..world.instances.len()).for_each(|at| world.pick(at));
        world.pick(0);
        (0..world.instances.len()).for_each(|at| world.tell(at, true));
        (0..world.instances.len()).for_each(|at| world.read(at));
        world
    }

    fn pick(&mut self, at: usize) {
        let lease = self.instances[at].pick(None, self.now).expect("nothing rests");
        self.instances[at].leases.push(lease);
    }

    fn tell(&mut self, at: usize, arrives: bool) {
        let message = self.instances[at].message(self.now);
        let id = self.instances[at].id;
        let said = self.said.iter_mut().find(|(by, _)| *by == id).expect("everybody is in the book");
        said.1.push(message.clone());
        if arrives {
            self.board.write(id, message, self.now);
        }
    }

    fn read(&mut self, at: usize) {
        let (heard, last) = &mut self.heard[at];
        *last = self.now;
        for (id, _) in &self.said {
            match self.board.rows(self.now).find(|(by, _)| by == id) {
                Some((by, message)) if by != self.instances[at].id => {
                    heard.push(Read::Told {
                        by,
                        number: message.number,
                        at: self.now,
                        counts: counts(message),
                    });
                }
                Some(_) => {}
                None => heard.push(Read::Missing { id: *id }),
            }
        }
        self.instances[at].read(self.board.rows(self.now), self.now);
    }

    /// What the others have on a deployment, from all that an instance ever read: of each the highest number, if it
    /// was read first less than a lease before the last read, and the instance was not missing since.
    fn of_others(&self, at: usize, deployment: usize) -> u32 {
        let (heard, last) = &self.heard[at];
        let of = |id: InstanceId| {
            let told = heard.iter().enumerate().filter_map(|(place, read)| match read {
                Read::Told { by, number, at, counts } if *by == id => Some((*number, place, *at, counts)),
                _ => None,
            });
            // The first reading of the highest number.
            let (_, place, at, counts) =
                told.max_by_key(|(number, place, ..)| (*number, usize::MAX - place))?;
            let is_missing = |read: &Read| matches!(read, Read::Missing { id: missing } if *missing == id);
            (*last < at + LEASE && !heard[place..].iter().any(is_missing)).then_some(counts[deployment])
        };
        self.said.iter().filter_map(|(id, _)| of(*id)).sum()
    }

    fn check(&self) {
        for (at, instance) in self.instances.iter().enumerate() {
            for deployment in 0..DEPLOYMENTS {
                let on_it = instance.leases.iter().filter(|lease| lease.member() == deployment).count();
                assert_eq!(instance.own(deployment) as usize, on_it, "in flight = live leases");
                let expected = instance.own(deployment) + self.of_others(at, deployment);
                assert_eq!(instance.total(deployment), expected, "instance {at}, deployment {deployment}");
            }
        }
    }

    /// Every total is the live leases of all live instances.
    fn check_exact(&self) {
        for deployment in 0..DEPLOYMENTS {
            let all: u32 = self.instances.iter().map(|instance| instance.own(deployment)).sum();
            for instance in &self.instances {
                assert_eq!(instance.total(deployment), all, "deployment {deployment}");
            }
        }
    }

    fn crash(&mut self, at: usize) {
        let (leases, heard) = (self.instances.remove(at), self.heard.remove(at));
        drop((leases, heard));
    }

    /// A replica that lags behind shows the first telling of an instance again, or that of one long gone.
    fn show_old(&mut self, number: usize) {
        let (id, said) = &self.said[number];
        self.board.write(*id, said[0].clone(), self.now);
    }

    fn settles(mut self) {
        let live: Vec<_> = self.instances.iter().map(|instance| instance.id).collect();
        exchange(&mut self.instances, &mut self.board, self.now);
        if self.said.iter().all(|(id, _)| live.contains(id) || !self.board.has(*id)) {
            self.check_exact();
        }
        // Whoever crashed is gone after the lease at the latest.
        self.now += LEASE;
        exchange(&mut self.instances, &mut self.board, self.now);
        self.check_exact();
        self.instances.iter_mut().for_each(|instance| instance.leases.clear());
        exchange(&mut self.instances, &mut self.board, self.now);
        self.check_exact();
        assert!(self.instances.iter().all(|instance| instance.total(0) + instance.total(1) == 0));
    }
}

fn play(instances: usize, steps: usize) -> u64 {
    let (mut choices, mut histories) = (Choices::default(), 0);
    while choices.advance() {
        let mut world = World::of(instances);
        for _ in 0..steps {
            let live = world.instances.len();
            // To or by each: a pick, an end, an exchange, an exchange whose telling is lost; then what befalls all.
            match choices.choose(4 * live + 5) {
                step if step < live => world.pick(step),
                step if step < 2 * live => drop(world.instances[step - live].leases.pop()),
                step if step < 4 * live => {
                    world.tell(step % live, step < 3 * live);
                    world.read(step % live);
                }
                step => match step - 4 * live {
                    0 if 1 < live => world.crash(0),
                    1 => world.show_old(0),
                    2 => world.board.clear(),
                    3 => world.now += SHORT,
                    4 => world.now += LEASE,
                    _ => world.pick(0),
                },
            }
            world.check();
        }
        world.settles();
        histories += 1;
    }
    histories
}

#[test]
fn every_history_of_tellings_comes_to_the_right_totals() {
    let histories = play(2, 5) + play(3, 4);
    eprintln!("{histories} histories of tellings");
    assert!(200_000 < histories, "{histories} histories");
}
