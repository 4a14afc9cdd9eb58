//! Fields that take the place of a request's own when it goes to a fallback.

use serde_json::value::RawValue;

use super::{is_routing_extra, text};

/// Names with the values that they have for one fallback.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overlay {
    members: Vec<(Box<str>, Box<[u8]>)>,
}

impl Overlay {
    /// No fields at all.
    pub const NONE: Self = Self { members: Vec::new() };

    /// An overlay of fields with their values as JSON; of a name that comes twice the last value counts.
    ///
    /// `model` and the router's own fields decide where a request goes and are no part of it. `stream` is
    /// none either: the client reads the answer in the form that it asked for first.
    pub(super) fn new<'a>(members: impl IntoIterator<Item = (String, &'a RawValue)>) -> Self {
        let mut overlay = Self::NONE;
        for (name, value) in members {
            if matches!(&*name, "model" | "stream") || is_routing_extra(name.as_bytes()) {
                continue;
            }
            let value = value.get().as_bytes().into();
            match overlay.members.iter_mut().find(|(known, _)| **known == *name) {
                Some((_, known)) => *known = value,
                None => overlay.members.push((name.into(), value)),
            }
        }
        overlay
    }

    /// Whether there is no field in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The value of a field, as JSON.
    #[must_use]
    pub fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.members.iter().find(|(known, _)| known.as_bytes() == name).map(|(_, value)| &**value)
    }

    /// The names with their values as JSON, in the request's order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.members.iter().map(|(name, value)| (&**name, &**value))
    }

    /// Bytes by which a body may grow, escapes in names aside.
    pub(super) fn total_bytes(&self) -> usize {
        self.members.iter().map(|(name, value)| name.len() + value.len() + 4).sum()
    }
}

/// Appends `"name":value`.
pub(super) fn push_member(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    text::push_escaped(out, name);
    out.push(b':');
    out.extend_from_slice(value);
}
