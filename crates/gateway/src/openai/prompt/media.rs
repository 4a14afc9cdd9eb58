//! What of a prompt's bytes says something of its tokens: not those of pictures and files, nor the escapes of letters.

use memchr::{memchr, memchr2};

use super::Prompt;
use crate::openai::Pieces;

/// What comes before the bytes in a data URL.
const MARK: &[u8] = b";base64,";

/// The bytes by which `\u4e2d` is longer than the letter that it stands for, which has three bytes, or two in Europe.
const ESCAPING: usize = 3;

impl Prompt {
    /// The bytes of all of it as JSON in which nothing is escaped without need, and without those of data URLs. A look at
    /// each of them.
    #[must_use]
    pub fn text_bytes(&self, body: &Pieces) -> usize {
        self.places().map(|place| text_bytes(body, place)).sum()
    }
}

fn text_bytes(body: &Pieces, place: std::ops::Range<usize>) -> usize {
    let length = place.len();
    let mut other = OtherBytes::default();
    body.within(place).for_each(|(bytes, part)| other.read(&bytes[part]));
    length.saturating_sub(other.count)
}

/// Counts the bytes of one value that are no text, piece by piece.
#[derive(Debug, Default)]
struct OtherBytes {
    count: usize,
    at: At,
}

/// What the last piece ended in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum At {
    #[default]
    Text,
    /// After a backslash.
    Escape,
    /// After so many bytes of a mark.
    Mark(usize),
    /// Among the bytes that follow a mark, up to the end of the string that it stands in.
    Media,
}

impl OtherBytes {
    fn read(&mut self, mut rest: &[u8]) {
        while !rest.is_empty() {
            rest = match self.at {
                At::Text => self.text(rest),
                At::Escape => self.escape(rest),
                At::Mark(begun) => self.mark(rest, begun),
                At::Media => self.media(rest),
            };
        }
    }

    fn text<'a>(&mut self, rest: &'a [u8]) -> &'a [u8] {
        let Some(found) = memchr2(b'\\', MARK[0], rest) else { return &[] };
        self.at = if rest[found] == b'\\' { At::Escape } else { At::Mark(1) };
        &rest[found + 1..]
    }

    /// What is escaped is passed over with its backslash, which may be the other half of a pair.
    fn escape<'a>(&mut self, rest: &'a [u8]) -> &'a [u8] {
        if rest[0] == b'u' {
            self.count += ESCAPING;
        }
        self.at = At::Text;
        &rest[1..]
    }

    /// What turns out to be no mark is read again; no other mark begins within what was passed over.
    fn mark<'a>(&mut self, rest: &'a [u8], begun: usize) -> &'a [u8] {
        let wanted = &MARK[begun..];
        let length = wanted.len().min(rest.len());
        if rest[..length] != wanted[..length] {
            self.at = At::Text;
            return rest;
        }
        self.at = if length == wanted.len() { At::Media } else { At::Mark(begun + length) };
        &rest[length..]
    }

    fn media<'a>(&mut self, rest: &'a [u8]) -> &'a [u8] {
        let end = memchr(b'"', rest);
        let length = end.unwrap_or(rest.len());
        self.count += length;
        if end.is_some() {
            self.at = At::Text;
        }
        &rest[length..]
    }
}
