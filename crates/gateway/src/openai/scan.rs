//! One strict pass over a JSON body that remembers where each top-level field stands.
//!
//! Every request pays for this, so it is ours: it checks the whole grammar of RFC 8259, allocates
//! nothing for a body of up to `INLINE_FIELDS` fields, builds no tree and does not recurse.
//! Long strings, which are nearly all of a large body, go by 32 bytes at a time.

use super::bad_request::BadRequest;
use super::fields::{Field, Fields, Kind};

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
pub fn scan(body: &[u8]) -> Result<Fields, BadRequest> {
    if body.len() > MAX_BODY_BYTES {
        return Err(BadRequest::TooLong);
    }
    let mut scanner = Scanner { body, at: 0, bits: 0 };
    let mut fields = Fields::new();
    let mut not_an_object = None;
    scanner.skip_white_space();
    if scanner.peek() == Some(b'{') {
        scanner.object(&mut fields)?;
    } else {
        not_an_object = Some(scanner.value(0)?);
    }
    scanner.skip_white_space();
    if scanner.at < body.len() {
        return Err(scanner.expected("nothing more after the end of the value"));
    }
    // Only strings may hold bytes above 127, and the pass has seen whether any do.
    if scanner.bits & HIGH_BITS != 0
        && let Err(error) = std::str::from_utf8(body)
    {
        return Err(BadRequest::NotJson { offset: error.valid_up_to(), expected: "UTF-8 text" });
    }
    match not_an_object {
        Some(found) => Err(BadRequest::NotAnObject { found }),
        None => Ok(fields),
    }
}

struct Scanner<'a> {
    body: &'a [u8],
    at: usize,
    /// All string content seen so far, or-ed together: tells whether any byte was above 127.
    bits: u64,
}

impl Scanner<'_> {
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
                        return Err(BadRequest::TooDeep { offset: self.at });
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
        if self.body[self.at..].starts_with(word) {
            self.at += word.len();
            Ok(kind)
        } else {
            Err(self.expected("`true`, `false` or `null`"))
        }
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
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == start { Err(self.expected("a digit")) } else { Ok(()) }
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
        loop {
            self.skip_plain_text();
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(has_escapes);
                }
                Some(b'\\') => {
                    has_escapes = true;
                    self.escape()?;
                }
                Some(_) => return Err(self.expected("an escape like \\n instead of a raw control character")),
                None => return Err(self.expected("the closing `\"` of a string")),
            }
        }
    }

    #[inline]
    fn escape(&mut self) -> Result<(), BadRequest> {
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
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

    /// Goes to the next quote, backslash or control character, or to the end.
    #[inline]
    fn skip_plain_text(&mut self) {
        // Keys, roles and other short strings end within four words; only longer ones pay for a block.
        for _ in 0..4 {
            let Some(word) = self.body[self.at..].first_chunk() else { break };
            if self.stops_in_word(*word) {
                return;
            }
        }
        while let Some(block) = self.body[self.at..].first_chunk::<32>() {
            let (mut stop, mut bits) = (false, 0);
            for &byte in block {
                stop |= (byte == b'"') | (byte == b'\\') | (byte < b' ');
                bits |= byte;
            }
            if stop {
                break;
            }
            self.bits |= u64::from(bits);
            self.at += block.len();
        }
        while let Some(word) = self.body[self.at..].first_chunk() {
            if self.stops_in_word(*word) {
                return;
            }
        }
        while let Some(byte) = self.peek() {
            if matches!(byte, b'"' | b'\\' | 0..b' ') {
                return;
            }
            self.bits |= u64::from(byte);
            self.at += 1;
        }
    }

    /// Moves over eight bytes of plain text, or to the first byte among them that is none.
    #[inline]
    fn stops_in_word(&mut self, word: [u8; 8]) -> bool {
        let word = u64::from_le_bytes(word);
        // Bytes behind the stop may get in here too; at worst they cost a needless UTF-8 check.
        self.bits |= word;
        // Subtracting makes a byte's top bit turn on when the byte was smaller. The borrow can only
        // spoil bytes above a true one, and the lowest is what counts.
        let below = |word: u64, limit: u64| word.wrapping_sub(EACH * limit) & !word;
        let quote = below(word ^ (EACH * u64::from(b'"')), 1);
        let backslash = below(word ^ (EACH * u64::from(b'\\')), 1);
        let stops = (quote | backslash | below(word, u64::from(b' '))) & HIGH_BITS;
        self.at += if stops == 0 { 8 } else { (stops.trailing_zeros() / 8) as usize };
        stops != 0
    }

    #[inline]
    fn skip_white_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.body.get(self.at).copied()
    }

    #[inline]
    fn offset(&self) -> u32 {
        // `scan` has refused bodies for which this would cut.
        self.at as u32
    }

    #[cold]
    fn expected(&self, expected: &'static str) -> BadRequest {
        BadRequest::NotJson { offset: self.at, expected }
    }
}

const EACH: u64 = 0x0101_0101_0101_0101;
const HIGH_BITS: u64 = EACH * 0x80;
const COMMA_OR_BRACE: &str = "`,` or `}`";

#[cfg(test)]
mod tests;
