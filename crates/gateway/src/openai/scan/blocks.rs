//! The inside of long strings, 64 bytes at a time, with the widest instructions that the machine has.

use fearless_simd::prelude::*;
use fearless_simd::{Level, dispatch, u8x16, u8x64};

/// How long a block is: a bit for each byte fits into a register.
pub(super) const BLOCK_BYTES: usize = 64;
/// How long a short block is.
pub(super) const SHORT_BYTES: usize = 16;

/// A stretch of a string that needs no closer look.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stretch {
    /// Its length in bytes. Behind it stands the closing quote, the backslash of an escape that is not one of
    /// `\"`, `\\` and `\n`, a control character, or less than a block.
    pub(super) length: usize,
    /// Whether there is an escape in it, or right behind it.
    pub(super) has_escapes: bool,
    /// Not 0 if there may be bytes outside ASCII in it; those of the block that it ends in count as well.
    pub(super) high_bits: u64,
}

/// The stretch at the start of `bytes`, which stand within a string and not within an escape.
#[inline]
pub(super) fn stretch(bytes: &[u8]) -> Stretch {
    dispatch!(Level::new(), simd => stretch_with(simd, bytes))
}

/// A bit for each byte that is a quote, a backslash or a control character, and one for each outside ASCII.
#[inline]
pub(super) fn stops_in_short(block: [u8; SHORT_BYTES]) -> (u64, u64) {
    // What every machine has: here the way to something wider would cost more than it saves.
    dispatch!(Level::baseline(), simd => {
        let bytes: u8x16<_> = block.simd_into(simd);
        let stops = bytes.simd_eq(b'"') | bytes.simd_eq(b'\\') | bytes.simd_lt(b' ');
        (stops.to_bitmask(), bytes.simd_ge(0x80).to_bitmask())
    })
}

#[expect(clippy::inline_always, reason = "what is not inlined is compiled for the oldest machines")]
#[inline(always)]
fn stretch_with<S: Simd>(simd: S, bytes: &[u8]) -> Stretch {
    let mut stretch = Stretch::default();
    let mut high = u8x64::splat(simd, 0);
    let mut is_escaped = 0;
    for block in bytes.as_chunks::<BLOCK_BYTES>().0 {
        let bytes: u8x64<S> = (*block).simd_into(simd);
        high |= bytes;
        let backslashes = bytes.simd_eq(b'\\').to_bitmask();
        let quotes = bytes.simd_eq(b'"').to_bitmask();
        let line_feeds = bytes.simd_eq(b'n').to_bitmask();
        let controls = bytes.simd_lt(b' ').to_bitmask();
        let escaped = escaped(backslashes, &mut is_escaped);
        let stops = quotes & !escaped | escaped & !(quotes | line_feeds) | controls;
        if stops != 0 {
            let first = stops & stops.wrapping_neg();
            stretch.has_escapes |= backslashes & (first - 1) != 0;
            stretch.length += stops.trailing_zeros() as usize;
            // The closer look at an escape begins at its backslash.
            is_escaped = u64::from(escaped & first != 0);
            break;
        }
        stretch.has_escapes |= backslashes != 0;
        stretch.length += BLOCK_BYTES;
    }
    stretch.length -= is_escaped as usize;
    stretch.high_bits = high.simd_ge(0x80).to_bitmask();
    stretch
}

const EVEN: u64 = 0x5555_5555_5555_5555;

/// A bit for each byte but backslashes that a backslash escapes. `is_escaped` is 1 when the block before
/// escapes the first byte, and then when this one escapes the first of the next.
///
/// Backslashes escape each other by twos, so that what follows an odd number of them is escaped. A run of
/// them, read as a number, carries to the bit behind it when its first bit is added: whether that lies at an
/// even place when the run begins at an odd one, or the other way round, says that it is odd (Langdale and
/// Lemire, Parsing Gigabytes of JSON per Second, 2019, section 3.1.1).
#[expect(clippy::inline_always, reason = "what is not inlined is compiled for the oldest machines")]
#[inline(always)]
fn escaped(backslashes: u64, is_escaped: &mut u64) -> u64 {
    let first = *is_escaped & !backslashes;
    let escaping = backslashes & !*is_escaped;
    let starts = escaping & !(escaping << 1);
    let behind_even = escaping.wrapping_add(starts & EVEN) & !escaping;
    let (behind_odd, carries_over) = escaping.overflowing_add(starts & !EVEN);
    *is_escaped = u64::from(carries_over);
    first | behind_even & !EVEN | behind_odd & !escaping & EVEN
}

#[cfg(test)]
mod tests;
