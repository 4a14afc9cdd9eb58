//! The planned requests, each sent at its time.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use leastbusy_sim::Times;
use tokio::task::JoinSet;
use tokio::time::sleep_until;

use super::client::{Timing, chat};
use super::plan::Planned;

/// How far the load is, for the live view.
#[derive(Debug, Default)]
pub(super) struct Progress {
    sent: AtomicUsize,
    answered: AtomicUsize,
    failed: AtomicUsize,
}

impl Progress {
    pub(super) fn sent(&self) -> usize {
        self.sent.load(Ordering::Relaxed)
    }

    pub(super) fn answered(&self) -> usize {
        self.answered.load(Ordering::Relaxed)
    }

    pub(super) fn failed(&self) -> usize {
        self.failed.load(Ordering::Relaxed)
    }
}

/// What the clients saw.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) first_tokens: Times,
    pub(super) responses: Times,
    /// Each reason why requests failed, and how many did.
    pub(super) errors: BTreeMap<String, usize>,
}

/// Sends every planned request at its time, whatever became of those before, and waits for all.
pub(super) async fn send(gateway: SocketAddr, plan: &[Planned], progress: &Progress) -> Measured {
    let start = Instant::now();
    let mut open = JoinSet::new();
    let mut timings = Vec::new();
    let mut errors = BTreeMap::new();
    let mut planned = plan.iter();
    let mut next = planned.next();
    loop {
        let due = next.map(|planned| start + planned.arrival);
        tokio::select! {
            () = sleep_until(due.unwrap_or(start).into()), if due.is_some() => {
                if let (Some(planned), Some(arrival)) = (next, due) {
                    progress.sent.fetch_add(1, Ordering::Relaxed);
                    open.spawn(chat(gateway, planned.tokens, arrival));
                }
                next = planned.next();
            }
            Some(ended) = open.join_next() => match ended.map_err(|error| error.to_string()) {
                Ok(Ok(timing)) => {
                    progress.answered.fetch_add(1, Ordering::Relaxed);
                    timings.push(timing);
                }
                Ok(Err(error)) => fail(&mut errors, progress, error.to_string()),
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

fn fail(errors: &mut BTreeMap<String, usize>, progress: &Progress, reason: String) {
    progress.failed.fetch_add(1, Ordering::Relaxed);
    *errors.entry(reason).or_default() += 1;
}
