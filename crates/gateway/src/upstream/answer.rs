//! The body of an answer, and the connection it arrives on.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::checkout::Broken;
use super::http1::Connection;
use super::origin::Origin;
use super::pool::Pool;

/// The body of an answer. Dropping it before its end closes its connection, or its stream of HTTP/2.
#[derive(Debug)]
pub struct Answer(Arriving);

#[derive(Debug)]
enum Arriving {
    Own {
        connection: Box<Connection>,
        pool: Arc<Pool>,
    },
    Hyper {
        body: Incoming,
        /// Its place on a connection of HTTP/2.
        _stream: Option<Arc<()>>,
    },
}

impl Answer {
    pub(super) fn own(connection: Box<Connection>, pool: Arc<Pool>) -> Self {
        Self(Arriving::Own { connection, pool })
    }

    pub(super) fn hyper(body: Incoming, stream: Option<Arc<()>>) -> Self {
        Self(Arriving::Hyper { body, _stream: stream })
    }

    /// The answer was read to its end: keeps the connection for the next request, if it is still good for one.
    pub fn finish(self, origin: &Origin, now: Instant) {
        if let Arriving::Own { mut connection, pool } = self.0
            && connection.is_reusable()
        {
            connection.rest();
            pool.give_back(origin, connection, now);
        }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match &mut self.get_mut().0 {
            Arriving::Own { connection, .. } => connection.poll_frame(context).map_err(Broken::from),
            Arriving::Hyper { body, .. } => Pin::new(body).poll_frame(context).map_err(Broken::from),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Arriving::Own { connection, .. } => connection.is_over(),
            Arriving::Hyper { body, .. } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Arriving::Own { connection, .. } => connection.size_hint(),
            Arriving::Hyper { body, .. } => body.size_hint(),
        }
    }
}
