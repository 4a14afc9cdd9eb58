//! Taking chunks apart.

use bytes::{Buf, Bytes, BytesMut};
use http::HeaderMap;

use super::head::{self, Flaw};

/// The longest line that tells a chunk's size, with its extensions.
const SIZE_LINE_BYTES_MAX: usize = 4 * 1024;
/// The longest trailer section.
const TRAILER_BYTES_MAX: usize = 16 * 1024;

/// How far a chunked body has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chunked {
    /// The line with a chunk's size comes next.
    Size,
    /// So many bytes of a chunk are still to come.
    Data(u64),
    /// The line end behind a chunk comes next.
    DataEnd,
    /// What follows the last chunk comes next.
    Trailers,
    /// All of it is here.
    Over,
}

/// What was found next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    Data(Bytes),
    Trailers(HeaderMap),
}

impl Chunked {
    /// What the bytes at hand hold next; `None` when they hold nothing more, or the body is over.
    pub(super) fn next(&mut self, buffer: &mut BytesMut) -> Result<Option<Found>, Flaw> {
        loop {
            match *self {
                Self::Size => {
                    let Some((size, length)) = size_line(buffer)? else { return Ok(None) };
                    buffer.advance(length);
                    *self = if size == 0 { Self::Trailers } else { Self::Data(size) };
                }
                Self::Data(_) if buffer.is_empty() => return Ok(None),
                Self::Data(left) => {
                    let (data, left) = take(buffer, left);
                    *self = if left == 0 { Self::DataEnd } else { Self::Data(left) };
                    self.pass_marks(buffer);
                    return Ok(Some(Found::Data(data)));
                }
                Self::DataEnd => match &buffer[..] {
                    [b'\r', b'\n', ..] => {
                        buffer.advance(2);
                        *self = Self::Size;
                    }
                    [] | [b'\r'] => return Ok(None),
                    _ => return Err(Flaw("no line end behind a chunk")),
                },
                Self::Trailers => {
                    let Some((trailers, length)) = trailers(buffer)? else { return Ok(None) };
                    buffer.advance(length);
                    *self = Self::Over;
                    return Ok(trailers.map(Found::Trailers));
                }
                Self::Over => return Ok(None),
            }
        }
    }

    /// Goes on to the next data or to the end, if what stands between is here and holds no trailers: whoever
    /// asks then knows of the last data that it is the last.
    fn pass_marks(&mut self, buffer: &mut BytesMut) {
        if *self == Self::DataEnd && buffer.starts_with(b"\r\n") {
            buffer.advance(2);
            *self = Self::Size;
        }
        if *self == Self::Size && buffer.starts_with(b"0\r\n\r\n") {
            buffer.advance(b"0\r\n\r\n".len());
            *self = Self::Over;
        }
    }
}

/// At most `left` bytes of those at hand, and how many are left then.
pub(super) fn take(buffer: &mut BytesMut, left: u64) -> (Bytes, u64) {
    let length = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
    (buffer.split_to(length).freeze(), left - length as u64)
}

/// The size that the line at the start tells, and the line's length; `None` while the line is not all here.
fn size_line(buffer: &[u8]) -> Result<Option<(u64, usize)>, Flaw> {
    let Some(end) = memchr::memchr(b'\n', buffer) else {
        return if buffer.len() < SIZE_LINE_BYTES_MAX { Ok(None) } else { Err(LONG_SIZE_LINE) };
    };
    if SIZE_LINE_BYTES_MAX <= end {
        return Err(LONG_SIZE_LINE);
    }
    let line = buffer[..end].strip_suffix(b"\r").ok_or(Flaw("a chunk's size without a carriage return"))?;
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (digits, rest) = line.split_at(digits);
    let padded = rest.trim_ascii_start();
    // 16 digits are all that 64 bits hold.
    let is_size = (1..=16).contains(&digits.len())
        && (padded.is_empty() || padded[0] == b';')
        && !rest.contains(&b'\r');
    if !is_size {
        return Err(Flaw("a chunk without a size"));
    }
    let size = digits.iter().fold(0, |size, digit| {
        let value = char::from(*digit).to_digit(16).expect("only hexadecimal digits were counted");
        size << 4 | u64::from(value)
    });
    Ok(Some((size, end + 1)))
}

const LONG_SIZE_LINE: Flaw = Flaw("a chunk's size that takes too long");

/// The trailers at the start, if there are any, and the length of their section with the empty line at its
/// end; `None` while it is not all here.
fn trailers(buffer: &[u8]) -> Result<Option<(Option<HeaderMap>, usize)>, Flaw> {
    if buffer.starts_with(b"\r\n") {
        return Ok(Some((None, 2)));
    }
    match head::fields(buffer)? {
        Some((_, length)) if TRAILER_BYTES_MAX < length => Err(LONG_TRAILERS),
        Some((trailers, length)) => Ok(Some(((!trailers.is_empty()).then_some(trailers), length))),
        None if buffer.len() < TRAILER_BYTES_MAX => Ok(None),
        None => Err(LONG_TRAILERS),
    }
}

const LONG_TRAILERS: Flaw = Flaw("trailers that are too long");

#[cfg(test)]
mod tests;
