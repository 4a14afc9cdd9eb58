//! One after the other, as often as their weights say.

use super::{Asked, Candidate, Choose};

/// Smooth weighted round robin, as nginx has it: each pick gives every candidate its weight as credit, takes whoever has
/// most, and has that one pay for all.
#[derive(Debug, Default)]
pub(super) struct RoundRobin {
    /// Of each member of the group.
    credit: Vec<f64>,
}

impl Choose for RoundRobin {
    fn choose(&mut self, candidates: &[Candidate], _: &Asked) -> usize {
        let members = candidates.iter().map(|candidate| candidate.member + 1).max().unwrap_or(0);
        if self.credit.len() < members {
            self.credit.resize(members, 0.0);
        }
        let mut next = 0;
        for (place, candidate) in candidates.iter().enumerate() {
            self.credit[candidate.member] += candidate.weight;
            if self.credit[candidates[next].member] < self.credit[candidate.member] {
                next = place;
            }
        }
        let total: f64 = candidates.iter().map(|candidate| candidate.weight).sum();
        self.credit[candidates[next].member] -= total;
        next
    }
}
