//! What clients ask of the gateway, over one connection a request.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::events::{Event, Events};
use super::{MODEL, REQUEST_TIME_MAX};

/// How long a client waited, counted from the moment the plan wanted the request sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timing {
    pub(crate) first_token: Duration,
    pub(crate) response: Duration,
}

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RequestError {
    #[error("no connection: {0}")]
    Connect(#[from] io::Error),
    #[error("the connection broke: {0}")]
    Http(#[from] hyper::Error),
    #[error("status {status}: {body}")]
    Status { status: StatusCode, body: String },
    #[error("the answer is not what was asked for: {0}")]
    Answer(String),
    #[error("no complete answer within {} s", .0.as_secs_f64())]
    Late(Duration),
}

/// One deployment as `GET /router/deployments` lists it.
#[derive(Debug, Deserialize)]
pub(crate) struct Listed {
    pub(crate) id: String,
    pub(crate) in_flight: usize,
}

/// Asks for a streamed answer of so many tokens and reads it to the end.
///
/// `arrival` may lie a little in the past: the time by which the sender is late is part of the wait.
pub(crate) async fn chat(
    gateway: SocketAddr,
    tokens: u32,
    arrival: Instant,
    time_max: Duration,
) -> Result<Timing, RequestError> {
    let answer = read_chat(gateway, tokens, arrival);
    timeout(time_max, answer).await.unwrap_or(Err(RequestError::Late(time_max)))
}

async fn read_chat(gateway: SocketAddr, tokens: u32, arrival: Instant) -> Result<Timing, RequestError> {
    let body = json!({"model": MODEL, "stream": true, "max_tokens": tokens,
                      "messages": [{"role": "user", "content": "Which deployment is least busy?"}]});
    let mut connection = Connection::open(gateway).await?;
    let mut response = connection.send(Method::POST, "/v1/chat/completions", body.to_string()).await?;
    let mut events = Events::default();
    let mut first_token = None;
    let mut seen = 0;
    while let Some(frame) = response.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        for event in events.read(&data).map_err(RequestError::Answer)? {
            match event {
                Event::Token => {
                    first_token.get_or_insert_with(|| arrival.elapsed());
                    seen += 1;
                }
                Event::Done if seen == tokens => {
                    let first_token = first_token.unwrap_or_else(|| arrival.elapsed());
                    return Ok(Timing { first_token, response: arrival.elapsed() });
                }
                Event::Done => {
                    return Err(RequestError::Answer(format!("{seen} tokens instead of {tokens}")));
                }
                Event::Other => {}
            }
        }
    }
    Err(RequestError::Answer(format!("it ended after {seen} of {tokens} tokens without [DONE]")))
}

/// What the gateway has in flight on each deployment now.
pub(crate) async fn deployments(gateway: SocketAddr) -> Result<Vec<Listed>, RequestError> {
    #[derive(Deserialize)]
    struct List {
        data: Vec<Listed>,
    }
    let ask = async {
        let mut connection = Connection::open(gateway).await?;
        let response = connection.send(Method::GET, "/router/deployments", String::new()).await?;
        let body = response.into_body().collect().await?.to_bytes();
        let list: List =
            serde_json::from_slice(&body).map_err(|error| RequestError::Answer(error.to_string()))?;
        Ok(list.data)
    };
    timeout(REQUEST_TIME_MAX, ask).await.unwrap_or(Err(RequestError::Late(REQUEST_TIME_MAX)))
}

/// A connection and the task that drives it, which ends with it.
struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    authority: String,
    driver: JoinSet<()>,
}

impl Connection {
    async fn open(gateway: SocketAddr) -> Result<Self, RequestError> {
        let socket = TcpStream::connect(gateway).await?;
        socket.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(socket)).await?;
        let mut driver = JoinSet::new();
        // What breaks the connection also ends the request on it, and is told there.
        driver.spawn(async move { drop(connection.await) });
        Ok(Self { sender, authority: gateway.to_string(), driver })
    }

    /// Sends a request; an answer other than 200 is an error with what it says.
    async fn send(
        &mut self,
        method: Method,
        path: &'static str,
        body: String,
    ) -> Result<Response<Incoming>, RequestError> {
        debug_assert_eq!(self.driver.len(), 1);
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = method;
        *request.uri_mut() = http::Uri::from_static(path);
        let host = header::HeaderValue::from_str(&self.authority).expect("an address is a header value");
        request.headers_mut().insert(header::HOST, host);
        let json = header::HeaderValue::from_static("application/json");
        request.headers_mut().insert(header::CONTENT_TYPE, json);
        let response = self.sender.send_request(request).await?;
        if response.status() == StatusCode::OK {
            return Ok(response);
        }
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        Err(RequestError::Status { status, body: String::from_utf8_lossy(&body).into_owned() })
    }
}
