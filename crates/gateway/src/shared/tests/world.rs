//! Several instances, their traffic, the way to Redis and what goes wrong on it, a millisecond at a time.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use leastbusy_balance::{
    DeploymentIndex, Fleet, Group, InstanceId, Lease, Member, Outcome, Pick, Standing, TieBreak, Weight,
};

use super::board::Board;
use super::probe::Probe;
use crate::config::SharedState;
use crate::shared::blob::Names;
use crate::shared::exchange::{Change, Exchange, Note, Reply, Turn};
use crate::shared::name::DeploymentName;

pub(super) const MS: Duration = Duration::from_millis(1);
pub(super) const LEASE: Duration = Duration::from_secs(2);
const TIMEOUT: Duration = Duration::from_millis(200);
/// The heart does not wait longer for leave to probe.
const ANSWER_PATIENCE: Duration = Duration::from_millis(100);
const PROBE_USE: Duration = Duration::from_secs(2);
const DEPLOYMENTS: usize = 4;
/// Longer than any pause between two turns, whatever has failed.
const PAUSE_MAX: Duration = Duration::from_millis(850);
/// Four for each interval, and those without a pause.
const TURNS_A_SECOND_MAX: usize = 300;

/// How likely it is that something goes wrong, in thousandths.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Trouble {
    pub(super) request_lost: u32,
    pub(super) reply_lost: u32,
    pub(super) executed_twice: u32,
    pub(super) executed_late: u32,
    pub(super) slow: u32,
    /// Requests that are answered badly.
    pub(super) bad_answer: u32,
}

pub(super) struct World {
    pub(super) now: Duration,
    pub(super) board: Board,
    /// The server's clock less ours.
    pub(super) clock_ms: u64,
    pub(super) is_up: bool,
    pub(super) trouble: Trouble,
    pub(super) has_traffic: bool,
    pub(super) instances: Vec<Instance>,
    pub(super) rng: Rng,
    late: Vec<(Duration, InstanceId, Turn)>,
    probes: Vec<Probe>,
    /// Probes that needed a right.
    pub(super) checked: usize,
    /// When the server last forgot something, or its clock was set.
    pub(super) disturbed: Duration,
}

pub(super) struct Instance {
    pub(super) id: InstanceId,
    pub(super) exchange: Exchange,
    pub(super) fleet: Arc<Fleet>,
    pub(super) group: Group,
    pub(super) deployments: Vec<DeploymentIndex>,
    /// Its clock less ours.
    skew: Duration,
    leases: Vec<(Lease, Duration)>,
    next: Next,
    began: Duration,
    /// When the latest turn began that was answered.
    heard: Duration,
    nudged: bool,
    joined: Duration,
    /// The rights to probe that it was given last.
    rights: [(Duration, Duration); DEPLOYMENTS],
    pub(super) frozen_until: Duration,
    pub(super) is_alive: bool,
    /// When the server last executed one of its turns.
    pub(super) told: Duration,
    pub(super) changes: Vec<Change>,
    turns: VecDeque<Duration>,
    pub(super) turns_in_all: u64,
}

enum Next {
    Turn(Duration),
    Answer(Duration, Box<Turn>, Option<Reply>),
}

impl World {
    pub(super) fn new(seed: u64, instances: usize) -> Self {
        let mut world = Self {
            now: Duration::ZERO,
            board: Board::default(),
            clock_ms: 1_700_000_000_000,
            is_up: true,
            trouble: Trouble::default(),
            has_traffic: true,
            instances: Vec::new(),
            rng: Rng::with_seed(seed),
            late: Vec::new(),
            probes: Vec::new(),
            checked: 0,
            disturbed: Duration::ZERO,
        };
        (0..instances).for_each(|_| world.join());
        world
    }

    /// One more instance, whose clock shows any time.
    pub(super) fn join(&mut self) {
        let id = InstanceId(self.rng.u128(..));
        let fleet = Fleet::new();
        let deployments: Vec<_> = (0..DEPLOYMENTS).map(|_| fleet.deploy()).collect();
        let members = deployments.iter().map(|deployment| Member::new(*deployment, Weight::ONE)).collect();
        let names = deployments.iter().enumerate().map(|(at, deployment)| (*deployment, name_of(at)));
        let settings = Arc::new(SharedState::default());
        assert_eq!(settings.lease_time(), LEASE);
        self.instances.push(Instance {
            id,
            exchange: Exchange::new(id, format!("place {id:?}"), settings, Names::new(names)),
            group: fleet.group(members, TieBreak::Random),
            fleet,
            deployments,
            skew: Duration::from_millis(self.rng.u64(0..10_000_000)),
            leases: Vec::new(),
            next: Next::Turn(self.now),
            began: self.now,
            heard: self.now,
            nudged: false,
            joined: self.now,
            rights: [(Duration::ZERO, Duration::ZERO); DEPLOYMENTS],
            frozen_until: Duration::ZERO,
            is_alive: true,
            told: Duration::ZERO,
            changes: Vec::new(),
            turns: VecDeque::new(),
            turns_in_all: 0,
        });
    }

    pub(super) fn server_ms(&self) -> u64 {
        self.clock_ms + self.now.as_millis() as u64
    }

    pub(super) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now += MS;
            self.step();
        }
    }

    fn step(&mut self) {
        let (now, server_ms) = (self.now, self.server_ms());
        if self.is_up {
            for (_, id, turn) in self.late.extract_if(.., |(at, ..)| *at <= now) {
                self.board.take(server_ms, id, &turn);
                self.instances.iter_mut().filter(|one| one.id == id).for_each(|one| one.told = now);
                void_rested(&mut self.probes, &turn, now);
            }
        }
        for at in 0..self.instances.len() {
            if self.instances[at].is_alive && self.instances[at].frozen_until <= now {
                self.traffic(at);
                self.go_on(at);
            }
        }
        self.check();
    }

    fn traffic(&mut self, at: usize) {
        let one = &mut self.instances[at];
        let local = self.now + one.skew;
        if self.has_traffic && self.rng.u32(..1000) < 30 {
            let pick = Pick { dice: self.rng.u64(..), now: local, ..Pick::default() };
            if let Ok(lease) = one.group.pick(&pick) {
                let mut took = MS * self.rng.u32(1..400);
                if lease.is_probe() && one.exchange.is_guarded() {
                    let of = one.place_of(&lease);
                    let (from, until) = one.rights[of];
                    // Where it may go without, a right that it was given may be void.
                    if !one.may_go_without(of, self.now) {
                        let (by, picked) = (one.id, self.now);
                        assert!(picked < until, "{by:?} probes {of} at {picked:?} without a right");
                        let probe = Probe { by, of, from, until, picked, is_out: true };
                        probe.expect_right(&self.probes, self.now, self.disturbed);
                        self.probes.push(probe);
                        self.checked += 1;
                    }
                    if self.rng.u32(..4) == 0 {
                        took = MS * self.rng.u32(1000..5000);
                    }
                }
                one.leases.push((lease, self.now + took));
            }
        }
        let bad = self.trouble.bad_answer;
        let (ended, open) = mem::take(&mut one.leases).into_iter().partition(|(_, ends)| *ends <= self.now);
        one.leases = open;
        for (lease, _) in ended {
            let outcome = match (self.rng.u32(..1000) < bad, self.rng.u32(..4)) {
                (false, _) => Outcome::Success,
                (true, 0) => Outcome::ClientLeft,
                (true, seconds) => {
                    Outcome::RateLimited { retry_after: Some(Duration::from_secs(u64::from(seconds))) }
                }
            };
            let (of, is_probe) = (one.place_of(&lease), lease.is_probe());
            let rested = lease.end(outcome, local).is_some();
            one.nudged |= rested;
            // Whoever probes next does it by another right.
            for probe in self.probes.iter_mut().filter(|probe| probe.of == of) {
                if rested || (is_probe && probe.by == one.id) {
                    probe.voids(self.now);
                }
            }
        }
    }

    fn go_on(&mut self, at: usize) {
        let now = self.now;
        let one = &mut self.instances[at];
        let local = now + one.skew;
        let may_hurry = one.nudged && one.soonest() <= now;
        match &mut one.next {
            Next::Turn(due) if *due <= now || may_hurry => {
                one.nudged = false;
                one.began = now;
                one.turns.push_back(now);
                one.turns_in_all += 1;
                let turn = one.exchange.turn(&one.fleet, local);
                self.send(at, turn);
            }
            Next::Answer(due, ..) if *due <= now => {
                let Next::Answer(_, turn, reply) = mem::replace(&mut one.next, Next::Turn(now)) else {
                    unreachable!("it was an answer a line ago")
                };
                let change = match reply {
                    Some(reply) => {
                        one.heard = one.began;
                        one.takes_rights(&turn, &reply);
                        one.exchange.answered(&one.fleet, &turn, reply, local)
                    }
                    None => one.exchange.failed(&one.fleet, local),
                };
                one.noted(change);
                let dice = self.rng.f64();
                let pause = one.exchange.pause(dice);
                one.next = Next::Turn((one.began + pause).max(now));
            }
            Next::Answer(..) if (now - one.began).as_millis().is_multiple_of(100) => {
                let change = one.exchange.waits(&one.fleet, local);
                one.noted(change);
            }
            Next::Turn(_) | Next::Answer(..) => {}
        }
    }

    fn send(&mut self, at: usize, turn: Turn) {
        let mut luck = self.rng.u32(..1000);
        let mut is = |part: u32| {
            let hit = luck < part;
            luck = luck.saturating_sub(part).max(if hit { 1000 } else { 0 });
            hit
        };
        let trouble = self.trouble;
        let (now, server_ms) = (self.now, self.clock_ms + self.now.as_millis() as u64);
        let one = &mut self.instances[at];
        let (due, reply) = if !self.is_up {
            (now + MS, None)
        } else if is(trouble.request_lost) {
            (now + TIMEOUT, None)
        } else if is(trouble.executed_late) {
            let late = now + MS * self.rng.u32(200..3000);
            self.late.push((late, one.id, turn.clone()));
            (now + TIMEOUT, None)
        } else {
            one.told = now;
            void_rested(&mut self.probes, &turn, now);
            let mut reply = self.board.take(server_ms, one.id, &turn);
            if is(trouble.executed_twice) {
                reply = self.board.take(server_ms, one.id, &turn);
            }
            match (is(trouble.reply_lost), is(trouble.slow)) {
                (true, _) => (now + TIMEOUT, None),
                (false, true) => (now + MS * self.rng.u32(1..200), Some(reply)),
                (false, false) => (now + MS, Some(reply)),
            }
        };
        one.next = Next::Answer(due, Box::new(turn), reply);
    }

    /// Stops an instance for good: at once, or in an orderly way.
    pub(super) fn stop(&mut self, at: usize, orderly: bool) {
        if orderly && self.is_up {
            self.board.leave(self.instances[at].id);
        }
        self.instances[at].is_alive = false;
    }

    /// What holds at any moment.
    fn check(&mut self) {
        let now = self.now;
        let gone: Vec<_> = self
            .instances
            .iter()
            .filter(|other| other.told + LEASE + PAUSE_MAX + TIMEOUT < now)
            .map(|other| other.id)
            .collect();
        for one in self.instances.iter_mut().filter(|one| one.is_alive) {
            for deployment in &one.deployments {
                assert!(one.fleet.in_flight(*deployment) <= one.fleet.in_flight_total(*deployment));
            }
            while one.turns.front().is_some_and(|turn| *turn + Duration::from_secs(1) < now) {
                one.turns.pop_front();
            }
            assert!(one.turns.len() <= TURNS_A_SECOND_MAX, "{} turns a second", one.turns.len());
            // Who has just come may read what a replica has that lags behind, or a server whose clock was set back.
            let settled = one.frozen_until.max(one.joined + LEASE).max(self.disturbed + LEASE);
            if settled + PAUSE_MAX + TIMEOUT <= now {
                for (known, _) in one.exchange.others(now + one.skew) {
                    assert!(
                        !gone.contains(&known.id),
                        "{:?} counts at {now:?} although it is gone",
                        known.id
                    );
                }
            }
        }
    }

    /// Without traffic, what is in flight in all instances that live, on each deployment.
    pub(super) fn totals(&self) -> Vec<u32> {
        let live = || self.instances.iter().filter(|one| one.is_alive);
        (0..DEPLOYMENTS).map(|at| live().map(|one| one.fleet.in_flight(one.deployments[at])).sum()).collect()
    }

    /// Fails unless everybody alive sees what is there.
    pub(super) fn expect_exact(&self, when: &str) {
        for one in self.instances.iter().filter(|one| one.is_alive) {
            let seen: Vec<_> =
                one.deployments.iter().map(|one_of| one.fleet.in_flight_total(*one_of)).collect();
            assert_eq!(seen, self.totals(), "{:?} {when}, at {:?}", one.id, self.now);
        }
    }
}

impl Instance {
    fn soonest(&self) -> Duration {
        match self.exchange.is_failing() {
            true => Duration::MAX,
            false => self.began + self.exchange.pause_min(),
        }
    }

    fn noted(&mut self, change: Option<Change>) {
        let Some(change) = change else { return };
        let is_lost = |change: &Change| matches!(change, Change::Lost { .. });
        let last = self.changes.last().is_some_and(is_lost);
        assert_ne!(last, is_lost(&change), "{:?} after {:?}", change, self.changes.last());
        self.changes.push(change);
    }

    /// Whether it may probe without a right: nobody has answered the question in time, or nobody else can serve.
    fn may_go_without(&self, of: usize, now: Duration) -> bool {
        let serves = |at: &usize| {
            let deployment = self.deployments[*at];
            let standing = self.fleet.condition(deployment, self.local(now)).standing;
            !matches!(standing, Standing::CoolingDown | Standing::Probing)
        };
        self.heard + ANSWER_PATIENCE <= now || !(0..DEPLOYMENTS).filter(|at| *at != of).any(|at| serves(&at))
    }

    fn place_of(&self, lease: &Lease) -> usize {
        self.deployments.iter().position(|known| *known == lease.deployment()).expect("it is one of them")
    }

    /// Notes the rights to probe that a reply gives.
    fn takes_rights(&mut self, turn: &Turn, reply: &Reply) {
        let asked = turn.notes.iter().filter(|(_, note)| matches!(note, Note::Probe { .. }));
        for ((name, _), right) in asked.zip(&reply.rights).filter(|(_, right)| !right.is_zero()) {
            let of = (0..DEPLOYMENTS).find(|at| name_of(*at) == *name).expect("it is one of them");
            self.rights[of] = (self.began, self.began + PROBE_USE.min(*right));
        }
    }

    pub(super) fn local(&self, now: Duration) -> Duration {
        now + self.skew
    }

    /// One more request on a deployment, which stays.
    pub(super) fn takes(&mut self, at: usize, now: Duration) -> Lease {
        let others: Vec<_> =
            self.deployments.iter().copied().filter(|other| *other != self.deployments[at]).collect();
        let pick = Pick { tried: &others, now: self.local(now), even_resting: true, ..Pick::default() };
        self.group.pick(&pick).expect("one deployment is left")
    }

    pub(super) fn nudge(&mut self) {
        self.nudged = true;
    }
}

/// A rest that is noted later than it began takes the right from whoever was given it meanwhile.
fn void_rested(probes: &mut [Probe], turn: &Turn, now: Duration) {
    let rests = |of: usize| {
        let mut notes = turn.notes.iter().filter(|(name, _)| *name == name_of(of));
        notes.any(|(_, note)| matches!(note, Note::Rests { .. }))
    };
    probes.iter_mut().filter(|probe| rests(probe.of)).for_each(|probe| probe.voids(now));
}

pub(super) fn name_of(at: usize) -> DeploymentName {
    DeploymentName::of(&format!("engine {at}"))
}
