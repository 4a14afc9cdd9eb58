//! How many requests at once a deployment may have.

/// Requests at once that a deployment may have; `None` where there is no bound.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Places {
    /// While it comes back.
    pub(super) ramp: Option<u32>,
    /// Before it answers 429, as far as that was learned.
    pub(crate) limit: Option<u32>,
}

impl Places {
    /// The lower of its bounds.
    pub(crate) fn least(self) -> Option<u32> {
        self.ramp.into_iter().chain(self.limit).min()
    }
}
