//! Two attempts side by side, when the first is slow to answer.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use http::Response;
use leastbusy_balance::{Ask, DeploymentIndex, FailedAttempt, Pick};

use super::attempt::Attempt;
use super::call::Call;
use super::content::Content;
use super::dispatch::{Picked, Router};
use super::failure::Failure;
use super::leased_body::LeasedBody;
use super::ways::Place;
use crate::config::Hedge;

/// How a race ended.
pub(super) struct Finish {
    pub(super) result: Result<Response<LeasedBody>, Failure>,
    /// The attempt that the result is from.
    pub(super) runner: Runner,
    /// The other one, if it failed before.
    pub(super) fallen: Option<FailedAttempt>,
    /// How many attempts were made.
    pub(super) attempts: u32,
}

/// One of the attempts of a race.
#[derive(Debug, Clone, Copy)]
pub(super) struct Runner {
    pub(super) member: usize,
    pub(super) failed: FailedAttempt,
    pub(super) num_retries: Option<u32>,
}

impl Runner {
    pub(super) fn new(attempt: &Attempt) -> Self {
        Self {
            member: attempt.member(),
            failed: attempt.as_failed(),
            num_retries: attempt.deployment().num_retries,
        }
    }
}

/// Tells an attempt that it lost before it is dropped.
#[derive(Debug, Clone, Default)]
pub(super) struct Lost(Arc<AtomicBool>);

impl Lost {
    pub(super) fn has(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Where a race is run.
pub(super) struct Track<'a> {
    pub(super) call: &'a Call<'a>,
    pub(super) place: &'a Place<'a>,
    pub(super) ask: Ask,
    pub(super) tried: &'a [DeploymentIndex],
    /// Which members may serve; `None` is all of them.
    pub(super) among: Option<&'a [bool]>,
    pub(super) picked: Picked,
    pub(super) deadline: Instant,
}

impl Router {
    /// How long the first attempt runs alone; `None` where there is no second.
    pub(super) fn hedge_delay(&self, call: &Call<'_>, place: &Place<'_>) -> Option<Duration> {
        match (self.table().reliability().hedge, &call.content) {
            // An upload can feed one attempt at a time.
            (Hedge::Off, _) | (_, Content::Form { .. }) => None,
            (Hedge::After(delay), _) => Some(delay),
            (Hedge::Percentile(_), _) => self.table().groups()[place.route.group].group.slow_first_byte(),
        }
    }

    /// Makes an attempt, and another one beside it when no answer has come within `delay`. The first answer that
    /// is worth sending on wins, and the other attempt is cut.
    pub(super) async fn race(&self, track: Track<'_>, first: Attempt, delay: Duration) -> Finish {
        let one = Runner::new(&first);
        let keys = first.keys();
        let (first, first_lost) = first.in_race();
        let mut first = Box::pin(self.once(track.call, track.place, first, track.deadline));
        if let Ok(result) = tokio::time::timeout(delay, &mut first).await {
            return Finish { result, runner: one, fallen: None, attempts: 1 };
        }
        let Some(mut second) = self.second(&track, one.failed.deployment).await else {
            return Finish { result: first.await, runner: one, fallen: None, attempts: 1 };
        };
        second.teaches(keys);
        let two = Runner::new(&second);
        let (second, second_lost) = second.in_race();
        let mut second = Box::pin(self.once(track.call, track.place, second, track.deadline));
        let (is_first, result) = either(first.as_mut(), second.as_mut()).await;
        let (runner, other, lost) = if is_first { (one, two, second_lost) } else { (two, one, first_lost) };
        match result {
            Ok(response) => {
                lost.0.store(true, Ordering::Relaxed);
                Finish { result: Ok(response), runner, fallen: None, attempts: 2 }
            }
            Err(failure) => {
                let fallen = Some(FailedAttempt { outcome: failure.outcome, ..runner.failed });
                let result = if is_first { second.await } else { first.await };
                Finish { result, runner: other, fallen, attempts: 2 }
            }
        }
    }

    /// A lease for the second attempt, on a deployment that this request has not been on.
    async fn second(&self, track: &Track<'_>, first: DeploymentIndex) -> Option<Attempt> {
        let tried = [track.tried, &[first]].concat();
        let Track { ask, among, .. } = *track;
        let (above_order, demand) = (ask.above_order, self.weighed(track.call));
        let pick = Pick { tried: &tried, above_order, demand, among, ..Pick::default() };
        let route = &track.place.route;
        match self.table().strict() {
            None => self.pick_within_budget(route, pick, track.picked),
            Some(strict) => self.pick_strictly_within_budget(strict, route, pick, track.picked).await,
        }
    }
}

/// What comes first, and whether it is the first one's.
async fn either<T>(
    mut first: Pin<&mut impl Future<Output = T>>,
    mut second: Pin<&mut impl Future<Output = T>>,
) -> (bool, T) {
    std::future::poll_fn(|context| {
        if let Poll::Ready(result) = first.as_mut().poll(context) {
            return Poll::Ready((true, result));
        }
        second.as_mut().poll(context).map(|result| (false, result))
    })
    .await
}
