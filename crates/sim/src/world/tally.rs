//! What is noted while a run goes on.

use std::iter;
use std::time::Duration;

use super::Run;
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
    queues: Vec<Duration>,
    client_waits: Vec<Vec<Duration>>,
    first_tokens: Vec<Duration>,
    responses: Vec<Duration>,
    slowdowns: Vec<f64>,
    imbalance: (f64, u64),
    served: Vec<u64>,
    attempts: Vec<u64>,
    largest_in_flight: Vec<u32>,
    errors: u64,
    refused: u64,
    retries: u64,
    over_time: Option<OverTime>,
}

/// The notes of a timeline.
#[derive(Debug)]
struct OverTime {
    span: Duration,
    /// Up to the one in which the last request comes.
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
    /// Time in the gateway's queue.
    pub(super) queued: Duration,
    /// Whose request it is.
    pub(super) client: usize,
}

impl<'a> Tally<'a> {
    pub(super) fn new(run: &Run<'a>, jobs: &[Job]) -> Self {
        let Run { engines, clients, uncounted, span, .. } = *run;
        let counted = jobs.len().saturating_sub(uncounted);
        let over_time = |span| {
            let spans = jobs.last().map_or(0, |last| 1 + span_of(last.arrival, span));
            let notes = || Notes { attempts: vec![0; engines.len()], ..Notes::default() };
            OverTime { span, spans: iter::repeat_with(notes).take(spans).collect(), in_flight: Vec::new() }
        };
        Self {
            engines,
            first: uncounted,
            waits: Vec::with_capacity(counted),
            queues: Vec::with_capacity(counted),
            client_waits: vec![Vec::new(); clients.len()],
            first_tokens: Vec::with_capacity(counted),
            responses: Vec::with_capacity(counted),
            slowdowns: Vec::with_capacity(counted),
            imbalance: (0.0, 0),
            served: vec![0; engines.len()],
            attempts: vec![0; engines.len()],
            largest_in_flight: vec![0; engines.len()],
            errors: 0,
            refused: 0,
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
        if let Some(notes) = self.notes(now.since_start()) {
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
        let wait = times.started.since(arrival);
        self.waits.push(wait);
        self.queues.push(times.queued);
        if let Some(waits) = self.client_waits.get_mut(times.client) {
            waits.push(wait);
        }
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

    /// A request fails because there was no place for it.
    pub(super) fn refused(&mut self, number: usize, now: Moment) {
        self.failed(number, now);
        self.refused += u64::from(self.first <= number);
    }

    /// The next span ends, with so many on each deployment; when the one after it does.
    pub(super) fn span_ends(&mut self, machines: &[Machine<'_>]) -> Option<Moment> {
        let over_time = self.over_time.as_mut()?;
        over_time.in_flight.push(machines.iter().map(|machine| machine.open).collect());
        over_time.next_end()
    }

    /// When the first span ends.
    pub(super) fn first_span_end(&self) -> Option<Moment> {
        self.over_time.as_ref().and_then(OverTime::next_end)
    }

    pub(super) fn report(self) -> Report {
        Report {
            waits: self.waits.into_iter().collect(),
            queues: self.queues.into_iter().collect(),
            client_waits: self.client_waits.into_iter().map(|waits| waits.into_iter().collect()).collect(),
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
            refused: self.refused,
            retries: self.retries,
            timeline: self.over_time.map(OverTime::timeline),
        }
    }

    fn notes(&mut self, moment: Duration) -> Option<&mut Notes> {
        let over_time = self.over_time.as_mut()?;
        let last = over_time.spans.len().checked_sub(1)?;
        over_time.spans.get_mut(span_of(moment, over_time.span).min(last))
    }
}

impl OverTime {
    /// The end of the first span whose end has not come.
    fn next_end(&self) -> Option<Moment> {
        let ended = self.in_flight.len();
        let next = u32::try_from(ended + 1).unwrap_or(u32::MAX);
        (ended < self.spans.len()).then(|| self.span.saturating_mul(next).into())
    }

    fn timeline(self) -> Timeline {
        let Self { span, spans, in_flight } = self;
        let told = spans.into_iter().zip(in_flight).map(|(notes, in_flight)| Span {
            in_flight,
            attempts: notes.attempts,
            arrived: notes.arrived,
            errors: notes.errors,
            first_tokens: notes.first_tokens.into_iter().collect(),
            responses: notes.responses.into_iter().collect(),
        });
        Timeline { span, spans: told.collect() }
    }
}

fn span_of(moment: Duration, span: Duration) -> usize {
    usize::try_from(moment.as_nanos() / span.as_nanos()).unwrap_or(usize::MAX)
}
