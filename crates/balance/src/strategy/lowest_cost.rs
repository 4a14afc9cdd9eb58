//! The cheapest.

use super::least::least;
use super::{Asked, Candidate, Choose};

/// Remembers nothing.
#[derive(Debug)]
pub(super) struct LowestCost;

impl Choose for LowestCost {
    fn choose(&mut self, candidates: &[Candidate], asked: &Asked) -> usize {
        // Whoever has no price may be the dearest.
        let cost = |candidate: &Candidate| candidate.terms.cost.unwrap_or(f64::INFINITY);
        let key = |candidate: &Candidate| (cost(candidate), candidate.load);
        least(candidates, asked, key, |a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)))
    }
}
