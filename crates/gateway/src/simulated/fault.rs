//! What ails an engine: whoever runs it may make it ill while it serves, and well again.

use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame};

/// In what way an engine fails; requests it has begun to answer go on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Fault {
    /// It is well.
    #[default]
    None,
    /// It closes the connection where an answer should come.
    HangsUp,
    /// It never answers.
    Hangs,
    /// It answers 500.
    Errors,
    /// It answers 429, with a `Retry-After` of one second.
    RateLimits,
    /// It begins a stream and closes before the first token.
    BreaksOff,
}

/// The fault that an engine has now.
#[derive(Debug, Default)]
pub(super) struct Switch(Mutex<Fault>);

/// Why an engine breaks a connection.
#[derive(Debug, thiserror::Error)]
#[error("the engine was told to break off")]
pub(super) struct BrokenOff;

/// A stream that says that it is there, and then breaks off.
#[derive(Debug, Default)]
pub(super) struct Breaking {
    polls: u8,
}

impl Body for Breaking {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        self.polls += 1;
        match self.polls {
            1 => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b": thinking\n\n"))))),
            // An error makes the server close at once; a pause lets it write first.
            2 => {
                context.waker().wake_by_ref();
                Poll::Pending
            }
            _ => Poll::Ready(Some(Err(BrokenOff))),
        }
    }
}

impl Fault {
    /// What it does, to go after the engine's name.
    #[must_use]
    pub fn told(self) -> &'static str {
        match self {
            Self::None => "is well",
            Self::HangsUp => "closes connections",
            Self::Hangs => "hangs",
            Self::Errors => "answers 500",
            Self::RateLimits => "answers 429",
            Self::BreaksOff => "breaks off before the first token",
        }
    }
}

impl Switch {
    pub(super) fn get(&self) -> Fault {
        *self.lock()
    }

    pub(super) fn set(&self, fault: Fault) {
        *self.lock() = fault;
    }

    // A copy of one word is never half done.
    fn lock(&self) -> MutexGuard<'_, Fault> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
