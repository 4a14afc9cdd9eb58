//! Each with a chance in proportion to its share.

use super::{Asked, Candidate, Choose};
use crate::dice::Dice;

/// Remembers nothing.
#[derive(Debug)]
pub(super) struct Shuffle;

impl Choose for Shuffle {
    fn choose(&mut self, candidates: &[Candidate], asked: &Asked) -> usize {
        let share = share_of(candidates);
        let total: f64 = candidates.iter().map(share).sum();
        let mut point = Dice::new(asked.dice).unit() * total;
        for (place, candidate) in candidates.iter().enumerate() {
            point -= share(candidate);
            if point < 0.0 {
                return place;
            }
        }
        // Rounding may leave the last one's chance a little short.
        candidates.len() - 1
    }
}

/// What the chances are in proportion to.
fn share_of(candidates: &[Candidate]) -> fn(&Candidate) -> f64 {
    let weight = |candidate: &Candidate| candidate.weight;
    let rpm = |candidate: &Candidate| candidate.terms.rpm.unwrap_or(0) as f64;
    let tpm = |candidate: &Candidate| candidate.terms.tpm.unwrap_or(0) as f64;
    // One without a number, or with none left, would never be picked.
    let all_have = |share: fn(&Candidate) -> f64| candidates.iter().all(|candidate| 0.0 < share(candidate));
    let weights_differ = candidates.iter().any(|candidate| candidate.weight != candidates[0].weight);
    match () {
        () if weights_differ => weight,
        () if all_have(rpm) => rpm,
        () if all_have(tpm) => tpm,
        () => weight,
    }
}
