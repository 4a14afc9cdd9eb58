//! The least of the candidates, by whatever a strategy compares.

use std::cmp::Ordering;

use super::{Asked, Candidate};
use crate::dice::Dice;
use crate::group::TieBreak;

/// The place of the candidate that compares lowest; of equals any, or the first.
pub(super) fn least<'c, K>(
    candidates: &'c [Candidate],
    asked: &Asked,
    key: impl Fn(&'c Candidate) -> K,
    compare: impl Fn(&K, &K) -> Ordering,
) -> usize {
    let mut dice = Dice::new(asked.dice);
    let (mut best, mut ties): (Option<(usize, K)>, u32) = (None, 0);
    for (place, candidate) in candidates.iter().enumerate() {
        let key = key(candidate);
        match best.as_ref().map_or(Ordering::Less, |(_, known)| compare(&key, known)) {
            Ordering::Greater => {}
            Ordering::Less => (best, ties) = (Some((place, key)), 1),
            Ordering::Equal if asked.tie_break == TieBreak::First => {}
            Ordering::Equal => {
                // Reservoir sampling, as in the pick by load.
                ties += 1;
                if dice.below(ties) == 0 {
                    best = Some((place, key));
                }
            }
        }
    }
    best.map_or(0, |(place, _)| place)
}
