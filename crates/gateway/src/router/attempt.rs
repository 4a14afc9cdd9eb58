//! One attempt on one deployment: the lease, and what its observers are told.

use std::sync::Arc;
use std::time::{Duration, Instant};

use leastbusy_balance::{DeploymentIndex, Ending, FailedAttempt, Lease, Outcome, Phase};

use super::deployment::Deployment;
use super::dispatch::Picked;
use super::hedge::Lost;
use super::model_group::ModelGroup;
use super::observer::{AffinityResult, AttemptEnd, AttemptReason, AttemptStart};
use super::table::Table;
use super::tokens::Tokens;
use super::watch::{TokensSeen, Watch};
use crate::openai::endpoint::TokenUse;
use crate::shared::Reservation;

/// A live attempt. Its lease ends when it is ended or dropped, once, whichever comes first.
#[derive(Debug)]
pub(super) struct Attempt {
    table: Arc<Table>,
    group: usize,
    /// `None` once it has ended.
    lease: Option<Lease>,
    /// In strict mode, the place that all instances count. It goes back with the attempt.
    _reservation: Option<Reservation>,
    member: usize,
    leased: DeploymentIndex,
    order: i64,
    in_flight: u32,
    number: u32,
    reason: AttemptReason,
    stream: bool,
    started: Instant,
    first_byte: Option<Duration>,
    status: Option<u16>,
    bytes: u64,
    watch: Watch,
    /// Which tokens the answer takes, and the length in bytes of what it answers, for one that does not say.
    takes: (TokenUse, u64),
    /// How an answer that arrives whole is to be judged.
    whole: Outcome,
    /// Kinds of failure that are the client's own doing on this request.
    excused: Excused,
    /// What became of the deployment that the request should go to.
    affinity: Option<AffinityResult>,
    /// What whoever serves is remembered by.
    keys: Option<Arc<[u64]>>,
    /// In a race: whether another attempt has won it.
    lost: Option<Lost>,
}

/// Failures that say nothing of the deployment, because the client brought them about.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Excused {
    /// It was no request of a client.
    pub(super) all: bool,
    /// Time limits that are the client's own, or what was left of the request's: to the first byte, between two
    /// frames, in all.
    pub(super) timeouts: [bool; 3],
    /// The client alone named the model, through a wildcard.
    pub(super) unknown_model: bool,
}

/// The phases that a client may limit.
const LIMITED: [Phase; 3] = [Phase::FirstByte, Phase::Idle, Phase::Total];

impl Excused {
    fn covers(self, outcome: Outcome) -> bool {
        if self.all {
            return true;
        }
        match outcome {
            Outcome::Timeout(phase) => {
                LIMITED.iter().zip(self.timeouts).any(|(limited, is)| is && *limited == phase)
            }
            Outcome::NotFound => self.unknown_model,
            _ => false,
        }
    }
}

impl Attempt {
    pub(super) fn begin(
        table: &Arc<Table>,
        group: usize,
        (lease, started): (Lease, Instant),
        Picked { number, reason, stream, excused, known, strategy: _ }: Picked,
    ) -> Self {
        let affinity = known.result(&lease, table, started);
        let attempt = Self {
            table: Arc::clone(table),
            group,
            member: lease.member(),
            leased: lease.deployment(),
            order: lease.order(),
            in_flight: lease.in_flight_at_pick(),
            lease: Some(lease),
            _reservation: None,
            number,
            reason,
            stream,
            started,
            first_byte: None,
            status: None,
            bytes: 0,
            watch: Watch::Off,
            takes: (TokenUse::Untold, 0),
            whole: Outcome::Success,
            excused,
            affinity,
            keys: None,
            lost: None,
        };
        let start = attempt.start();
        attempt.table.observers().iter().for_each(|observer| observer.pre_call(&start));
        attempt
    }

    /// The same attempt, with the place that all instances count.
    pub(super) fn with(mut self, reservation: Option<Reservation>) -> Self {
        self._reservation = reservation;
        self
    }

    pub(super) fn deployment(&self) -> &Deployment {
        self.group().deployment(self.member)
    }

    pub(super) fn group(&self) -> &ModelGroup {
        &self.table.groups()[self.group]
    }

    pub(super) fn member(&self) -> usize {
        self.member
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

    /// What is looked for in the answer's frames. `takes` are the tokens that answers of its endpoint take, and the
    /// length in bytes of the request's body.
    pub(super) fn watches(&mut self, watch: Watch, takes: (TokenUse, u64)) {
        (self.watch, self.takes) = (watch, takes);
    }

    /// Says which time limits tell nothing of the deployment when they pass.
    pub(super) fn excuse_timeouts(&mut self, is: impl Fn(Phase) -> bool) {
        self.excused.timeouts = LIMITED.map(is);
    }

    /// The answer is worth sending on.
    pub(super) fn serves(&mut self, now: Instant) {
        if self.whole == Outcome::Success
            && let Some(lease) = &mut self.lease
        {
            lease.answered(self.table.since_start(now));
            if let (Some(affinity), Some(keys)) = (self.table.affinity(), self.keys.take()) {
                affinity.learn(&keys, self.leased, self.table.since_start(now));
            }
        }
    }

    /// Under these keys the deployment is remembered if it serves.
    pub(super) fn teaches(&mut self, keys: Option<Arc<[u64]>>) {
        self.keys = keys;
    }

    pub(super) fn keys(&self) -> Option<Arc<[u64]>> {
        self.keys.clone()
    }

    /// The attempt as one of several, and what is to be set when another one has won.
    pub(super) fn in_race(mut self) -> (Self, Lost) {
        let lost = Lost::default();
        self.lost = Some(lost.clone());
        (self, lost)
    }

    /// What the walk is to know of it if it fails; the outcome is still to come.
    pub(super) fn as_failed(&self) -> FailedAttempt {
        FailedAttempt { deployment: self.leased, order: self.order, outcome: Outcome::ClientLeft }
    }

    /// A piece of the answer.
    pub(super) fn received(&mut self, data: &[u8]) {
        self.bytes += data.len() as u64;
        self.watch.push(data);
    }

    pub(super) fn watch(&self) -> &Watch {
        &self.watch
    }

    /// Says how many of the events so far were preamble.
    pub(super) fn discount(&mut self, preamble_events: u32) {
        self.watch.discount(preamble_events);
    }

    /// What the answer has shown so far of the tokens it takes, where that is wanted.
    pub(super) fn tokens_seen(&self) -> Option<TokensSeen> {
        self.watch.tokens(self.bytes)
    }

    /// The tokens that it took, as far as is known.
    fn tokens(&self) -> Option<Tokens> {
        let (used, prompt_bytes) = self.takes;
        self.tokens_seen().and_then(|seen| Tokens::new(used, seen, prompt_bytes))
    }

    /// The last byte of the answer is here.
    pub(super) fn complete(mut self, now: Instant) {
        self.tell(self.whole, now);
    }

    pub(super) fn end(mut self, outcome: Outcome) {
        self.tell(outcome, Instant::now());
    }

    fn tell(&mut self, outcome: Outcome, now: Instant) {
        let Some(lease) = self.lease.take() else { return };
        let tokens = self.tokens();
        let ending = Ending {
            outcome,
            counts: !self.excused.covers(outcome),
            status: self.status,
            tokens: tokens.map_or(0, Tokens::total),
            output_tokens: tokens.map_or(0, Tokens::written),
        };
        let until = lease.end(ending, self.table.since_start(now));
        let rested = until.map(|until| until.saturating_sub(self.table.since_start(now)));
        if let Some(rest) = rested {
            tracing::warn!(
                deployment = self.deployment().id,
                reason = outcome.name(),
                status = self.status,
                seconds = rest.as_secs_f64(),
                "cooling down"
            );
        }
        let start = self.start();
        let end = AttemptEnd {
            outcome,
            status: self.status,
            first_byte: self.first_byte,
            duration: now - self.started,
            bytes: self.bytes,
            rested,
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
            member_index: self.member,
            number: self.number,
            reason: self.reason,
            stream: self.stream,
            in_flight: self.in_flight,
            affinity: self.affinity,
            at: self.started,
        }
    }
}

impl Drop for Attempt {
    // Whoever still holds an attempt that is not over is a request whose client has gone: hyper drops
    // its future or its body, and the lease with it.
    fn drop(&mut self) {
        if self.lease.is_some() {
            let lost = self.lost.as_ref().is_some_and(Lost::has);
            self.tell(if lost { Outcome::HedgeLost } else { Outcome::ClientLeft }, Instant::now());
        }
    }
}
