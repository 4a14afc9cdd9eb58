//! Where the top-level fields of a JSON body stand.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use super::pieces::Pieces;
use super::text;

/// Top-level fields that need no allocation; OpenAI's own chat API has about 35, a request rarely 10.
const INLINE_FIELDS: usize = 16;

/// What a JSON value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `"..."`
    String,
    /// `-1.5e3`
    Number,
    /// `true` or `false`
    Bool,
    /// `null`
    Null,
    /// `[...]`
    Array,
    /// `{...}`
    Object,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::String => "a string",
            Self::Number => "a number",
            Self::Bool => "a boolean",
            Self::Null => "null",
            Self::Array => "an array",
            Self::Object => "an object",
        })
    }
}

/// What a value that has been scanned is, by its first byte.
pub(super) fn kind_of(json: &[u8]) -> Kind {
    match json.first() {
        Some(b'"') => Kind::String,
        Some(b't' | b'f') => Kind::Bool,
        Some(b'[') => Kind::Array,
        Some(b'{') => Kind::Object,
        Some(b'n') => Kind::Null,
        _ => Kind::Number,
    }
}

/// Where one top-level field stands in the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    key: (u32, u32),
    value: (u32, u32),
    kind: Kind,
    key_has_escapes: bool,
}

impl Field {
    /// Both places are offsets into the body, begin and end; that of the key with its quotes.
    pub(super) fn new(key: (u32, u32), key_has_escapes: bool, value: (u32, u32), kind: Kind) -> Self {
        Self { key, value, kind, key_has_escapes }
    }

    /// The bytes of the key, quotes included.
    #[must_use]
    pub fn key(&self) -> Range<usize> {
        self.key.0 as usize..self.key.1 as usize
    }

    /// The bytes of the value, without the white space around it.
    #[must_use]
    pub fn value(&self) -> Range<usize> {
        self.value.0 as usize..self.value.1 as usize
    }

    /// What the value is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Calls `look` with the field's name, escapes resolved. A name with an unpaired surrogate is no
    /// text and gives `None`.
    pub(super) fn with_name<T>(&self, body: &Pieces, look: impl FnOnce(&[u8]) -> Option<T>) -> Option<T> {
        let key = self.key();
        if self.key_has_escapes {
            look(text::unescape(&body.get(key))?.as_bytes())
        } else {
            match body.get(key.start + 1..key.end - 1) {
                Cow::Borrowed(name) => look(name),
                Cow::Owned(name) => look(&name),
            }
        }
    }
}

const UNUSED: Field = Field { key: (0, 0), value: (0, 0), kind: Kind::Null, key_has_escapes: false };

/// The top-level fields of one body, in its order. Belongs to the body it was read from: give its
/// methods another one and they answer nonsense or panic.
#[derive(Clone)]
pub struct Fields {
    inline: [Field; INLINE_FIELDS],
    inline_len: usize,
    /// All fields, once there are more than fit inline; empty before.
    spilled: Vec<Field>,
    /// The bytes of the object, braces included.
    object: (u32, u32),
}

impl Fields {
    pub(super) fn new() -> Self {
        Self { inline: [UNUSED; INLINE_FIELDS], inline_len: 0, spilled: Vec::new(), object: (0, 0) }
    }

    pub(super) fn push(&mut self, field: Field) {
        if self.inline_len < INLINE_FIELDS {
            self.inline[self.inline_len] = field;
            self.inline_len += 1;
        } else {
            if self.spilled.is_empty() {
                self.spilled.extend_from_slice(&self.inline);
            }
            self.spilled.push(field);
        }
    }

    /// All fields, in the body's order, repeated ones included.
    #[must_use]
    pub fn as_slice(&self) -> &[Field] {
        if self.spilled.is_empty() { &self.inline[..self.inline_len] } else { &self.spilled }
    }

    /// The first field with this name, however the body spells it (`"mod\u0065l"` is `model`).
    #[must_use]
    pub fn get(&self, body: &Pieces, name: &str) -> Option<&Field> {
        let is_it = |found: &[u8]| (found == name.as_bytes()).then_some(());
        self.as_slice().iter().find(|field| field.with_name(body, is_it).is_some())
    }

    /// Says where the object stands, braces included.
    pub(super) fn set_object(&mut self, begin: u32, end: u32) {
        self.object = (begin, end);
    }

    /// The bytes of the object, from `{` to `}`.
    #[must_use]
    pub fn object(&self) -> Range<usize> {
        self.object.0 as usize..self.object.1 as usize
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.as_slice()).finish()
    }
}
