//! One strict pass over a JSON body that remembers where each top-level field stands.
//!
//! Every request pays for this, so it is ours: it checks the whole grammar of RFC 8259, allocates
//! nothing for a body of up to `INLINE_FIELDS` fields, builds no tree and does not recurse.

mod blocks;
mod elements;
mod string;

use super::bad_request::BadRequest;
use super::fields::{Field, Fields, Kind};
use super::pieces::Pieces;

pub(super) use elements::ends_of_elements;

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
    high_bits: u64,
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
    fn expected(&self, expected: &'static str) -> BadRequest {
        BadRequest::NotJson { offset: self.place(), expected }
    }
}

const COMMA_OR_BRACE: &str = "`,` or `}`";

#[cfg(test)]
mod tests;
