//! A scripted upstream: it says what a test tells it to, and can be as nasty as the real ones are.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::wire::{Head, Piece, Wire, find, soon};

/// Connections and requests that may wait for a test to look at them.
const WAITING_MAX: usize = 1024;

/// An upstream on a loopback port of its own.
#[derive(Debug)]
pub(crate) struct Upstream {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    exchanges: mpsc::Receiver<Exchange>,
    listens: watch::Sender<bool>,
}

/// One request that has arrived, and the connection to answer it on. Dropping it closes the connection.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) head: Head,
    /// Empty until it is asked for.
    pub(crate) body: Vec<u8>,
    /// Which of the upstream's connections it came on, from 1.
    pub(crate) connection: usize,
    wire: Wire,
    next: mpsc::Sender<Self>,
}

impl Upstream {
    /// An upstream that answers when the test says so: see [`Upstream::next_request`].
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let (next, exchanges) = mpsc::channel(WAITING_MAX);
        let listens = watch::Sender::new(true);
        tokio::spawn(accept(listener, listens.clone(), Arc::clone(&connections), next));
        Self { address, connections, exchanges, listens }
    }

    /// An upstream that plays `script` for every request.
    pub(crate) async fn playing(script: Script) -> Played {
        Self::playing_each(move |_| script.clone()).await
    }

    /// An upstream that plays what `script` makes of each request.
    pub(crate) async fn playing_each(script: impl Fn(&Exchange) -> Script + Send + Sync + 'static) -> Played {
        let mut upstream = Self::start().await;
        let (address, connections) = (upstream.address, Arc::clone(&upstream.connections));
        let listens = upstream.listens.clone();
        let requests = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&requests);
        let script = Arc::new(script);
        tokio::spawn(async move {
            while let Some(mut exchange) = upstream.exchanges.recv().await {
                seen.fetch_add(1, Ordering::SeqCst);
                let script = Arc::clone(&script);
                tokio::spawn(async move {
                    exchange.read_body().await;
                    let script = script(&exchange);
                    script.play(exchange).await;
                });
            }
        });
        Played { address, connections, requests, listens }
    }

    pub(crate) fn base(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections that were opened so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// The next request, with its body.
    pub(crate) async fn next_request(&mut self) -> Exchange {
        let mut exchange = self.next_head().await;
        soon("a request's body", exchange.read_body()).await;
        exchange
    }

    /// The next request whose head has arrived; its body is left to the test.
    pub(crate) async fn next_head(&mut self) -> Exchange {
        soon("a request", self.exchanges.recv()).await.unwrap()
    }

    /// Makes sure that no request has come; the gateway must have answered before this is asked.
    pub(crate) fn saw_nothing(&mut self) {
        assert!(self.exchanges.try_recv().is_err(), "a request reached the upstream");
    }
}

/// An upstream that plays by itself.
#[derive(Debug)]
pub(crate) struct Played {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
    #[allow(dead_code, reason = "only `tests/faults` refuses connections")]
    listens: watch::Sender<bool>,
}

impl Played {
    /// Whether new connections are taken or refused.
    #[allow(dead_code, reason = "only `tests/faults` refuses connections")]
    pub(crate) fn listens(&self, listens: bool) {
        self.listens.send_replace(listens);
    }

    pub(crate) fn base(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Requests that have come so far.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

async fn accept(
    mut listener: TcpListener,
    listens: watch::Sender<bool>,
    connections: Arc<AtomicUsize>,
    next: mpsc::Sender<Exchange>,
) {
    let address = listener.local_addr().unwrap();
    let mut wanted = listens.subscribe();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => Some(accepted.unwrap().0),
            _ = wanted.wait_for(|listens| !listens) => None,
        };
        if let Some(stream) = accepted {
            let connection = connections.fetch_add(1, Ordering::SeqCst) + 1;
            tokio::spawn(listen(Wire::new(stream), connection, next.clone()));
            continue;
        }
        drop(listener);
        // The port stays taken: a socket that is bound and does not listen refuses.
        let refusing = TcpSocket::new_v4().unwrap();
        refusing.set_reuseaddr(true).unwrap();
        refusing.bind(address).unwrap();
        wanted.wait_for(|listens| *listens).await.unwrap();
        listener = refusing.listen(1024).unwrap();
    }
}

async fn listen(mut wire: Wire, connection: usize, next: mpsc::Sender<Exchange>) {
    if let Some(head) = wire.request_head().await {
        let exchange = Exchange { head, body: Vec::new(), connection, wire, next: next.clone() };
        let _ = next.send(exchange).await;
    }
}

impl Exchange {
    pub(crate) fn path(&self) -> &str {
        self.head.first_line.split(' ').nth(1).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.header(name)
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Reads the rest of the body; false when the client broke off.
    pub(crate) async fn read_body(&mut self) -> bool {
        let (body, whole) = self.wire.body().await;
        self.body.extend(body);
        whole
    }

    /// Reads the body until it holds `text`.
    pub(crate) async fn read_until(&mut self, text: &[u8]) {
        while find(&self.body, text).is_none() {
            match soon("a piece of a request's body", self.wire.piece()).await {
                Piece::Data(data) => self.body.extend(data),
                piece => panic!("{piece:?} where a body goes on"),
            }
        }
    }

    /// Reads this many more bytes of the body.
    pub(crate) async fn read_count(&mut self, count: usize) {
        let enough = self.body.len() + count;
        while self.body.len() < enough {
            match soon("a piece of a request's body", self.wire.piece()).await {
                Piece::Data(data) => self.body.extend(data),
                piece => panic!("{piece:?} where a body goes on"),
            }
        }
    }

    /// Answers with a whole JSON body.
    pub(crate) async fn answers(self, status: u16, body: &str) {
        let script = answers(status).json(body);
        script.play(self).await;
    }

    /// Plays a script.
    pub(crate) async fn plays(self, script: Script) {
        script.play(self).await;
    }

    /// Begins a stream of events.
    pub(crate) async fn begins_stream(&mut self) {
        self.writes(STREAM_HEAD.as_bytes()).await;
    }

    /// Sends one event in a chunk of its own.
    pub(crate) async fn event(&mut self, data: &str) {
        self.chunk(format!("data: {data}\n\n").as_bytes()).await;
    }

    pub(crate) async fn chunk(&mut self, bytes: &[u8]) {
        let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
        chunk.extend(bytes);
        chunk.extend(b"\r\n");
        self.writes(&chunk).await;
    }

    /// `[DONE]`, the last chunk, and on to the connection's next request.
    pub(crate) async fn ends_stream(mut self) {
        self.event("[DONE]").await;
        self.ends_chunks().await;
    }

    /// The last chunk, and on to the connection's next request.
    pub(crate) async fn ends_chunks(mut self) {
        self.writes(b"0\r\n\r\n").await;
        self.keeps_alive();
    }

    /// Sends bytes as they are.
    pub(crate) async fn writes(&mut self, bytes: &[u8]) {
        self.wire.write(bytes).await;
    }

    /// Waits for the next request on this connection.
    pub(crate) fn keeps_alive(self) {
        tokio::spawn(listen(self.wire, self.connection, self.next));
    }

    pub(crate) fn closes(self) {
        drop(self);
    }

    pub(crate) fn resets(self) {
        self.wire.reset();
    }

    /// Waits until the gateway has cut the connection.
    pub(crate) async fn wait_until_gone(&mut self, within: Duration) {
        timeout(within, self.wire.gone()).await.expect("the gateway keeps a connection nobody needs");
    }
}

const STREAM_HEAD: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

/// What an upstream does with a request, step by step.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    status: u16,
    headers: Vec<(String, String)>,
    steps: VecDeque<Step>,
}

#[derive(Debug, Clone)]
enum Step {
    Write(Vec<u8>),
    Pause(Duration),
    Close,
    Reset,
    /// Never goes on; ends when the gateway leaves.
    Hang,
}

/// A script that begins with a head; say more with the methods of [`Script`].
pub(crate) fn answers(status: u16) -> Script {
    Script { status, headers: Vec::new(), steps: VecDeque::new() }
}

/// A stream of events.
pub(crate) fn streams() -> Script {
    answers(200).step(Step::Write(STREAM_HEAD.into()))
}

/// Nothing: not one byte, until the gateway leaves.
pub(crate) fn hangs() -> Script {
    answers(0).step(Step::Hang)
}

/// Closes the connection where an answer should come.
pub(crate) fn closes() -> Script {
    answers(0).step(Step::Close)
}

/// Resets the connection where an answer should come.
pub(crate) fn resets() -> Script {
    answers(0).step(Step::Reset)
}

impl Script {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn head(&self, framing: &str) -> Vec<u8> {
        let headers: String =
            self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        format!("HTTP/1.1 {} Scripted\r\n{headers}{framing}\r\n", self.status).into_bytes()
    }

    /// The head and a JSON body of the right length.
    pub(crate) fn json(self, body: &str) -> Self {
        self.claiming(body.len(), body.as_bytes())
    }

    /// The head, with a `content-length` that may be a lie, and these bytes.
    pub(crate) fn claiming(self, length: usize, body: &[u8]) -> Self {
        let head = self.head(&format!("content-type: application/json\r\ncontent-length: {length}\r\n"));
        self.step(Step::Write([&head, body].concat()))
    }

    /// The head of an answer without a body.
    pub(crate) fn empty(self) -> Self {
        let head = self.head("");
        self.step(Step::Write(head))
    }

    /// The head of a chunked answer.
    pub(crate) fn chunked(self) -> Self {
        let head = self.head("content-type: application/json\r\ntransfer-encoding: chunked\r\n");
        self.step(Step::Write(head))
    }

    pub(crate) fn chunk(self, bytes: &[u8]) -> Self {
        let chunk = [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
        self.step(Step::Write(chunk))
    }

    pub(crate) fn event(self, data: &str) -> Self {
        self.chunk(format!("data: {data}\n\n").as_bytes())
    }

    pub(crate) fn done(self) -> Self {
        self.event("[DONE]").last_chunk()
    }

    pub(crate) fn last_chunk(self) -> Self {
        self.raw(b"0\r\n\r\n")
    }

    pub(crate) fn raw(self, bytes: &[u8]) -> Self {
        self.step(Step::Write(bytes.to_vec()))
    }

    pub(crate) fn pauses(self, pause: Duration) -> Self {
        self.step(Step::Pause(pause))
    }

    pub(crate) fn then_hangs(self) -> Self {
        self.step(Step::Hang)
    }

    pub(crate) fn then_closes(self) -> Self {
        self.step(Step::Close)
    }

    pub(crate) fn then_resets(self) -> Self {
        self.step(Step::Reset)
    }

    fn step(mut self, step: Step) -> Self {
        self.steps.push_back(step);
        self
    }

    async fn play(self, mut exchange: Exchange) {
        for step in self.steps {
            match step {
                Step::Write(bytes) => {
                    if !exchange.wire.write(&bytes).await {
                        return;
                    }
                }
                Step::Pause(pause) => tokio::time::sleep(pause).await,
                Step::Close => return exchange.closes(),
                Step::Reset => return exchange.resets(),
                Step::Hang => return exchange.wire.gone().await,
            }
        }
        exchange.keeps_alive();
    }
}
