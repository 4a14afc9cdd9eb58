//! JSON strings as text and back.

use std::borrow::Cow;

/// The text of a JSON string that has been scanned, quotes included; `None` when it holds half of a
/// UTF-16 pair (`"\ud800"`), which is JSON but no text.
pub(super) fn unescape(json: &[u8]) -> Option<Cow<'_, str>> {
    let inside = json.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    if memchr::memchr(b'\\', inside).is_none() {
        return std::str::from_utf8(inside).ok().map(Cow::Borrowed);
    }
    serde_json::from_slice(json).ok().map(Cow::Owned)
}

/// Appends `text` as a JSON string, with quotes.
pub(super) fn push_escaped(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("writing a string into a Vec cannot fail");
}
