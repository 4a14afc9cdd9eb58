//! HTTP/1.1 messages on a raw socket, as both sides of a test see them.

use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longer than anything takes on a busy machine; only a test that fails waits for it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What `future` gives; panics when it takes longer than [`PATIENCE`].
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("waited too long for {what}"))
}

/// A connection, and what has been read from it but not asked for.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
    rest: Rest,
}

/// How the body of the message at hand goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    Nothing,
    Bytes(usize),
    Chunks,
    UntilClosed,
}

/// The first line and the headers of a message, names in lower case.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub(crate) first_line: String,
    pub(crate) headers: Vec<(String, String)>,
}

/// A piece of a body: for a chunked one, exactly one chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    Data(Vec<u8>),
    End,
    /// The connection ended before the body did.
    Broken,
}

impl Head {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn rest(&self, is_answer: bool) -> Rest {
        let length = self.header("content-length").map(|length| length.parse().unwrap());
        let empty = is_answer && [" 204", " 304"].iter().any(|status| self.first_line.contains(status));
        match (self.header("transfer-encoding"), length) {
            _ if empty => Rest::Nothing,
            (Some("chunked"), _) => Rest::Chunks,
            (Some(other), _) => panic!("a transfer-encoding nobody uses: {other}"),
            (None, Some(length)) => Rest::Bytes(length),
            (None, None) if is_answer => Rest::UntilClosed,
            (None, None) => Rest::Nothing,
        }
    }
}

impl Wire {
    pub(crate) fn new(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        Self { stream, buffer: Vec::new(), rest: Rest::Nothing }
    }

    /// Sends bytes; that the other side has gone is seen where the test reads.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).await.is_ok()
    }

    /// Ends the connection with a reset instead of an orderly close.
    pub(crate) fn reset(self) {
        SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).unwrap();
    }

    /// Makes the system take in little for this side, so that a sender soon has to wait.
    pub(crate) fn limit_receive_buffer(&self, bytes: usize) {
        SockRef::from(&self.stream).set_recv_buffer_size(bytes).unwrap();
    }

    pub(crate) async fn request_head(&mut self) -> Option<Head> {
        self.head(false).await
    }

    pub(crate) async fn answer_head(&mut self) -> Option<Head> {
        self.head(true).await
    }

    /// The next message's head; `None` when the connection ends first.
    async fn head(&mut self, is_answer: bool) -> Option<Head> {
        let end = loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                break end;
            }
            if !self.fill().await {
                return None;
            }
        };
        let text = String::from_utf8(self.take(end + 4)).unwrap();
        let mut lines = text.lines().filter(|line| !line.is_empty());
        let first_line = lines.next().unwrap().to_owned();
        let headers = lines
            .map(|line| line.split_once(':').unwrap())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let head = Head { first_line, headers };
        self.rest = head.rest(is_answer);
        Some(head)
    }

    /// The next piece of the body.
    pub(crate) async fn piece(&mut self) -> Piece {
        match self.rest {
            Rest::Nothing | Rest::Bytes(0) => {
                self.rest = Rest::Nothing;
                Piece::End
            }
            Rest::Bytes(left) => {
                if self.buffer.is_empty() && !self.fill().await {
                    return Piece::Broken;
                }
                let data = self.take(left.min(self.buffer.len()));
                self.rest = Rest::Bytes(left - data.len());
                Piece::Data(data)
            }
            Rest::UntilClosed => {
                if self.buffer.is_empty() && !self.fill().await {
                    return Piece::End;
                }
                Piece::Data(self.take(self.buffer.len()))
            }
            Rest::Chunks => self.chunk().await.unwrap_or(Piece::Broken),
        }
    }

    async fn chunk(&mut self) -> Option<Piece> {
        let line = self.line().await?;
        let size = usize::from_str_radix(line.split(';').next().unwrap().trim(), 16).unwrap();
        if size == 0 {
            while !self.line().await?.is_empty() {}
            self.rest = Rest::Nothing;
            return Some(Piece::End);
        }
        while self.buffer.len() < size + 2 {
            if !self.fill().await {
                return None;
            }
        }
        let data = self.take(size);
        assert_eq!(self.take(2), b"\r\n");
        Some(Piece::Data(data))
    }

    async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = find(&self.buffer, b"\r\n") {
                let line = String::from_utf8(self.take(end)).unwrap();
                self.take(2);
                return Some(line);
            }
            if !self.fill().await {
                return None;
            }
        }
    }

    /// The rest of the body, and whether it came to its end.
    pub(crate) async fn body(&mut self) -> (Vec<u8>, bool) {
        let mut body = Vec::new();
        loop {
            match self.piece().await {
                Piece::Data(data) => body.extend(data),
                Piece::End => return (body, true),
                Piece::Broken => return (body, false),
            }
        }
    }

    /// Waits until the other side has closed or reset the connection; what it still sends is dropped.
    pub(crate) async fn gone(&mut self) {
        while self.fill().await {
            self.buffer.clear();
        }
    }

    /// Reads what is there; false when the connection has ended.
    async fn fill(&mut self) -> bool {
        matches!(self.stream.read_buf(&mut self.buffer).await, Ok(1..))
    }

    fn take(&mut self, count: usize) -> Vec<u8> {
        self.buffer.drain(..count).collect()
    }
}

pub(crate) fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}
