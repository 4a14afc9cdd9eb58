//! `shared_state`, and the keys of a Redis.

use super::Section;

pub(in crate::config) static SHARED_STATE: Section = Section {
    name: "shared_state",
    served: &[
        "enabled",
        "mode",
        "required",
        "namespace",
        "interval",
        "lease",
        "strict_timeout",
        "connect_timeout",
        "response_timeout",
        "redis_url",
    ],
    not_yet: &[],
    without_meaning: &[],
};

const ANSWERS: &str = "about cached answers, and none are cached";
const CLIENT: &str = "about Python's client; `shared_state` has the time limits";

/// `cache_params`, `coordination_redis` and `cache_kwargs`: LiteLLM hands all of them to the same client.
pub(in crate::config) static REDIS: Section = Section {
    name: "the settings of a Redis",
    served: &[
        "type",
        "url",
        "host",
        "port",
        "username",
        "password",
        "db",
        "ssl",
        "namespace",
        "redis_startup_nodes",
        "startup_nodes",
        "sentinel_nodes",
        "service_name",
        "sentinel_username",
        "sentinel_password",
        "ssl_ca_certs",
        "ssl_certfile",
        "ssl_keyfile",
        "ssl_cert_reqs",
        "ssl_check_hostname",
    ],
    not_yet: &[
        "unix_socket_path",
        "ssl_ca_path",
        "ssl_ca_data",
        "ssl_password",
        "ssl_min_version",
        "ssl_ciphers",
        "ssl_validate_ocsp",
        "ssl_validate_ocsp_stapled",
        "ssl_ocsp_context",
        "ssl_ocsp_expected_cert",
        "gcp_service_account",
        "gcp_ssl_ca_certs",
        "credential_provider",
    ],
    without_meaning: &[
        ("ttl", ANSWERS),
        ("default_in_memory_ttl", ANSWERS),
        ("default_in_redis_ttl", ANSWERS),
        ("mode", ANSWERS),
        ("supported_call_types", ANSWERS),
        ("similarity_threshold", ANSWERS),
        ("redis_flush_size", ANSWERS),
        ("socket_timeout", CLIENT),
        ("socket_connect_timeout", CLIENT),
        ("socket_keepalive", CLIENT),
        ("socket_keepalive_options", CLIENT),
        ("max_connections", CLIENT),
        ("health_check_interval", CLIENT),
        ("retry_on_timeout", CLIENT),
        ("retry_on_error", CLIENT),
        ("cluster_error_retry_attempts", CLIENT),
        ("require_full_coverage", CLIENT),
        ("read_from_replicas", CLIENT),
        ("protocol", CLIENT),
        ("client_name", CLIENT),
        ("lib_name", CLIENT),
        ("lib_version", CLIENT),
        ("encoding", CLIENT),
        ("encoding_errors", CLIENT),
        ("decode_responses", CLIENT),
        ("single_connection_client", CLIENT),
        ("auto_close_connection_pool", CLIENT),
    ],
};

pub(in crate::config) static REDIS_NODE: Section = Section {
    name: "a node of a Redis",
    served: &["host", "port"],
    not_yet: &[],
    without_meaning: &[("server_type", "the servers say themselves what they are")],
};

/// What LiteLLM's `cache_params.type` may be; the first is a Redis that counts can be shared through.
pub(in crate::config) static CACHE_TYPES: [&str; 9] = [
    "redis",
    "local",
    "disk",
    "redis-semantic",
    "valkey-semantic",
    "qdrant-semantic",
    "s3",
    "gcs",
    "azure-blob",
];
