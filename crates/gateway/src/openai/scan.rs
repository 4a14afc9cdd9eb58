//! One strict pass over a JSON body that remembers where each top-level field stands.
//!
//! Every request pays for this, so it is ours: it checks the whole grammar of RFC 8259, allocates
//! nothing for a body of up to `INLINE_FIELDS` fields, builds no tree and does not recurse.
//! Long strings, which are nearly all of a large body, go by 64 bytes at a time.

use wide::u8x16;

use super::bad_request::BadRequest;
use super::fields::{Field, Fields, Kind};
use super::pieces::Pieces;

/// Levels of brackets a body may have, its own braces included.
pub const MAX_DEPTH: u32 = 128;

/// Top-level fields a body may have.
pub const MAX_FIELDS: usize = 1024;

/// Length of the longest body that can be scanned: offsets are kept in 32 bits.
pub const MAX_BODY_BYTES: usize = u32::MAX as usize;

/// Checks that `body` is one JSON object and finds its fields.
///
/// # Errors
/// [`BadRequest::NotJson`], [`NotAnObject`](BadRequest::NotAnObject), [`TooDeep`](BadRequest::TooDeep),
/// [`TooManyFields`](BadRequest::TooManyFields), [`TooLong`](BadRequest::TooLong).
pub fn scan(body: &Pieces) -> Result<Fields, BadRequest> {
    if body.len() > MAX_BODY_BYTES {
        return Err(BadRequest::TooLong);
    }
    let mut scanner = Scanner::new(body);
    let mut fields = Fields::new();
    let mut not_an_object = None;
    scanner.skip_white_space();
    if scanner.peek() == Some(b'{') {
        scanner.object(&mut fields)?;
    } else {
        not_an_object = Some(scanner.value(0)?);
    }
    scanner.skip_white_space();
    if scanner.peek().is_some() {
        return Err(scanner.expected("nothing more after the end of the value"));
    }
    // Only strings may hold bytes above 127, and the pass has seen whether any do.
    if scanner.high_bits != 0
        && let Err(offset) = body.check_utf8()
    {
        return Err(BadRequest::NotJson { offset, expected: "UTF-8 text" });
    }
    match not_an_object {
        Some(found) => Err(BadRequest::NotAnObject { found }),
        None => Ok(fields),
    }
}

struct Scanner<'a> {
    body: &'a Pieces,
    /// The piece that is being read, and how far in it the reading is.
    piece: &'a [u8],
    at: usize,
    /// The number of the piece that follows, and what came before this one, in bytes.
    next: usize,
    before: usize,
    /// Not 0 once a byte outside ASCII may have been among the strings.
    high_bits: u32,
}

impl<'a> Scanner<'a> {
    fn new(body: &'a Pieces) -> Self {
        let piece = body.piece(0).map_or(&[][..], |piece| piece);
        Self { body, piece, at: 0, next: 1, before: 0, high_bits: 0 }
    }

    fn object(&mut self, fields: &mut Fields) -> Result<(), BadRequest> {
        let start = self.offset();
        self.at += 1;
        self.skip_white_space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            fields.set_object(start, self.offset());
            return Ok(());
        }
        for _ in 0..MAX_FIELDS {
            let key_start = self.offset();
            let key_has_escapes = self.key()?;
            let key = (key_start, self.offset());
            self.colon()?;
            let value_start = self.offset();
            let kind = self.value(1)?;
            fields.push(Field::new(key, key_has_escapes, (value_start, self.offset()), kind));
            self.skip_white_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    fields.set_object(start, self.offset());
                    return Ok(());
                }
                _ => return Err(self.expected(COMMA_OR_BRACE)),
            }
            self.skip_white_space();
        }
        Err(BadRequest::TooManyFields)
    }

    /// Reads one value that stands inside `depth` brackets.
    fn value(&mut self, depth: u32) -> Result<Kind, BadRequest> {
        match self.peek() {
            Some(b'"') => self.string().map(|_| Kind::String),
            Some(b'{') => self.nested(depth).map(|()| Kind::Object),
            Some(b'[') => self.nested(depth).map(|()| Kind::Array),
            _ => self.scalar(),
        }
    }

    /// Reads an array or an object with all that is in it.
    fn nested(&mut self, outside: u32) -> Result<(), BadRequest> {
        // One bit a level, the innermost lowest: 1 for an object. 128 levels are all there can be.
        let mut in_object: u128 = 0;
        let mut depth = outside;
        'value: loop {
            match self.peek() {
                Some(b'"') => {
                    self.string()?;
                }
                Some(open @ (b'{' | b'[')) => {
                    if depth == MAX_DEPTH {
                        return Err(BadRequest::TooDeep { offset: self.place() });
                    }
                    let object = open == b'{';
                    depth += 1;
                    in_object = (in_object << 1) | u128::from(object);
                    self.at += 1;
                    self.skip_white_space();
                    if self.peek() != Some(if object { b'}' } else { b']' }) {
                        self.name_of_member(object)?;
                        continue 'value;
                    }
                }
                _ => {
                    self.scalar()?;
                }
            }
            // Here stands what follows a value, or the bracket that closes an empty pair.
            loop {
                self.skip_white_space();
                let object = in_object & 1 == 1;
                match self.peek() {
                    Some(b'}') if object => {}
                    Some(b']') if !object => {}
                    Some(b',') => {
                        self.at += 1;
                        self.skip_white_space();
                        self.name_of_member(object)?;
                        continue 'value;
                    }
                    _ if object => return Err(self.expected(COMMA_OR_BRACE)),
                    _ => return Err(self.expected("`,` or `]`")),
                }
                self.at += 1;
                depth -= 1;
                in_object >>= 1;
                if depth == outside {
                    return Ok(());
                }
            }
        }
    }

    fn name_of_member(&mut self, object: bool) -> Result<(), BadRequest> {
        if object {
            self.key()?;
            self.colon()?;
        }
        Ok(())
    }

    fn scalar(&mut self) -> Result<Kind, BadRequest> {
        match self.peek() {
            Some(b'-' | b'0'..=b'9') => self.number().map(|()| Kind::Number),
            Some(b't') => self.word(b"true", Kind::Bool),
            Some(b'f') => self.word(b"false", Kind::Bool),
            Some(b'n') => self.word(b"null", Kind::Null),
            _ => Err(self.expected("a value")),
        }
    }

    fn word(&mut self, word: &'static [u8], kind: Kind) -> Result<Kind, BadRequest> {
        let error = || self.expected("`true`, `false` or `null`");
        if self.piece[self.at..].starts_with(word) {
            self.at += word.len();
            Ok(kind)
        } else if self.piece.len() < self.at + word.len() {
            let error = error();
            self.word_across_seams(word).then_some(kind).ok_or(error)
        } else {
            Err(error())
        }
    }

    #[cold]
    fn word_across_seams(&mut self, word: &[u8]) -> bool {
        word.iter().all(|&byte| {
            let is_it = self.peek() == Some(byte);
            self.at += usize::from(is_it);
            is_it
        })
    }

    fn number(&mut self) -> Result<(), BadRequest> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), BadRequest> {
        let Some(b'0'..=b'9') = self.peek() else {
            return Err(self.expected("a digit"));
        };
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        Ok(())
    }

    fn key(&mut self) -> Result<bool, BadRequest> {
        if self.peek() == Some(b'"') {
            self.string()
        } else {
            Err(self.expected("a field name in double quotes"))
        }
    }

    fn colon(&mut self) -> Result<(), BadRequest> {
        self.skip_white_space();
        if self.peek() != Some(b':') {
            return Err(self.expected("`:`"));
        }
        self.at += 1;
        self.skip_white_space();
        Ok(())
    }

    /// Reads a string and tells whether it holds escapes.
    #[inline]
    fn string(&mut self) -> Result<bool, BadRequest> {
        self.at += 1;
        let mut has_escapes = false;
        // Keys, roles and other short strings end within the first bytes; only longer ones pay for more.
        if let Some(block) = self.piece[self.at..].first_chunk::<16>() {
            let stops = u64::from(self.stops_in(block));
            if self.blocks(stops, 16, &mut has_escapes)? {
                return Ok(has_escapes);
            }
        }
        loop {
            while let Some(block) = self.piece[self.at..].first_chunk::<64>() {
                let stops = self.stops_in_long(block);
                if self.blocks(stops, 64, &mut has_escapes)? {
                    return Ok(has_escapes);
                }
            }
            while let Some(&byte) = self.piece.get(self.at) {
                match byte {
                    b'"' => {
                        self.at += 1;
                        return Ok(has_escapes);
                    }
                    b'\\' => {
                        has_escapes = true;
                        self.escape()?;
                        // The escape may end in the next piece, which is read by blocks again.
                        break;
                    }
                    0..b' ' => return Err(self.raw_control_character()),
                    _ => {
                        self.high_bits |= u32::from(byte >> 7);
                        self.at += 1;
                    }
                }
            }
            if self.peek().is_none() {
                return Err(self.expected("the closing `\"` of a string"));
            }
        }
    }

    /// Goes through the stops of the next `length` bytes, one bit each; true at the end of the string.
    #[expect(clippy::inline_always, reason = "as a call it makes long strings a seventh slower")]
    #[inline(always)]
    fn blocks(&mut self, mut stops: u64, length: usize, has_escapes: &mut bool) -> Result<bool, BadRequest> {
        let (begin, place) = (self.at, self.place());
        while stops != 0 {
            self.at = begin + stops.trailing_zeros() as usize;
            match self.piece[self.at] {
                b'"' => {
                    self.at += 1;
                    return Ok(true);
                }
                b'\\' => {
                    *has_escapes = true;
                    match self.piece.get(self.at + 1) {
                        Some(&escaped) if is_short_escape(escaped) => self.at += 2,
                        _ => self.escape()?,
                    }
                }
                _ => return Err(self.raw_control_character()),
            }
            // An escape may have led into the next piece, where `at` counts anew.
            let done = self.place() - place;
            if length <= done {
                return Ok(false);
            }
            stops &= u64::MAX << done;
        }
        self.at = begin + length;
        Ok(false)
    }

    /// A bit for each of 16 bytes that is a quote, a backslash or a control character.
    #[inline]
    fn stops_in(&mut self, block: &[u8; 16]) -> u32 {
        let bytes = u8x16::new(*block);
        // Bytes behind the string's end may get in here too; at worst they cost a needless UTF-8 check.
        self.high_bits |= bytes.to_bitmask();
        stops(bytes).to_bitmask()
    }

    #[inline]
    fn stops_in_long(&mut self, block: &[u8; 64]) -> u64 {
        let mut bits = 0;
        for (place, block) in block.as_chunks::<16>().0.iter().enumerate() {
            bits |= u64::from(self.stops_in(block)) << (16 * place);
        }
        bits
    }

    fn escape(&mut self) -> Result<(), BadRequest> {
        self.at += 1;
        match self.peek() {
            Some(escaped) if is_short_escape(escaped) => self.at += 1,
            Some(b'u') => {
                self.at += 1;
                for _ in 0..4 {
                    if !self.peek().is_some_and(|digit| digit.is_ascii_hexdigit()) {
                        return Err(self.expected("four hexadecimal digits after \\u"));
                    }
                    self.at += 1;
                }
            }
            _ => return Err(self.expected("one of \" \\ / b f n r t u after `\\`")),
        }
        Ok(())
    }

    #[inline]
    fn skip_white_space(&mut self) {
        loop {
            while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.piece.get(self.at) {
                self.at += 1;
            }
            if self.at < self.piece.len() || self.peek().is_none() {
                return;
            }
        }
    }

    #[inline]
    fn peek(&mut self) -> Option<u8> {
        match self.piece.get(self.at) {
            Some(byte) => Some(*byte),
            None => self.peek_into_next(),
        }
    }

    /// Goes on to the next piece, if there is one.
    #[cold]
    #[inline(never)]
    fn peek_into_next(&mut self) -> Option<u8> {
        let piece = self.body.piece(self.next)?;
        self.next += 1;
        self.before += self.piece.len();
        (self.piece, self.at) = (piece, 0);
        piece.first().copied()
    }

    /// How far the reading is in the whole body.
    #[inline]
    fn place(&self) -> usize {
        self.before + self.at
    }

    #[inline]
    fn offset(&self) -> u32 {
        // `scan` has refused bodies for which this would cut.
        self.place() as u32
    }

    #[cold]
    fn raw_control_character(&self) -> BadRequest {
        self.expected("an escape like \\n instead of a raw control character")
    }

    #[cold]
    fn expected(&self, expected: &'static str) -> BadRequest {
        BadRequest::NotJson { offset: self.place(), expected }
    }
}

/// All bits set in each byte that plain text must not hold.
#[inline]
fn stops(bytes: u8x16) -> u8x16 {
    let quote = bytes.simd_eq(u8x16::splat(b'"'));
    let backslash = bytes.simd_eq(u8x16::splat(b'\\'));
    // There is no unsigned comparison; what is its own minimum with 31 is at most 31.
    let control = bytes.simd_eq(bytes.min(u8x16::splat(b' ' - 1)));
    quote | backslash | control
}

/// Whether a backslash and this are a whole escape.
#[inline]
fn is_short_escape(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't')
}

const COMMA_OR_BRACE: &str = "`,` or `}`";

#[cfg(test)]
mod tests;
