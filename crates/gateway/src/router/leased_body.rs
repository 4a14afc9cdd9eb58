//! A response body that holds the lease, and ends it once, at the last byte.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use leastbusy_balance::{Outcome, Phase};
use tokio::time::{Instant, Sleep};

use super::attempt::Attempt;
use super::dispatch::timed_out;
use crate::openai::{ApiError, SseWatch};
use crate::upstream::{Checkout, Limits};

/// The body of an upstream's answer on its way to the client.
///
/// The attempt's lease lives here. It ends at the last byte, at an error, at a time limit, or when the
/// client leaves (then the server drops this body, and the upstream connection with it).
pub struct LeasedBody {
    /// `None` once the answer is over. Boxed, because a response is moved a dozen times on its way out.
    live: Option<Box<Live>>,
    /// A failure that the server is still to be told.
    broken: Option<Outcome>,
}

struct Live {
    upstream: Incoming,
    attempt: Attempt,
    checkout: Checkout,
    timer: Pin<Box<Sleep>>,
    last_frame: Instant,
    limits: Limits,
    /// Watches the frames of a stream, so that a failure can be told as one more event.
    events: Option<SseWatch>,
}

/// An answer that broke off; the client sees its connection close.
#[derive(Debug, thiserror::Error)]
#[error("the answer broke off: {}", .0.name())]
pub struct BrokenOff(Outcome);

impl LeasedBody {
    pub(super) fn new(
        upstream: Incoming,
        attempt: Attempt,
        checkout: Checkout,
        (timer, answered): (Pin<Box<Sleep>>, std::time::Instant),
        limits: &Limits,
        events: Option<SseWatch>,
    ) -> Self {
        let mut live =
            Live { upstream, attempt, checkout, timer, last_frame: answered.into(), limits: *limits, events };
        if live.upstream.is_end_stream() {
            live.complete();
            return Self { live: None, broken: None };
        }
        let (deadline, _) = live.deadline();
        live.timer.as_mut().reset(deadline);
        Self { live: Some(Box::new(live)), broken: None }
    }

    /// When the answer must be over, unless it is already.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.live.as_ref().map(|live| live.total())
    }

    fn fail(
        &mut self,
        outcome: Outcome,
        context: &Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let Some(live) = self.live.take() else { return Poll::Ready(None) };
        let event = live.error_event(outcome);
        live.attempt.end(outcome);
        if let Some(event) = event {
            return Poll::Ready(Some(Ok(Frame::data(event))));
        }
        // An error makes the server close at once, with what it has not written yet; a pause lets it
        // write that first.
        self.broken = Some(outcome);
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Live {
    fn complete(self) {
        let Self { attempt, checkout, .. } = self;
        checkout.finish(attempt.deployment().origin());
        attempt.complete();
    }

    fn total(&self) -> Instant {
        Instant::from(self.attempt.started()) + self.limits.total
    }

    fn deadline(&self) -> (Instant, Phase) {
        let (idle, total) = (self.last_frame + self.limits.idle, self.total());
        if idle < total { (idle, Phase::Idle) } else { (total, Phase::Total) }
    }

    /// What a client of a stream is told; nothing where it cannot be told, or already has its `[DONE]`.
    fn error_event(&self, outcome: Outcome) -> Option<Bytes> {
        let events = self.events.as_ref().filter(|events| !events.is_done())?;
        let group = &self.attempt.group().name;
        let error = match outcome {
            Outcome::Timeout(phase) => timed_out(group, phase, &self.limits),
            _ => ApiError::upstream_broke_off(group),
        };
        Some([events.gap().as_bytes(), &error.event()].concat().into())
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

impl Body for LeasedBody {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        if let Some(outcome) = self.broken.take() {
            return Poll::Ready(Some(Err(BrokenOff(outcome))));
        }
        let Some(live) = &mut self.live else { return Poll::Ready(None) };
        match Pin::new(&mut live.upstream).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    live.attempt.received(data.len());
                    if let Some(events) = &mut live.events {
                        events.push(data);
                    }
                }
                // hyper need not ask again after the last byte of a body whose length it knows, nor after
                // trailers, which end a chunked one.
                if !frame.is_trailers() && !live.upstream.is_end_stream() {
                    let now = Instant::now();
                    // A client that reads slowly always finds a frame, so the timer is never asked.
                    if live.total() <= now {
                        return self.fail(Outcome::Timeout(Phase::Total), context);
                    }
                    live.last_frame = now;
                } else if let Some(live) = self.live.take() {
                    live.complete();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(None) => {
                if let Some(live) = self.live.take() {
                    live.complete();
                }
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(error))) => {
                tracing::debug!(%error, "an answer broke off");
                self.fail(Outcome::BrokenAnswer, context)
            }
            Poll::Pending => match live.poll_late(context) {
                Poll::Ready(phase) => self.fail(Outcome::Timeout(phase), context),
                Poll::Pending => Poll::Pending,
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        self.live.is_none() && self.broken.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.live {
            // A failure adds an event that no length of the upstream's accounts for.
            Some(live) if live.events.is_none() => live.upstream.size_hint(),
            Some(_) => SizeHint::default(),
            None if self.broken.is_some() => SizeHint::default(),
            None => SizeHint::with_exact(0),
        }
    }
}

impl fmt::Debug for LeasedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeasedBody")
            .field("attempt", &self.live.as_ref().map(|live| &live.attempt))
            .finish_non_exhaustive()
    }
}
