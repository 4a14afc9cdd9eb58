//! The fewest tokens in the last minute.

use super::least::least;
use super::{Asked, Candidate, Choose};

/// Remembers nothing: the fleet counts.
#[derive(Debug)]
pub(super) struct LowestUsage;

impl Choose for LowestUsage {
    fn choose(&mut self, candidates: &[Candidate], asked: &Asked) -> usize {
        // Tokens are known when an answer is over. Until then the load keeps a burst from landing on one deployment.
        let key = |candidate: &Candidate| (candidate.usage.tokens, candidate.load);
        least(candidates, asked, key, |a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)))
    }
}
