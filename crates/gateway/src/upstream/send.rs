//! One exchange with an upstream: a request out, the head of an answer back, in time.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::uri::PathAndQuery;
use http::{HeaderMap, Method, Request, Response, Uri, header};
use hyper::body::Incoming;
use leastbusy_balance::{Outcome, Phase};
use tokio::time::{Instant, Sleep};

use super::body::{RequestBody, StreamError};
use super::connect::ConnectError;
use super::origin::Origin;
use super::pool::{Checkout, Pool};

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

/// The head of an answer, and the connection its body arrives on.
#[derive(Debug)]
pub struct Exchange {
    /// The answer.
    pub response: Response<Incoming>,
    /// Give it back with [`Checkout::finish`] once the body was read to its end.
    pub checkout: Checkout,
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
    Broken(hyper::Error),
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
    let reused = if body.is_whole() { pool.reuse(target.origin) } else { None };
    let fresh_only = reused.is_some() || !body.is_whole();
    if let Some(mut checkout) = reused {
        let request = request(&target, headers, body, checkout.is_http2());
        match exchange(&mut checkout, request, (started, limits, total), timer).await {
            Ok(response) => return Ok(Exchange { response, checkout }),
            Err(SendError::Broken(error)) if checkout.left_no_trace(&error) => {
                (headers, body) = (target.message)().ok_or(SendError::Broken(error))?;
            }
            Err(error) => return Err(error),
        }
    }
    // Boxed because it is large and rare: a request on a kept connection should not pay for its size.
    let connecting = Box::pin(pool.connection(target.origin, fresh_only));
    let connect = total.min(Instant::now() + limits.connect);
    let mut checkout = match before(connect, timer, connecting).await {
        Some(checkout) => checkout?,
        None => return Err(SendError::Timeout(Phase::Connect)),
    };
    let request = request(&target, headers, body, checkout.is_http2());
    let response = exchange(&mut checkout, request, (Instant::now(), limits, total), timer).await?;
    Ok(Exchange { response, checkout })
}

async fn exchange(
    checkout: &mut Checkout,
    request: Request<RequestBody>,
    (now, limits, total): (Instant, &Limits, Instant),
    timer: &mut Pin<Box<Sleep>>,
) -> Result<Response<Incoming>, SendError> {
    let first_byte = now + limits.first_byte;
    let client_failure = request.body().client_failure();
    match before(total.min(first_byte), timer, checkout.send(request)).await {
        Some(Ok(response)) => Ok(response),
        Some(Err(error)) => Err(match client_failure.and_then(|failure| failure.take()) {
            Some(cause) => SendError::ClientBody(cause),
            None => SendError::Broken(error),
        }),
        None if total < first_byte => Err(SendError::Timeout(Phase::Total)),
        None => Err(SendError::Timeout(Phase::FirstByte)),
    }
}

/// The request in the form that its connection's protocol wants.
fn request(
    target: &Target<'_>,
    mut headers: HeaderMap,
    body: RequestBody,
    http2: bool,
) -> Request<RequestBody> {
    let mut uri = Uri::from(target.path.clone());
    if http2 {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(target.origin.scheme());
        parts.authority = Some(target.origin.authority.clone());
        parts.path_and_query = Some(target.path.clone());
        uri = Uri::from_parts(parts).expect("scheme, authority and path make a URI");
    } else {
        headers.insert(header::HOST, target.origin.host_header.clone());
    }
    let mut request = Request::new(body);
    *request.method_mut() = target.method.clone();
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    request
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
