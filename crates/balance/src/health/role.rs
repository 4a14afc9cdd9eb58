//! What a request is to a deployment that comes back.

/// What a request is to a deployment that comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// One of many.
    Plain,
    /// One of those that it is given while it comes back.
    Returning,
    /// The one that shows whether it is well.
    Probe,
    /// The one that has shown it, and is not over yet.
    Proved,
}

impl Role {
    /// Whether it is the request that shows if the deployment is well.
    pub(super) fn shows(self) -> bool {
        matches!(self, Self::Probe | Self::Proved)
    }
}
