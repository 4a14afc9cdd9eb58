//! Watching a `text/event-stream` go by, without holding or changing a byte of it.

use memchr::memchr2;

use super::finish_reason::FinishReason;

/// Knows where in its events a stream stands, and whether it has said how its answer ended.
///
/// Needs a few bytes of memory whatever the stream does. Looks at the line ends, at the first bytes of
/// each line, and for a `finish_reason`.
#[derive(Debug, Clone, Default)]
pub struct SseWatch {
    line: LineStart,
    reason: FinishReason,
    done: bool,
    finished: bool,
    failed: bool,
    /// Whether the event before the present line is still open.
    in_event: bool,
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

    /// Looks at the next bytes of the stream, cut anywhere.
    pub fn push(&mut self, mut bytes: &[u8]) {
        self.reason.push(bytes);
        while let Some(&first) = bytes.first() {
            if std::mem::take(&mut self.after_return) && first == b'\n' {
                bytes = &bytes[1..];
                continue;
            }
            let Some(end) = memchr2(b'\n', b'\r', bytes) else {
                self.line.push(bytes);
                return;
            };
            self.line.push(&bytes[..end]);
            match self.line.meaning() {
                Meaning::None => {}
                Meaning::Done => self.done = true,
                Meaning::Finished => self.finished = true,
                Meaning::Failed => self.failed = true,
            }
            self.in_event = !self.line.is_empty();
            self.line.clear();
            self.after_return = bytes[end] == b'\r';
            bytes = &bytes[end + 1..];
        }
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

/// The first bytes of a line.
#[derive(Debug, Clone, Copy, Default)]
struct LineStart {
    bytes: [u8; LINE_BYTES],
    len: usize,
}

/// One more than the longest line that means something, so that a longer one is told from it.
const LINE_BYTES: usize = b"event: response.incomplete".len() + 1;

/// What a line says of the answer's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    None,
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
                _ => Meaning::None,
            }
        } else if let Some(event) = after(b"event:") {
            match event {
                b"response.completed" | b"response.incomplete" => Meaning::Finished,
                b"response.failed" | b"error" => Meaning::Failed,
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
