//! Watching a `text/event-stream` go by, without holding or changing a byte of it.

use memchr::memchr2;

/// Knows where in its events a stream stands, and whether its `data: [DONE]` has gone by.
///
/// Needs a few bytes of memory whatever the stream does, and looks at the line ends and the first bytes
/// of each line only.
#[derive(Debug, Clone, Default)]
pub struct SseWatch {
    line: Line,
    done: bool,
    /// Whether the event before the present line is still open.
    in_event: bool,
    /// Whether the last byte was a carriage return, so that a line feed would belong to it.
    after_return: bool,
}

/// How the present line goes so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Line {
    #[default]
    Empty,
    /// Its first bytes are those of [`DONE`], up to here.
    Done(u8),
    /// As `Done`, and the space after the colon has been there.
    DoneSpaced(u8),
    Other,
}

/// The line that ends an OpenAI stream; the standard allows one space after the colon.
const DONE: &[u8] = b"data:[DONE]";
const COLON_BYTES: u8 = 5;

impl SseWatch {
    /// A watch on a stream of which nothing has been sent.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Looks at the next bytes of the stream, cut anywhere.
    pub fn push(&mut self, mut bytes: &[u8]) {
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
            self.done |= self.line.is_done();
            self.in_event = self.line != Line::Empty;
            self.line = Line::Empty;
            self.after_return = bytes[end] == b'\r';
            bytes = &bytes[end + 1..];
        }
    }

    /// Whether `data: [DONE]` has gone by.
    #[must_use]
    pub fn is_done(&self) -> bool {
        // A server may end its stream without the last line feed.
        self.done || self.line.is_done()
    }

    /// What must be sent before an event of ours, so that it does not become part of a broken one.
    #[must_use]
    pub fn gap(&self) -> &'static str {
        match (self.line, self.in_event) {
            (Line::Empty, false) => "",
            (Line::Empty, true) => "\n",
            _ => "\n\n",
        }
    }
}

impl Line {
    fn push(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            *self = match *self {
                Self::Empty if byte == DONE[0] => Self::Done(1),
                Self::Done(COLON_BYTES) if byte == b' ' => Self::DoneSpaced(COLON_BYTES),
                Self::Done(at) if DONE.get(usize::from(at)) == Some(&byte) => Self::Done(at + 1),
                Self::DoneSpaced(at) if DONE.get(usize::from(at)) == Some(&byte) => Self::DoneSpaced(at + 1),
                _ => Self::Other,
            };
            if *self == Self::Other {
                return;
            }
        }
    }

    fn is_done(self) -> bool {
        matches!(self, Self::Done(at) | Self::DoneSpaced(at) if usize::from(at) == DONE.len())
    }
}

#[cfg(test)]
mod tests;
