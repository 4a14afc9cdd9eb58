//! The context window: prompts that are too long for some deployments of a group.
//!
//! Nothing counts tokens here. A token is taken for four bytes of the prompt as it stands in the request, which errs by
//! what `docs/filters.md` says; so the estimate only chooses, and refuses nothing.

use super::left::Left;
use crate::config;
use crate::router::BYTES_A_TOKEN;

/// The longest prompts that the members of one group take, in tokens.
#[derive(Debug)]
pub(super) struct Windows {
    members: Vec<u64>,
    shortest: u64,
    longest: u64,
}

/// A prompt that no member takes, both in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::router) struct TooLong {
    /// What the prompt is taken for.
    pub(in crate::router) prompt: u64,
    /// The longest that one of them takes.
    pub(in crate::router) longest: u64,
}

impl Windows {
    /// The windows of a group; `None` where none is known.
    pub(super) fn new(entries: &[&config::Deployment]) -> Option<Self> {
        // Nothing is too long for one that does not say.
        let members: Vec<_> =
            entries.iter().map(|entry| entry.max_input_tokens.unwrap_or(u64::MAX)).collect();
        let (shortest, longest) = (*members.iter().min()?, *members.iter().max()?);
        (shortest < u64::MAX).then_some(Self { members, shortest, longest })
    }

    /// Leaves out whom a prompt is too long for that has this many bytes, of which `text` counts those that are text.
    ///
    /// # Errors
    ///
    /// Where that is everybody; then nobody was left out.
    pub(super) fn keep(
        &self,
        left: &mut Left<'_>,
        bytes: usize,
        text: impl FnOnce() -> usize,
    ) -> Result<(), TooLong> {
        let tokens = |bytes: usize| bytes as u64 / BYTES_A_TOKEN;
        // Nearly all prompts are short, and need no look at what they hold.
        if tokens(bytes) <= self.shortest {
            return Ok(());
        }
        let prompt = tokens(text());
        if left.keep_if_any(|member| prompt <= self.members[member]) {
            return Ok(());
        }
        let longest = left.iter().map(|member| self.members[member]).max().unwrap_or(self.longest);
        Err(TooLong { prompt, longest })
    }

    /// Leaves out all but those that take the longest prompts.
    pub(super) fn keep_longest(&self, left: &mut Left<'_>, longest: u64) {
        left.keep(|member| self.members[member] == longest);
    }
}

#[cfg(test)]
mod tests;
