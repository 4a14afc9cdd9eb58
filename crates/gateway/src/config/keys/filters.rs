//! Words of `optional_pre_call_checks`.

/// The checks that are served.
pub(in crate::config) static PRE_CALL_CHECKS: &[&str] =
    &["session_affinity", "deployment_affinity", "prompt_caching", "enforce_model_rate_limits"];

/// LiteLLM's other ones, which have no counterpart.
pub(in crate::config) static PRE_CALL_CHECKS_NOT_YET: &[&str] = &[
    "router_budget_limiting",
    "responses_api_deployment_check",
    "forward_client_headers_by_model_group",
    "encrypted_content_affinity",
];
