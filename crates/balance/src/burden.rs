//! What makes a deployment busy beside the number of its requests: prompts to be read, and room in its cache.
//!
//! A prompt is a burden until the answer begins, the whole request until it ends; the lease owns both. Sizes are estimates,
//! made by whoever picks: what counts is who has more, not how much it is to the token.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::fleet::{Books, DeploymentIndex};
use crate::group::Core;
use crate::pick::Demand;

#[cfg(test)]
mod tests;

/// What least busy goes by, beside requests in flight.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BusyBy {
    /// Prompts that are not answered yet, where [`Room::prefill_rate`] is known.
    pub prefill: bool,
    /// Tokens in the engine's cache, where [`Room::kv_tokens`] is known.
    pub kv: bool,
}

/// What a deployment's engine can hold, as far as that is known.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Room {
    /// Requests that it serves at once at full speed; without them nothing but its requests makes it busy.
    pub places: Option<NonZeroU32>,
    /// Tokens of prompts that it reads in a second; finite and more than 0.
    pub prefill_rate: Option<f64>,
    /// Tokens that its cache holds; at least 1.
    pub kv_tokens: Option<u64>,
}

/// The time to read prompts that counts as much as all places taken.
// Between 0.1 and 0.5 s it made no difference in the simulations (algorithms, section 10).
const FULL_PREFILL: f64 = 0.5;
/// The part of a cache from which on it counts; below, room is no matter.
const KV_FREE: f64 = 0.8;
/// How much the rest of the cache counts, in deployments whose places are all taken: the last fifth is as much as two.
const KV_STEEP: f64 = 10.0;

/// Tokens of the requests in flight on one deployment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Burden {
    /// Of prompts whose answers have not begun.
    pub(crate) prefill: u64,
    /// Of prompts and expected answers.
    pub(crate) tokens: u64,
}

impl Burden {
    pub(crate) fn takes(&mut self, demand: Demand) {
        self.prefill += u64::from(demand.prompt);
        self.tokens += u64::from(demand.tokens());
    }

    /// The answer has begun, so the prompt was read.
    pub(crate) fn was_read(&mut self, demand: Demand) {
        self.prefill = self.prefill.saturating_sub(demand.prompt.into());
    }

    pub(crate) fn gives_back(&mut self, demand: Demand, was_read: bool) {
        if !was_read {
            self.was_read(demand);
        }
        self.tokens = self.tokens.saturating_sub(demand.tokens().into());
    }
}

/// How the burden of one member counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scale {
    places: f64,
    /// Requests in flight that a token to be read counts as.
    a_prefill_token: f64,
    /// `None` where the cache does not count.
    kv_tokens: Option<f64>,
}

impl Scale {
    pub(crate) fn new(by: BusyBy, room: &Room) -> Self {
        // Without its places nobody knows how much of the whole a burden is.
        let places = room.places.map_or(0.0, |places| places.get().into());
        let rate = room.prefill_rate.filter(|_| by.prefill);
        Self {
            places,
            a_prefill_token: rate.map_or(0.0, |rate| places / (rate * FULL_PREFILL)),
            kv_tokens: room.kv_tokens.filter(|_| by.kv).map(|tokens| tokens.max(1) as f64),
        }
    }

    /// The requests in flight that a burden counts as, this request's part of it included.
    fn requests(&self, burden: Burden, demand: Demand, kv_use: Option<f64>) -> f64 {
        let prefill = (burden.prefill + u64::from(demand.prompt)) as f64 * self.a_prefill_token;
        let kv = self.kv_tokens.map_or(0.0, |room| {
            let known = (burden.tokens + u64::from(demand.tokens())) as f64 / room;
            // What the engine itself said counts requests from elsewhere, and what was cached before.
            (known.max(kv_use.unwrap_or(0.0)) - KV_FREE).max(0.0) * KV_STEEP * self.places
        });
        prefill + kv
    }
}

/// The part of each answer in the mean of those that a group has had.
const LATEST: f64 = 0.05;

/// How long the answers of a group are.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Lengths {
    /// Tokens; 0 before the first answer.
    mean: f64,
}

impl Lengths {
    pub(crate) fn add(&mut self, tokens: u32) {
        let tokens = f64::from(tokens);
        self.mean = if self.mean == 0.0 { tokens } else { self.mean + LATEST * (tokens - self.mean) };
    }

    /// What a request takes, when it may have so many tokens: clients ask for far more than they get.
    pub(crate) fn expected(self, demand: Demand) -> Demand {
        let usual = if self.mean == 0.0 { u32::MAX } else { self.mean.ceil() as u32 };
        Demand {
            output: if demand.output == 0 { self.mean.ceil() as u32 } else { demand.output.min(usual) },
            ..demand
        }
    }
}

impl Core {
    /// The requests in flight that a member's burden counts as, if it had this one as well.
    pub(crate) fn burden(&self, books: &Books, index: usize, demand: Demand, now: Duration) -> f64 {
        let Some(scales) = &self.scales else { return 0.0 };
        let deployment = self.members[index].deployment;
        scales[index].requests(books.burden(deployment), demand, books.kv_use(deployment, now))
    }
}

impl Books {
    pub(crate) fn burden(&self, deployment: DeploymentIndex) -> Burden {
        self.burdens[deployment.0 as usize]
    }

    pub(crate) fn burden_of(&mut self, deployment: DeploymentIndex) -> &mut Burden {
        &mut self.burdens[deployment.0 as usize]
    }
}
