//! How instances share a returning deployment's places.

/// The instances that share a returning deployment's places.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Crew {
    /// Other instances.
    pub(crate) others: u32,
    /// Others whose names come before this one's.
    pub(crate) rank: u32,
}

impl Crew {
    pub(super) fn instances(self) -> u32 {
        self.others.saturating_add(1)
    }

    /// This instance's part of so many places; what does not divide goes round, a place further every `turn`.
    pub(super) fn share_of(self, places: u32, turn: u32) -> u32 {
        let all = self.instances();
        let has_one_more = (self.rank % all + turn % all) % all < places % all;
        places / all + u32::from(has_one_more)
    }
}

#[cfg(test)]
mod tests;
