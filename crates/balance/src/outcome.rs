//! How an attempt ended, whose fault it was, and what may still help.

use std::time::Duration;

use crate::error_class::ErrorClass;

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
    /// A proxy before the deployment could not reach it (502).
    BadGateway,
    /// The deployment has no room (503, 529), with the rest that `Retry-After` asked for.
    Overloaded {
        /// Time until the deployment wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// The request itself is wrong (400, 422, ...).
    BadRequest,
    /// The request is longer than the model can read.
    ContextWindow,
    /// The provider's content filter refused the request.
    ContentPolicy,
    /// The client left before the answer was whole.
    ClientLeft,
    /// A limit of ours was in the way, such as `max_upstream_connections`.
    GatewayLimit,
    /// Another attempt of the same request answered first.
    HedgeLost,
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
    /// The client's: it would have failed on every deployment of the group.
    Client,
    /// The deployment's: another one may succeed.
    Deployment,
    /// The gateway's own.
    Gateway,
}

/// What may still serve a request whose attempt ended so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Nothing is to be done.
    None,
    /// Another model group, by a fallback; every deployment of this one would say the same.
    OtherGroup,
    /// Another deployment of the group; the same one would say the same again.
    OtherDeployment,
    /// Another deployment at once, or the same one after a wait.
    Again,
}

/// What an attempt says of its deployment's health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It works.
    Well,
    /// Nothing can be concluded.
    Silent,
    /// It failed.
    Ill,
    /// It cannot be reached, which is the strongest sign there is.
    Gone,
    /// It has no capacity left, which is not ill health.
    Full,
    /// It is set up wrongly: key, model or account.
    Misconfigured,
}

impl Outcome {
    /// Every kind of outcome once, in the order of [`Outcome::kind`].
    pub const KINDS: [&'static str; 19] = [
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
        "bad_gateway",
        "overloaded",
        "bad_request",
        "context_window",
        "content_policy",
        "client_left",
        "gateway_limit",
        "hedge_lost",
    ];

    /// An outcome of every kind, none of which asks for a rest.
    const EACH: [Self; Self::KINDS.len()] = [
        Self::Success,
        Self::RateLimited { retry_after: None },
        Self::Authentication,
        Self::NotFound,
        Self::Timeout(Phase::Connect),
        Self::Timeout(Phase::FirstByte),
        Self::Timeout(Phase::Idle),
        Self::Timeout(Phase::Total),
        Self::ConnectionFailed,
        Self::BrokenAnswer,
        Self::ServerError,
        Self::BadGateway,
        Self::Overloaded { retry_after: None },
        Self::BadRequest,
        Self::ContextWindow,
        Self::ContentPolicy,
        Self::ClientLeft,
        Self::GatewayLimit,
        Self::HedgeLost,
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
            Self::BadGateway => 11,
            Self::Overloaded { .. } => 12,
            Self::BadRequest => 13,
            Self::ContextWindow => 14,
            Self::ContentPolicy => 15,
            Self::ClientLeft => 16,
            Self::GatewayLimit => 17,
            Self::HedgeLost => 18,
        }
    }

    /// The kind of outcome as one word, for logs and metric labels.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::KINDS[self.kind()]
    }

    /// The outcome of this name; without the rest that it may have asked for.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::EACH.into_iter().find(|outcome| outcome.name() == name)
    }

    /// Whose fault it was.
    #[must_use]
    pub fn blame(self) -> Blame {
        match self {
            Self::Success | Self::HedgeLost => Blame::Nobody,
            Self::BadRequest | Self::ContextWindow | Self::ContentPolicy | Self::ClientLeft => Blame::Client,
            Self::GatewayLimit => Blame::Gateway,
            Self::RateLimited { .. }
            | Self::Authentication
            | Self::NotFound
            | Self::Timeout(_)
            | Self::ConnectionFailed
            | Self::BrokenAnswer
            | Self::ServerError
            | Self::BadGateway
            | Self::Overloaded { .. } => Blame::Deployment,
        }
    }

    /// What may still serve the request.
    #[must_use]
    pub fn remedy(self) -> Remedy {
        match self {
            Self::Success | Self::ClientLeft | Self::HedgeLost => Remedy::None,
            Self::BadRequest | Self::ContextWindow | Self::ContentPolicy => Remedy::OtherGroup,
            Self::Authentication | Self::NotFound => Remedy::OtherDeployment,
            Self::RateLimited { .. }
            | Self::Timeout(_)
            | Self::ConnectionFailed
            | Self::BrokenAnswer
            | Self::ServerError
            | Self::BadGateway
            | Self::Overloaded { .. }
            | Self::GatewayLimit => Remedy::Again,
        }
    }

    /// What it says of the deployment's health.
    #[must_use]
    pub fn verdict(self) -> Verdict {
        match self {
            // An answer that blames the request was given by a deployment that works.
            Self::Success | Self::BadRequest | Self::ContextWindow | Self::ContentPolicy => Verdict::Well,
            Self::ClientLeft | Self::GatewayLimit | Self::HedgeLost => Verdict::Silent,
            Self::RateLimited { .. } => Verdict::Full,
            Self::Authentication | Self::NotFound => Verdict::Misconfigured,
            Self::ConnectionFailed | Self::Timeout(Phase::Connect) => Verdict::Gone,
            Self::Timeout(Phase::FirstByte | Phase::Idle | Phase::Total)
            | Self::BrokenAnswer
            | Self::ServerError
            | Self::BadGateway
            | Self::Overloaded { .. } => Verdict::Ill,
        }
    }

    /// The class of error under which LiteLLM's policies count it.
    #[must_use]
    pub fn class(self) -> Option<ErrorClass> {
        Some(match self {
            Self::Success | Self::ClientLeft | Self::GatewayLimit | Self::HedgeLost => return None,
            Self::RateLimited { .. } => ErrorClass::RateLimit,
            Self::Authentication => ErrorClass::Authentication,
            Self::NotFound => ErrorClass::NotFound,
            Self::Timeout(_) => ErrorClass::Timeout,
            Self::ConnectionFailed | Self::BrokenAnswer | Self::ServerError => ErrorClass::InternalServer,
            Self::BadGateway => ErrorClass::BadGateway,
            Self::Overloaded { .. } => ErrorClass::ServiceUnavailable,
            // LiteLLM derives its context window error from its bad request.
            Self::BadRequest | Self::ContextWindow => ErrorClass::BadRequest,
            Self::ContentPolicy => ErrorClass::ContentPolicy,
        })
    }

    /// The rest that the deployment asked for.
    #[must_use]
    pub fn retry_after(self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after } | Self::Overloaded { retry_after } => retry_after,
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
