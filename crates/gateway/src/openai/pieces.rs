//! A body in the pieces it arrived in.
//!
//! Joining the pieces would copy each byte once more, which for a body of 100 KB costs more than reading
//! it. So whoever reads a body reads across their seams.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::utf8;

/// Shorter pieces are joined: keeping one costs its place in a list and an entry of a `writev`, and a client
/// that sends a chunk for each byte should not make us keep 40 bytes for it.
const KEPT_BYTES_MIN: usize = 4 * 1024;
/// From this length on, joined pieces are a piece like others.
const JOINED_BYTES: usize = 16 * 1024;

/// Bytes in one piece or several, none of them empty. A clone shares the memory.
#[derive(Debug, Clone)]
pub struct Pieces(Kept);

#[derive(Debug, Clone)]
enum Kept {
    /// The most frequent case needs no list. Only this one may be empty.
    One(Bytes),
    Many(Arc<[Piece]>),
}

#[derive(Debug)]
struct Piece {
    bytes: Bytes,
    /// Where it ends in the whole, so that a place can be searched for by halves.
    end: usize,
}

impl Pieces {
    /// Bytes in all pieces together.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.0 {
            Kept::One(bytes) => bytes.len(),
            Kept::Many(pieces) => pieces.last().map_or(0, |piece| piece.end),
        }
    }

    /// Whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The pieces in order, counted from 0.
    #[must_use]
    pub fn piece(&self, number: usize) -> Option<&Bytes> {
        self.piece_and_end(number).map(|(bytes, _)| bytes)
    }

    fn piece_and_end(&self, number: usize) -> Option<(&Bytes, usize)> {
        match &self.0 {
            Kept::One(bytes) => (number == 0 && !bytes.is_empty()).then_some((bytes, bytes.len())),
            Kept::Many(pieces) => pieces.get(number).map(|piece| (&piece.bytes, piece.end)),
        }
    }

    /// A range of the whole: copied when a seam goes through it.
    ///
    /// # Panics
    /// When the range is not within the whole.
    #[inline]
    pub(super) fn get(&self, range: Range<usize>) -> Cow<'_, [u8]> {
        match &self.0 {
            Kept::One(bytes) => Cow::Borrowed(&bytes[range]),
            Kept::Many(_) => self.get_across_seams(range),
        }
    }

    #[cold]
    fn get_across_seams(&self, range: Range<usize>) -> Cow<'_, [u8]> {
        let length = range.len();
        let mut parts = self.within(range);
        let first = parts.next().map_or(&[][..], |(bytes, part)| &bytes[part]);
        if first.len() == length {
            return Cow::Borrowed(first);
        }
        let mut joined = Vec::with_capacity(length);
        joined.extend_from_slice(first);
        parts.for_each(|(bytes, part)| joined.extend_from_slice(&bytes[part]));
        assert_eq!(joined.len(), length, "the range is within the whole");
        Cow::Owned(joined)
    }

    /// The number of the piece that a place of the whole lies in, and where that piece begins.
    pub(super) fn piece_of(&self, place: usize) -> (usize, usize) {
        match &self.0 {
            Kept::One(_) => (0, 0),
            Kept::Many(pieces) => {
                let number = pieces.partition_point(|piece| piece.end <= place);
                (number, number.checked_sub(1).map_or(0, |before| pieces[before].end))
            }
        }
    }

    /// The pieces that a range of the whole touches, each with its own part of it.
    pub(super) fn within(&self, range: Range<usize>) -> impl Iterator<Item = (&Bytes, Range<usize>)> {
        let (mut number, _) = self.piece_of(range.start);
        let mut from = range.start;
        std::iter::from_fn(move || {
            if range.end <= from {
                return None;
            }
            let (bytes, end) = self.piece_and_end(number)?;
            let start = end - bytes.len();
            let part = from - start..range.end.min(end) - start;
            number += 1;
            from = end;
            Some((bytes, part))
        })
    }

    /// Checks that the whole is UTF-8.
    ///
    /// # Errors
    /// Where the text stops being valid.
    pub(super) fn check_utf8(&self) -> Result<(), usize> {
        match &self.0 {
            Kept::One(bytes) => std::str::from_utf8(bytes).map(|_| ()).map_err(|error| error.valid_up_to()),
            Kept::Many(pieces) => utf8::check(pieces.iter().map(|piece| &piece.bytes[..])),
        }
    }
}

impl From<Bytes> for Pieces {
    fn from(bytes: Bytes) -> Self {
        Self(Kept::One(bytes))
    }
}

impl From<Vec<Bytes>> for Pieces {
    fn from(mut pieces: Vec<Bytes>) -> Self {
        pieces.retain(|bytes| !bytes.is_empty());
        if pieces.len() < 2 {
            return pieces.pop().unwrap_or_default().into();
        }
        let mut end = 0;
        let pieces = pieces.into_iter().map(|bytes| {
            end += bytes.len();
            Piece { bytes, end }
        });
        Self(Kept::Many(pieces.collect()))
    }
}

/// Takes a body's pieces as they arrive, and joins those that are too short to keep.
#[derive(Debug, Default)]
pub struct Collector {
    pieces: Vec<Bytes>,
    joined: Vec<u8>,
}

impl Collector {
    /// Takes the next piece.
    pub fn push(&mut self, piece: Bytes) {
        if piece.len() < KEPT_BYTES_MIN {
            self.joined.extend_from_slice(&piece);
            if self.joined.len() < JOINED_BYTES {
                return;
            }
            self.flush();
        } else {
            self.flush();
            self.pieces.push(piece);
        }
    }

    /// All that has been taken.
    #[must_use]
    pub fn finish(mut self) -> Pieces {
        self.flush();
        self.pieces.into()
    }

    fn flush(&mut self) {
        if !self.joined.is_empty() {
            self.pieces.push(std::mem::take(&mut self.joined).into());
        }
    }
}

#[cfg(test)]
mod tests;
