//! An upstream's answer while it arrives: its frames, its time limits, and the attempt it ends.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use leastbusy_balance::{Outcome, Phase};
use tokio::time::{Instant, Sleep};

use super::attempt::Attempt;
use super::watch::TokensSeen;
use crate::openai::endpoint::StreamEnd;
use crate::openai::{Ending, SseWatch};
use crate::upstream::{Answer, Limits};

/// An answer whose head is here.
pub(super) struct Arriving {
    upstream: Answer,
    attempt: Attempt,
    timer: Pin<Box<Sleep>>,
    last_frame: Instant,
    limits: Limits,
    stream_end: StreamEnd,
}

/// What came next.
pub(super) enum Piece {
    Frame {
        frame: Frame<Bytes>,
        /// Whether it is known to be the last.
        is_last: bool,
    },
    End,
}

impl Arriving {
    pub(super) fn new(
        upstream: Answer,
        attempt: Attempt,
        (timer, answered): (Pin<Box<Sleep>>, std::time::Instant),
        limits: &Limits,
        stream_end: StreamEnd,
    ) -> Self {
        let last_frame = answered.into();
        let mut arriving = Self { upstream, attempt, timer, last_frame, limits: *limits, stream_end };
        // One that fires too early is set anew then; nearly always the answer is here before.
        let (deadline, _) = arriving.deadline();
        if deadline < arriving.timer.deadline() {
            arriving.timer.as_mut().reset(deadline);
        }
        arriving
    }

    /// Whether nothing follows.
    pub(super) fn is_over(&self) -> bool {
        self.upstream.is_end_stream()
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        self.upstream.size_hint()
    }

    pub(super) fn events(&self) -> Option<&SseWatch> {
        self.attempt.watch().events()
    }

    /// Says how many of the events so far were preamble.
    pub(super) fn discount(&mut self, preamble_events: u32) {
        self.attempt.discount(preamble_events);
    }

    /// What has been seen of the tokens it takes, where that is wanted.
    pub(super) fn tokens(&self) -> Option<TokensSeen> {
        self.attempt.tokens_seen()
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The model group that answers.
    pub(super) fn group(&self) -> &str {
        &self.attempt.group().name
    }

    /// When all of it must be here.
    pub(super) fn total(&self) -> Instant {
        Instant::from(self.attempt.started()) + self.limits.total
    }

    /// It is worth sending on: the deployment serves.
    pub(super) fn serves(&mut self, now: std::time::Instant) {
        self.attempt.serves(now);
    }

    /// The last byte is here, and all is well.
    pub(super) fn complete(self, now: std::time::Instant) {
        let Self { attempt, upstream, .. } = self;
        upstream.finish(attempt.deployment().origin(), now);
        attempt.complete(now);
    }

    /// The last byte is here, and says that the attempt failed.
    pub(super) fn complete_as(self, outcome: Outcome) {
        let Self { attempt, upstream, .. } = self;
        upstream.finish(attempt.deployment().origin(), std::time::Instant::now());
        attempt.end(outcome);
    }

    /// It broke off, or is of no use: the connection closes.
    pub(super) fn end(self, outcome: Outcome) {
        self.attempt.end(outcome);
    }

    /// The next frame in time, or how the attempt failed.
    pub(super) fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Result<Piece, Outcome>> {
        match Pin::new(&mut self.upstream).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    self.attempt.received(data);
                }
                // Nobody need ask again after the last byte of a body whose length is known, nor after trailers,
                // which end a chunked one.
                let is_last = frame.is_trailers() || self.upstream.is_end_stream();
                if !is_last {
                    let now = Instant::now();
                    // A client that reads slowly always finds a frame, so the timer is never asked.
                    if self.total() <= now {
                        return Poll::Ready(Err(Outcome::Timeout(Phase::Total)));
                    }
                    self.last_frame = now;
                }
                Poll::Ready(Ok(Piece::Frame { frame, is_last }))
            }
            Poll::Ready(None) => Poll::Ready(Ok(Piece::End)),
            Poll::Ready(Some(Err(error))) => {
                tracing::debug!(%error, "an answer broke off");
                Poll::Ready(Err(Outcome::BrokenAnswer))
            }
            Poll::Pending => self.poll_late(context).map(|phase| Err(Outcome::Timeout(phase))),
        }
    }

    pub(super) async fn piece(&mut self) -> Result<Piece, Outcome> {
        std::future::poll_fn(|context| self.poll_piece(context)).await
    }

    /// What is wrong with a stream that ends here although its connection is fine.
    pub(super) fn flaw_at_end(&self) -> Option<Outcome> {
        let events = self.events()?;
        match (events.ending(), self.stream_end) {
            (Ending::Failed, _) => Some(Outcome::ServerError),
            (Ending::Open, StreamEnd::Told) => Some(Outcome::BrokenAnswer),
            (Ending::Finished, _) | (Ending::Open, StreamEnd::Untold) => None,
        }
    }

    fn deadline(&self) -> (Instant, Phase) {
        let (idle, total) = (self.last_frame + self.limits.idle, self.total());
        if idle < total { (idle, Phase::Idle) } else { (total, Phase::Total) }
    }

    /// The time limit that has passed, if one has.
    // The timer is set once and moved only when it fires, not at every frame: a frame then costs one
    // reading of the clock.
    fn poll_late(&mut self, context: &mut Context<'_>) -> Poll<Phase> {
        while self.timer.as_mut().poll(context).is_ready() {
            let (deadline, phase) = self.deadline();
            if deadline <= Instant::now() {
                return Poll::Ready(phase);
            }
            self.timer.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}

impl fmt::Debug for Arriving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arriving").field("attempt", &self.attempt).finish_non_exhaustive()
    }
}
