//! How an attempt ended, and whose fault it was.

use std::time::Duration;

/// How one attempt on one deployment ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A whole answer.
    Success,
    /// Too many requests (429), with the rest that `Retry-After` asked for.
    RateLimited {
        /// Time until the deployment wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// The deployment refused our credentials (401, 403).
    Authentication,
    /// The deployment does not know the model, or wants to be paid (404, 402).
    NotFound,
    /// A time limit passed.
    Timeout(Phase),
    /// No connection, or one that broke before the answer began.
    ConnectionFailed,
    /// An answer that broke off after it had begun.
    BrokenAnswer,
    /// The deployment failed (5xx).
    ServerError,
    /// The deployment has no room (503, 529).
    Overloaded,
    /// The request itself is wrong (400, 422, ...).
    BadRequest,
    /// The client left before the answer was whole.
    ClientLeft,
}

/// The part of an attempt that a time limit covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// TCP and TLS.
    Connect,
    /// From the request to the head of the answer.
    FirstByte,
    /// Between two frames of the answer.
    Idle,
    /// The whole attempt.
    Total,
}

/// Whose fault an [`Outcome`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// Nobody's: the attempt succeeded.
    Nobody,
    /// The client's: it would have failed anywhere.
    Client,
    /// The deployment's: another one may succeed.
    Deployment,
}

impl Outcome {
    /// Every kind of outcome once, in the order of [`Outcome::kind`].
    pub const KINDS: [&'static str; 14] = [
        "success",
        "rate_limited",
        "authentication",
        "not_found",
        "timeout_connect",
        "timeout_first_byte",
        "timeout_idle",
        "timeout_total",
        "connection_failed",
        "broken_answer",
        "server_error",
        "overloaded",
        "bad_request",
        "client_left",
    ];

    /// The kind of outcome as an index into [`Outcome::KINDS`].
    #[must_use]
    pub fn kind(self) -> usize {
        match self {
            Self::Success => 0,
            Self::RateLimited { .. } => 1,
            Self::Authentication => 2,
            Self::NotFound => 3,
            Self::Timeout(Phase::Connect) => 4,
            Self::Timeout(Phase::FirstByte) => 5,
            Self::Timeout(Phase::Idle) => 6,
            Self::Timeout(Phase::Total) => 7,
            Self::ConnectionFailed => 8,
            Self::BrokenAnswer => 9,
            Self::ServerError => 10,
            Self::Overloaded => 11,
            Self::BadRequest => 12,
            Self::ClientLeft => 13,
        }
    }

    /// The kind of outcome as one word, for logs and metric labels.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::KINDS[self.kind()]
    }

    /// Whose fault it was.
    #[must_use]
    pub fn blame(self) -> Blame {
        match self {
            Self::Success => Blame::Nobody,
            Self::BadRequest | Self::ClientLeft => Blame::Client,
            Self::RateLimited { .. }
            | Self::Authentication
            | Self::NotFound
            | Self::Timeout(_)
            | Self::ConnectionFailed
            | Self::BrokenAnswer
            | Self::ServerError
            | Self::Overloaded => Blame::Deployment,
        }
    }
}
