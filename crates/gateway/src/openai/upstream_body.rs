//! A request body on its way upstream: one piece of memory, or a few that are sent one after another.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// A request body of known length. A clone shares the memory and sends from the start again, as long
/// as it is made before the body is polled.
#[derive(Debug, Clone)]
pub struct UpstreamBody {
    parts: Parts,
    next: usize,
    unsent: u64,
}

#[derive(Debug, Clone)]
enum Parts {
    One(Bytes),
    Many(Arc<[Bytes]>),
}

impl UpstreamBody {
    pub(super) fn from_parts(parts: Vec<Bytes>) -> Self {
        let unsent = parts.iter().map(|part| part.len() as u64).sum();
        Self { parts: Parts::Many(parts.into()), next: 0, unsent }
    }

    pub(super) fn parts(&self) -> &[Bytes] {
        match &self.parts {
            Parts::One(part) => std::slice::from_ref(part),
            Parts::Many(parts) => parts,
        }
    }

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

impl From<Bytes> for UpstreamBody {
    fn from(bytes: Bytes) -> Self {
        Self { unsent: bytes.len() as u64, parts: Parts::One(bytes), next: 0 }
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
        while let Some(part) = this.parts().get(this.next).cloned() {
            this.next += 1;
            if !part.is_empty() {
                this.unsent -= part.len() as u64;
                return Poll::Ready(Some(Ok(Frame::data(part))));
            }
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.unsent)
    }
}
