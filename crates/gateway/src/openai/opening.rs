//! The beginning of a stream, looked at before its head goes to the client.
//!
//! Until a client has been sent something that it may keep, a stream that fails can still be served by
//! another deployment, although its status was 200. So the frames are held back while they carry nothing
//! but preamble: comments, pings, a role without a word of content. That is an event or two.

use std::collections::BTreeMap;

use bytes::Bytes;
use memchr::{memchr, memchr2};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::UpstreamError;

/// The longest beginning that is held back, in bytes. The `response.created` event repeats the request's
/// instructions and tools, so a limit of a few KiB would be too short.
pub const MAX_PREAMBLE_BYTES: usize = 64 * 1024;

/// Looks at the frames of a `text/event-stream` until it is clear how the answer begins.
#[derive(Debug, Default)]
pub struct Opening {
    /// The beginning of a line that is not whole yet.
    line: Vec<u8>,
    /// The present event's `event`.
    name: Vec<u8>,
    /// The present event's `data`, its lines joined by line feeds.
    data: Vec<u8>,
    has_data: bool,
    /// Whether the last byte was a carriage return, so that a line feed would belong to it.
    after_return: bool,
    seen_bytes: usize,
    /// Events with data that were preamble, but for those of a response's frame.
    preamble_events: u32,
    is_over: bool,
}

/// What the frames so far say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// Nothing that a client could keep: hold back what came and look at the next frame.
    More,
    /// The answer has begun, or cannot be told from one that has: send on what was held back.
    Content,
    /// The upstream reports a failure, and nothing that a client could keep came before.
    Failed(StreamFailure),
}

/// An error with which a stream began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamFailure {
    /// The error's fields that are made for programs.
    pub error: UpstreamError,
    /// The error as the body of an answer, `{"error": ...}`, in the upstream's own words.
    pub body: Bytes,
}

impl Opening {
    /// An opening of which nothing has been seen.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Looks at the next bytes of the stream, cut anywhere. After any answer but [`Look::More`] the
    /// answer is [`Look::Content`], whatever comes.
    pub fn push(&mut self, mut bytes: &[u8]) -> Look {
        if self.is_over {
            return Look::Content;
        }
        self.seen_bytes = self.seen_bytes.saturating_add(bytes.len());
        while let Some(&first) = bytes.first() {
            if std::mem::take(&mut self.after_return) && first == b'\n' {
                bytes = &bytes[1..];
                continue;
            }
            let Some(end) = memchr2(b'\n', b'\r', bytes) else {
                if self.seen_bytes <= MAX_PREAMBLE_BYTES {
                    self.line.extend_from_slice(bytes);
                }
                break;
            };
            self.line.extend_from_slice(&bytes[..end]);
            self.after_return = bytes[end] == b'\r';
            bytes = &bytes[end + 1..];
            match self.end_of_line() {
                Look::More => {}
                look => return self.over(look),
            }
        }
        if self.seen_bytes > MAX_PREAMBLE_BYTES { self.over(Look::Content) } else { Look::More }
    }

    /// Looks at what is left when the stream has ended. [`Look::More`] means that it ended before
    /// anything that a client could keep.
    pub fn end(&mut self) -> Look {
        if self.is_over {
            return Look::Content;
        }
        // A server may end its stream without the last line feeds.
        let look = match if self.line.is_empty() { Look::More } else { self.end_of_line() } {
            Look::More => self.end_of_event(),
            look => look,
        };
        self.over(look)
    }

    /// Events of preamble that [`SseWatch::content_events`](super::SseWatch::content_events) takes for content, since
    /// it does not read them.
    #[must_use]
    pub fn preamble_events(&self) -> u32 {
        self.preamble_events
    }

    fn over(&mut self, look: Look) -> Look {
        *self = Self { is_over: true, preamble_events: self.preamble_events, ..Self::default() };
        look
    }

    fn end_of_line(&mut self) -> Look {
        let mut line = std::mem::take(&mut self.line);
        let (field, value) = match memchr(b':', &line) {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (&line[..], &b""[..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        let look = match field {
            b"" if line.is_empty() => self.end_of_event(),
            b"data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.data.push(b'\n');
                }
                self.data.extend_from_slice(value);
                Look::More
            }
            b"event" => {
                self.name.clear();
                self.name.extend_from_slice(value);
                Look::More
            }
            // A comment begins with the colon.
            b"" | b"id" | b"retry" => Look::More,
            _ => Look::Content,
        };
        line.clear();
        self.line = line;
        look
    }

    fn end_of_event(&mut self) -> Look {
        let look = judge(&self.name, self.data.trim_ascii());
        if look == Look::More && self.has_data && !self.name.starts_with(b"response.") {
            self.preamble_events += 1;
        }
        self.name.clear();
        self.data.clear();
        self.has_data = false;
        look
    }
}

impl StreamFailure {
    /// A failure with `error`, a JSON value.
    fn new(error: &str) -> Self {
        let body = format!("{{\"error\":{error}}}");
        Self { error: UpstreamError::read(body.as_bytes()), body: body.into() }
    }

    /// A failure that the upstream tells in other words than an object.
    fn in_words(words: &[u8]) -> Self {
        let words = String::from_utf8_lossy(words);
        let message = if words.is_empty() {
            "The deployment reported a failure and did not say which."
        } else {
            &words
        };
        let fields =
            serde_json::json!({"message": message, "type": "server_error", "param": null, "code": null});
        Self::new(&fields.to_string())
    }
}

/// What one whole event says.
fn judge(name: &[u8], data: &[u8]) -> Look {
    let is_error = name == b"error";
    // A derived reader would take a list's items for the fields.
    let event = if data.starts_with(b"{") { serde_json::from_slice::<Event<'_>>(data).ok() } else { None };
    let Some(event) = event else {
        return match data {
            _ if is_error => Look::Failed(StreamFailure::in_words(data)),
            b"" => Look::More,
            _ => Look::Content,
        };
    };
    if let Some(error) = event.error.filter(|error| !is_blank(error)) {
        return Look::Failed(StreamFailure::new(error.get()));
    }
    let kind = event.kind.and_then(|kind| serde_json::from_str::<&str>(kind.get()).ok());
    let kind = kind.map_or(name, str::as_bytes);
    match kind {
        _ if is_error || kind == b"error" => Look::Failed(StreamFailure::new(&String::from_utf8_lossy(data))),
        b"response.failed" => {
            let told = event.response.and_then(response_error);
            Look::Failed(told.unwrap_or_else(|| StreamFailure::in_words(b"")))
        }
        b"ping" | b"keepalive" | b"response.created" | b"response.queued" | b"response.in_progress" => {
            Look::More
        }
        _ if event.choices.is_some_and(are_without_content) => Look::More,
        _ => Look::Content,
    }
}

/// The parts of an event that tell a failure from an answer.
#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    response: Option<&'a RawValue>,
    #[serde(borrow)]
    choices: Option<&'a RawValue>,
}

/// One choice of a chunk, of a chat or of a completion.
#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow)]
    delta: Option<BTreeMap<&'a str, &'a RawValue>>,
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(borrow)]
    finish_reason: Option<&'a RawValue>,
}

fn are_without_content(choices: &RawValue) -> bool {
    // What cannot be read may be content.
    serde_json::from_str::<Vec<Choice<'_>>>(choices.get()).is_ok_and(|choices| {
        choices.iter().all(|choice| {
            let whole = [choice.text, choice.message, choice.finish_reason];
            let delta = choice.delta.iter().flatten().filter(|(name, _)| **name != "role");
            whole.into_iter().flatten().chain(delta.map(|(_, value)| *value)).all(is_blank)
        })
    })
}

fn response_error(response: &RawValue) -> Option<StreamFailure> {
    #[derive(Deserialize)]
    struct Response<'a> {
        #[serde(borrow)]
        error: Option<&'a RawValue>,
    }
    let response: Response<'_> = serde_json::from_str(response.get()).ok()?;
    response.error.filter(|error| !is_blank(error)).map(|error| StreamFailure::new(error.get()))
}

/// Whether a value is one of those that servers write for nothing.
fn is_blank(value: &RawValue) -> bool {
    let value = value.get();
    let is_empty = |open, close| {
        let inside = value.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
        inside.is_some_and(|inside: &str| inside.trim_ascii().is_empty())
    };
    matches!(value, "null" | "false" | "\"\"") || is_empty('[', ']') || is_empty('{', '}')
}

#[cfg(test)]
mod tests;
