//! Reading strings, which are nearly all of a large body: 64 bytes at a time.

use wide::u8x16;

use super::{BadRequest, Scanner};

impl Scanner<'_> {
    /// Reads a string and tells whether it holds escapes.
    #[inline]
    pub(super) fn string(&mut self) -> Result<bool, BadRequest> {
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

    #[cold]
    fn raw_control_character(&self) -> BadRequest {
        self.expected("an escape like \\n instead of a raw control character")
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
