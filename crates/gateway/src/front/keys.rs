//! The key at the door, compared in constant time.

use http::{HeaderMap, HeaderName, header};
use subtle::ConstantTimeEq;

use crate::config::Secret;

/// Headers that may carry the key besides `Authorization: Bearer`, as LiteLLM accepts them.
static KEY_HEADERS: [HeaderName; 3] = [
    HeaderName::from_static("x-litellm-api-key"),
    HeaderName::from_static("api-key"),
    HeaderName::from_static("x-api-key"),
];

/// What a request shows at the door.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Admission {
    Admitted,
    /// No header carries the key.
    Refused,
}

pub(super) fn admit(headers: &HeaderMap, master_key: Option<&Secret>) -> Admission {
    let Some(master_key) = master_key else { return Admission::Admitted };
    let expected = master_key.expose().as_bytes();
    let admitted = shown_keys(headers).any(|key| bool::from(key.ct_eq(expected)));
    if admitted { Admission::Admitted } else { Admission::Refused }
}

fn shown_keys(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let bearer = headers.get(header::AUTHORIZATION);
    bearer.into_iter().chain(KEY_HEADERS.iter().filter_map(|name| headers.get(name))).map(|value| {
        // LiteLLM takes every header with and without the scheme.
        match value.as_bytes().split_at_checked("Bearer ".len()) {
            Some((scheme, key)) if scheme.eq_ignore_ascii_case(b"Bearer ") => key.trim_ascii(),
            _ => value.as_bytes(),
        }
    })
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::{Admission, admit};
    use crate::config::Secret;

    fn shows(name: &'static str, value: &'static str) -> Admission {
        let mut headers = HeaderMap::new();
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        admit(&headers, Some(&Secret::new("sk-right")))
    }

    #[test]
    fn each_of_the_four_headers_opens_the_door() {
        assert_eq!(shows("authorization", "Bearer sk-right"), Admission::Admitted);
        assert_eq!(shows("authorization", "bearer sk-right"), Admission::Admitted);
        assert_eq!(shows("x-litellm-api-key", "sk-right"), Admission::Admitted);
        assert_eq!(shows("x-litellm-api-key", "Bearer sk-right"), Admission::Admitted);
        assert_eq!(shows("api-key", "sk-right"), Admission::Admitted);
        assert_eq!(shows("x-api-key", "sk-right"), Admission::Admitted);
    }

    #[test]
    fn anything_else_does_not() {
        assert_eq!(shows("authorization", "Bearer sk-wrong"), Admission::Refused);
        assert_eq!(shows("authorization", "Bearer sk-right2"), Admission::Refused);
        assert_eq!(shows("authorization", "Bearer "), Admission::Refused);
        assert_eq!(shows("x-other", "sk-right"), Admission::Refused);
    }

    #[test]
    fn a_door_without_a_key_is_open() {
        assert_eq!(admit(&HeaderMap::new(), None), Admission::Admitted);
    }
}
