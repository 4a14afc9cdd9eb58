//! The id by which one request is known in headers and logs.

use std::fmt;

use http::HeaderValue;

/// `x-litellm-call-id`: the client's own, or a random UUID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallId {
    /// What the client sent.
    Given(HeaderValue),
    /// 128 random bits.
    Random(u128),
}

/// A longer id of a client's is replaced by ours.
const GIVEN_BYTES_MAX: usize = 128;

impl CallId {
    /// The client's id if it sent a usable one, else a new one.
    #[must_use]
    pub fn new(given: Option<&HeaderValue>) -> Self {
        match given {
            Some(given)
                if given.len() <= GIVEN_BYTES_MAX && given.to_str().is_ok_and(|id| !id.is_empty()) =>
            {
                Self::Given(given.clone())
            }
            _ => Self::Random(fastrand::u128(..)),
        }
    }

    /// As a header of the answer.
    #[must_use]
    pub fn to_header(&self) -> HeaderValue {
        match self {
            Self::Given(given) => given.clone(),
            Self::Random(bits) => HeaderValue::from_bytes(&uuid(*bits)).expect("a UUID is printable"),
        }
    }
}

/// Two digits for each byte.
const DIGITS: [[u8; 2]; 256] = {
    const DIGIT: &[u8; 16] = b"0123456789abcdef";
    let mut digits = [[0; 2]; 256];
    let mut byte = 0;
    while byte < digits.len() {
        digits[byte] = [DIGIT[byte >> 4], DIGIT[byte & 0xf]];
        byte += 1;
    }
    digits
};

/// The text of a UUID: version 4, variant 1 (RFC 9562).
fn uuid(random: u128) -> [u8; 36] {
    let bits = random & !(0xf << 76) & !(0xc << 60) | 4 << 76 | 8 << 60;
    let mut text = [b'-'; 36];
    let mut at = 0;
    for (place, byte) in bits.to_be_bytes().into_iter().enumerate() {
        at += usize::from(matches!(place, 4 | 6 | 8 | 10));
        text[at..at + 2].copy_from_slice(&DIGITS[usize::from(byte)]);
        at += 2;
    }
    text
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given(given) => f.write_str(given.to_str().unwrap_or_default()),
            Self::Random(bits) => f.write_str(str::from_utf8(&uuid(*bits)).unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::CallId;

    #[test]
    fn a_new_id_is_a_version_4_uuid() {
        assert_eq!(CallId::Random(0).to_string(), "00000000-0000-4000-8000-000000000000");
        assert_eq!(CallId::Random(u128::MAX).to_string(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        let id = CallId::Random(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
        assert_eq!(id.to_string(), "01234567-89ab-4def-8123-456789abcdef");
        assert_eq!(id.to_header(), "01234567-89ab-4def-8123-456789abcdef");
    }

    #[test]
    fn a_clients_id_is_kept_when_it_is_short_and_printable() {
        let given = HeaderValue::from_static("my-id");
        assert_eq!(CallId::new(Some(&given)).to_string(), "my-id");
        let long = HeaderValue::try_from("x".repeat(200)).unwrap();
        assert!(matches!(CallId::new(Some(&long)), CallId::Random(_)));
        assert!(matches!(CallId::new(Some(&HeaderValue::from_static(""))), CallId::Random(_)));
    }
}
