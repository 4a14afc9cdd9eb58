//! Finding the `usage` of an answer in its bytes, without reading the rest of its JSON.

use std::sync::LazyLock;

use memchr::{memmem::Finder, memrchr};
use serde::Deserialize;

/// The longest `usage` that is read, in bytes; OpenAI's, with all its details, has about 350.
pub const MAX_USAGE_BYTES: usize = 2048;

/// The largest number that is believed to count tokens. The longest contexts on offer are a tenth of it or less.
pub const MAX_TOKENS: u32 = 100_000_000;

/// Objects of that name that count no tokens, after which no more are looked at. Responses repeat a request's
/// tools, so a client could write any number of them.
const MAX_OTHERS: u8 = 64;

/// Tokens that an answer says it took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Tokens read: `prompt_tokens` of chats, completions and embeddings, `input_tokens` of responses.
    pub prompt: u32,
    /// Tokens written: `completion_tokens` or `output_tokens`. Embeddings have none.
    pub output: Option<u32>,
}

/// Watches JSON go by for a `"usage": {...}` that counts tokens, wherever it stands. The last one is right:
/// some servers send a running count in every event.
///
/// Text that a model wrote cannot look like one: inside a JSON string each quote has a backslash before it.
#[derive(Debug, Clone, Default)]
pub struct UsageWatch {
    last: Option<Usage>,
    others: u8,
    /// What may be the beginning of one, from its first quote on. Empty but for one that is cut in two.
    begun: Vec<u8>,
}

const NAME: &[u8] = b"\"usage\"";

static NAME_FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(NAME));

impl UsageWatch {
    /// Looks at the next bytes, cut anywhere.
    pub fn push(&mut self, mut bytes: &[u8]) {
        while !self.begun.is_empty() && !bytes.is_empty() {
            // After this many bytes it is clear what has begun.
            let (now, later) = bytes.split_at(bytes.len().min(MAX_USAGE_BYTES));
            let mut joined = std::mem::take(&mut self.begun);
            joined.extend_from_slice(now);
            self.look(&joined);
            bytes = later;
        }
        self.look(bytes);
    }

    /// The last one that has gone by.
    #[must_use]
    pub fn last(&self) -> Option<Usage> {
        self.last
    }

    fn look(&mut self, mut bytes: &[u8]) {
        if self.others == MAX_OTHERS {
            return;
        }
        while let Some(at) = NAME_FINDER.find(bytes) {
            let behind = &bytes[at + NAME.len()..];
            match read(behind) {
                Reading::Usage(usage) => self.last = Some(usage),
                Reading::Nothing => {}
                Reading::Other => {
                    self.others += 1;
                    if self.others == MAX_OTHERS {
                        return;
                    }
                }
                Reading::Unfinished => {
                    self.begun = bytes[at..].to_vec();
                    return;
                }
            }
            bytes = behind;
        }
        self.begun.extend_from_slice(beginning_of_name(bytes));
    }
}

/// What stands behind the name.
#[derive(Debug, PartialEq, Eq)]
enum Reading {
    Usage(Usage),
    /// An object that counts no tokens.
    Other,
    /// No object.
    Nothing,
    /// The bytes end too early to tell.
    Unfinished,
}

fn read(behind: &[u8]) -> Reading {
    let is_all = MAX_USAGE_BYTES <= behind.len();
    let behind = &behind[..behind.len().min(MAX_USAGE_BYTES)];
    let unfinished = if is_all { Reading::Other } else { Reading::Unfinished };
    let value = match behind.trim_ascii_start() {
        [] => return unfinished,
        [b':', value @ ..] => value.trim_ascii_start(),
        _ => return Reading::Nothing,
    };
    match value {
        [] => return unfinished,
        // A derived reader would take a list's items for the fields.
        [b'{', ..] => {}
        _ => return Reading::Nothing,
    }
    let mut reader = serde_json::Deserializer::from_slice(value);
    match Fields::deserialize(&mut reader) {
        Ok(fields) => fields.usage().map_or(Reading::Other, Reading::Usage),
        Err(_) if is_whole(value) => Reading::Other,
        Err(_) => unfinished,
    }
}

/// Whether an object's closing brace is there. The reader's errors do not tell: a number cut behind its point is
/// wrong to it, not short.
fn is_whole(object: &[u8]) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in object {
        match (byte, in_string) {
            _ if escaped => escaped = false,
            (b'\\', true) => escaped = true,
            (b'"', _) => in_string = !in_string,
            (b'{', false) => depth += 1,
            (b'}', false) => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return true;
        }
    }
    false
}

/// The fields that count, by both of their names: some servers write both.
#[derive(Deserialize)]
struct Fields {
    prompt_tokens: Option<u64>,
    input_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    output_tokens: Option<u64>,
}

impl Fields {
    fn usage(&self) -> Option<Usage> {
        let prompt = tokens(self.prompt_tokens.or(self.input_tokens)?)?;
        let output = match self.completion_tokens.or(self.output_tokens) {
            Some(number) => Some(tokens(number)?),
            None => None,
        };
        Some(Usage { prompt, output })
    }
}

fn tokens(number: u64) -> Option<u32> {
    u32::try_from(number).ok().filter(|number| *number <= MAX_TOKENS)
}

/// As much of the name as stands at the end of bytes that do not hold it.
fn beginning_of_name(bytes: &[u8]) -> &[u8] {
    let tail = &bytes[bytes.len().saturating_sub(NAME.len() - 1)..];
    // The name has no quote but its first and last.
    let beginning = memrchr(b'"', tail).map_or(&[][..], |quote| &tail[quote..]);
    if NAME.starts_with(beginning) { beginning } else { &[] }
}

#[cfg(test)]
mod tests;
