//! What is noted while a run goes on.

use std::time::Duration;

use crate::clock::Moment;
use crate::engine::machine::Machine;
use crate::report::{Report, Span, Timeline};
use crate::{Engine, Job};

/// The notes of a run.
#[derive(Debug)]
pub(super) struct Tally<'a> {
    engines: &'a [Engine],
    /// Requests before this one are not counted.
    first: usize,
    waits: Vec<Duration>,
    first_tokens: Vec<Duration>,
    responses: Vec<Duration>,
    slowdowns: Vec<f64>,
    imbalance: (f64, u64),
    served: Vec<u64>,
    attempts: Vec<u64>,
    largest_in_flight: Vec<u32>,
    errors: u64,
    retries: u64,
    over_time: Option<OverTime>,
}

/// The notes of a timeline.
#[derive(Debug)]
struct OverTime {
    span: Duration,
    spans: Vec<Notes>,
    in_flight: Vec<Vec<u32>>,
}

#[derive(Debug, Default)]
struct Notes {
    attempts: Vec<u64>,
    arrived: u64,
    errors: u64,
    first_tokens: Vec<Duration>,
    responses: Vec<Duration>,
}

/// The times of a request that was answered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answered {
    pub(super) started: Moment,
    pub(super) first_token: Moment,
    pub(super) ended: Moment,
}

impl<'a> Tally<'a> {
    pub(super) fn new(engines: &'a [Engine], requests: usize, first: usize, span: Option<Duration>) -> Self {
        let counted = requests.saturating_sub(first);
        let over_time = |span| OverTime { span, spans: Vec::new(), in_flight: Vec::new() };
        Self {
            engines,
            first,
            waits: Vec::with_capacity(counted),
            first_tokens: Vec::with_capacity(counted),
            responses: Vec::with_capacity(counted),
            slowdowns: Vec::with_capacity(counted),
            imbalance: (0.0, 0),
            served: vec![0; engines.len()],
            attempts: vec![0; engines.len()],
            largest_in_flight: vec![0; engines.len()],
            errors: 0,
            retries: 0,
            over_time: span.map(over_time),
        }
    }

    /// A request has come, and found the machines so.
    pub(super) fn arrived(&mut self, number: usize, job: &Job, machines: &[Machine<'_>]) {
        if let Some(notes) = self.notes(job.arrival) {
            notes.arrived += 1;
        }
        if number < self.first {
            return;
        }
        let (mut largest, mut sum) = (0.0, 0.0);
        for machine in machines {
            let load = f64::from(machine.open) / machine.engine.weight.get();
            largest = load.max(largest);
            sum += load;
        }
        if 0.0 < sum {
            self.imbalance.0 += largest * machines.len() as f64 / sum;
            self.imbalance.1 += 1;
        }
    }

    /// An attempt begins, with so many at once on its deployment.
    pub(super) fn begun(&mut self, number: usize, machine: usize, now: Moment, at_once: u32, is_retry: bool) {
        let engines = self.engines.len();
        if let Some(notes) = self.notes(now.since_start()) {
            notes.attempts.resize(engines, 0);
            notes.attempts[machine] += 1;
        }
        if self.first <= number {
            self.largest_in_flight[machine] = at_once.max(self.largest_in_flight[machine]);
            self.attempts[machine] += 1;
            self.retries += u64::from(is_retry);
        }
    }

    pub(super) fn answered(&mut self, number: usize, job: &Job, machine: usize, times: Answered) {
        let arrival = job.arrival.into();
        let first_token = times.first_token.since(arrival);
        let response = times.ended.since(arrival);
        if let Some(notes) = self.notes(job.arrival) {
            notes.first_tokens.push(first_token);
            notes.responses.push(response);
        }
        if number < self.first {
            return;
        }
        self.served[machine] += 1;
        self.waits.push(times.started.since(arrival));
        self.first_tokens.push(first_token);
        self.responses.push(response);
        let alone = self.engines.iter().map(|engine| engine.alone(job)).min().unwrap_or_default();
        // A request without any work has no slowdown but 1.
        let slowdown = if alone.is_zero() { 1.0 } else { response.as_secs_f64() / alone.as_secs_f64() };
        self.slowdowns.push(slowdown);
    }

    pub(super) fn failed(&mut self, number: usize, now: Moment) {
        if let Some(notes) = self.notes(now.since_start()) {
            notes.errors += 1;
        }
        self.errors += u64::from(self.first <= number);
    }

    /// The next span ends, with so many on each deployment; when the one after it does.
    pub(super) fn span_ends(&mut self, machines: &[Machine<'_>]) -> Option<Moment> {
        let over_time = self.over_time.as_mut()?;
        over_time.in_flight.push(machines.iter().map(|machine| machine.open).collect());
        let next = u32::try_from(over_time.in_flight.len() + 1).unwrap_or(u32::MAX);
        Some(over_time.span.saturating_mul(next).into())
    }

    /// When the first span ends.
    pub(super) fn first_span_end(&self) -> Option<Moment> {
        self.over_time.as_ref().map(|over_time| over_time.span.into())
    }

    pub(super) fn report(self) -> Report {
        Report {
            waits: self.waits.into_iter().collect(),
            first_tokens: self.first_tokens.into_iter().collect(),
            responses: self.responses.into_iter().collect(),
            slowdowns: self.slowdowns.into_iter().collect(),
            imbalance: match self.imbalance {
                (_, 0) => 1.0,
                (sum, found) => sum / found as f64,
            },
            largest_in_flight: self.largest_in_flight,
            served: self.served,
            attempts: self.attempts,
            errors: self.errors,
            retries: self.retries,
            timeline: self.over_time.map(|over_time| over_time.timeline(self.engines.len())),
        }
    }

    fn notes(&mut self, moment: Duration) -> Option<&mut Notes> {
        let over_time = self.over_time.as_mut()?;
        let span = (moment.as_nanos() / over_time.span.as_nanos()) as usize;
        while over_time.spans.len() <= span {
            over_time.spans.push(Notes::default());
        }
        over_time.spans.get_mut(span)
    }
}

impl OverTime {
    fn timeline(self, engines: usize) -> Timeline {
        let Self { span, spans, in_flight } = self;
        let mut in_flight = in_flight.into_iter();
        let told = spans.into_iter().map(|notes| Span {
            in_flight: in_flight.next().unwrap_or_else(|| vec![0; engines]),
            attempts: if notes.attempts.is_empty() { vec![0; engines] } else { notes.attempts },
            arrived: notes.arrived,
            errors: notes.errors,
            first_tokens: notes.first_tokens.into_iter().collect(),
            responses: notes.responses.into_iter().collect(),
        });
        Timeline { span, spans: told.collect() }
    }
}
