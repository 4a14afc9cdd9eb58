//! One exchange with an upstream: a request out, the head of an answer back, in time.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::uri::PathAndQuery;
use http::{HeaderMap, Method, Request, Uri, header, response};
use leastbusy_balance::{Outcome, Phase};
use tokio::time::{Instant, Sleep};

use super::answer::Answer;
use super::body::{ClientFailure, RequestBody, StreamError};
use super::checkout::{Broken, Exchanging, Unanswered};
use super::connect::ConnectError;
use super::origin::Origin;
use super::pool::{Pool, Wanted};

/// The time limits of one attempt, each counted from the event it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// TCP and TLS.
    pub connect: Duration,
    /// From sending the request to the head of the answer.
    pub first_byte: Duration,
    /// Between two frames of the answer.
    pub idle: Duration,
    /// From the start of the attempt to the last byte.
    pub total: Duration,
}

impl Limits {
    /// The limit of one phase.
    #[must_use]
    pub fn of(&self, phase: Phase) -> Duration {
        match phase {
            Phase::Connect => self.connect,
            Phase::FirstByte => self.first_byte,
            Phase::Idle => self.idle,
            Phase::Total => self.total,
        }
    }
}

/// What goes upstream, and where.
pub struct Target<'a> {
    /// The address.
    pub origin: &'a Arc<Origin>,
    /// The method.
    pub method: Method,
    /// Path and query.
    pub path: PathAndQuery,
    /// Makes all headers but `Host`, and the body, once for each sending; `None` when the body is gone.
    pub message: &'a mut (dyn FnMut() -> Option<(HeaderMap, RequestBody)> + Send),
}

/// The head of an answer, and what its body arrives on.
#[derive(Debug)]
pub struct Exchange {
    /// The head.
    pub parts: response::Parts,
    /// The body. Give its connection back with [`Answer::finish`] once it was read to its end.
    pub answer: Answer,
}

/// One sending of a request.
#[derive(Debug)]
pub(super) struct Message<'a> {
    pub(super) origin: &'a Origin,
    pub(super) method: &'a Method,
    pub(super) path: &'a PathAndQuery,
    /// All but `Host` and what tells the body's length.
    pub(super) headers: HeaderMap,
    pub(super) body: RequestBody,
}

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// `max_upstream_connections` are open.
    #[error("max_upstream_connections are open to this address")]
    ConnectionLimit,
    /// No connection.
    #[error("no connection: {0}")]
    Connect(String),
    /// The connection broke before the answer began.
    #[error("the connection broke before the answer began: {0}")]
    Broken(Broken),
    /// The client failed to send a body that was streaming through; the error is the stream's own.
    #[error("the client did not send all of its body: {0}")]
    ClientBody(StreamError),
    /// The client's body streamed through to an earlier attempt, and was too long to keep or broke off.
    #[error("the body was sent before and is not here any more")]
    BodyGone,
    /// A time limit passed.
    #[error("no answer in time")]
    Timeout(Phase),
}

impl fmt::Debug for Target<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", self.method, self.origin, self.path)
    }
}

impl SendError {
    /// What this says about the deployment.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::ConnectionLimit | Self::BodyGone => Outcome::GatewayLimit,
            Self::Connect(_) | Self::Broken(_) => Outcome::ConnectionFailed,
            Self::ClientBody(_) => Outcome::ClientLeft,
            Self::Timeout(phase) => Outcome::Timeout(*phase),
        }
    }
}

impl From<ConnectError> for SendError {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Limit => Self::ConnectionLimit,
            ConnectError::Io(error) => Self::Connect(error.to_string()),
            ConnectError::Protocol(error) => Self::Connect(error.to_string()),
        }
    }
}

/// Sends a request and waits for the head of the answer.
///
/// `timer` may be left running; whoever reads the body sets it anew.
///
/// # Errors
///
/// [`SendError`]. A connection that carried a request before and breaks without a byte of answer says
/// nothing about the deployment (its keep-alive ran out under us), so the request goes out once more on
/// a fresh one, where its body is still here.
pub async fn send(
    pool: &Arc<Pool>,
    target: Target<'_>,
    limits: &Limits,
    started: Instant,
    timer: &mut Pin<Box<Sleep>>,
) -> Result<Exchange, SendError> {
    let total = started + limits.total;
    let (mut headers, mut body) = (target.message)().ok_or(SendError::BodyGone)?;
    // A body that streams through may be too long to keep, so it does not go where it may be needed again.
    let mut wanted = if body.is_whole() { Wanted::Any } else { Wanted::FreshForStream };
    let reused = if wanted == Wanted::Any { pool.reuse(target.origin, started.into_std()) } else { None };
    if let Some(checkout) = reused {
        let exchanging = checkout.begin(message(&target, headers, body));
        match exchange(exchanging, None, (started, limits, total), timer).await {
            Ok(exchange) => return Ok(exchange),
            Err(Failed::Unanswered(Unanswered { cause, left_no_trace: true })) => {
                (headers, body) = (target.message)().ok_or(SendError::Broken(cause))?;
                wanted = Wanted::Fresh;
            }
            Err(failed) => return Err(failed.into()),
        }
    }
    // Boxed because it is large and rare: a request on a kept connection should not pay for its size.
    let connecting = Box::pin(pool.connection(target.origin, wanted));
    let connect = total.min(Instant::now() + limits.connect);
    let checkout = match before(connect, timer, connecting).await {
        Some(checkout) => checkout?,
        None => return Err(SendError::Timeout(Phase::Connect)),
    };
    let client_failure = body.client_failure();
    let exchanging = checkout.begin(message(&target, headers, body));
    Ok(exchange(exchanging, client_failure, (Instant::now(), limits, total), timer).await?)
}

/// Why one sending got no answer.
enum Failed {
    Unanswered(Unanswered),
    Client(StreamError),
    Timeout(Phase),
}

impl From<Failed> for SendError {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Unanswered(unanswered) => Self::Broken(unanswered.cause),
            Failed::Client(cause) => Self::ClientBody(cause),
            Failed::Timeout(phase) => Self::Timeout(phase),
        }
    }
}

async fn exchange(
    exchanging: Exchanging,
    client_failure: Option<ClientFailure>,
    (now, limits, total): (Instant, &Limits, Instant),
    timer: &mut Pin<Box<Sleep>>,
) -> Result<Exchange, Failed> {
    let first_byte = now + limits.first_byte;
    match before(total.min(first_byte), timer, exchanging.answer()).await {
        Some(Ok((parts, answer))) => Ok(Exchange { parts, answer }),
        Some(Err(unanswered)) => Err(match client_failure.and_then(|failure| failure.take()) {
            Some(cause) => Failed::Client(cause),
            None => Failed::Unanswered(unanswered),
        }),
        None if total < first_byte => Err(Failed::Timeout(Phase::Total)),
        None => Err(Failed::Timeout(Phase::FirstByte)),
    }
}

fn message<'a>(target: &'a Target<'_>, headers: HeaderMap, body: RequestBody) -> Message<'a> {
    let Target { origin, method, path, .. } = target;
    Message { origin, method, path, headers, body }
}

impl Message<'_> {
    /// The request in the form that hyper wants for its connection's protocol.
    pub(super) fn into_request(self, http2: bool) -> Request<RequestBody> {
        let Self { origin, method, path, mut headers, body } = self;
        let mut uri = Uri::from(path.clone());
        if http2 {
            let mut parts = http::uri::Parts::default();
            parts.scheme = Some(origin.scheme());
            parts.authority = Some(origin.authority.clone());
            parts.path_and_query = Some(path.clone());
            uri = Uri::from_parts(parts).expect("scheme, authority and path make a URI");
        } else {
            headers.insert(header::HOST, origin.host_header.clone());
        }
        let mut request = Request::new(body);
        *request.method_mut() = method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        request
    }
}

/// What `future` gives, or `None` when `deadline` comes first.
async fn before<T>(
    deadline: Instant,
    timer: &mut Pin<Box<Sleep>>,
    future: impl Future<Output = T>,
) -> Option<T> {
    if timer.deadline() != deadline {
        timer.as_mut().reset(deadline);
    }
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|context| {
        if let Poll::Ready(value) = future.as_mut().poll(context) {
            return Poll::Ready(Some(value));
        }
        timer.as_mut().poll(context).map(|()| None)
    })
    .await
}
