//! Where the elements of an array end.

use std::ops::Range;

use super::Scanner;
use crate::openai::Pieces;

/// Tells the end of each element of the array that stands in this range of a body, in order, until `see` has enough and
/// says no. What is no array of a body that was scanned gives ends that mean nothing.
pub(in crate::openai) fn ends_of_elements(
    body: &Pieces,
    array: Range<usize>,
    mut see: impl FnMut(usize) -> bool,
) {
    let mut scanner = Scanner::from(body, array.start);
    // The bracket, and then after each element a comma or the other bracket.
    while scanner.place() + 1 < array.end {
        scanner.at += 1;
        scanner.skip_white_space();
        // Inside the object and the array.
        let is_element = scanner.peek() != Some(b']') && scanner.value(2).is_ok();
        if !is_element || !see(scanner.place()) {
            return;
        }
        scanner.skip_white_space();
    }
}

impl<'a> Scanner<'a> {
    /// A reading that begins at this place.
    fn from(body: &'a Pieces, place: usize) -> Self {
        let (number, before) = body.piece_of(place);
        let piece = body.piece(number).map_or(&[][..], |piece| piece);
        Self { body, piece, at: place - before, next: number + 1, before, high_bits: 0 }
    }
}

#[cfg(test)]
mod tests;
