//! Our own side of HTTP/1.1 for requests whose body is here: one connection, one exchange at a time, driven
//! by the task of the request it serves.
//!
//! Nothing waits between the request's task and the socket: a body goes out while the caches still hold it,
//! and no other task is woken to send it or to read its answer.

mod body;
mod chunked;
mod head;
mod outgoing;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, response};
use http_body::{Frame, SizeHint};
use tokio::io::AsyncReadExt;

use super::origin::OpenConnection;
use super::stream::Stream;
use crate::openai::Pieces;
use body::Decoder;
use bytes::Bytes;
use chunked::Found;
use head::{Flaw, Head};
use outgoing::Outgoing;

/// Room that a read finds, to begin with; most answers fit.
const READ_BYTES: usize = 8 * 1024;
/// How far that grows while an answer fills it.
const READ_BYTES_MAX: usize = 256 * 1024;
/// Less room than this is not worth a read.
const ROOM_BYTES_MIN: usize = 2 * 1024;

/// Why an exchange broke off.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// The system says so.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The other side closed the connection before the answer.
    #[error("the connection was closed before the answer")]
    Closed,
    /// What came is no answer in HTTP/1.1.
    #[error(transparent)]
    Answer(#[from] Flaw),
}

/// A connection, and the exchange that is under way on it.
#[derive(Debug)]
pub(super) struct Connection {
    stream: Stream,
    incoming: BytesMut,
    /// Room for the next read.
    read_bytes: usize,
    /// Whether that was ever more than at the start.
    has_grown: bool,
    outgoing: Outgoing,
    decoder: Decoder,
    is_head_request: bool,
    /// Whether anything of the answer has come.
    has_heard: bool,
    keep_alive: bool,
    _open: OpenConnection,
}

impl Connection {
    pub(super) fn new(stream: Stream, open: OpenConnection) -> Self {
        Self {
            stream,
            incoming: BytesMut::new(),
            read_bytes: READ_BYTES,
            has_grown: false,
            outgoing: Outgoing::default(),
            decoder: Decoder::Length(0),
            is_head_request: false,
            has_heard: false,
            keep_alive: true,
            _open: open,
        }
    }

    /// Whether the connection is still good for a request; one that was closed, or on which something came
    /// unasked, is not.
    pub(super) fn is_idle(&mut self) -> bool {
        self.incoming.is_empty() && self.stream.is_silent()
    }

    /// Whether the exchange has left the connection ready for the next one.
    pub(super) fn is_reusable(&self) -> bool {
        self.keep_alive && self.outgoing.is_over() && self.decoder.is_over() && self.incoming.is_empty()
    }

    /// Gives the memory of a long answer back.
    pub(super) fn rest(&mut self) {
        if self.has_grown {
            (self.has_grown, self.read_bytes) = (false, READ_BYTES);
            self.incoming = BytesMut::new();
        }
    }

    /// Whether nothing of the latest answer has come.
    pub(super) fn has_heard_nothing(&self) -> bool {
        !self.has_heard
    }

    /// Begins an exchange.
    pub(super) fn begin(
        &mut self,
        (method, path, host): (&Method, &PathAndQuery, &HeaderValue),
        headers: &HeaderMap,
        body: Option<Pieces>,
    ) {
        self.outgoing.begin((method, path, host), headers, body);
        self.is_head_request = method == Method::HEAD;
        self.has_heard = false;
    }

    /// Sends the request and waits for the head of its answer.
    pub(super) async fn head(&mut self) -> Result<response::Parts, Broken> {
        // How much of the head has been looked at.
        let mut seen = 0;
        std::future::poll_fn(|context| self.poll_head(&mut seen, context)).await
    }

    fn poll_head(
        &mut self,
        seen: &mut usize,
        context: &mut Context<'_>,
    ) -> Poll<Result<response::Parts, Broken>> {
        self.poll_send(context);
        loop {
            let read = ready!(self.poll_fill(context))?;
            self.has_heard |= 0 < read;
            if read == 0 {
                return Poll::Ready(Err(Broken::Closed));
            }
            while let Some((head, length)) = head::read(&self.incoming, *seen, self.is_head_request)? {
                self.incoming.advance(length);
                *seen = 0;
                // An interim answer says nothing that we asked for; one that leaves HTTP/1.1 is no answer.
                let status = head.parts.status;
                if status == http::StatusCode::SWITCHING_PROTOCOLS {
                    return Poll::Ready(Err(Flaw("it changes the protocol").into()));
                }
                if !status.is_informational() {
                    return Poll::Ready(Ok(self.answered(head)));
                }
                if self.incoming.is_empty() {
                    break;
                }
            }
            *seen = self.incoming.len();
        }
    }

    fn answered(&mut self, head: Head) -> response::Parts {
        self.decoder = Decoder::new(head.framing);
        self.keep_alive &= head.keep_alive;
        head.parts
    }

    /// Goes on sending. A side that reads no more may have answered all the same, so a failure shows in the
    /// answer, or in that there is none.
    fn poll_send(&mut self, context: &mut Context<'_>) {
        if !self.outgoing.is_over()
            && let Poll::Ready(Err(error)) = self.outgoing.poll(Pin::new(&mut self.stream), context)
        {
            tracing::debug!(%error, "an upstream does not take all of its request");
            self.outgoing.give_up();
            self.keep_alive = false;
        }
    }

    /// The next frame of the answer's body; `None` at its end.
    pub(super) fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        self.poll_send(context);
        loop {
            match self.decoder.next(&mut self.incoming) {
                Ok(Some(Found::Data(data))) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Ok(Some(Found::Trailers(trailers))) => {
                    return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
                }
                Ok(None) if self.decoder.is_over() => return Poll::Ready(None),
                Ok(None) => {}
                Err(flaw) => return Poll::Ready(Some(Err(flaw.into()))),
            }
            let read = match ready!(self.poll_fill(context)) {
                Ok(read) => read,
                Err(error) => return Poll::Ready(Some(Err(error.into()))),
            };
            if read == 0
                && let Err(flaw) = self.decoder.close()
            {
                return Poll::Ready(Some(Err(flaw.into())));
            }
        }
    }

    /// Whether the answer's body is known to be over.
    pub(super) fn is_over(&self) -> bool {
        self.decoder.is_over()
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        self.decoder.left().map_or_else(SizeHint::default, SizeHint::with_exact)
    }

    /// Reads what is there; 0 bytes are the end.
    fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let room = self.incoming.capacity() - self.incoming.len();
        if room < ROOM_BYTES_MIN.max(self.read_bytes / 4) {
            self.has_grown |= READ_BYTES < self.read_bytes;
            self.incoming.reserve(self.read_bytes);
        }
        let room = self.incoming.capacity() - self.incoming.len();
        let read = {
            let reading = std::pin::pin!(self.stream.read_buf(&mut self.incoming));
            ready!(reading.poll(context))?
        };
        // A read that fills its room leaves more behind.
        self.read_bytes = match read {
            _ if read == room => READ_BYTES_MAX.min(2 * self.read_bytes),
            _ if read < self.read_bytes / 2 => READ_BYTES,
            _ => self.read_bytes,
        };
        Poll::Ready(Ok(read))
    }
}

#[cfg(test)]
mod tests;
