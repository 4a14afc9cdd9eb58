//! A load of streamed requests: each is sent at its planned time, and its client's wait is measured.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use leastbusy_sim::{Job, Times};
use tokio::task::JoinSet;
use tokio::time::sleep_until;

use client::{Timing, chat};

pub(crate) mod client;
mod events;

#[cfg(test)]
pub(crate) mod tests;

/// The model group that clients ask for.
pub(crate) const MODEL: &str = "demo";
/// The longest a request may take; the slowest of the demo takes a third of it.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(60);

/// One request to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Planned {
    /// Time since the start.
    pub(crate) arrival: Duration,
    /// Length of its answer, sent as `max_tokens`.
    pub(crate) tokens: u32,
}

impl Planned {
    /// The same request in virtual time: the first token is the engine's setup, the others are its work.
    pub(crate) fn in_virtual_time(&self) -> Job {
        Job { arrival: self.arrival, prompt_tokens: 0.0, output_tokens: f64::from(self.tokens - 1) }
    }
}

/// Requests and what is measured of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load<'a> {
    /// The requests, by arrival.
    pub(crate) plan: &'a [Planned],
    /// Requests at the beginning whose times are not kept.
    pub(crate) uncounted: usize,
    /// The longest that a request may take.
    pub(crate) request_time_max: Duration,
}

/// How far a load is, for a live view.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    sent: AtomicUsize,
    answered: AtomicUsize,
    failed: AtomicUsize,
}

impl Progress {
    pub(crate) fn sent(&self) -> usize {
        self.sent.load(Ordering::Relaxed)
    }

    pub(crate) fn answered(&self) -> usize {
        self.answered.load(Ordering::Relaxed)
    }

    pub(crate) fn failed(&self) -> usize {
        self.failed.load(Ordering::Relaxed)
    }
}

/// What the clients saw.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) first_tokens: Times,
    pub(crate) responses: Times,
    /// Each reason why requests failed, and how many did.
    pub(crate) errors: BTreeMap<String, usize>,
}

impl<'a> Load<'a> {
    /// All of these requests, each for a minute at most.
    pub(crate) fn of(plan: &'a [Planned]) -> Self {
        Self { plan, uncounted: 0, request_time_max: REQUEST_TIME_MAX }
    }

    /// Sends every planned request at its time, whatever became of those before, and waits for all.
    pub(crate) async fn send(&self, gateway: SocketAddr, progress: &Progress) -> Measured {
        let start = Instant::now();
        let mut open = JoinSet::new();
        let mut timings = Vec::new();
        let mut errors = BTreeMap::new();
        let mut planned = self.plan.iter().enumerate();
        let mut next = planned.next();
        loop {
            let due = next.map(|(_, planned)| start + planned.arrival);
            tokio::select! {
                () = sleep_until(due.unwrap_or(start).into()), if due.is_some() => {
                    if let (Some((number, planned)), Some(arrival)) = (next, due) {
                        progress.sent.fetch_add(1, Ordering::Relaxed);
                        let (tokens, time_max) = (planned.tokens, self.request_time_max);
                        open.spawn(async move { (number, chat(gateway, tokens, arrival, time_max).await) });
                    }
                    next = planned.next();
                }
                Some(ended) = open.join_next() => match ended.map_err(|error| error.to_string()) {
                    Ok((number, Ok(timing))) => {
                        progress.answered.fetch_add(1, Ordering::Relaxed);
                        if self.uncounted <= number {
                            timings.push(timing);
                        }
                    }
                    Ok((_, Err(error))) => fail(&mut errors, progress, error.to_string()),
                    Err(panic) => fail(&mut errors, progress, panic),
                },
                else => break,
            }
        }
        let times = |time: fn(&Timing) -> _| timings.iter().map(time).collect();
        Measured {
            first_tokens: times(|timing| timing.first_token),
            responses: times(|timing| timing.response),
            errors,
        }
    }
}

fn fail(errors: &mut BTreeMap<String, usize>, progress: &Progress, reason: String) {
    progress.failed.fetch_add(1, Ordering::Relaxed);
    *errors.entry(reason).or_default() += 1;
}
