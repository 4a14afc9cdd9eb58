//! How many tokens a request took: what its answer says, or else an estimate.

use serde::Serialize;

use crate::openai::endpoint::TokenUse;
use crate::router::{BYTES_A_TOKEN, TokensSeen};

/// The tokens of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tokens {
    pub(super) prompt: u64,
    /// `None` for an endpoint that writes none, and where nothing is known of them.
    pub(super) output: Option<u64>,
    pub(super) basis: Basis,
}

/// What the numbers are worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Basis {
    /// The answer's `usage` says so.
    Counted,
    /// The answer does not say; they follow from the lengths of both bodies, or from the number of events.
    Estimated,
}

impl Tokens {
    /// The tokens that `used` asks for; all of them are counted, or all estimated. `prompt_bytes` is the length of the
    /// request's body.
    pub(super) fn new(used: TokenUse, seen: TokensSeen, prompt_bytes: u64) -> Option<Self> {
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
}

#[cfg(test)]
mod tests;
