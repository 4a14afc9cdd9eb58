//! The engine's door: a listener, its connections and its endpoints.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body::Body;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until};

use super::Shared;
use super::answer::{Answer, Kind, embeddings, models};
use super::ask::{Ask, EmbeddingsAsk};
use super::fault::{Breaking, BrokenOff, Fault};
use super::load;
use super::stream::{Pace, TokenStream, at};

/// Connections open at once; further ones wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 16_384;
/// The largest request body, as the gateway's own default.
const REQUEST_BYTES_MAX: usize = 100 * 1024 * 1024;

type Answered = Response<BoxBody<Bytes, BrokenOff>>;

/// How a request ends early.
enum Ended {
    Refused(Box<Answered>),
    BrokenOff,
}

/// Accepts until dropped; the connections end with it.
pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => match accepted {
                Ok((socket, _)) => {
                    connections.spawn(connection(socket, Arc::clone(&shared)));
                }
                Err(error) => {
                    tracing::warn!(engine = shared.name, %error, "a simulated engine cannot accept");
                    // Out of file descriptors, most likely: trying again at once would spin.
                    sleep(Duration::from_millis(50)).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(socket: TcpStream, shared: Arc<Shared>) {
    // A token waits for nobody; where the option is refused, the stream is only less smooth.
    let _ = socket.set_nodelay(true);
    let service = service_fn(|request| {
        let shared = Arc::clone(&shared);
        async move { answer(request, &shared).await }
    });
    let served =
        http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(socket), service).await;
    if let Err(error) = served {
        tracing::debug!(engine = shared.name, %error, "a simulated engine's connection broke");
    }
}

async fn answer(request: Request<Incoming>, shared: &Shared) -> Result<Answered, BrokenOff> {
    let path = request.uri().path().to_owned();
    let endpoint = path.strip_prefix("/v1").unwrap_or(&path);
    let allowed = match endpoint {
        "/chat/completions" | "/completions" | "/embeddings" => Method::POST,
        "/models" | "/metrics" => Method::GET,
        _ => return Ok(refuse(StatusCode::NOT_FOUND, &format!("there is nothing at {path}"))),
    };
    if request.method() != allowed {
        let mut refused =
            refuse(StatusCode::METHOD_NOT_ALLOWED, &format!("{path} answers {allowed} requests only"));
        let allow = header::HeaderValue::from_str(allowed.as_str()).expect("a method is a header value");
        refused.headers_mut().insert(header::ALLOW, allow);
        return Ok(refused);
    }
    let outcome = match endpoint {
        "/chat/completions" => generate(Kind::Chat, request, shared).await,
        "/completions" => generate(Kind::Completion, request, shared).await,
        "/embeddings" => embed(request, shared).await,
        "/metrics" => Ok(metrics(shared)),
        _ => Ok(json(StatusCode::OK, &models(&shared.name))),
    };
    match outcome {
        Ok(answered) => Ok(answered),
        Err(Ended::Refused(refused)) => Ok(*refused),
        Err(Ended::BrokenOff) => Err(BrokenOff),
    }
}

async fn generate(kind: Kind, request: Request<Incoming>, shared: &Shared) -> Result<Answered, Ended> {
    let report = load::Format::asked_for(request.headers());
    let ask = Ask::read(&read_body(request).await?).map_err(bad_request)?;
    if let Some(answered) = ail(shared.fault.get(), ask.stream()).await? {
        return Ok(answered);
    }
    let answer = Answer::new(kind, &ask, shared);
    let pace = Pace::of(&shared.speed);
    let place = shared.slots.enter().await;
    if ask.stream() {
        let tokens = TokenStream::start(answer, pace, place);
        return Ok(reporting(event_stream(tokens.map_err(|never| match never {})), report, shared));
    }
    // hyper drops this future when the client leaves, and the place with it.
    let due = at(place.started(), pace.due(answer.tokens() - 1));
    sleep_until(due).await;
    place.leave(due);
    Ok(reporting(json(StatusCode::OK, &answer.whole()), report, shared))
}

/// What an engine with this fault does instead of answering.
async fn ail(fault: Fault, stream: bool) -> Result<Option<Answered>, Ended> {
    Ok(match fault {
        Fault::None => None,
        Fault::HangsUp => return Err(Ended::BrokenOff),
        // hyper drops this future when the client leaves.
        Fault::Hangs => std::future::pending().await,
        Fault::Errors => Some(refuse(StatusCode::INTERNAL_SERVER_ERROR, "the engine was told to fail")),
        Fault::RateLimits => {
            let mut refused = refuse(StatusCode::TOO_MANY_REQUESTS, "the engine was told to refuse");
            refused.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
            Some(refused)
        }
        Fault::BreaksOff if stream => Some(event_stream(Breaking::default())),
        Fault::BreaksOff => return Err(Ended::BrokenOff),
    })
}

async fn embed(request: Request<Incoming>, shared: &Shared) -> Result<Answered, Ended> {
    let ask = EmbeddingsAsk::read(&read_body(request).await?).map_err(bad_request)?;
    if let Some(answered) = ail(shared.fault.get(), false).await? {
        return Ok(answered);
    }
    let place = shared.slots.enter().await;
    let due = at(place.started(), shared.speed.first_token_time);
    sleep_until(due).await;
    place.leave(due);
    Ok(json(StatusCode::OK, &embeddings(&ask)))
}

/// The page that monitoring systems read.
fn metrics(shared: &Shared) -> Answered {
    let text = Bytes::from(load::exposition(&shared.name, &shared.slots));
    let mut response = Response::new(Full::new(text).map_err(|never| match never {}).boxed());
    let kind = header::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// The answer with a load report, if the request asked for one.
fn reporting(mut answered: Answered, format: Option<load::Format>, shared: &Shared) -> Answered {
    if let Some(format) = format {
        answered.headers_mut().insert("endpoint-load-metrics", format.report(&shared.slots));
    }
    answered
}

async fn read_body(request: Request<Incoming>) -> Result<Bytes, Ended> {
    match Limited::new(request.into_body(), REQUEST_BYTES_MAX).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Ended::Refused(Box::new(refuse(
            StatusCode::PAYLOAD_TOO_LARGE,
            &format!("a request body may have {REQUEST_BYTES_MAX} bytes"),
        )))),
        Err(error) => Err(bad_request(format!("the request body broke off: {error}"))),
    }
}

fn event_stream(events: impl Body<Data = Bytes, Error = BrokenOff> + Send + Sync + 'static) -> Answered {
    let mut response = Response::new(events.boxed());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-cache"));
    response
}

fn json(status: StatusCode, body: &Value) -> Answered {
    let mut response =
        Response::new(Full::new(Bytes::from(body.to_string())).map_err(|never| match never {}).boxed());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    response
}

#[expect(clippy::needless_pass_by_value, reason = "it is the function of a map_err")]
fn bad_request(message: String) -> Ended {
    Ended::Refused(Box::new(refuse(StatusCode::BAD_REQUEST, &message)))
}

fn refuse(status: StatusCode, message: &str) -> Answered {
    let error =
        json!({"error": {"message": message, "type": "invalid_request_error", "param": null, "code": null}});
    json(status, &error)
}
