//! The body of an answer, told from what follows it.

use bytes::BytesMut;

use super::chunked::{self, Chunked, Found};
use super::head::{Flaw, Framing};

/// How far a body has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decoder {
    /// So many bytes are still to come.
    Length(u64),
    Chunked(Chunked),
    /// All that comes belongs to it.
    UntilClosed,
    /// The connection has ended, and the body with it.
    Closed,
}

impl Decoder {
    pub(super) fn new(framing: Framing) -> Self {
        match framing {
            Framing::Length(length) => Self::Length(length),
            Framing::Chunked => Self::Chunked(Chunked::Size),
            Framing::UntilClosed => Self::UntilClosed,
        }
    }

    /// What the bytes at hand hold next; `None` when they hold nothing more of it.
    pub(super) fn next(&mut self, buffer: &mut BytesMut) -> Result<Option<Found>, Flaw> {
        let all = match self {
            Self::Chunked(chunked) => return chunked.next(buffer),
            Self::Length(left) if 0 < *left => {
                let (data, rest) = chunked::take(buffer, *left);
                *left = rest;
                data
            }
            Self::UntilClosed => buffer.split().freeze(),
            Self::Length(_) | Self::Closed => return Ok(None),
        };
        Ok((!all.is_empty()).then_some(Found::Data(all)))
    }

    /// The connection has ended.
    pub(super) fn close(&mut self) -> Result<(), Flaw> {
        if *self == Self::UntilClosed {
            *self = Self::Closed;
        }
        if self.is_over() { Ok(()) } else { Err(Flaw("it broke off")) }
    }

    /// Whether all of the body has been read.
    pub(super) fn is_over(&self) -> bool {
        matches!(self, Self::Length(0) | Self::Chunked(Chunked::Over) | Self::Closed)
    }

    /// The bytes that are still to come, where that is known.
    pub(super) fn left(&self) -> Option<u64> {
        match self {
            Self::Length(left) => Some(*left),
            Self::Chunked(_) | Self::UntilClosed => None,
            Self::Closed => Some(0),
        }
    }
}

#[cfg(test)]
mod tests;
