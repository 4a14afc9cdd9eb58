//! The keys that a request shows.

use http::{HeaderMap, HeaderName, header};

/// Headers that may carry the key besides `Authorization: Bearer`, as LiteLLM accepts them.
static KEY_HEADERS: [HeaderName; 3] = [
    HeaderName::from_static("x-litellm-api-key"),
    HeaderName::from_static("api-key"),
    HeaderName::from_static("x-api-key"),
];

/// Every key in a header that may carry one.
pub(super) fn shown_keys(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let bearer = headers.get(header::AUTHORIZATION);
    bearer.into_iter().chain(KEY_HEADERS.iter().filter_map(|name| headers.get(name))).map(|value| {
        // LiteLLM takes every header with and without the scheme.
        match value.as_bytes().split_at_checked("Bearer ".len()) {
            Some((scheme, key)) if scheme.eq_ignore_ascii_case(b"Bearer ") => key.trim_ascii(),
            _ => value.as_bytes(),
        }
    })
}
