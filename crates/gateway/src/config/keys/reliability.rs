//! Policies: a number for some classes of errors.

use super::Section;

pub(in crate::config) static RETRY_POLICY: Section = Section {
    name: "retry_policy",
    served: &[
        "AuthenticationErrorRetries",
        "TimeoutErrorRetries",
        "RateLimitErrorRetries",
        "ContentPolicyViolationErrorRetries",
        "BadRequestErrorRetries",
        "InternalServerErrorRetries",
        "ServiceUnavailableErrorRetries",
        "BadGatewayErrorRetries",
        "NotFoundErrorRetries",
        DEFAULT_RETRIES,
    ],
    not_yet: &[],
    without_meaning: &[],
};

/// The key of a retry policy that is no class of errors.
pub(in crate::config) const DEFAULT_RETRIES: &str = "DefaultRetries";

pub(in crate::config) static ALLOWED_FAILS_POLICY: Section = Section {
    name: "allowed_fails_policy",
    served: &[
        "AuthenticationErrorAllowedFails",
        "TimeoutErrorAllowedFails",
        "RateLimitErrorAllowedFails",
        "ContentPolicyViolationErrorAllowedFails",
        "BadRequestErrorAllowedFails",
        "InternalServerErrorAllowedFails",
        "ServiceUnavailableErrorAllowedFails",
        "BadGatewayErrorAllowedFails",
        "NotFoundErrorAllowedFails",
    ],
    not_yet: &[],
    without_meaning: &[],
};
