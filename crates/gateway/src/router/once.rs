//! One attempt: a request out, and an answer back that is worth sending on, or a failure.

use std::time::{Duration, Instant, SystemTime};

use http::{HeaderMap, HeaderValue, Method, Response, header, response};
use leastbusy_balance::{Outcome, Phase, Remedy};

use super::arriving::{Arriving, Piece};
use super::attempt::Attempt;
use super::call::Call;
use super::dispatch::Router;
use super::engine;
use super::failure::{Failure, FailureAnswer, timed_out};
use super::headers;
use super::held::Held;
use super::leased_body::LeasedBody;
use super::watch::{Watch, is_event_stream_type, is_json};
use super::ways::Place;
use crate::config::Timeouts;
use crate::openai::{ApiError, Look, Opening, StreamFailure, UpstreamError};
use crate::upstream::{Exchange, Limits, SendError, Target, classify, send};

/// The longest error, and the longest answer in one piece, that is held back until it is whole. Longer ones are
/// sent on as they come, and then cannot be retried.
const HELD_BYTES_MAX: usize = 1024 * 1024;

/// How long the body of an error is waited for, once its head is here.
const ERROR_BODY_WAIT: Duration = Duration::from_secs(2);

/// When to come back to a gateway that has no room: about as long as a short answer takes.
pub(super) const BUSY_WAIT: Duration = Duration::from_secs(1);

impl Router {
    /// Makes one attempt. A failure has ended it already.
    pub(super) async fn once(
        &self,
        call: &Call<'_>,
        place: &Place<'_>,
        mut attempt: Attempt,
        deadline: Instant,
    ) -> Result<Response<LeasedBody>, Failure> {
        let own_limits = attempt.deployment().limits(&Timeouts::default(), call.stream);
        let mut limits = attempt.deployment().limits(&call.timeouts, call.stream);
        limits.total = limits.total.min(deadline.saturating_duration_since(attempt.started()));
        // A limit that the operator did not set for an attempt says nothing of the deployment when it passes.
        attempt.excuse_timeouts(|phase| limits.of(phase) < own_limits.of(phase));
        let deployment = attempt.deployment();
        let asked_for = deployment.model_for(&place.route.captures);
        let path = match deployment.path(call.endpoint, &asked_for) {
            Ok(path) => path,
            Err(error) => {
                let error = ApiError::invalid_request(error.to_string(), "model");
                // Nobody was asked, so nobody has shown anything.
                attempt.end(Outcome::GatewayLimit);
                return Err(Failure::own(Outcome::BadRequest, error));
            }
        };
        let started = attempt.started();
        let mut timer =
            Box::pin(tokio::time::sleep_until((started + limits.first_byte.min(limits.total)).into()));
        let mut message = || {
            let body = call.content.body(deployment, &asked_for, place.overlay)?;
            let mut headers = headers::to_upstream(call.headers);
            deployment.add_headers(&mut headers);
            engine::ask(deployment, &mut headers);
            Some((headers, body))
        };
        let target =
            Target { origin: deployment.origin(), method: Method::POST, path, message: &mut message };
        match send::send(self.pool(), target, &limits, started.into(), &mut timer).await {
            Ok(Exchange { mut parts, answer }) => {
                engine::hear(self.table(), deployment, &mut parts.headers, call.headers);
                let whole = classify::outcome(parts.status, &parts.headers, SystemTime::now);
                let answered = attempt.answered(parts.status.as_u16(), whole);
                let for_tokens = call.tokens_are_wanted && parts.status.as_u16() < 400;
                let endpoint = call.endpoint.endpoint();
                let takes = (endpoint.tokens, call.content.bytes());
                attempt.watches(Watch::over(&parts.headers, for_tokens), takes);
                let arriving =
                    Arriving::new(answer, attempt, (timer, answered), &limits, endpoint.stream_end);
                let held = Held::default();
                let mut beginning = Beginning { parts, arriving, held, model: call.model };
                let finding = beginning.look().await;
                beginning.conclude(finding)
            }
            Err(error) => {
                let outcome = error.outcome();
                if matches!(outcome, Outcome::Timeout(_)) && call.content.is_still_arriving() {
                    attempt.excuse_timeouts(|_| true);
                }
                attempt.end(outcome);
                Err(Failure::own(outcome, told(&error, &limits, call.model)))
            }
        }
    }
}

/// The beginning of an answer, while it is not clear whether it is worth sending on.
struct Beginning<'a> {
    parts: response::Parts,
    arriving: Arriving,
    held: Held,
    model: &'a str,
}

/// What the beginning shows.
enum Finding {
    /// It is worth sending on, and there is more to come.
    Begins,
    /// It is worth sending on, and here.
    IsHere,
    /// It is an error, and here; or as much of it as came in time.
    IsError { is_whole: bool },
    /// It is a stream that begins with an error.
    BeginsWithError(StreamFailure),
    /// It broke off, or a time limit passed.
    Breaks(Outcome),
    /// It is a stream that ended without anything.
    IsEmpty,
}

/// Whether there is more to come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    More,
    All,
}

impl Beginning<'_> {
    async fn look(&mut self) -> Finding {
        if self.parts.status.as_u16() >= 400 {
            return self.error().await;
        }
        let finding =
            if is_event_stream_type(&self.parts.headers) { self.stream().await } else { self.answer().await };
        finding.unwrap_or_else(Finding::Breaks)
    }

    /// An error is read to its end: what it is stands in its body, and another deployment may serve. But its
    /// status says enough to go on when the rest does not come.
    async fn error(&mut self) -> Finding {
        let reading = async {
            loop {
                match self.hold().await {
                    Ok(Progress::All) => return Finding::IsError { is_whole: true },
                    Ok(Progress::More) if HELD_BYTES_MAX < self.held.bytes() => return Finding::Begins,
                    Ok(Progress::More) => {}
                    Err(_) => return Finding::IsError { is_whole: false },
                }
            }
        };
        let read = tokio::time::timeout(ERROR_BODY_WAIT, reading).await;
        read.unwrap_or(Finding::IsError { is_whole: false })
    }

    /// A stream is sent on from the first thing that a client could keep.
    async fn stream(&mut self) -> Result<Finding, Outcome> {
        let mut opening = Opening::new();
        let mut seen = 0;
        loop {
            let progress = self.hold().await?;
            let mut look = Look::More;
            if let Some(frame) = self.held.get(seen) {
                seen += 1;
                look = opening.push(frame);
            }
            if let (Look::More, Progress::All) = (&look, progress) {
                look = opening.end();
            }
            if look == Look::Content {
                self.arriving.discount(opening.preamble_events());
            }
            match (look, progress) {
                (Look::Failed(failure), _) => return Ok(Finding::BeginsWithError(failure)),
                (Look::Content, Progress::More) => return Ok(Finding::Begins),
                (Look::Content, Progress::All) => return Ok(Finding::IsHere),
                (Look::More, Progress::All) => return Ok(Finding::IsEmpty),
                (Look::More, Progress::More) => {}
            }
        }
    }

    /// An answer in one piece is sent on when it is whole: one that breaks off can then still be had elsewhere.
    async fn answer(&mut self) -> Result<Finding, Outcome> {
        loop {
            match self.hold().await? {
                Progress::All => return Ok(Finding::IsHere),
                // Speech and the like is played while it comes.
                Progress::More if !is_json(&self.parts.headers) || HELD_BYTES_MAX < self.held.bytes() => {
                    return Ok(Finding::Begins);
                }
                Progress::More => {}
            }
        }
    }

    /// Waits for the next frame and holds it.
    async fn hold(&mut self) -> Result<Progress, Outcome> {
        if self.arriving.is_over() {
            return Ok(Progress::All);
        }
        match self.arriving.piece().await? {
            Piece::End => Ok(Progress::All),
            Piece::Frame { frame, is_last } => {
                if let Ok(data) = frame.into_data()
                    && !data.is_empty()
                {
                    self.held.push(data);
                }
                Ok(if is_last { Progress::All } else { Progress::More })
            }
        }
    }

    fn conclude(mut self, finding: Finding) -> Result<Response<LeasedBody>, Failure> {
        match finding {
            Finding::Begins => Ok(self.send_on()),
            Finding::IsHere => match self.arriving.flaw_at_end() {
                None => {
                    let now = Instant::now();
                    self.arriving.serves(now);
                    let tokens = self.arriving.tokens();
                    self.arriving.complete(now);
                    Ok(to_client(self.parts, LeasedBody::here(self.held, tokens)))
                }
                Some(outcome) if self.held.is_empty() => Err(self.broke_off(outcome)),
                // What there is of it is more than nothing: it goes on, with an event that says it broke off.
                Some(_) => Ok(self.send_on()),
            },
            Finding::IsError { is_whole } => {
                let mut body = self.held.concat();
                let error = UpstreamError::read(&body);
                let (status, headers) = (self.parts.status, &self.parts.headers);
                let mut outcome = classify::outcome_of_error(status, headers, &error, SystemTime::now);
                // Half an error is no word on the request: another deployment may say the whole, or serve it.
                if !is_whole && outcome.remedy() == Remedy::OtherGroup {
                    outcome = Outcome::BrokenAnswer;
                }
                if is_whole {
                    self.arriving.complete_as(outcome);
                } else {
                    self.arriving.end(outcome);
                    body = ApiError::upstream_broke_off(self.model).with_status(self.parts.status).body();
                    as_json(&mut self.parts.headers);
                }
                Err(Failure {
                    outcome,
                    answer: FailureAnswer::Upstream(Box::new(response(self.parts, body))),
                })
            }
            Finding::BeginsWithError(failure) => Err(self.failed_stream(failure)),
            Finding::Breaks(outcome) => Err(self.broke_off(outcome)),
            Finding::IsEmpty => {
                self.arriving.complete_as(Outcome::BrokenAnswer);
                Err(Failure::own(Outcome::BrokenAnswer, ApiError::upstream_broke_off(self.model)))
            }
        }
    }

    fn send_on(mut self) -> Response<LeasedBody> {
        self.arriving.serves(Instant::now());
        let body = LeasedBody::arriving(self.held, Box::new(self.arriving));
        to_client(self.parts, body)
    }

    fn broke_off(self, outcome: Outcome) -> Failure {
        let error = match outcome {
            Outcome::Timeout(phase) => timed_out(self.model, phase, self.arriving.limits()),
            _ => ApiError::upstream_broke_off(self.model),
        };
        self.arriving.end(outcome);
        Failure::own(outcome, error)
    }

    fn failed_stream(self, failure: StreamFailure) -> Failure {
        let Self { mut parts, arriving, .. } = self;
        let outcome = classify::outcome_of_event(&failure.error);
        arriving.end(outcome);
        parts.status = classify::status_of_event(&failure.error);
        as_json(&mut parts.headers);
        Failure { outcome, answer: FailureAnswer::Upstream(Box::new(response(parts, failure.body))) }
    }
}

/// The headers of a body of ours in place of the deployment's.
fn as_json(headers: &mut HeaderMap) {
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.remove(header::CONTENT_LENGTH);
    headers.remove(header::CONTENT_ENCODING);
}

fn to_client(parts: response::Parts, body: LeasedBody) -> Response<LeasedBody> {
    response(parts, ()).map(|()| body)
}

fn response<T>(mut parts: response::Parts, body: T) -> Response<T> {
    headers::to_client(&mut parts.headers);
    parts.version = http::Version::HTTP_11;
    parts.extensions.clear();
    Response::from_parts(parts, body)
}

/// What the client is told of a failed exchange; the upstream's address and words stay in the log.
fn told(error: &SendError, limits: &Limits, model: &str) -> ApiError {
    match error {
        SendError::ConnectionLimit | SendError::BodyGone => ApiError::overloaded(model, BUSY_WAIT),
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
