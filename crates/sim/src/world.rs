//! One run: everything that changes while virtual time goes on, event by event.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::mem;
use std::time::Duration;

use leastbusy_balance::{Ending, GiveUp, Lease, Limits, Outcome, Phase, Step, Walk};

use crate::client::Senders;
use crate::clock::Moment;
use crate::engine::machine::Machine;
use crate::gateway::Gateway;
use crate::rules::OneGroup;
use crate::slab::{Key, Slab};
use crate::{Client, Dice, Engine, Instances, Job, Policy, Report, Rules};

mod central;
mod event;
mod queue;
mod sharing;
mod tally;
mod trouble;

use event::{Entry, Event};
use queue::{Bell, Waiting};
use sharing::Sharing;
use tally::{Answered, Tally};

/// The only target of a run's requests.
const GROUP: usize = 0;

/// What one run is given besides the jobs.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    /// The deployments.
    pub engines: &'a [Engine],
    /// What the gateway is told.
    pub rules: &'a Rules,
    /// How many instances of it there are, and what they share.
    pub instances: &'a Instances,
    /// Whose the requests are.
    pub clients: &'a [Client],
    /// How it chooses.
    pub policy: Policy,
    /// What its dice and the deployments' are seeded with.
    pub seed: u64,
    /// Requests at the beginning that are not counted, because they find empty queues.
    pub uncounted: usize,
    /// The length of the spans of a [`Timeline`](crate::Timeline); `None` for none.
    pub span: Option<Duration>,
}

impl Run<'_> {
    /// Runs the jobs, which stand by arrival, through the engines; the same seed gives the same report.
    ///
    /// # Panics
    ///
    /// If there are jobs but no engines, or if the spans have no length.
    #[must_use]
    pub fn report(&self, jobs: &[Job]) -> Report {
        assert!(jobs.is_empty() || !self.engines.is_empty(), "jobs need an engine");
        assert!(self.span.is_none_or(|span| !span.is_zero()), "a span takes time");
        let mut world = World::new(self, jobs);
        for (number, job) in jobs.iter().enumerate() {
            // An end at the same moment comes first: its place is free for the job that arrives.
            world.run_until(job.arrival.into());
            world.arrive(number, *job);
        }
        world.all_have_come = true;
        world.run_until(Moment::NEVER);
        world.give_up_the_hanging();
        world.tally.report()
    }
}

/// A request on its way.
#[derive(Debug)]
struct Request {
    number: usize,
    /// The instance that it came to.
    instance: usize,
    job: Job,
    client: usize,
    walk: Walk,
    /// Its place in the gateway's queue.
    waiting: Option<Waiting>,
    /// Time in that queue, but for the wait that goes on.
    queued: Duration,
    /// Whether an attempt was made; the walk forgets those that may be made again.
    was_tried: bool,
}

/// An attempt of a request on one deployment.
#[derive(Debug)]
struct Visit {
    request: Key,
    instance: usize,
    job: Job,
    machine: usize,
    lease: Option<Lease>,
    stage: Stage,
    /// Numbers the visits.
    number: u64,
}

/// How far an attempt is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It fails, or hangs.
    InVain,
    Waiting,
    /// In a slot, before its first token.
    Started(Moment),
    Answering {
        started: Moment,
        first_token: Moment,
    },
}

struct World<'a> {
    now: Moment,
    events: BinaryHeap<Reverse<Entry>>,
    machines: Vec<Machine<'a>>,
    requests: Slab<Request>,
    visits: Slab<Visit>,
    /// Visits and events so far.
    numbers: u64,
    gateways: Vec<Gateway>,
    sharing: Sharing<'a>,
    senders: Senders<'a>,
    bell: Bell,
    all_have_come: bool,
    directions: OneGroup<'a>,
    /// The one queue before all, under [`Policy::CentralQueue`].
    central: Option<VecDeque<Key>>,
    /// What the deployments roll.
    dice: Dice,
    tally: Tally<'a>,
}

impl<'a> World<'a> {
    fn new(run: &Run<'a>, jobs: &[Job]) -> Self {
        let mut seeds = Dice::new(run.seed);
        let mut world = Self {
            now: Moment::START,
            events: BinaryHeap::new(),
            machines: run.engines.iter().map(Machine::new).collect(),
            requests: Slab::new(),
            visits: Slab::new(),
            numbers: 0,
            gateways: vec![Gateway::new(run.engines, run.rules, run.policy, seeds.roll())],
            directions: OneGroup {
                rules: run.rules,
                highest_order: run.engines.iter().map(|engine| engine.order).max().unwrap_or(0),
            },
            central: (run.policy == Policy::CentralQueue).then(VecDeque::new),
            dice: Dice::new(seeds.roll()),
            sharing: Sharing::new(run.instances, &mut seeds),
            // Of their own, so that who sends what is the same however many dice others need.
            senders: Senders::new(run.clients, Dice::new(!run.seed)),
            bell: Bell::default(),
            all_have_come: false,
            tally: Tally::new(run, jobs),
        };
        world.add_instances(run, &mut seeds);
        for (machine, engine) in run.engines.iter().enumerate() {
            for turn in engine.turns() {
                world.at(turn, Event::Turn(machine));
            }
        }
        if let Some(end) = world.tally.first_span_end() {
            world.at(end, Event::SpanEnds);
        }
        world
    }

    fn at(&mut self, at: Moment, event: Event) {
        self.numbers += 1;
        self.events.push(Reverse(Entry { at, number: self.numbers, event }));
    }

    fn run_until(&mut self, until: Moment) {
        while let Some(Reverse(next)) = self.events.peek()
            && next.at <= until
        {
            let Some(Reverse(Entry { at, event, .. })) = self.events.pop() else { return };
            self.now = at;
            self.happen(event);
        }
        self.now = until;
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::FirstToken(visit) => self.first_token(visit),
            Event::Whole(machine, announcement) => self.whole(machine, announcement),
            Event::Fails(visit, outcome) => self.fail(visit, outcome.into()),
            Event::TimeIsUp(visit) => {
                let outcome = Outcome::Timeout(Phase::Total);
                // What was left of the request's time says nothing of the deployment.
                self.fail(visit, Ending { counts: false, ..outcome.into() });
            }
            Event::Waited(request) => {
                let now = self.now.since_start();
                if let Some(walking) = self.requests.get(request) {
                    let step = walking.walk.waited(now);
                    self.go(request, step);
                }
            }
            Event::Looks(request, wait) => self.looks(request, wait),
            Event::Turn(machine) => self.turn(machine),
            Event::SpanEnds => {
                if let Some(next) = self.tally.span_ends(&self.machines) {
                    self.at(next, Event::SpanEnds);
                }
            }
            Event::Exchange(instance) => self.exchange(instance),
        }
        self.serve_the_woken();
    }

    fn arrive(&mut self, number: usize, job: Job) {
        self.tally.arrived(number, &job, &self.machines);
        let rules = self.directions.rules;
        let deadline = rules.request_timeout.map_or(Duration::MAX, |time| job.arrival.saturating_add(time));
        let instance = self.sharing.next_instance();
        let mut walk = Walk::new(GROUP, Limits { deadline, ..rules.walk });
        let first = walk.start(job.arrival);
        let client = self.senders.next();
        let (waiting, queued, was_tried) = (None, Duration::ZERO, false);
        let request =
            self.requests.add(Request { number, instance, job, client, walk, waiting, queued, was_tried });
        match &mut self.central {
            Some(queue) => {
                queue.push_back(request);
                self.serve_the_queue();
            }
            None => self.go(request, first),
        }
        self.serve_the_woken();
    }

    /// Does what a request's walk says until there is something to wait for.
    fn go(&mut self, request: Key, mut step: Step) {
        loop {
            match step {
                Step::Pick(ask) => match self.pick(request, ask) {
                    Some(Ok(lease)) => return self.begin(request, lease),
                    Some(Err(next)) => step = next,
                    None => return,
                },
                Step::Wait(time) => return self.at(self.now.after(time), Event::Waited(request)),
                Step::GiveUp(why) => {
                    let Some(walking) = self.requests.take(request) else { return };
                    return match why {
                        GiveUp::Full => self.tally.refused(walking.number, self.now),
                        _ => self.tally.failed(walking.number, self.now),
                    };
                }
            }
        }
    }

    /// An attempt begins, by the lease's deployment.
    fn begin(&mut self, request: Key, lease: Lease) {
        let Some(walking) = self.requests.get(request) else { return };
        let (job, machine) = (walking.job, lease.member());
        let (number, is_retry) = (walking.number, mem::replace(&mut walking.was_tried, true));
        let from = (request, walking.instance);
        let at_once = self.machines[machine].open + 1;
        self.tally.begun(number, machine, self.now, at_once, is_retry);
        let rules = self.directions.rules;
        let first_token_by = rules.first_token_timeout.map(|time| self.now.after(time));
        let answer_by = rules.answer_timeout.map(|time| self.now.after(time));
        let whole_by = rules.request_timeout.map(|time| Moment::from(job.arrival).after(time));

        let visit = self.add_visit(from, job, machine, Some(lease));
        for (by, phase) in [(first_token_by, Phase::FirstByte), (answer_by, Phase::Total)] {
            if let Some(by) = by {
                self.at(by, Event::Fails(visit, Outcome::Timeout(phase)));
            }
        }
        if let Some(by) = whole_by {
            self.at(by, Event::TimeIsUp(visit));
        }
        match self.refusal(machine) {
            None => self.enter(visit, machine, job),
            Some(None) => {}
            Some(Some((after, outcome))) => self.at(self.now.after(after), Event::Fails(visit, outcome)),
        }
    }

    fn add_visit(
        &mut self,
        (request, instance): (Key, usize),
        job: Job,
        machine: usize,
        lease: Option<Lease>,
    ) -> Key {
        self.machines[machine].open += 1;
        self.numbers += 1;
        let (stage, number) = (Stage::InVain, self.numbers);
        self.visits.add(Visit { request, instance, job, machine, lease, stage, number })
    }

    /// A visit takes its place in a machine's line.
    fn enter(&mut self, visit: Key, machine: usize, job: Job) {
        if let Some(entering) = self.visits.get(visit) {
            entering.stage = Stage::Waiting;
        }
        self.machines[machine].wait(visit, job);
        self.serve(machine);
    }

    /// A machine gives its free slots to those who wait.
    fn serve(&mut self, machine: usize) {
        while let Some((visit, first_token)) = self.machines[machine].start_next(self.now) {
            if let Some(starting) = self.visits.get(visit) {
                starting.stage = Stage::Started(self.now);
            }
            if first_token == self.now {
                self.first_token(visit);
            } else {
                self.at(first_token, Event::FirstToken(visit));
            }
        }
    }

    fn first_token(&mut self, visit: Key) {
        let now = self.now;
        let Some(answering) = self.visits.get(visit) else { return };
        let Stage::Started(started) = answering.stage else { return };
        answering.stage = Stage::Answering { started, first_token: now };
        // An answer in one piece is worth sending on when it is whole.
        if self.directions.rules.streams
            && let Some(lease) = &mut answering.lease
        {
            lease.answered(now.since_start());
        }
        let (machine, number) = (answering.machine, answering.number);
        let at = &mut self.machines[machine];
        let seconds = answering.job.output_tokens / at.engine.tokens_per_second;
        at.decode.begin(now.seconds(), seconds, number, visit);
        self.announce(machine);
    }

    fn announce(&mut self, machine: usize) {
        if let Some((end, announcement)) = self.machines[machine].next_end() {
            // Rounding to nanoseconds must not lead back in time.
            self.at(end.max(self.now), Event::Whole(machine, announcement));
        }
    }

    fn whole(&mut self, machine: usize, announcement: u32) {
        let at = &mut self.machines[machine];
        if !at.has_come(announcement) {
            return;
        }
        let Some(visit) = at.decode.end(self.now.seconds()) else { return };
        if let Some(Visit { request, instance, job, lease, stage, .. }) = self.visits.take(visit) {
            let at = &mut self.machines[machine];
            at.decode.left();
            at.give_back(&job);
            at.open -= 1;
            if let Some(mut lease) = lease {
                self.gateways[instance].ended(self.now, machine);
                if !self.directions.rules.streams {
                    lease.answered(self.now.since_start());
                }
                let (prompt, output) = (job.prompt_tokens, job.output_tokens);
                let tokens = (prompt + output).round() as u32;
                let ending =
                    Ending { tokens, output_tokens: output.round() as u32, ..Outcome::Success.into() };
                lease.end(ending, self.now.since_start());
            }
            if let (Stage::Answering { started, first_token }, Some(done)) =
                (stage, self.requests.take(request))
            {
                let Request { queued, client, .. } = done;
                let times = Answered { started, first_token, ended: self.now, queued, client };
                self.tally.answered(done.number, &job, machine, times);
            }
            self.serve(machine);
            self.serve_the_queue();
        }
        self.announce(machine);
    }
}

#[cfg(test)]
mod tests;
