//! One request's way: pick and lease, send, and hand the answer on with its lease.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, Method, Response, header};
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use leastbusy_balance::{Outcome, Phase, Pick, Refusal};
use tokio::time::Sleep;

use super::attempt::{Attempt, Excused};
use super::deployment::Deployment;
use super::headers;
use super::leased_body::LeasedBody;
use super::served::{Facts, Served};
use super::table::{Route, Table};
use crate::config::Timeouts;
use crate::openai::endpoint::EndpointIndex;
use crate::openai::{ApiError, Fields, FormHead, Pieces, SseWatch, UpstreamTimeout, rewrite};
use crate::upstream::body::{ClientFailure, StreamError};
use crate::upstream::{Exchange, Limits, Pool, RequestBody, SendError, Target, classify, send};

/// When to come back to a gateway that has no room: about as long as a short answer takes.
const BUSY_WAIT: Duration = Duration::from_secs(1);

/// One worker's way to the deployments: the shared table and its own connections.
#[derive(Debug, Clone)]
pub struct Router {
    table: Arc<Table>,
    pool: Arc<Pool>,
}

/// A request that is ready to go upstream.
#[derive(Debug)]
pub struct Call<'a> {
    /// What is called.
    pub endpoint: EndpointIndex,
    /// The model as the client wrote it.
    pub model: &'a str,
    /// Where it may go.
    pub route: Route<'a>,
    /// Whether the client asked for a stream.
    pub stream: bool,
    /// The body.
    pub content: Content<'a>,
    /// The client's headers, all of them.
    pub headers: &'a HeaderMap,
    /// Time limits the client asked for.
    pub timeouts: Timeouts,
}

/// A request's body, as far as it was read.
#[derive(Debug)]
pub enum Content<'a> {
    /// JSON, whole.
    Json {
        /// The bytes as they came.
        body: &'a Pieces,
        /// Where its fields stand.
        fields: &'a Fields,
    },
    /// A form whose model is known; the rest streams through.
    Form {
        /// What was read until the model was found.
        form: FormHead,
        /// What the client is still sending.
        rest: UnsyncBoxBody<Bytes, StreamError>,
    },
}

impl Router {
    /// A worker's router over the shared table.
    #[must_use]
    pub fn new(table: Arc<Table>) -> Self {
        Self { table, pool: Pool::new() }
    }

    /// The routing table.
    #[must_use]
    pub fn table(&self) -> &Arc<Table> {
        &self.table
    }

    pub(super) fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// Closes connections that have been idle for too long.
    pub fn sweep(&self) {
        self.pool.sweep(self.table.origins());
    }

    /// Sends a request to the least busy deployment of its group.
    ///
    /// # Errors
    ///
    /// What the client is to be told, when no deployment answered. An answer with an error status is an
    /// answer.
    pub async fn dispatch(
        &self,
        call: Call<'_>,
        facts: &mut Facts,
    ) -> Result<Response<LeasedBody>, ApiError> {
        let (group, model) = (call.route.group, call.model);
        let attempt = self.pick(&call.route, call.stream).map_err(|refusal| {
            tracing::warn!(model, %refusal, "no deployment");
            ApiError::overloaded(model, BUSY_WAIT)
        })?;
        facts.served = Some(Served::new(&self.table, group, attempt.member()));
        let deployment = attempt.deployment();
        let limits = deployment.limits(&call.timeouts, call.stream);
        let asked_for = deployment.model_for(&call.route.captures);
        let path = match deployment.path(call.endpoint, &asked_for) {
            Ok(path) => path,
            Err(error) => {
                attempt.end(Outcome::BadRequest);
                return Err(ApiError::invalid_request(error.to_string(), "model"));
            }
        };
        let started = attempt.started();
        let mut timer =
            Box::pin(tokio::time::sleep_until((started + limits.first_byte.min(limits.total)).into()));
        let mut content = Some(call.content);
        let mut message = || {
            let body = body(&mut content, deployment, &asked_for)?;
            let mut headers = headers::to_upstream(call.headers, call.stream);
            deployment.add_headers(&mut headers);
            Some((headers, body))
        };
        let target =
            Target { origin: deployment.origin(), method: Method::POST, path, message: &mut message };
        let exchange = send::send(&self.pool, target, &limits, started.into(), &mut timer).await;
        facts.waited += started.elapsed();
        match exchange {
            Ok(exchange) => Ok(answer(exchange, attempt, &limits, timer)),
            Err(error) => {
                tracing::warn!(deployment = attempt.deployment().id, %error, "no answer");
                attempt.end(error.outcome());
                Err(told(&error, &limits, model))
            }
        }
    }

    pub(super) fn pick(&self, route: &Route<'_>, stream: bool) -> Result<Attempt, Refusal> {
        let now = Instant::now();
        let pick = Pick { dice: fastrand::u64(..), now: self.table.since_start(now), ..Pick::default() };
        let lease = self.table.pick(route, &pick)?;
        Ok(Attempt::begin(&self.table, route.group, (lease, now), 1, stream, Excused::default()))
    }
}

/// The body for one sending; `None` when it has streamed through already.
fn body(content: &mut Option<Content<'_>>, deployment: &Deployment, model: &str) -> Option<RequestBody> {
    if let Some(Content::Json { body, fields }) = content {
        return Some(RequestBody::Whole(rewrite(body, fields, Some(model), &deployment.defaults)));
    }
    match content.take()? {
        Content::Form { form, rest } => {
            let failure = ClientFailure::default();
            Some(RequestBody::Streamed { head: form.rewrite(Some(model)), rest, failure })
        }
        Content::Json { .. } => None,
    }
}

fn answer(
    exchange: Exchange,
    mut attempt: Attempt,
    limits: &Limits,
    timer: Pin<Box<Sleep>>,
) -> Response<LeasedBody> {
    let Exchange { response, checkout } = exchange;
    let (mut parts, body): (_, Incoming) = response.into_parts();
    let whole = classify::outcome(parts.status, &parts.headers, SystemTime::now);
    let answered = attempt.answered(parts.status.as_u16(), whole);
    let events = is_event_stream(&parts.headers).then(SseWatch::default);
    headers::to_client(&mut parts.headers);
    parts.version = http::Version::HTTP_11;
    parts.extensions.clear();
    let body = LeasedBody::new(body, attempt, checkout, (timer, answered), limits, events);
    Response::from_parts(parts, body)
}

/// Whether an error event can be added at the end: frames that are neither compressed nor counted.
fn is_event_stream(headers: &HeaderMap) -> bool {
    let is_events = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().to_ascii_lowercase().starts_with(b"text/event-stream"));
    is_events
        && !headers.contains_key(header::CONTENT_LENGTH)
        && headers.get(header::CONTENT_ENCODING).is_none_or(|encoding| encoding == "identity")
}

/// What the client is told of a failed exchange; the upstream's address and words stay in the log.
fn told(error: &SendError, limits: &Limits, model: &str) -> ApiError {
    match error {
        SendError::ConnectionLimit => ApiError::overloaded(model, BUSY_WAIT),
        SendError::Connect(_) | SendError::Broken(_) | SendError::Timeout(Phase::Connect) => {
            ApiError::upstream_connection(model)
        }
        SendError::ClientBody(cause) => cause
            .downcast_ref::<ApiError>()
            .cloned()
            .unwrap_or_else(|| ApiError::invalid_request("The request body broke off.", "request_body")),
        SendError::Timeout(phase) => timed_out(model, *phase, limits),
    }
}

/// What the client is told of a time limit that has passed.
pub(super) fn timed_out(model: &str, phase: Phase, limits: &Limits) -> ApiError {
    let which = match phase {
        Phase::Connect | Phase::FirstByte => UpstreamTimeout::FirstByte,
        Phase::Idle => UpstreamTimeout::Idle,
        Phase::Total => UpstreamTimeout::Total,
    };
    ApiError::upstream_timeout(model, which, limits.of(phase))
}
