//! Keys of clients: who may send what, and how much of it.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::time::SystemTime;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// One entry of `keys`, in the configuration or in a keys file: a client's key, by its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientKey {
    /// `key_alias`: its name in access lines, metrics and errors; 1 to 100 characters, no two keys share one.
    pub name: String,
    /// `key_hash`: what is kept of the key itself.
    pub hash: KeyHash,
    /// `models`: the groups, aliases and ids it may use, with `*` for any text; empty for all of them.
    pub models: Vec<String>,
    /// `rpm_limit`: requests in any 60 s, at least 1; `None` for any number.
    pub rpm_limit: Option<u64>,
    /// `tpm_limit`: tokens in any 60 s, at least 1, counted when answers end; `None` for any number.
    pub tpm_limit: Option<u64>,
    /// `max_parallel_requests`: requests at once, each until its answer's last byte, at least 1; `None` for any number.
    pub max_parallel_requests: Option<u32>,
    /// `expires`: from when on it opens nothing.
    pub expires: Option<SystemTime>,
    /// `blocked`: whether it opens nothing, whatever else is said; default false.
    pub blocked: bool,
    /// `admin`: whether it opens the pages of operators, too; default false.
    pub admin: bool,
}

impl ClientKey {
    /// A key that may use every model without limits.
    pub fn new(name: impl Into<String>, hash: KeyHash) -> Self {
        Self {
            name: name.into(),
            hash,
            models: Vec::new(),
            rpm_limit: None,
            tpm_limit: None,
            max_parallel_requests: None,
            expires: None,
            blocked: false,
            admin: false,
        }
    }

    /// Whether it may use every model.
    #[must_use]
    pub fn is_for_all_models(&self) -> bool {
        self.models.is_empty() || self.models.iter().any(|model| model == "*" || model == ALL_MODELS)
    }
}

/// LiteLLM's word for every model.
pub(super) const ALL_MODELS: &str = "all-proxy-models";

/// The SHA-256 of a key, as LiteLLM keeps keys, too. Compared in constant time; `Debug` prints `***`.
#[derive(Clone, Copy)]
pub struct KeyHash([u8; 32]);

/// What a hash may be written with before its 64 hexadecimal digits.
const SCHEME: &str = "sha256:";

impl KeyHash {
    /// What stands where no hash is known; no key has it.
    pub(super) const MISSING: Self = Self([0; 32]);

    /// The hash of a key.
    #[must_use]
    pub fn of(key: &[u8]) -> Self {
        Self(Sha256::digest(key).into())
    }

    /// Reads 64 hexadecimal digits, with or without `sha256:` before them.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.trim();
        let digits = digits.strip_prefix(SCHEME).unwrap_or(digits).as_bytes();
        let mut hash = [0; 32];
        if digits.len() != 2 * hash.len() {
            return None;
        }
        for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
            let digit =
                |at: usize| char::from(pair[at]).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            *byte = digit(0)? << 4 | digit(1)?;
        }
        Some(Self(hash))
    }

    /// The hash as it is written in a file: `sha256:` and 64 hexadecimal digits.
    #[must_use]
    pub fn to_text(&self) -> String {
        let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or('0');
        let digits = self.0.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]);
        SCHEME.chars().chain(digits).collect()
    }
}

impl PartialEq for KeyHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for KeyHash {}

impl Hash for KeyHash {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.0);
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
