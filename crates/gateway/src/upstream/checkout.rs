//! A connection in use by one request.

use std::sync::Arc;

use http::{Request, response};
use hyper::client::conn::{http1 as hyper_http1, http2};

use super::answer::Answer;
use super::body::RequestBody;
use super::http1::{self, Connection};
use super::pool::Pool;
use super::send::Message;

/// A connection in use by one request. Dropping it closes a connection of HTTP/1.1.
#[derive(Debug)]
pub(super) struct Checkout {
    link: Link,
}

#[derive(Debug)]
pub(super) enum Link {
    /// One exchange at a time, by our own hand.
    Http1 {
        connection: Box<Connection>,
        pool: Arc<Pool>,
    },
    /// HTTP/1.1 by hyper's: a body that streams through must go on while nobody reads the answer.
    Streaming {
        sender: hyper_http1::SendRequest<RequestBody>,
    },
    Http2 {
        sender: http2::SendRequest<RequestBody>,
        stream: Arc<()>,
    },
}

/// Why an exchange broke off.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// On a connection of our own.
    #[error(transparent)]
    Own(#[from] http1::Broken),
    /// On one of hyper's.
    #[error(transparent)]
    Hyper(#[from] hyper::Error),
}

/// A request that has no answer.
#[derive(Debug)]
pub(super) struct Unanswered {
    pub(super) cause: Broken,
    /// Whether the request may go out again: nothing of an answer has come, so that it was the connection
    /// that ended and not the work.
    pub(super) left_no_trace: bool,
}

impl Checkout {
    pub(super) fn new(link: Link) -> Self {
        Self { link }
    }

    /// Begins to send a request.
    pub(super) fn begin(self, message: Message<'_>) -> Exchanging {
        match self.link {
            Link::Http1 { mut connection, pool } => {
                let target = (message.method, message.path, &message.origin.host_header);
                connection.begin(target, &message.headers, message.body.into_pieces());
                Exchanging::Http1 { connection, pool }
            }
            Link::Streaming { sender } => {
                Exchanging::Streaming { sender, request: Box::new(message.into_request(false)) }
            }
            Link::Http2 { sender, stream } => {
                Exchanging::Http2 { sender, stream, request: Box::new(message.into_request(true)) }
            }
        }
    }
}

/// A connection with a request on it. Small, because it is moved into futures.
#[derive(Debug)]
pub(super) enum Exchanging {
    Http1 { connection: Box<Connection>, pool: Arc<Pool> },
    Streaming { sender: hyper_http1::SendRequest<RequestBody>, request: Box<Request<RequestBody>> },
    Http2 { sender: http2::SendRequest<RequestBody>, stream: Arc<()>, request: Box<Request<RequestBody>> },
}

impl Exchanging {
    /// Sends the request and waits for the head of its answer.
    pub(super) async fn answer(self) -> Result<(response::Parts, Answer), Unanswered> {
        match self {
            Self::Http1 { mut connection, pool } => match connection.head().await {
                Ok(parts) => Ok((parts, Answer::own(connection, pool))),
                Err(cause) => {
                    let left_no_trace = connection.has_heard_nothing();
                    Err(Unanswered { cause: cause.into(), left_no_trace })
                }
            },
            Self::Streaming { mut sender, request } => {
                let response = sender.send_request(*request).await;
                let unanswered =
                    |error: hyper::Error| Unanswered { cause: error.into(), left_no_trace: false };
                let (parts, body) = response.map_err(unanswered)?.into_parts();
                Ok((parts, Answer::hyper(body, None)))
            }
            Self::Http2 { mut sender, stream, request } => {
                let response = sender.send_request(*request).await;
                // HTTP/2 says of a connection that it ends; what breaks on it later is an answer, unless the
                // request was never sent.
                let unanswered = |error: hyper::Error| {
                    let left_no_trace = error.is_canceled();
                    Unanswered { cause: error.into(), left_no_trace }
                };
                let (parts, body) = response.map_err(unanswered)?.into_parts();
                Ok((parts, Answer::hyper(body, Some(stream))))
            }
        }
    }
}
