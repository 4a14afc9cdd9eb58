//! Tags and sessions, of which `metadata` may tell as well as fields and headers of the router's own.
//!
//! `metadata` is OpenAI's own field and a provider may mean something else by what stands in it, so there
//! nothing is a mistake: what is no tag and no session is not the router's.

use memchr::memmem;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Kind;
use super::fields::kind_of;
use super::text::unescape;

/// The most tags that a request may bring in one place.
pub const MAX_TAGS: usize = 100;

/// Length of the longest name of a session, in bytes.
pub const MAX_SESSION_BYTES: usize = 256;

/// What a request's `metadata` says to the router.
#[derive(Debug, Default)]
pub(super) struct RouterMetadata {
    pub(super) tags: Vec<String>,
    pub(super) session: Option<String>,
}

impl RouterMetadata {
    /// Reads the value of `metadata`, which may be anything.
    pub(super) fn read(json: &[u8]) -> Self {
        let ours = match kind_of(json) {
            Kind::Object if may_be_ours(json) => serde_json::from_slice(json).unwrap_or_default(),
            _ => Ours::default(),
        };
        Self {
            tags: ours.tags.and_then(|value| tags(value.get().as_bytes())).unwrap_or_default(),
            session: ours.session_id.and_then(|value| session(value.get().as_bytes())).flatten(),
        }
    }
}

/// Whether one of our names may stand there, written plainly or in escapes; most of what clients tell is of other things,
/// and reading it all takes longer than this look.
fn may_be_ours(json: &[u8]) -> bool {
    [&b"tags"[..], b"session_id", b"\\u"].iter().any(|name| memmem::find(json, name).is_some())
}

/// The members of `metadata` that are looked at; a name that comes twice makes the whole nobody's.
#[derive(Debug, Default, Deserialize)]
struct Ours<'a> {
    #[serde(borrow)]
    tags: Option<&'a RawValue>,
    #[serde(borrow)]
    session_id: Option<&'a RawValue>,
}

/// A JSON list of at most [`MAX_TAGS`] strings, without empty ones.
pub(super) fn tags(json: &[u8]) -> Option<Vec<String>> {
    let mut tags: Vec<String> = serde_json::from_slice(json).ok()?;
    let few = tags.len() <= MAX_TAGS;
    tags.retain(|tag| !tag.is_empty());
    few.then_some(tags)
}

/// At most [`MAX_TAGS`] tags with commas between them, without empty ones.
pub(super) fn comma_list(text: &str) -> Option<Vec<String>> {
    let tags = || text.split(',').map(str::trim).filter(|tag| !tag.is_empty());
    (tags().count() <= MAX_TAGS).then(|| tags().map(str::to_owned).collect())
}

/// A JSON string that can name a session; `Some(None)` for an empty one.
pub(super) fn session(json: &[u8]) -> Option<Option<String>> {
    session_name(&unescape(json)?)
}

/// A text that can name a session; `Some(None)` for an empty one.
pub(super) fn session_name(name: &str) -> Option<Option<String>> {
    (name.len() <= MAX_SESSION_BYTES).then(|| (!name.is_empty()).then(|| name.to_owned()))
}

#[cfg(test)]
mod tests;
