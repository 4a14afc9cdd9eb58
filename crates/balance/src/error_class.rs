//! The classes of errors by which settings tell failures apart.

/// The classes of errors that LiteLLM's `retry_policy` and `allowed_fails_policy` name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// `AuthenticationError`.
    Authentication,
    /// `TimeoutError`.
    Timeout,
    /// `RateLimitError`.
    RateLimit,
    /// `ContentPolicyViolationError`.
    ContentPolicy,
    /// `BadRequestError`.
    BadRequest,
    /// `InternalServerError`.
    InternalServer,
    /// `ServiceUnavailableError`.
    ServiceUnavailable,
    /// `BadGatewayError`.
    BadGateway,
    /// `NotFoundError`.
    NotFound,
}

impl ErrorClass {
    /// Every class once, with the name that LiteLLM's settings begin with.
    pub const ALL: [(Self, &'static str); 9] = [
        (Self::Authentication, "AuthenticationError"),
        (Self::Timeout, "TimeoutError"),
        (Self::RateLimit, "RateLimitError"),
        (Self::ContentPolicy, "ContentPolicyViolationError"),
        (Self::BadRequest, "BadRequestError"),
        (Self::InternalServer, "InternalServerError"),
        (Self::ServiceUnavailable, "ServiceUnavailableError"),
        (Self::BadGateway, "BadGatewayError"),
        (Self::NotFound, "NotFoundError"),
    ];
}

/// A number for some classes of errors, such as retries or tolerated failures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ByClass([Option<u32>; ErrorClass::ALL.len()]);

impl ByClass {
    /// The number of a class, if it has one.
    #[must_use]
    pub fn get(&self, class: ErrorClass) -> Option<u32> {
        self.0[class as usize]
    }

    /// Gives a class its number.
    pub fn set(&mut self, class: ErrorClass, number: u32) {
        self.0[class as usize] = Some(number);
    }

    /// Whether no class has a number.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }
}
