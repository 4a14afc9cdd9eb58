//! A load in virtual time on deployments whose answers are told by the hour.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use leastbusy_balance::{DeploymentIndex, Fleet, Group, Lease, Outcome, Pick};

/// How one deployment answers a request that arrives at a moment: after how long, and how.
pub(crate) type Answers<'a> = Box<dyn Fn(Duration, u64) -> (Duration, Outcome) + 'a>;

pub(crate) fn always<'a>(milliseconds: u64, outcome: Outcome) -> Answers<'a> {
    Box::new(move |_, _| (Duration::from_millis(milliseconds), outcome))
}

/// One attempt that was made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempt {
    pub(crate) at: Duration,
    pub(crate) member: usize,
    pub(crate) in_flight: u32,
    pub(crate) is_probe: bool,
}

pub(crate) struct Load<'a> {
    pub(crate) fleet: Arc<Fleet>,
    pub(crate) group: Group,
    pub(crate) answers: Vec<Answers<'a>>,
    pub(crate) now: Duration,
    pub(crate) attempts: Vec<Attempt>,
    /// Requests that no attempt served.
    pub(crate) lost: usize,
    pub(crate) retries: usize,
    seed: u64,
    ends: BinaryHeap<Reverse<(Duration, usize)>>,
    running: Vec<Option<Running>>,
}

struct Running {
    lease: Lease,
    outcome: Outcome,
    tried: Vec<DeploymentIndex>,
}

impl<'a> Load<'a> {
    pub(crate) fn new(fleet: Arc<Fleet>, group: Group, answers: Vec<Answers<'a>>) -> Self {
        Self {
            fleet,
            group,
            answers,
            now: Duration::from_secs(100),
            attempts: Vec::new(),
            lost: 0,
            retries: 2,
            seed: 7,
            ends: BinaryHeap::new(),
            running: Vec::new(),
        }
    }

    /// SplitMix64, as a source of everything random here.
    pub(crate) fn roll(&mut self) -> u64 {
        self.seed = self.seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Requests a second for some time, with random gaps (Poisson).
    pub(crate) fn run(&mut self, per_second: f64, seconds: f64) {
        let end = self.now + Duration::from_secs_f64(seconds);
        loop {
            let unit = ((self.roll() >> 11) as f64 + 1.0) / (1_u64 << 53) as f64;
            let next = self.now + Duration::from_secs_f64(-unit.ln() / per_second);
            if end <= next {
                self.until(end);
                return;
            }
            self.until(next);
            self.start(Vec::new());
        }
    }

    /// As many requests at once as there are answers to wait for: each end brings the next request.
    pub(crate) fn run_closed(&mut self, at_once: usize, seconds: f64) {
        let end = self.now + Duration::from_secs_f64(seconds);
        while self.now < end {
            while self.ends.len() < at_once {
                self.start(Vec::new());
            }
            let next = self.ends.peek().map_or(end, |Reverse((at, _))| *at);
            self.until(next.min(end));
        }
    }

    pub(crate) fn until(&mut self, moment: Duration) {
        while let Some(&Reverse((at, number))) = self.ends.peek()
            && at <= moment
        {
            self.ends.pop();
            self.now = at;
            let Running { lease, outcome, mut tried } = self.running[number].take().expect("it ends once");
            tried.push(lease.deployment());
            lease.end(outcome, at);
            if outcome != Outcome::Success {
                self.start(tried);
            }
        }
        self.now = moment;
    }

    fn start(&mut self, tried: Vec<DeploymentIndex>) {
        if self.retries < tried.len() {
            self.lost += 1;
            return;
        }
        let pick = Pick { tried: &tried, now: self.now, dice: self.roll(), ..Pick::default() };
        let Ok(lease) = self.group.pick(&pick) else {
            self.lost += 1;
            return;
        };
        let roll = self.roll();
        let member = lease.member();
        let (time, outcome) = (self.answers[member])(self.now, roll);
        self.attempts.push(Attempt {
            at: self.now,
            member,
            in_flight: lease.in_flight_at_pick(),
            is_probe: lease.is_probe(),
        });
        self.ends.push(Reverse((self.now + time, self.running.len())));
        self.running.push(Some(Running { lease, outcome, tried }));
    }

    /// The attempts on one member within a span, from and to in seconds after `since`.
    pub(crate) fn on(&self, member: usize, since: Duration, span: (f64, f64)) -> usize {
        self.between(since, span).filter(|attempt| attempt.member == member).count()
    }

    pub(crate) fn all(&self, since: Duration, span: (f64, f64)) -> usize {
        self.between(since, span).count()
    }

    fn between(&self, since: Duration, (from, to): (f64, f64)) -> impl Iterator<Item = &Attempt> {
        let span = since + Duration::from_secs_f64(from)..since + Duration::from_secs_f64(to);
        self.attempts.iter().filter(move |attempt| span.contains(&attempt.at))
    }
}
