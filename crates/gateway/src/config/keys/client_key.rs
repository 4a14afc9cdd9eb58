//! Keys of an entry of `keys`, and of the file that holds such entries alone.

use super::{Dialect, NOT_YET, Section};

pub(in crate::config) static CLIENT_KEY: Section = Section {
    name: "keys[]",
    served: &[
        "key_alias",
        "key_hash",
        "key",
        "models",
        "rpm_limit",
        "tpm_limit",
        "max_parallel_requests",
        "expires",
        "duration",
        "blocked",
        "admin",
    ],
    not_yet: &[
        "max_budget",
        "soft_budget",
        "budget_duration",
        "budget_id",
        "model_max_budget",
        "model_rpm_limit",
        "model_tpm_limit",
        "user_id",
        "team_id",
        "organization_id",
        "aliases",
        "allowed_routes",
        "guardrails",
        "permissions",
        "router_settings",
        "tags",
    ],
    without_meaning: &[
        ("key_name", "LiteLLM's short form of the key, for its pages; `key_alias` is its name here"),
        ("metadata", "a note about the key; nothing depends on it"),
        ("spend", "what LiteLLM has counted; budgets are not served"),
        ("created_at", "a note about the key; nothing depends on it"),
        ("created_by", "a note about the key; nothing depends on it"),
        ("updated_at", "a note about the key; nothing depends on it"),
        ("updated_by", "a note about the key; nothing depends on it"),
    ],
};

pub(in crate::config) static KEYS_FILE: Section =
    Section { name: "the keys file", served: &["keys"], not_yet: &[], without_meaning: &[] };

/// The file that `general_settings.keys_file` names.
pub(in crate::config) static KEYS_FILES: Dialect =
    Dialect { sections: &[&CLIENT_KEY, &KEYS_FILE], has_secrets: true, has_units: false, not_yet: NOT_YET };
