//! A client on a raw socket: it may leave, send half, send slowly or not read.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::gateway::Gateway;
use super::wire::{Head, Piece, Wire, soon};

/// One connection to the gateway. Dropping it is leaving.
#[derive(Debug)]
pub(crate) struct Client {
    wire: Wire,
}

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: Head,
    pub(crate) body: Vec<u8>,
    /// Whether the body came to its end.
    pub(crate) whole: bool,
}

/// A chat request for `model`, as short as it can be.
pub(crate) fn chat(model: &str) -> String {
    format!(r#"{{"model":"{model}","messages":[]}}"#)
}

/// The same, as a stream.
pub(crate) fn chat_stream(model: &str) -> String {
    format!(r#"{{"model":"{model}","stream":true,"messages":[]}}"#)
}

pub(crate) const CHAT: &str = "/v1/chat/completions";

/// Sends `body` on a connection of its own and reads the answer.
pub(crate) async fn post(gateway: &Gateway, path: &str, body: &str) -> Answer {
    let mut client = Client::connect(gateway).await;
    client.post(path, body).await;
    client.answer().await
}

/// Asks for a page on a connection of its own.
pub(crate) async fn get(gateway: &Gateway, path: &str) -> Answer {
    let mut client = Client::connect(gateway).await;
    client.send(format!("GET {path} HTTP/1.1\r\nhost: gateway\r\n\r\n")).await;
    client.answer().await
}

/// A request with a JSON body as bytes; `headers` are lines that end in CRLF.
pub(crate) fn request(path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n{headers}\r\n"
    );
    [head.as_bytes(), body].concat()
}

impl Client {
    pub(crate) async fn connect(gateway: &Gateway) -> Self {
        Self::connect_to(gateway.address()).await
    }

    pub(crate) async fn connect_to(address: SocketAddr) -> Self {
        Self { wire: Wire::new(TcpStream::connect(address).await.unwrap()) }
    }

    /// A client whose system takes in this little while it does not read.
    pub(crate) async fn connect_with_little_room(gateway: &Gateway, bytes: usize) -> Self {
        let client = Self::connect(gateway).await;
        client.wire.limit_receive_buffer(bytes);
        client
    }

    /// Sends bytes as they are.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.wire.write(bytes.as_ref()).await;
    }

    pub(crate) async fn post(&mut self, path: &str, body: &str) {
        self.send(request(path, "", body.as_bytes())).await;
    }

    /// Posts a chat request for `model`.
    pub(crate) async fn asks(&mut self, model: &str) {
        self.post(CHAT, &chat(model)).await;
    }

    /// Posts a chat request for `model` with further fields, such as `"num_retries":0`.
    pub(crate) async fn asks_with(&mut self, model: &str, fields: &str) {
        self.post(CHAT, &format!(r#"{{"model":"{model}","messages":[],{fields}}}"#)).await;
    }

    /// Posts a chat request for `model` that wants a stream.
    pub(crate) async fn asks_for_stream(&mut self, model: &str) {
        self.post(CHAT, &chat_stream(model)).await;
    }

    /// The head of the next answer.
    pub(crate) async fn head(&mut self) -> Head {
        soon("the head of an answer", self.wire.answer_head()).await.expect("the gateway closed")
    }

    pub(crate) async fn piece(&mut self) -> Piece {
        soon("a piece of an answer", self.wire.piece()).await
    }

    /// The next piece as text.
    pub(crate) async fn text(&mut self) -> String {
        match self.piece().await {
            Piece::Data(data) => String::from_utf8(data).unwrap(),
            piece => panic!("{piece:?} where an answer goes on"),
        }
    }

    /// The next answer, read to its end.
    pub(crate) async fn answer(&mut self) -> Answer {
        let head = self.head().await;
        let (body, whole) = soon("the rest of an answer", self.wire.body()).await;
        Answer { status: head.first_line.split(' ').nth(1).unwrap().parse().unwrap(), head, body, whole }
    }

    /// The rest of the body at hand.
    pub(crate) async fn rest(&mut self) -> (Vec<u8>, bool) {
        soon("the rest of an answer", self.wire.body()).await
    }

    /// Waits until the gateway has closed the connection.
    pub(crate) async fn wait_until_closed(&mut self, within: Duration) {
        timeout(within, self.wire.gone()).await.expect("the gateway keeps the connection open");
    }

    /// Leaves in an orderly way.
    pub(crate) fn leaves(self) {
        drop(self);
    }

    /// Leaves with a reset.
    pub(crate) fn resets(self) {
        self.wire.reset();
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.header(name)
    }

    /// The id of the deployment that it was last sent to.
    pub(crate) fn served_by(&self) -> &str {
        self.header("x-litellm-model-id").unwrap()
    }

    /// Retries and fallbacks, as the headers tell them.
    pub(crate) fn detours(&self) -> (u32, u32) {
        let count = |name| self.header(name).unwrap().parse().unwrap();
        (count("x-litellm-attempted-retries"), count("x-litellm-attempted-fallbacks"))
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The error of an OpenAI-shaped refusal; panics when it has another shape.
    #[track_caller]
    pub(crate) fn error(&self) -> Value {
        let error = self.json()["error"].clone();
        assert!(error["message"].is_string() && error["type"].is_string(), "{error}");
        assert!(error.get("param").is_some(), "{error}");
        assert_eq!(error["code"], self.status.to_string(), "{error}");
        assert_eq!(self.header("content-type"), Some("application/json"));
        error
    }
}
