//! Refusals that have to do with the client's key.

use std::time::Duration;

use http::StatusCode;

use super::{ApiError, quoted, whole_seconds};

/// A limit of a key that is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyLimit {
    /// `rpm_limit`, in requests.
    Requests(u64),
    /// `tpm_limit`, in tokens.
    Tokens(u64),
    /// `max_parallel_requests`.
    Parallel(u32),
}

/// Names that a refusal lists at most.
const NAMES_MAX: usize = 10;

impl ApiError {
    /// 401: no key, or not the right one.
    #[must_use]
    pub fn auth() -> Self {
        let message = "Authentication Error: no valid key was sent. Send the gateway's key as `Authorization: \
                       Bearer KEY`, or in `x-litellm-api-key`, `api-key` or `x-api-key`.";
        Self::new(StatusCode::UNAUTHORIZED, "auth_error", message)
    }

    /// 401: the key was right until it expired.
    #[must_use]
    pub fn key_expired(name: &str) -> Self {
        let message = format!(
            "Authentication Error: the key `{}` has expired. Ask for a new one, or whoever runs this gateway for \
             a later `expires`.",
            quoted(name)
        );
        Self::new(StatusCode::UNAUTHORIZED, "expired_key", message)
    }

    /// 401: the key is blocked.
    #[must_use]
    pub fn key_blocked(name: &str) -> Self {
        let message = format!(
            "Authentication Error: the key `{}` is blocked. Whoever runs this gateway can remove its `blocked`.",
            quoted(name)
        );
        Self::new(StatusCode::UNAUTHORIZED, "auth_error", message)
    }

    /// 403: the key may use other models (`allowed`), not this one.
    #[must_use]
    pub fn key_model_denied(name: &str, model: &str, allowed: &[String]) -> Self {
        let listed: Vec<_> =
            allowed.iter().take(NAMES_MAX).map(|model| format!("`{}`", quoted(model))).collect();
        let more = if NAMES_MAX < allowed.len() { ", ..." } else { "" };
        let message = format!(
            "The key `{}` may not use the model `{}`. It may use {}{more}. Ask for one of those, or whoever runs \
             this gateway for more `models`.",
            quoted(name),
            quoted(model),
            listed.join(", "),
        );
        Self::new(StatusCode::FORBIDDEN, "key_model_access_denied", message).with_param("model")
    }

    /// 403: the page is for those who run the gateway.
    #[must_use]
    pub fn page_denied(name: &str) -> Self {
        let message = format!(
            "The key `{}` does not open this page. Send the master key, or a key with `admin: true`.",
            quoted(name)
        );
        Self::new(StatusCode::FORBIDDEN, "permission_error", message)
    }

    /// 429: the key is at one of its limits for another `wait`.
    #[must_use]
    pub fn key_limit(name: &str, limit: KeyLimit, wait: Duration) -> Self {
        let name = quoted(name);
        let reached = match limit {
            KeyLimit::Requests(limit) => format!("had its {limit} requests of a minute (`rpm_limit`)"),
            KeyLimit::Tokens(limit) => format!("used its {limit} tokens of a minute (`tpm_limit`)"),
            KeyLimit::Parallel(limit) => {
                format!("as many requests under way as it may, {limit} (`max_parallel_requests`)")
            }
        };
        let wait_seconds = whole_seconds(wait);
        let message = format!(
            "Rate limit reached: the key `{name}` has {reached}. Try again in {wait_seconds} second{}.",
            if wait_seconds == 1 { "" } else { "s" }
        );
        Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limit_error", message).with_retry_after(wait)
    }
}
