//! A request body on its way upstream: one piece of memory, or a few that are sent one after another.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::pieces::Pieces;

/// A request body of known length. A clone shares the memory and sends from the start again, as long
/// as it is made before the body is polled.
#[derive(Debug, Clone)]
pub struct UpstreamBody {
    pieces: Pieces,
    next: usize,
    unsent: u64,
}

impl UpstreamBody {
    /// Bytes that are still to be sent; before the body is polled, its `content-length`.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.unsent
    }

    /// Whether nothing is left to be sent.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.unsent == 0
    }
}

impl From<Pieces> for UpstreamBody {
    fn from(pieces: Pieces) -> Self {
        Self { unsent: pieces.len() as u64, pieces, next: 0 }
    }
}

impl From<UpstreamBody> for Pieces {
    /// All of it, whatever was polled before.
    fn from(body: UpstreamBody) -> Self {
        body.pieces
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        let Some(piece) = this.pieces.piece(this.next).cloned() else { return Poll::Ready(None) };
        this.next += 1;
        this.unsent -= piece.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.unsent)
    }
}
