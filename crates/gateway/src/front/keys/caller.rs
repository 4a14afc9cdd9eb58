//! Who sends one request, and what it takes of their key until its answer ends.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::client::Client;
use super::turns::{Full, Left, Remaining, Turn};
use crate::openai::ApiError;
use crate::openai::endpoint::{EndpointIndex, TokenUse};
use crate::router::{Tokens, TokensSeen};

/// The client of one request; nobody in particular where the door is open, or the master key opened it.
#[derive(Debug, Default)]
pub(in crate::front) struct Caller(Option<Box<Known>>);

#[derive(Debug)]
struct Known {
    client: Arc<Client>,
    turn: Option<Turn>,
    remaining: Remaining,
    token_use: TokenUse,
    prompt_bytes: u64,
}

const LIMIT_REQUESTS: HeaderName = HeaderName::from_static("x-ratelimit-limit-requests");
const REMAINING_REQUESTS: HeaderName = HeaderName::from_static("x-ratelimit-remaining-requests");
const LIMIT_TOKENS: HeaderName = HeaderName::from_static("x-ratelimit-limit-tokens");
const REMAINING_TOKENS: HeaderName = HeaderName::from_static("x-ratelimit-remaining-tokens");

impl Caller {
    pub(in crate::front) fn with(client: Arc<Client>) -> Self {
        Self(Some(Box::new(Known {
            client,
            turn: None,
            remaining: Remaining::default(),
            token_use: TokenUse::Untold,
            prompt_bytes: 0,
        })))
    }

    /// The name of their key.
    pub(in crate::front) fn name(&self) -> Option<&str> {
        self.0.as_ref().map(|known| known.client.name())
    }

    /// Whether they may use a model by this name, or the model group that the name leads to.
    pub(in crate::front) fn may_use(&self, name: &str, group: Option<&str>) -> bool {
        self.0.as_ref().is_none_or(|known| known.client.may_use(name, group))
    }

    /// The same, with what they are told if not.
    ///
    /// # Errors
    ///
    /// A 403.
    pub(in crate::front) fn check_model(&self, name: &str, group: Option<&str>) -> Result<(), ApiError> {
        match &self.0 {
            Some(known) if !known.client.may_use(name, group) => Err(known.client.denied(name)),
            _ => Ok(()),
        }
    }

    /// A request of theirs is about to go upstream.
    ///
    /// # Errors
    ///
    /// A 429 when their key is at a limit.
    pub(in crate::front) fn begins(
        &mut self,
        endpoint: EndpointIndex,
        prompt_bytes: usize,
    ) -> Result<(), ApiError> {
        let Some(known) = &mut self.0 else { return Ok(()) };
        let (client, now) = (&known.client, known.client.usage.now());
        let (turn, remaining) = client.usage.begin(client.limits, now);
        known.remaining = remaining;
        let full = |Full { limit, wait }| ApiError::key_limit(client.name(), limit, wait);
        known.turn = Some(turn.map_err(full)?);
        known.token_use = endpoint.endpoint().tokens;
        known.prompt_bytes = prompt_bytes as u64;
        Ok(())
    }

    /// Their request was refused before any deployment was asked: it is none of their minute's.
    pub(in crate::front) fn goes_nowhere(&mut self) {
        let Some(known) = &mut self.0 else { return };
        let Some(turn) = &known.turn else { return };
        turn.goes_nowhere();
        if let Some((limit, left)) = &mut known.remaining.requests {
            *left = (*left + 1).min(*limit);
        }
    }

    /// Whether the tokens of the answer count.
    pub(in crate::front) fn counts_tokens(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|known| known.client.limits.tokens.is_some() && known.token_use != TokenUse::Untold)
    }

    /// The answer is over, or nobody wants the rest of it.
    pub(in crate::front) fn ends(&mut self, seen: Option<TokensSeen>) {
        let Some(known) = &mut self.0 else { return };
        let Some(turn) = known.turn.take() else { return };
        if let Some(tokens) = seen.and_then(|seen| Tokens::new(known.token_use, seen, known.prompt_bytes)) {
            turn.spend(tokens.total().into(), turn.now());
        }
    }

    /// Tells what is left of their key's minute. A deployment's words about its own limits, which are not the
    /// client's, give way.
    pub(in crate::front) fn write(&self, headers: &mut HeaderMap) {
        let Some(known) = &self.0 else { return };
        let Remaining { requests, tokens } = known.remaining;
        write(headers, requests, LIMIT_REQUESTS, REMAINING_REQUESTS);
        write(headers, tokens, LIMIT_TOKENS, REMAINING_TOKENS);
    }
}

fn write(headers: &mut HeaderMap, left: Left, limit_name: HeaderName, left_name: HeaderName) {
    if let Some((limit, left)) = left {
        headers.insert(limit_name, HeaderValue::from(limit));
        headers.insert(left_name, HeaderValue::from(left));
    }
}
