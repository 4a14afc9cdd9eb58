//! What a deployment can carry, and what of it least busy goes by.

use std::time::Duration;

use super::{Deployment, RouterSettings};

/// `least_busy_by`: what makes a deployment busy, beside its requests in flight.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BusyBy {
    /// `prefill`: prompts that are not answered yet.
    pub prefill: bool,
    /// `kv`: room that running requests take in the engine's cache.
    pub kv: bool,
}

/// What is known of the engine behind a deployment: keys of `model_info`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Engine {
    /// `slots`: requests that it serves at once at full speed (`--max-num-seqs`, `--parallel`, `OLLAMA_NUM_PARALLEL`),
    /// at least 1; what counts without it, [`Deployment::slots`] knows. A file's simulated engine says it itself.
    pub slots: Option<u32>,
    /// `speed` of one request, in a unit that the group's deployments have in common; more than 0.
    pub speed: Option<f64>,
    /// `prefill_tokens_per_second`: tokens of prompts that it reads in a second; more than 0.
    pub prefill_rate: Option<f64>,
    /// `kv_cache_tokens`: tokens that its cache holds, at least 1.
    pub kv_tokens: Option<u64>,
    /// `engine`: what it is, where its own load is to be asked for.
    pub kind: Option<EngineKind>,
}

/// `model_info.engine`: an engine whose `/metrics` tell how busy it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineKind {
    /// `vllm`.
    Vllm,
    /// `sglang`.
    Sglang,
    /// `llama.cpp`.
    LlamaCpp,
}

/// Whether engines are asked, or listened to, for how busy they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineLoad {
    /// `engine_load_interval`: how often an engine's `/metrics` are read, 0.1 s to a minute, default 1 s. A reading counts
    /// in full until the next one is due and has faded out after four times as long.
    pub interval: Duration,
    /// `engine_load_headers`: whether load reports in the headers of answers count (`endpoint-load-metrics`, ORCA);
    /// default false.
    pub headers: bool,
}

impl Default for EngineLoad {
    fn default() -> Self {
        Self { interval: Duration::from_secs(1), headers: false }
    }
}

impl Deployment {
    /// The most requests that may be in flight there: `max_parallel_requests`; else `rpm`; else 6 for each 1000 of `tpm`,
    /// rounded down, at least 1; else `default_max_parallel_requests`. `None` is no limit.
    ///
    /// The order and the numbers are LiteLLM's.
    #[must_use]
    pub fn parallel_limit(&self, router: &RouterSettings) -> Option<u32> {
        let by_requests = self.rpm.map(|rpm| rpm.max(1));
        let by_tokens = || self.tpm.map(|tpm| u64::from(tpm) * 6 / 1000);
        let by_tokens = || by_tokens().map(|limit| u32::try_from(limit).unwrap_or(u32::MAX).max(1));
        self.max_parallel_requests.or(by_requests).or_else(by_tokens).or(router.default_max_parallel_requests)
    }

    /// The requests that it serves at once at full speed, as far as that is known: `slots`, else what the file itself says with
    /// `max_parallel_requests`. A limit that only follows from `rpm` or `tpm` says nothing of an engine.
    #[must_use]
    pub fn slots(&self) -> Option<u32> {
        self.engine.slots.or(self.max_parallel_requests)
    }
}
