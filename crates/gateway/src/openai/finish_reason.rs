//! Finding a `finish_reason` in the bytes of a stream, without reading its JSON.

use std::sync::LazyLock;

use memchr::{memmem::Finder, memrchr};

/// Whether a `"finish_reason":"..."` has gone by, and how far the bytes have come in one.
///
/// Text that a model wrote cannot look like one: inside a JSON string each quote has a backslash before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FinishReason {
    /// This much of [`NAME`] has come.
    Name(usize),
    /// The name has come, the colon not.
    Colon,
    /// The colon has come, the value not.
    Value,
    /// This much of [`ERROR`] has come, as the value.
    Word(usize),
    /// A reason has gone by.
    Given,
    /// The reason was `error`, with which OpenRouter tells a failure.
    Error,
}

const NAME: &[u8] = b"\"finish_reason\"";
const ERROR: &[u8] = b"error\"";

static NAME_FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(NAME));

impl Default for FinishReason {
    fn default() -> Self {
        Self::Name(0)
    }
}

impl FinishReason {
    /// Looks at the next bytes, cut anywhere.
    pub(super) fn push(&mut self, mut bytes: &[u8]) {
        while let Some(&byte) = bytes.first() {
            // A byte that does not fit may be the first of the next name, so it is looked at again.
            let (next, used) = match *self {
                Self::Given | Self::Error => return,
                Self::Name(0) => match NAME_FINDER.find(bytes) {
                    Some(at) => (Self::Colon, at + NAME.len()),
                    None => (Self::Name(beginning_of_name(bytes)), bytes.len()),
                },
                Self::Name(come) if byte == NAME[come] => {
                    (if come + 1 == NAME.len() { Self::Colon } else { Self::Name(come + 1) }, 1)
                }
                Self::Colon if byte == b':' => (Self::Value, 1),
                Self::Value if byte == b'"' => (Self::Word(0), 1),
                Self::Colon | Self::Value if byte == b' ' => (*self, 1),
                // `""` is how some servers write none.
                Self::Word(0) if byte == b'"' => (Self::Name(0), 1),
                Self::Word(come) if byte == ERROR[come] => {
                    (if come + 1 == ERROR.len() { Self::Error } else { Self::Word(come + 1) }, 1)
                }
                Self::Word(_) => (Self::Given, 0),
                Self::Name(_) | Self::Colon | Self::Value => (Self::Name(0), 0),
            };
            *self = next;
            bytes = &bytes[used..];
        }
    }
}

/// How much of [`NAME`] stands at the end of bytes that do not hold it.
fn beginning_of_name(bytes: &[u8]) -> usize {
    let tail = &bytes[bytes.len().saturating_sub(NAME.len() - 1)..];
    // The name has no quote but its first and last.
    let beginning = memrchr(b'"', tail).map_or(&tail[tail.len()..], |quote| &tail[quote..]);
    if NAME.starts_with(beginning) { beginning.len() } else { 0 }
}

#[cfg(test)]
mod tests;
