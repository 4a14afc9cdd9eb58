//! What an upstream's error says in the fields that are made for programs.

use http::StatusCode;
use serde::Deserialize;
use serde_json::value::RawValue;

/// The typed part of an error that an upstream sent; its message is for people and is not read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UpstreamError {
    /// `code`; a number is written in its digits.
    pub code: Option<Box<str>>,
    /// `type`.
    pub kind: Option<Box<str>>,
    /// Azure's `innererror.code`, which is narrower than `code`.
    pub inner_code: Option<Box<str>>,
    /// `param`, the field to blame.
    pub param: Option<Box<str>>,
    /// Whether OpenRouter says why a moderator stopped the request (`metadata.reasons`).
    pub is_moderated: bool,
}

impl UpstreamError {
    /// Reads the body of an error: `{"error": {...}}` as OpenAI has it, the fields without that wrapping
    /// (vLLM), or a list of either (Gemini). A body that is none of these says nothing.
    #[must_use]
    pub fn read(body: &[u8]) -> Self {
        let Some(outer) = Fields::read(body) else { return Self::default() };
        match outer.error.and_then(|error| Fields::read(error.get().as_bytes())) {
            Some(inner) => inner.typed().or(outer.typed()),
            None => outer.typed(),
        }
    }

    /// What the error calls itself, the narrowest word first.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        [&self.inner_code, &self.code, &self.kind].into_iter().flatten().map(|word| &**word)
    }

    /// The HTTP status that stands in `code`, where a server writes it there (vLLM, llama.cpp, OpenRouter).
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        let status = self.code.as_deref()?.parse().ok().filter(|status| (400..600).contains(status))?;
        StatusCode::from_u16(status).ok()
    }

    fn or(self, other: Self) -> Self {
        Self {
            code: self.code.or(other.code),
            kind: self.kind.or(other.kind),
            inner_code: self.inner_code.or(other.inner_code),
            param: self.param.or(other.param),
            is_moderated: self.is_moderated || other.is_moderated,
        }
    }
}

/// The fields of an error, of whatever types they are: servers differ, and one strange field must not hide
/// the others.
#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    code: Option<&'a RawValue>,
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    param: Option<&'a RawValue>,
    #[serde(borrow)]
    innererror: Option<&'a RawValue>,
    // Azure's images spell it this way.
    #[serde(borrow)]
    inner_error: Option<&'a RawValue>,
    #[serde(borrow)]
    metadata: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Metadata<'a> {
    #[serde(borrow)]
    reasons: Option<&'a RawValue>,
}

impl<'a> Fields<'a> {
    fn read(json: &'a [u8]) -> Option<Self> {
        match json.trim_ascii_start().first()? {
            b'{' => serde_json::from_slice(json).ok(),
            // Only so deep: a list in a list is nobody's error.
            b'[' => {
                let list: Vec<&RawValue> = serde_json::from_slice(json).ok()?;
                let first = list.first()?.get();
                if first.starts_with('{') { serde_json::from_str(first).ok() } else { None }
            }
            _ => None,
        }
    }

    fn typed(&self) -> UpstreamError {
        let inner = self.innererror.or(self.inner_error).and_then(object::<Fields<'_>>);
        UpstreamError {
            code: self.code.and_then(word),
            kind: self.kind.and_then(word),
            inner_code: inner.and_then(|inner| inner.code).and_then(word),
            param: self.param.and_then(word),
            is_moderated: self
                .metadata
                .and_then(object::<Metadata<'_>>)
                .is_some_and(|metadata| metadata.reasons.is_some()),
        }
    }
}

/// Reads an object; a derived reader would take a list's items for its fields.
fn object<'a, T: Deserialize<'a>>(json: &'a RawValue) -> Option<T> {
    if json.get().starts_with('{') { serde_json::from_str(json.get()).ok() } else { None }
}

/// A word, or a whole number in its digits.
fn word(json: &RawValue) -> Option<Box<str>> {
    let json = json.get();
    if json.starts_with('"') {
        serde_json::from_str(json).ok()
    } else {
        json.parse::<u64>().is_ok().then(|| json.into())
    }
}

#[cfg(test)]
mod tests;
