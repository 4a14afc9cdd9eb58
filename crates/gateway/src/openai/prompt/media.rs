//! What of a prompt's bytes says something of its tokens: not those of pictures and files, nor the escapes of letters.

use memchr::{memchr, memmem};

use super::Prompt;
use crate::openai::Pieces;

/// What comes before the bytes in a data URL.
const MARK: &[u8] = b";base64,";

impl Prompt {
    /// The bytes of all of it as JSON in which nothing is escaped without need, and without those of data URLs. A look at
    /// each of them.
    #[must_use]
    pub fn text_bytes(&self, body: &Pieces) -> usize {
        let bytes = |json: &[u8]| json.len().saturating_sub(media_bytes(json) + escaping_bytes(json));
        self.places().map(|place| bytes(&body.get(place))).sum()
    }
}

/// The bytes by which `\u4e2d` is longer than the letter that it stands for, which has three bytes, or two in Europe.
fn escaping_bytes(json: &[u8]) -> usize {
    3 * memmem::find_iter(json, b"\\u").count()
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
