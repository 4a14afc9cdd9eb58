//! A response body that holds the lease, and ends it once, at the last byte.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use leastbusy_balance::Outcome;
use tokio::time::Instant;

use super::arriving::{Arriving, Piece};
use super::failure::timed_out;
use super::held::Held;
use super::watch::TokensSeen;
use crate::openai::ApiError;

/// The body of an answer on its way to the client.
///
/// The attempt's lease lives here. It ends at the last byte, at an error, at a time limit, or when the
/// client leaves (then the server drops this body, and the upstream connection with it).
pub struct LeasedBody {
    /// What came before it was clear that the answer is worth sending on.
    held: Held,
    /// `None` once the answer has arrived. Boxed, because a response is moved a dozen times on its way out.
    arriving: Option<Box<Arriving>>,
    /// What an answer that is not arriving any more has shown of its tokens.
    tokens: Option<TokensSeen>,
    /// A failure that the server is still to be told.
    broken: Option<Outcome>,
}

/// An answer that broke off; the client sees its connection close.
#[derive(Debug, thiserror::Error)]
#[error("the answer broke off: {}", .0.name())]
pub struct BrokenOff(Outcome);

impl LeasedBody {
    /// An answer that is here already; no lease is needed for it any more.
    pub(super) fn whole(body: Bytes) -> Self {
        Self::here(body.into(), None)
    }

    pub(super) fn here(held: Held, tokens: Option<TokensSeen>) -> Self {
        Self { held, arriving: None, tokens, broken: None }
    }

    pub(super) fn arriving(held: Held, arriving: Box<Arriving>) -> Self {
        Self { held, arriving: Some(arriving), tokens: None, broken: None }
    }

    /// When the answer must be over, unless it is already.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.arriving.as_ref().map(|arriving| arriving.total())
    }

    /// What it has shown so far of the tokens it takes; `None` where that is not wanted, and for an error.
    #[must_use]
    pub fn tokens(&self) -> Option<TokensSeen> {
        self.arriving.as_ref().map_or(self.tokens, |arriving| arriving.tokens())
    }

    fn take_arriving(&mut self) -> Option<Box<Arriving>> {
        self.tokens = self.tokens();
        self.arriving.take()
    }

    /// A stream that ended in order, but not as an answer does.
    fn end_flawed(
        &mut self,
        outcome: Outcome,
        context: &Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        // Its own event has told the client already.
        if outcome == Outcome::ServerError {
            if let Some(arriving) = self.take_arriving() {
                arriving.end(outcome);
            }
            return Poll::Ready(None);
        }
        self.fail(outcome, context)
    }

    fn fail(
        &mut self,
        outcome: Outcome,
        context: &Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let Some(arriving) = self.take_arriving() else { return Poll::Ready(None) };
        let event = error_event(&arriving, outcome);
        arriving.end(outcome);
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

/// What a client of a stream is told; nothing where it cannot be told, or has been told how the answer ended.
fn error_event(arriving: &Arriving, outcome: Outcome) -> Option<Bytes> {
    let events = arriving.events().filter(|events| !events.is_done())?;
    let group = arriving.group();
    let error = match outcome {
        Outcome::Timeout(phase) => timed_out(group, phase, arriving.limits()),
        _ => ApiError::upstream_broke_off(group),
    };
    Some([events.gap().as_bytes(), &error.event()].concat().into())
}

impl Body for LeasedBody {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        if let Some(held) = self.held.pop() {
            return Poll::Ready(Some(Ok(Frame::data(held))));
        }
        if let Some(outcome) = self.broken.take() {
            return Poll::Ready(Some(Err(BrokenOff(outcome))));
        }
        let Some(arriving) = &mut self.arriving else { return Poll::Ready(None) };
        match std::task::ready!(arriving.poll_piece(context)) {
            Ok(Piece::Frame { frame, is_last }) => match arriving.flaw_at_end().filter(|_| is_last) {
                None => {
                    if is_last && let Some(arriving) = self.take_arriving() {
                        arriving.complete(std::time::Instant::now());
                    }
                    Poll::Ready(Some(Ok(frame)))
                }
                // Nothing may follow trailers, so the event that tells of the flaw comes in their place.
                Some(outcome) if frame.is_trailers() => self.end_flawed(outcome, context),
                Some(_) => Poll::Ready(Some(Ok(frame))),
            },
            Ok(Piece::End) => match arriving.flaw_at_end() {
                None => {
                    if let Some(arriving) = self.take_arriving() {
                        arriving.complete(std::time::Instant::now());
                    }
                    Poll::Ready(None)
                }
                Some(outcome) => self.end_flawed(outcome, context),
            },
            Err(outcome) => self.fail(outcome, context),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.held.is_empty() && self.arriving.is_none() && self.broken.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let held = self.held.bytes() as u64;
        match &self.arriving {
            // A failure adds an event that no length of the upstream's accounts for.
            Some(arriving) if arriving.events().is_none() => {
                SizeHint::with_exact(held) + arriving.size_hint()
            }
            Some(_) => SizeHint::default(),
            None if self.broken.is_some() => SizeHint::default(),
            None => SizeHint::with_exact(held),
        }
    }
}

impl fmt::Debug for LeasedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeasedBody").field("arriving", &self.arriving).finish_non_exhaustive()
    }
}
