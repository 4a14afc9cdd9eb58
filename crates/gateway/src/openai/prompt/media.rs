//! Pictures and files within a prompt, whose bytes say nothing of their tokens.

use memchr::{memchr, memmem};

use super::Prompt;
use crate::openai::Pieces;

/// What comes before the bytes in a data URL.
const MARK: &[u8] = b";base64,";

impl Prompt {
    /// The bytes of all of it as JSON, without those of data URLs. A look at each of them.
    #[must_use]
    pub fn text_bytes(&self, body: &Pieces) -> usize {
        self.places().map(|place| place.len() - media_bytes(&body.get(place))).sum()
    }
}

/// The bytes that follow a mark, up to the end of the string that it stands in.
fn media_bytes(json: &[u8]) -> usize {
    let mut bytes = 0;
    let mut from = 0;
    while let Some(mark) = memmem::find(&json[from..], MARK) {
        let start = from + mark + MARK.len();
        let length = memchr(b'"', &json[start..]).unwrap_or(json.len() - start);
        bytes += length;
        from = start + length;
    }
    bytes
}
