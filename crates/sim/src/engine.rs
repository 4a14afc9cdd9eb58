//! A deployment in virtual time: how many requests it serves at once, how fast, and when it fails.

use std::num::NonZeroU32;
use std::time::Duration;

use leastbusy_balance::Weight;

use crate::Job;

pub(crate) mod decode;
pub(crate) mod machine;
mod trouble;

pub use trouble::{Episode, Trouble, WarmUp};

/// One deployment.
///
/// A request first needs a slot, and room in the memory if that is bounded; until then it waits, in the order
/// the requests came. Its prompt is read, one prompt after the other where [`Engine::prefill_tokens_per_second`]
/// says so, and after [`Engine::first_token_time`] its answer is written token by token.
#[derive(Debug, Clone, PartialEq)]
pub struct Engine {
    /// Its name in reports.
    pub name: String,
    /// Requests served at once; further ones wait.
    pub slots: u32,
    /// Tokens a second of one answer, while no more than [`Engine::full_speed`] are written.
    pub tokens_per_second: f64,
    /// Answers that are written at full speed; beyond, all share what these have together. Default: all slots.
    pub full_speed: u32,
    /// Time in a slot that every request spends before its first token; default 0.
    pub first_token_time: Duration,
    /// How fast prompts are read, one after the other; by default they cost nothing. A prompt in line is read at
    /// the speed of the moment in which its request got a slot, and to its end even if the request is given up.
    pub prefill_tokens_per_second: Option<f64>,
    /// Tokens (prompt and answer) of all requests in slots together; by default there is no bound. A request
    /// larger than that is served alone.
    pub memory_tokens: Option<f64>,
    /// Requests, waiting ones included, beyond which it answers 429; by default it never does.
    pub requests_max: Option<u32>,
    /// Requests, those that wait at it included, beyond which the gateway sends it none (`max_parallel_requests`); by
    /// default there is no bound.
    pub limit: Option<NonZeroU32>,
    /// What balancing takes it to be worth; by default slots times speed.
    pub weight: Weight,
    /// Its level: those with a higher one serve when no other can.
    pub order: i64,
    /// When it fails, and how; of those that overlap, the first in the list holds.
    pub episodes: Vec<Episode>,
    /// How it comes back after an episode in which it was [`Trouble::Down`]; by default at full speed.
    pub warm_up: Option<WarmUp>,
}

impl Engine {
    /// An engine whose slots each write this many tokens a second.
    ///
    /// # Panics
    ///
    /// If `slots` is 0 or the speed is not a finite number above 0.
    #[must_use]
    pub fn new(name: impl Into<String>, slots: u32, tokens_per_second: f64) -> Self {
        assert!(0 < slots, "an engine has at least one slot");
        let weight =
            Weight::new(f64::from(slots) * tokens_per_second).expect("a speed is finite and more than 0");
        Self {
            name: name.into(),
            slots,
            tokens_per_second,
            full_speed: slots,
            first_token_time: Duration::ZERO,
            prefill_tokens_per_second: None,
            memory_tokens: None,
            requests_max: None,
            limit: None,
            weight,
            order: 0,
            episodes: Vec::new(),
            warm_up: None,
        }
    }

    /// Answers that it writes at full speed at once: what its capacity comes to.
    #[must_use]
    pub fn places(&self) -> u32 {
        self.full_speed.min(self.slots)
    }

    /// How long a request takes here if it is alone.
    #[must_use]
    pub fn alone(&self, job: &Job) -> Duration {
        let prefill = self.prefill_tokens_per_second.map_or(0.0, |speed| job.prompt_tokens / speed);
        let seconds = prefill + job.output_tokens / self.tokens_per_second;
        self.first_token_time.saturating_add(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
    }

    /// The requests a second that it can serve in the long run, when they need this many tokens on average.
    #[must_use]
    pub fn capacity(&self, prompt_tokens: f64, output_tokens: f64) -> f64 {
        let writing = output_tokens / self.tokens_per_second;
        let reading = self.prefill_tokens_per_second.map_or(0.0, |speed| prompt_tokens / speed);
        let in_slot = reading + self.first_token_time.as_secs_f64() + writing;
        let by_slots = f64::from(self.slots) / in_slot;
        let by_speed = f64::from(self.places()) / writing;
        let by_prefill = 1.0 / reading;
        let by_memory = self
            .memory_tokens
            .map_or(f64::INFINITY, |tokens| tokens / (prompt_tokens + output_tokens) / in_slot);
        by_slots.min(by_speed).min(by_prefill).min(by_memory)
    }
}

#[cfg(test)]
mod tests;
