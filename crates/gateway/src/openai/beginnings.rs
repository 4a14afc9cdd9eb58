//! The beginnings of a prompt, hashed, so that two prompts can be found to begin alike without keeping either.
//!
//! Which beginnings are worth a hash depends on how prompts come to be alike:
//!
//! - A chat grows at its end: the next request has the messages of this one, then the answer, then what is new. Its
//!   bytes begin with those of this one up to the end of the last message, and go on behind it. So a beginning ends
//!   with a message. The last two are learned: the last for what follows it, the one before for clients that change the
//!   last one when they go on (a reminder, the time of day). The last six are looked up: one question and one answer make
//!   three, a few calls of tools with their results make more.
//! - Chats share what their program puts before them: tools and the system's prompt. These end where the fields do,
//!   and with the first message.
//! - A long document comes with one question and then with another, in one text. Nothing says where it ends, so
//!   beginnings of 1, 2, 4, ... 128 KiB are hashed as well. They also find what the others miss, such as a
//!   chat whose early messages stay while those in the middle were cut out.
//!
//! That makes at most 16 in one pass over the bytes, whatever the length.

use std::ops::Range;

use bytes::Bytes;
use xxhash_rust::xxh3::Xxh3;

use super::scan::ends_of_elements;
use super::{Pieces, Prompt};

/// One beginning of a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beginning {
    /// Of all bytes up to its end; the same for every prompt that begins so.
    pub hash: u64,
    /// Whether it is worth remembering, or only worth looking for.
    pub is_learned: bool,
}

/// Shorter beginnings are not worth a preference: 1 KiB is some 250 tokens, which an engine reads in about the time of
/// a few tokens of its answer, and many prompts that have nothing else in common begin with one sentence.
const BYTES_MIN: usize = 1024;

/// How often that is doubled: up to 128 KiB.
const DOUBLINGS: usize = 8;

/// What lies behind is not looked at, so that a prompt full of pictures does not hold up a worker: reading 1 MiB takes
/// it 0.1 ms.
const BYTES_MAX: usize = 1024 * 1024;

/// Messages whose ends are looked up, from the last one on.
const LATEST: usize = 6;

/// How many of those are learned.
const LEARNED: usize = 2;

/// The beginnings of the prompt that stands in a body, the longest first; none of less than 1 KiB, and 16 at most.
///
/// What the bytes are cannot be told from a hash without its seed.
#[must_use]
pub fn beginnings(body: &Pieces, prompt: &Prompt, seed: u64) -> Vec<Beginning> {
    let cuts = cuts(body, prompt);
    let mut found = Vec::with_capacity(cuts.len());
    if cuts.is_empty() {
        return found;
    }
    let mut hasher = Xxh3::with_seed(seed);
    let mut at = 0;
    let mut cuts = cuts.into_iter().peekable();
    for (bytes, part) in prompt.places().flat_map(|place| body.within(place)) {
        let mut piece = &bytes[part];
        while let Some(cut) = cuts.next_if(|cut| cut.at <= at + piece.len()) {
            let (head, rest) = piece.split_at(cut.at - at);
            hasher.update(head);
            found.push(Beginning { hash: hasher.digest(), is_learned: cut.is_learned });
            (at, piece) = (cut.at, rest);
        }
        if cuts.peek().is_none() {
            break;
        }
        hasher.update(piece);
        at += piece.len();
    }
    found.reverse();
    found
}

/// Where a beginning ends, in bytes of all that the model reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cut {
    at: usize,
    is_learned: bool,
}

/// The ends of the beginnings, in order.
fn cuts(body: &Pieces, prompt: &Prompt) -> Vec<Cut> {
    let all = prompt.bytes();
    if all < BYTES_MIN {
        return Vec::new();
    }
    let mut cuts = Vec::with_capacity(DOUBLINGS + 2 + LATEST);
    let learned = |at| Cut { at, is_learned: true };
    cuts.extend((0..DOUBLINGS).map(|doublings| learned(BYTES_MIN << doublings)));
    if let Some(content) = prompt.content() {
        let before = all - content.len();
        let (start, end) = (content.start, content.end);
        cuts.push(learned(before));
        let first_byte = |(bytes, part): (&Bytes, Range<usize>)| bytes[part.start];
        match body.within(content.clone()).next().map(first_byte) {
            Some(b'[') => {
                let mut latest = [0; LATEST];
                let mut count = 0;
                ends_of_elements(body, content, |end| {
                    let at = before + (end - start);
                    if count == 0 {
                        cuts.push(learned(at));
                    }
                    if at <= BYTES_MAX {
                        latest[count % LATEST] = at;
                        count += 1;
                    }
                    at <= BYTES_MAX
                });
                let latest = (0..count).rev().take(LATEST).map(|element| latest[element % LATEST]);
                cuts.extend(latest.enumerate().map(|(back, at)| Cut { at, is_learned: back < LEARNED }));
            }
            // Without the quote, which stands elsewhere in a text that goes on.
            Some(b'"') => cuts.push(learned(before + (end - 1 - start))),
            _ => {}
        }
    }
    cuts.retain(|cut| (BYTES_MIN..=BYTES_MAX.min(all)).contains(&cut.at));
    cuts.sort_unstable_by_key(|cut| cut.at);
    cuts.dedup_by(|same, cut| {
        let is_same = same.at == cut.at;
        cut.is_learned |= is_same && same.is_learned;
        is_same
    });
    cuts
}

#[cfg(test)]
mod tests;
