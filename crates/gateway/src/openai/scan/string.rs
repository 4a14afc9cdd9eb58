//! Reading strings, which are nearly all of a large body: 64 bytes at a time.

use super::blocks::{self, BLOCK_BYTES, SHORT_BYTES};
use super::{BadRequest, Scanner};

impl Scanner<'_> {
    /// Reads a string and tells whether it holds escapes.
    #[inline]
    pub(super) fn string(&mut self) -> Result<bool, BadRequest> {
        self.at += 1;
        // Keys, roles and other short strings end within the first bytes; only longer ones pay for more.
        if let Some(stops) = self.stops_in_short()
            && stops != 0
        {
            let end = self.at + stops.trailing_zeros() as usize;
            if self.piece[end] == b'"' {
                self.at = end + 1;
                return Ok(false);
            }
        }
        self.long_string()
    }

    fn long_string(&mut self) -> Result<bool, BadRequest> {
        let mut has_escapes = false;
        loop {
            let rest = &self.piece[self.at..];
            if BLOCK_BYTES <= rest.len() {
                let stretch = blocks::stretch(rest);
                self.at += stretch.length;
                self.high_bits |= stretch.high_bits;
                has_escapes |= stretch.has_escapes;
            }
            while self.stops_in_short() == Some(0) {
                self.at += SHORT_BYTES;
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
                        // Where all is escaped, one follows another. It may have ended in the next piece.
                        if self.piece.get(self.at) != Some(&b'\\') {
                            break;
                        }
                    }
                    0..b' ' => return Err(self.raw_control_character()),
                    _ => {
                        self.high_bits |= u64::from(byte >> 7);
                        self.at += 1;
                    }
                }
            }
            if self.peek().is_none() {
                return Err(self.expected("the closing `\"` of a string"));
            }
        }
    }

    /// A bit for each of the next bytes that is a quote, a backslash or a control character; `None` when
    /// there are too few in this piece.
    #[inline]
    fn stops_in_short(&mut self) -> Option<u64> {
        let block = self.piece[self.at..].first_chunk::<SHORT_BYTES>()?;
        // Bytes behind the string's end may get in here too; at worst they cost a needless UTF-8 check.
        let (stops, high_bits) = blocks::stops_in_short(*block);
        self.high_bits |= high_bits;
        Some(stops)
    }

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

    #[cold]
    fn raw_control_character(&self) -> BadRequest {
        self.expected("an escape like \\n instead of a raw control character")
    }
}
