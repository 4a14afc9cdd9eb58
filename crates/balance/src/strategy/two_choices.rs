//! The less busy of two drawn at random (Mitzenmacher, "The power of two choices", 2001).

use super::{Asked, Candidate, Choose};
use crate::dice::Dice;

/// Remembers nothing. Of two that are equally busy the one drawn first is taken.
#[derive(Debug)]
pub(super) struct TwoChoices;

impl Choose for TwoChoices {
    fn choose(&mut self, candidates: &[Candidate], asked: &Asked) -> usize {
        if candidates.len() == 1 {
            return 0;
        }
        let mut dice = Dice::new(asked.dice);
        let first = dice.place(candidates.len());
        let second = (first + 1 + dice.place(candidates.len() - 1)) % candidates.len();
        if candidates[second].load < candidates[first].load { second } else { first }
    }
}
