//! A request on its way out: its head, and a body that is here.

use std::io::{self, IoSlice, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method};
use tokio::io::AsyncWrite;

use crate::openai::Pieces;
use crate::upstream::gather;

/// Pieces that one write takes at most; the system's own limit is 1024.
const PIECES_MAX: usize = 64;
/// A body up to this length is copied behind its head, which is cheaper than to have the system gather them.
const JOINED_BYTES_MAX: usize = 2048;

/// What has been written of a request, and what has not.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    head: Vec<u8>,
    body: Option<Pieces>,
    /// What comes next: a piece of the body, after the head, and how far in it.
    piece: usize,
    at: usize,
    left: usize,
    /// Whether TLS may still hold back what was written.
    is_unflushed: bool,
}

impl Outgoing {
    /// Begins with a request.
    pub(super) fn begin(
        &mut self,
        (method, path, host): (&Method, &PathAndQuery, &HeaderValue),
        headers: &HeaderMap,
        body: Option<Pieces>,
    ) {
        self.head.clear();
        for part in [method.as_str(), " ", path.as_str(), " HTTP/1.1\r\nhost: "] {
            self.head.extend_from_slice(part.as_bytes());
        }
        self.head.extend_from_slice(host.as_bytes());
        for (name, value) in headers {
            if !is_ours(name.as_str()) {
                for part in [b"\r\n", name.as_str().as_bytes(), b": ", value.as_bytes()] {
                    self.head.extend_from_slice(part);
                }
            }
        }
        if let Some(body) = &body {
            write!(self.head, "\r\ncontent-length: {}", body.len()).expect("a vector takes all");
        }
        self.head.extend_from_slice(b"\r\n\r\n");
        self.body = body;
        (self.piece, self.at, self.is_unflushed) = (0, 0, true);
        if let Some(body) = self.body.take_if(|body| body.len() <= JOINED_BYTES_MAX) {
            let pieces = (0..).map_while(|number| body.piece(number));
            pieces.for_each(|piece| self.head.extend_from_slice(piece));
        }
        self.left = self.head.len() + self.body.as_ref().map_or(0, Pieces::len);
    }

    /// Whether all of it is with the system.
    pub(super) fn is_over(&self) -> bool {
        self.left == 0 && !self.is_unflushed
    }

    /// Nothing more of it will be written.
    pub(super) fn give_up(&mut self) {
        *self = Self::default();
    }

    pub(super) fn poll(
        &mut self,
        mut stream: Pin<&mut impl AsyncWrite>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while 0 < self.left {
            let written = ready!(self.poll_write(stream.as_mut(), context))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.advance(written);
        }
        if self.is_unflushed {
            ready!(stream.poll_flush(context))?;
            self.is_unflushed = false;
            self.body = None;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_write(
        &self,
        stream: Pin<&mut impl AsyncWrite>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if self.body.is_none() {
            return stream.poll_write(context, &self.head[self.at..]);
        }
        let mut slices = [IoSlice::new(&[]); PIECES_MAX];
        let mut count = 0;
        let mut at = self.at;
        while count < PIECES_MAX
            && let Some(piece) = self.piece(self.piece + count)
        {
            slices[count] = IoSlice::new(&piece[at..]);
            at = 0;
            count += 1;
        }
        gather::poll_write(stream, context, &slices[..count])
    }

    /// A piece by its number, the head being the first.
    fn piece(&self, number: usize) -> Option<&[u8]> {
        match number.checked_sub(1) {
            None => Some(&self.head),
            Some(number) => self.body.as_ref()?.piece(number).map(|piece| &piece[..]),
        }
    }

    fn advance(&mut self, written: usize) {
        self.left -= written;
        self.at += written;
        while let Some(piece) = self.piece(self.piece)
            && piece.len() <= self.at
        {
            self.at -= piece.len();
            self.piece += 1;
        }
    }
}

/// Whether a header is made here, for this connection and this body.
fn is_ours(name: &str) -> bool {
    matches!(name, "host" | "content-length" | "transfer-encoding" | "connection")
}

#[cfg(test)]
mod tests;
