//! Refusals of requests that no deployment of their group is for.

use http::StatusCode;

use super::{ApiError, INVALID_REQUEST, quoted};

/// Tags that a refusal repeats at most.
const TAGS_MAX: usize = 10;

impl ApiError {
    /// 503: every deployment of the group is blocked.
    #[must_use]
    pub fn all_blocked(model: &str) -> Self {
        let message = format!(
            "No deployment of `{}` is available: all are blocked. Ask for another model, or whoever runs this \
             gateway to remove `model_info.blocked`.",
            quoted(model)
        );
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "all_deployments_blocked", message)
    }

    /// 401: no deployment of the group is for requests with these tags.
    // The status is LiteLLM's.
    #[must_use]
    pub fn no_deployment_for_tags(model: &str, tags: &[String]) -> Self {
        let model = quoted(model);
        let message = if tags.is_empty() {
            format!(
                "No deployment of `{model}` is for requests without tags from this user-agent. Send tags (in \
                 `tags`, `metadata.tags` or `x-litellm-tags`), or ask whoever runs this gateway for a deployment \
                 with the tag `default`."
            )
        } else {
            let listed: Vec<_> = tags.iter().take(TAGS_MAX).map(|tag| format!("`{}`", quoted(tag))).collect();
            let more = if TAGS_MAX < tags.len() { ", ..." } else { "" };
            format!(
                "No deployment of `{model}` is for requests with the tags {}{more}. Send others (in `tags`, \
                 `metadata.tags` or `x-litellm-tags`), or ask whoever runs this gateway for a deployment with \
                 these.",
                listed.join(", ")
            )
        };
        Self::new(StatusCode::UNAUTHORIZED, "no_deployment_for_tags", message).with_param("tags")
    }

    /// 400: the prompt seems longer than any deployment of the group takes, and its fallbacks did not serve it.
    #[must_use]
    pub fn prompt_too_long(model: &str, tokens: u64, longest: u64) -> Self {
        let message = format!(
            "The prompt has about {tokens} tokens, and no deployment of `{}` takes more than {longest}. Send less, \
             or ask for a model with a longer context window.",
            quoted(model)
        );
        Self::new(StatusCode::BAD_REQUEST, INVALID_REQUEST, message)
    }
}
