//! An answer on its way: tokens at the engine's pace.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use tokio::time::{Instant, Sleep, sleep_until};

use super::answer::Answer;
use super::slots::Place;
use crate::config::SimulatedEngine;

/// When each token of an answer is due, counted from getting a slot.
///
/// Every token has a time of its own on one line, so that late wake-ups do not add up: a hundred tokens
/// at 50 a second take two seconds, however coarse the timer is.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    first: Duration,
    per_second: f64,
}

impl Pace {
    pub(super) fn of(engine: &SimulatedEngine) -> Self {
        Self { first: engine.first_token_time, per_second: engine.tokens_per_second }
    }

    /// When the token with this index (from 0) is due.
    pub(super) fn due(&self, index: u32) -> Duration {
        let after = Duration::try_from_secs_f64(f64::from(index) / self.per_second).unwrap_or(Duration::MAX);
        self.first.saturating_add(after)
    }
}

/// The body of a streamed answer; dropping it frees the slot and ends the work.
#[derive(Debug)]
pub(super) struct TokenStream {
    answer: Answer,
    pace: Pace,
    started: Instant,
    next: u32,
    wake: Pin<Box<Sleep>>,
    // None once the last token is out: the slot is free before the client has read everything.
    place: Option<Place>,
}

impl TokenStream {
    pub(super) fn start(answer: Answer, pace: Pace, place: Place) -> Self {
        let started = place.started();
        let wake = Box::pin(sleep_until(at(started, pace.due(0))));
        Self { answer, pace, started, next: 0, wake, place: Some(place) }
    }
}

/// A moment that far in the future may not exist; a century from now it does.
pub(super) fn at(started: Instant, after: Duration) -> Instant {
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
    started + after.min(CENTURY)
}

impl Body for TokenStream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.is_end_stream() {
            return Poll::Ready(None);
        }
        ready!(self.wake.as_mut().poll(context));
        let frames = self.answer.frames(self.next);
        self.next += 1;
        if !self.is_end_stream() {
            let due = at(self.started, self.pace.due(self.next));
            self.wake.as_mut().reset(due);
        } else if let Some(place) = self.place.take() {
            place.leave(self.wake.deadline());
        }
        Poll::Ready(Some(Ok(Frame::data(Bytes::from(frames)))))
    }

    fn is_end_stream(&self) -> bool {
        self.next == self.answer.tokens()
    }
}
