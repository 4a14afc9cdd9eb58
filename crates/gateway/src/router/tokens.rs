//! How many tokens a request took: what its answer says, or else an estimate.

use serde::Serialize;

use super::watch::{BYTES_A_TOKEN, TokensSeen};
use crate::openai::endpoint::TokenUse;

/// The tokens of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tokens {
    /// Those that were read.
    pub prompt: u64,
    /// Those that were written; `None` for an endpoint that writes none, and where nothing is known of them.
    pub output: Option<u64>,
    /// What the numbers are worth.
    pub basis: Basis,
}

/// What the numbers are worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    /// The answer's `usage` says so.
    Counted,
    /// The answer does not say; they follow from the lengths of both bodies, or from the number of events.
    Estimated,
}

impl Tokens {
    /// The tokens that `used` asks for; all of them are counted, or all estimated. `prompt_bytes` is the length of the
    /// request's body.
    #[must_use]
    pub fn new(used: TokenUse, seen: TokensSeen, prompt_bytes: u64) -> Option<Self> {
        let has_output = match used {
            TokenUse::Untold => return None,
            TokenUse::Prompt => false,
            TokenUse::PromptAndOutput => true,
        };
        Some(match seen.usage {
            Some(usage) if !has_output || usage.output.is_some() => Self {
                prompt: usage.prompt.into(),
                output: usage.output.filter(|_| has_output).map(u64::from),
                basis: Basis::Counted,
            },
            _ => Self {
                prompt: prompt_bytes / BYTES_A_TOKEN,
                output: seen.output_estimate.filter(|_| has_output).map(u64::from),
                basis: Basis::Estimated,
            },
        })
    }

    /// All of them.
    #[must_use]
    pub fn total(self) -> u32 {
        let total = self.prompt.saturating_add(self.output.unwrap_or(0));
        u32::try_from(total).unwrap_or(u32::MAX)
    }

    /// Those that were written; 0 where nothing is known of them.
    #[must_use]
    pub fn written(self) -> u32 {
        u32::try_from(self.output.unwrap_or(0)).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests;
