//! The body of every answer, which ends the request's record when it ends.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::Full;
use tokio::time::Instant;

use super::keys::Caller;
use crate::openai::ApiError;
use crate::router::{BrokenOff, LeasedBody, TokensSeen};
use crate::telemetry::access::Record;

/// A body of ours, or an upstream's.
#[derive(Debug)]
pub(super) enum Body {
    Own(Full<Bytes>),
    Leased(LeasedBody),
}

/// An answer's body together with the record of its request, and with what it takes of the client's key.
#[derive(Debug)]
pub struct Answer {
    body: Body,
    record: Record,
    caller: Caller,
}

impl Answer {
    pub(super) fn new(body: Body, record: Record, caller: Caller) -> Self {
        let mut answer = Self { body, record, caller };
        answer.note_end();
        answer
    }

    /// When the answer must be over; `None` for the gateway's own.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        match &self.body {
            Body::Own(_) => None,
            Body::Leased(body) => body.deadline(),
        }
    }

    // A server that knows the length does not ask for the end, so it is looked for after each frame.
    fn note_end(&mut self) {
        if self.is_end_stream() {
            self.complete();
        }
    }

    fn complete(&mut self) {
        self.record.complete();
        self.caller.ends(self.tokens());
    }

    fn tokens(&self) -> Option<TokensSeen> {
        match &self.body {
            Body::Own(_) => None,
            Body::Leased(body) => body.tokens(),
        }
    }
}

impl Drop for Answer {
    // Here and not at the last byte: a client may leave before it.
    fn drop(&mut self) {
        let tokens = self.tokens();
        self.record.takes(tokens);
        self.caller.ends(tokens);
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let answer = self.get_mut();
        let frame = match &mut answer.body {
            Body::Own(body) => Pin::new(body).poll_frame(context).map_err(|never| match never {}),
            Body::Leased(body) => Pin::new(body).poll_frame(context),
        };
        match &frame {
            Poll::Ready(Some(Ok(frame))) => {
                answer.record.sent(frame.data_ref().map_or(0, Bytes::len));
                answer.note_end();
            }
            Poll::Ready(None) => answer.complete(),
            Poll::Ready(Some(Err(_))) | Poll::Pending => {}
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        match &self.body {
            Body::Own(body) => body.is_end_stream(),
            Body::Leased(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            Body::Own(body) => body.size_hint(),
            Body::Leased(body) => body.size_hint(),
        }
    }
}

pub(super) fn json(body: Bytes) -> Response<Body> {
    typed(body, "application/json")
}

pub(super) fn typed(body: Bytes, content_type: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::Own(Full::new(body)));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

pub(super) fn error(error: &ApiError) -> Response<Body> {
    let mut response = json(error.body());
    *response.status_mut() = error.status;
    if let Some(seconds) = error.retry_after_seconds() {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if error.status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if leaves_body_unread(error.status) {
        close(response.headers_mut());
    }
    response
}

/// Tells the client that its connection is of no more use: what it still sends will not be read.
pub(super) fn close(headers: &mut HeaderMap) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
}

/// Whether a status of ours says that the connection is of no more use: its body was not read to the end.
fn leaves_body_unread(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::PAYLOAD_TOO_LARGE
            | StatusCode::REQUEST_TIMEOUT
            | StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
    )
}
