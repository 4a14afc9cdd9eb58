//! Watching a `text/event-stream` go by, without holding or changing a byte of it.

use memchr::memchr2;

use super::finish_reason::FinishReason;
use super::usage::{Usage, UsageWatch};

/// Knows where in its events a stream stands, whether it has said how its answer ended, and, where that is wanted,
/// what it has shown of its tokens.
///
/// Needs a few bytes of memory whatever the stream does. Looks at the line ends, at the first bytes of
/// each line, and for a `finish_reason`; once that has come, for a `usage` instead, so that no byte is searched
/// for both but those of one line.
#[derive(Debug, Clone, Default)]
pub struct SseWatch {
    line: LineStart,
    reason: FinishReason,
    done: bool,
    finished: bool,
    failed: bool,
    /// Whether the event before the present line is still open.
    in_event: bool,
    /// What the present event's lines say of its content.
    event: Event,
    /// Events with content so far.
    content_events: u32,
    /// Looked for where tokens are wanted.
    usage: Option<UsageWatch>,
    /// Whether the last byte was a carriage return, so that a line feed would belong to it.
    after_return: bool,
}

/// What a stream has said of the end of its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Nothing: if it ends here, it broke off.
    Open,
    /// That the answer is whole: `[DONE]`, a finish reason, `response.completed` or `response.incomplete`.
    Finished,
    /// That it failed, in an event of its own: an `error` or `response.failed`.
    Failed,
}

impl SseWatch {
    /// A watch on a stream of which nothing has been sent.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A watch that also looks for the tokens that the stream takes.
    #[must_use]
    pub fn for_tokens() -> Self {
        Self { usage: Some(UsageWatch::default()), ..Self::default() }
    }

    /// Looks at the next bytes of the stream, cut anywhere.
    pub fn push(&mut self, mut bytes: &[u8]) {
        while let Some(&first) = bytes.first() {
            if std::mem::take(&mut self.after_return) && first == b'\n' {
                bytes = &bytes[1..];
                continue;
            }
            let Some(end) = memchr2(b'\n', b'\r', bytes) else {
                self.in_line(bytes);
                return;
            };
            self.in_line(&bytes[..end]);
            self.end_of_line();
            self.after_return = bytes[end] == b'\r';
            bytes = &bytes[end + 1..];
        }
    }

    fn in_line(&mut self, bytes: &[u8]) {
        self.line.push(bytes);
        self.reason.push(bytes);
        // A usage comes with the end of the answer or behind it. Some servers write it before the reason, in the
        // same line.
        let is_over = self.is_over();
        if let Some(usage) = &mut self.usage
            && is_over
        {
            usage.push(bytes);
        }
    }

    /// Whether the lines so far have said how the answer ended.
    fn is_over(&self) -> bool {
        let has_reason = matches!(self.reason, FinishReason::Given | FinishReason::Error);
        has_reason || self.finished || self.done || self.failed
    }

    fn end_of_line(&mut self) {
        match self.line.meaning() {
            Meaning::None => {}
            Meaning::Data => self.event.has_data = true,
            Meaning::Frame => self.event.is_frame = true,
            Meaning::Done => self.done = true,
            Meaning::Finished => self.finished = true,
            Meaning::Failed => self.failed = true,
        }
        self.in_event = !self.line.is_empty();
        self.line.clear();
        if !self.in_event {
            let event = std::mem::take(&mut self.event);
            let is_content = event.has_data && !event.is_frame && !self.is_over();
            self.content_events = self.content_events.saturating_add(is_content.into());
        }
    }

    /// Says that this many of the events that seemed to have content were preamble.
    pub fn discount(&mut self, preamble_events: u32) {
        self.content_events = self.content_events.saturating_sub(preamble_events);
    }

    /// Whether it looks for the tokens that the stream takes.
    #[must_use]
    pub fn is_for_tokens(&self) -> bool {
        self.usage.is_some()
    }

    /// The `usage` that the stream has sent, where it was looked for.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        self.usage.as_ref().and_then(UsageWatch::last)
    }

    /// Events that carried a piece of the answer, as far as their lines' first bytes show: those with data from before
    /// the event that ends the answer; of responses, those whose name ends in `.delta`. The preamble of a chat looks
    /// alike, see [`Self::discount`].
    #[must_use]
    pub fn content_events(&self) -> u32 {
        self.content_events
    }

    /// Whether `data: [DONE]` has gone by.
    #[must_use]
    pub fn is_done(&self) -> bool {
        // A server may end its stream without the last line feed.
        self.done || self.line.meaning() == Meaning::Done
    }

    /// What the stream has said of its end. A failure counts more than a `[DONE]` behind it.
    #[must_use]
    pub fn ending(&self) -> Ending {
        let last = self.line.meaning();
        if self.failed || last == Meaning::Failed || self.reason == FinishReason::Error {
            Ending::Failed
        } else if self.finished
            || last == Meaning::Finished
            || self.reason == FinishReason::Given
            || self.is_done()
        {
            Ending::Finished
        } else {
            Ending::Open
        }
    }

    /// Whether the stream may end here: it has said that its answer is whole, and no failure.
    #[must_use]
    pub fn ended_properly(&self) -> bool {
        self.ending() == Ending::Finished
    }

    /// What must be sent before an event of ours, so that it does not become part of a broken one.
    #[must_use]
    pub fn gap(&self) -> &'static str {
        match (self.line.is_empty(), self.in_event) {
            (true, false) => "",
            (true, true) => "\n",
            (false, _) => "\n\n",
        }
    }
}

/// What the lines of an event say of its content.
#[derive(Debug, Clone, Copy, Default)]
struct Event {
    has_data: bool,
    is_frame: bool,
}

/// The first bytes of a line.
#[derive(Debug, Clone, Copy)]
struct LineStart {
    bytes: [u8; LINE_BYTES],
    len: usize,
}

/// One more than the longest line that means something, so that a longer one is told from it.
const LINE_BYTES: usize = b"event: response.code_interpreter_call_code.delta".len() + 1;

impl Default for LineStart {
    fn default() -> Self {
        Self { bytes: [0; LINE_BYTES], len: 0 }
    }
}

/// What a line says of its event, or of the answer's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    None,
    Data,
    /// An event of the frame around the content of a response.
    Frame,
    Done,
    Finished,
    Failed,
}

impl LineStart {
    fn push(&mut self, bytes: &[u8]) {
        let room = &mut self.bytes[self.len..];
        let taken = room.len().min(bytes.len());
        room[..taken].copy_from_slice(&bytes[..taken]);
        self.len += taken;
    }

    fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn clear(&mut self) {
        self.len = 0;
    }

    fn meaning(&self) -> Meaning {
        let line = &self.bytes[..self.len];
        // The standard allows one space after the colon.
        let after =
            |field: &[u8]| line.strip_prefix(field).map(|value| value.strip_prefix(b" ").unwrap_or(value));
        if let Some(data) = after(b"data:") {
            match data {
                b"[DONE]" => Meaning::Done,
                _ if is_error(data) => Meaning::Failed,
                _ => Meaning::Data,
            }
        } else if let Some(event) = after(b"event:") {
            match event {
                b"response.completed" | b"response.incomplete" => Meaning::Finished,
                b"response.failed" | b"error" => Meaning::Failed,
                _ if event.starts_with(b"response.") && !event.ends_with(b".delta") => Meaning::Frame,
                _ => Meaning::None,
            }
        } else {
            Meaning::None
        }
    }
}

/// Whether an object begins with an `error` that is one, not `null`.
fn is_error(data: &[u8]) -> bool {
    let value = data
        .strip_prefix(b"{")
        .and_then(|rest| rest.trim_ascii_start().strip_prefix(b"\"error\""))
        .and_then(|rest| rest.trim_ascii_start().strip_prefix(b":"));
    value.is_some_and(|value| matches!(value.trim_ascii_start().first(), Some(b'{' | b'"')))
}

#[cfg(test)]
mod tests;
