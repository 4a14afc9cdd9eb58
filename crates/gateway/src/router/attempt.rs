//! One attempt on one deployment: the lease, and what its observers are told.

use std::sync::Arc;
use std::time::{Duration, Instant};

use leastbusy_balance::{Lease, Outcome};

use super::deployment::Deployment;
use super::observer::{AttemptEnd, AttemptStart};
use super::table::{ModelGroup, Table};

/// A live attempt. Its lease ends when it is ended or dropped, once, whichever comes first.
#[derive(Debug)]
pub(super) struct Attempt {
    table: Arc<Table>,
    group: usize,
    lease: Lease,
    number: u32,
    stream: bool,
    started: Instant,
    first_byte: Option<Duration>,
    status: Option<u16>,
    bytes: u64,
    /// How an answer that arrives whole is to be judged.
    whole: Outcome,
    over: bool,
}

impl Attempt {
    pub(super) fn begin(table: &Arc<Table>, group: usize, lease: Lease, number: u32, stream: bool) -> Self {
        let attempt = Self {
            table: Arc::clone(table),
            group,
            lease,
            number,
            stream,
            started: Instant::now(),
            first_byte: None,
            status: None,
            bytes: 0,
            whole: Outcome::Success,
            over: false,
        };
        let start = attempt.start();
        attempt.table.observers().iter().for_each(|observer| observer.pre_call(&start));
        attempt
    }

    pub(super) fn deployment(&self) -> &Deployment {
        self.group().deployment(self.lease.member())
    }

    pub(super) fn group(&self) -> &ModelGroup {
        &self.table.groups()[self.group]
    }

    pub(super) fn member(&self) -> usize {
        self.lease.member()
    }

    pub(super) fn started(&self) -> Instant {
        self.started
    }

    /// The head of the answer is here; `whole` is the outcome once the rest is, too.
    pub(super) fn answered(&mut self, status: u16, whole: Outcome) -> Instant {
        let now = Instant::now();
        self.first_byte = Some(now - self.started);
        self.status = Some(status);
        self.whole = whole;
        now
    }

    pub(super) fn received(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    /// The last byte of the answer is here.
    pub(super) fn complete(self) {
        let outcome = self.whole;
        self.end(outcome);
    }

    pub(super) fn end(mut self, outcome: Outcome) {
        self.tell(outcome);
    }

    fn tell(&mut self, outcome: Outcome) {
        self.over = true;
        let start = self.start();
        let end = AttemptEnd {
            outcome,
            status: self.status,
            first_byte: self.first_byte,
            duration: self.started.elapsed(),
            bytes: self.bytes,
        };
        for observer in self.table.observers() {
            match outcome {
                Outcome::Success => observer.success(&start, &end),
                _ => observer.failure(&start, &end),
            }
        }
    }

    fn start(&self) -> AttemptStart<'_> {
        let group = self.group();
        AttemptStart {
            group: &group.name,
            deployment: &self.deployment().id,
            group_index: self.group,
            member_index: self.lease.member(),
            number: self.number,
            stream: self.stream,
            in_flight: self.lease.in_flight_at_pick(),
            at: self.started,
        }
    }
}

impl Drop for Attempt {
    // Whoever still holds an attempt that is not over is a request whose client has gone: hyper drops
    // its future or its body, and the lease with it.
    fn drop(&mut self) {
        if !self.over {
            self.tell(Outcome::ClientLeft);
        }
    }
}
