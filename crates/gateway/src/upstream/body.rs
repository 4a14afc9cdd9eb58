//! The request body that goes upstream.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use super::upload::Sending;
use crate::openai::{Pieces, UpstreamBody};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// An error of a client that is still sending its body.
pub type StreamError = Box<dyn std::error::Error + Send + Sync>;

/// A request body: whole in memory, or still arriving from the client.
#[derive(Debug)]
pub enum RequestBody {
    /// No body at all.
    Empty,
    /// All of it is here, so it can be sent again.
    Whole(UpstreamBody),
    /// A file that streams through.
    Streamed {
        /// What was read already, to be sent first.
        head: UpstreamBody,
        /// What the client is still sending.
        rest: Sending,
        /// Where the client's failure to send the rest is left.
        failure: ClientFailure,
    },
}

/// Why a client did not send all of its body.
///
/// The connection that sends the body keeps errors of it to itself (HTTP/2) or wraps them (HTTP/1.1),
/// so they are left here.
#[derive(Debug, Clone, Default)]
pub struct ClientFailure(Arc<Mutex<Option<StreamError>>>);

impl ClientFailure {
    pub(super) fn take(&self) -> Option<StreamError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn leave(&self, error: StreamError) -> StreamError {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        "the client did not send all of its body".into()
    }
}

impl RequestBody {
    /// Where to look for the reason when sending it fails.
    pub(super) fn client_failure(&self) -> Option<ClientFailure> {
        match self {
            Self::Streamed { failure, .. } => Some(failure.clone()),
            Self::Empty | Self::Whole(_) => None,
        }
    }

    /// The whole of it, if there is any and it is here.
    pub(super) fn into_pieces(self) -> Option<Pieces> {
        match self {
            Self::Whole(body) => Some(body.into()),
            Self::Empty | Self::Streamed { .. } => None,
        }
    }

    /// Whether all of it is here, so that it can be sent again.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        !matches!(self, Self::Streamed { .. })
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = StreamError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StreamError>>> {
        match self.get_mut() {
            Self::Empty => Poll::Ready(None),
            Self::Whole(body) => {
                Pin::new(body).poll_frame(context).map_err(|never: Infallible| match never {})
            }
            Self::Streamed { head, rest, failure } => match Pin::new(head).poll_frame(context) {
                Poll::Ready(None) => Pin::new(rest).poll_frame(context).map_err(|error| failure.leave(error)),
                frame => frame.map_err(|never: Infallible| match never {}),
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Whole(body) => body.is_end_stream(),
            Self::Streamed { head, rest, .. } => head.is_end_stream() && rest.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Whole(body) => body.size_hint(),
            Self::Streamed { head, rest, .. } => head.size_hint() + rest.size_hint(),
        }
    }
}
