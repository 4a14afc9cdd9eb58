//! What the gateway is told to do: deployments, aliases, routing and door settings.
//!
//! A [`Config`] comes from a LiteLLM `config.yaml` ([`load`]) or is made in code. Either way
//! [`Config::check`] lists every mistake at once; a place in a mistake is the path that the setting
//! has in the YAML file, e.g. `model_list[0].litellm_params.api_base`.
//!
//! ```
//! use leastbusy_gateway::config::{self, Environment};
//!
//! let text = r#"
//! model_list:
//!   - model_name: chat
//!     litellm_params: {model: hosted_vllm/qwen, api_base: "http://gpu-a:8000/v1", weight: 2}
//! router_settings: {timeout: 60, cache_responses: true}
//! "#;
//! let loaded = config::parse("config.yaml", text, &Environment::empty())?;
//! assert_eq!(loaded.config.deployments[0].weight, 2.0);
//! assert_eq!(loaded.warnings.len(), 1, "cache_responses is not served yet");
//!
//! // A file with mistakes tells all of them at once, each with its place and the way out.
//! let error = config::parse("config.yaml", &text.replace("weight", "wieght"), &Environment::empty())
//!     .unwrap_err();
//! assert_eq!(error.mistakes[0].what, "`wieght` is not a key of litellm_params");
//! assert_eq!(error.mistakes[0].way_out.as_deref(), Some("did you mean `weight`?"));
//! # Ok::<(), config::LoadError>(())
//! ```

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::Duration;

mod affinity;
mod busy;
mod check;
mod client_key;
mod document;
mod environment;
mod files;
mod filters;
mod finding;
mod ids;
mod keys;
mod keys_file;
mod load;
mod mask;
mod overrides;
mod queue;
mod read;
mod reliability;
mod secret;
mod shared_state;
mod source;
mod strategy;
#[cfg(test)]
mod tests;
mod tree;

pub use affinity::Affinity;
pub use busy::{BusyBy, Engine, EngineKind, EngineLoad};
pub(crate) use check::check_router;
pub use client_key::{ClientKey, KeyHash};
pub(crate) use document::Document;
pub use environment::Environment;
pub use filters::{Filters, HealthChecks, TagFilter};
pub use finding::{Finding, LoadError, Path, Place, Severity};
pub(crate) use keys::{Dialect, Section};
pub(crate) use keys_file::Beside;
pub use keys_file::KeysFile;
pub use leastbusy_balance::{ByClass, ErrorClass, LowestLatency, PeakEwma, Strategy, TieBreak};
pub use load::{Loaded, load, parse};
pub use queue::Queue;
pub(crate) use read::{Reader, Setting, Settings, simulated_router};
pub use reliability::{Cooldown, DeploymentCooldown, Fallbacks, Hedge, Retries, RetryPolicy, WhenAllCooling};
pub use secret::Secret;
pub use shared_state::{BadUrl, Redis, RedisNode, RedisTls, SharedState, SharingMode, Topology};
pub use strategy::RoutingGroup;
pub(crate) use tree::Value;

/// Everything the gateway needs to know before it starts.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// The entries of `model_list`, in file order.
    pub deployments: Vec<Deployment>,
    /// `router_settings.model_group_alias`: a name clients may use, and the group it leads to.
    pub aliases: BTreeMap<String, Alias>,
    /// `router_settings`.
    pub router: RouterSettings,
    /// `general_settings`.
    pub general: GeneralSettings,
    /// Counts that are shared with other instances; `None` keeps them in this process.
    pub shared_state: Option<SharedState>,
    /// `keys`: the keys of clients, besides those of [`GeneralSettings::keys_file`].
    pub keys: Vec<ClientKey>,
}

impl Config {
    /// Whether a client must send a key.
    #[must_use]
    pub fn wants_key(&self) -> bool {
        self.general.master_key.is_some() || self.has_client_keys()
    }

    /// Whether there are keys besides the master key, or may come to be.
    #[must_use]
    pub fn has_client_keys(&self) -> bool {
        !self.keys.is_empty() || self.general.keys_file.is_some()
    }
}

/// One name that leads to another model group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// The model group that serves requests for the alias.
    pub model: String,
    /// Whether `GET /v1/models` leaves the alias out.
    pub hidden: bool,
}

/// One entry of `model_list`: an upstream endpoint, its credentials and the model it serves.
#[derive(Debug, Clone)]
pub struct Deployment {
    /// The model group that clients name; may hold `*`.
    pub model_name: String,
    /// `provider/model` as LiteLLM writes it, e.g. `hosted_vllm/Qwen/Qwen3-32B`; may hold `*`.
    pub model: String,
    /// `custom_llm_provider`: the provider when `model` does not start with it.
    pub provider: Option<String>,
    /// `model_info.id`; `None` derives a stable one (see [`ids`](Config::ids)).
    pub id: Option<String>,
    /// Base URL; `None` takes the provider's own.
    pub api_base: Option<String>,
    /// Key sent upstream; `None` sends none.
    pub api_key: Option<Secret>,
    /// Name of the environment variable that the key was read from; part of the derived id, so that
    /// rotating a key keeps the id.
    pub api_key_variable: Option<String>,
    /// Azure's `api-version` query parameter.
    pub api_version: Option<String>,
    /// Sent as `OpenAI-Organization`.
    pub organization: Option<String>,
    /// Share of the group's work relative to the other deployments; more than 0, default 1.
    pub weight: f64,
    /// Level: a deployment with a higher `order` is used only when none with a lower one can be; default 0.
    pub order: i64,
    /// `max_parallel_requests`: the most requests in flight; at least 1, `None` leaves it to [`parallel_limit`](Self::parallel_limit).
    /// Of several entries for one endpoint and model the lowest counts.
    pub max_parallel_requests: Option<u32>,
    /// `rpm`: requests a minute that its provider takes; `None` is no limit. Of several entries for one endpoint and model
    /// the lowest counts.
    pub rpm: Option<u32>,
    /// `tpm`: tokens a minute that its provider takes, alike.
    pub tpm: Option<u32>,
    /// `input_cost_per_token`, for [`Strategy::LowestCost`]; 0 or more, `None` is not known.
    pub input_cost_per_token: Option<f64>,
    /// `output_cost_per_token`, alike.
    pub output_cost_per_token: Option<f64>,
    /// What is known of the engine behind it.
    pub engine: Engine,
    /// `tags`: of the requests that may go there.
    pub tags: Vec<String>,
    /// `tag_regex`: patterns of the `user-agent` of requests that may go there.
    pub tag_regex: Vec<String>,
    /// `model_info.max_input_tokens`: the longest prompt that it takes, in tokens; at least 1.
    pub max_input_tokens: Option<u64>,
    /// `model_info.blocked`: nothing is sent there; default false.
    pub blocked: bool,
    /// `model_info.disable_background_health_check`; default false.
    pub unchecked: bool,
    /// `model_info.health_check_timeout`: how long a health check waits; more than 0, `None` is the probe's own limit.
    pub health_check_timeout: Option<Duration>,
    /// Time limits that differ from the router's.
    pub timeouts: Timeouts,
    /// `num_retries` (also `max_retries`) of a request whose attempt here failed; 0 to 1000, `None` takes the router's.
    pub num_retries: Option<u32>,
    /// When it rests, where that differs from the router's.
    pub cooldown: DeploymentCooldown,
    /// Headers added to every request to this deployment.
    pub extra_headers: Vec<(http::HeaderName, http::HeaderValue)>,
    /// Body fields for requests that do not bring their own: `temperature`, `max_tokens`, `extra_body.*`, ...
    pub default_params: serde_json::Map<String, serde_json::Value>,
    /// `model_info` as written, without what looks like a secret; no endpoint shows it. Tells apart the derived ids of
    /// deployments that are alike in what ids are made of.
    pub model_info: serde_json::Map<String, serde_json::Value>,
    /// The engine to start in this process, for `simulated/NAME`.
    pub simulated: Option<SimulatedEngine>,
}

impl Deployment {
    /// A deployment of `model` (`provider/model`) in the group `model_name`, everything else at its default.
    pub fn new(model_name: impl Into<String>, model: impl Into<String>) -> Self {
        Self {
            model_name: model_name.into(),
            model: model.into(),
            provider: None,
            id: None,
            api_base: None,
            api_key: None,
            api_key_variable: None,
            api_version: None,
            organization: None,
            weight: 1.0,
            order: 0,
            max_parallel_requests: None,
            rpm: None,
            tpm: None,
            input_cost_per_token: None,
            output_cost_per_token: None,
            engine: Engine::default(),
            tags: Vec::new(),
            tag_regex: Vec::new(),
            max_input_tokens: None,
            blocked: false,
            unchecked: false,
            health_check_timeout: None,
            timeouts: Timeouts::default(),
            num_retries: None,
            cooldown: DeploymentCooldown::default(),
            extra_headers: Vec::new(),
            default_params: serde_json::Map::new(),
            model_info: serde_json::Map::new(),
            simulated: None,
        }
    }
}

/// Time limits of one attempt; `None` leaves the choice to the next wider setting.
///
/// Precedence: request, deployment, router, default. `litellm_settings.request_timeout` counts as the router's
/// `timeout` and goes before it; for streams it counts as the router's `stream_timeout` and goes after it, as in
/// LiteLLM. (LiteLLM ignores it for whole answers when the router has no `timeout`; here it always counts.)
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timeouts {
    /// `timeout` (also `request_timeout`): the whole answer when it is not a stream; for a stream
    /// without a `stream_timeout`, the first byte and each gap.
    pub timeout: Option<Duration>,
    /// `stream_timeout`: for a stream, the first byte and each gap between frames.
    pub stream_timeout: Option<Duration>,
    /// `connect_timeout`: TCP and TLS; default 10 s.
    pub connect: Option<Duration>,
    /// `first_byte_timeout`: from sending the request to the response head.
    pub first_byte: Option<Duration>,
    /// `idle_timeout`: the longest gap between two frames of an answer.
    pub idle: Option<Duration>,
    /// `total_timeout`: the whole answer, streaming or not; default 6000 s (LiteLLM's).
    pub total: Option<Duration>,
}

impl Timeouts {
    /// `total_timeout` where nothing else is set: LiteLLM's 6000 s.
    pub const DEFAULT_TOTAL: Duration = Duration::from_secs(6000);
    /// `connect_timeout` where nothing else is set.
    pub const DEFAULT_CONNECT: Duration = Duration::from_secs(10);
}

/// `router_settings`: how a deployment is chosen, how long an attempt may take, and what happens when it fails.
#[derive(Debug, Clone, Default)]
pub struct RouterSettings {
    /// `routing_strategy` with its `routing_strategy_args`: how a deployment is chosen; default least busy.
    pub strategy: Strategy,
    /// `routing_groups`: model groups with a strategy of their own; of several for one model the first counts.
    pub routing_groups: Vec<RoutingGroup>,
    /// What decides between equally busy deployments.
    pub tie_break: TieBreak,
    /// Time limits for all deployments.
    pub timeouts: Timeouts,
    /// How often a request is tried again.
    pub retries: Retries,
    /// The model groups that take over.
    pub fallbacks: Fallbacks,
    /// When a deployment rests and how it returns.
    pub cooldown: Cooldown,
    /// When a second attempt starts beside a slow one.
    pub hedge: Hedge,
    /// `default_max_parallel_requests`: that of deployments that have neither `max_parallel_requests`, `rpm` nor `tpm`; at
    /// least 1, `None` sets no limit.
    pub default_max_parallel_requests: Option<u32>,
    /// The queue where all is full.
    pub queue: Queue,
    /// `least_busy_by`: what makes a deployment busy beside its requests.
    pub least_busy_by: BusyBy,
    /// `learn_speeds`: whether the speed of deployments is measured where it is not given; default false.
    pub learn_speeds: bool,
    /// What engines say of themselves.
    pub engine_load: EngineLoad,
    /// Which deployments may serve a request at all.
    pub filters: Filters,
    /// Which requests go where others like them went.
    pub affinity: Affinity,
}

/// `general_settings`: the door, its limits, and how the process runs.
#[derive(Debug, Clone)]
pub struct GeneralSettings {
    /// `master_key`: the key that opens everything. Without it and without [keys of clients](ClientKey) the door
    /// is open, on loopback only.
    pub master_key: Option<Secret>,
    /// `keys_file`: a file of keys of clients, read again whenever it changes.
    pub keys_file: Option<KeysFile>,
    /// `dangerously_permit_weak_or_unset_master_key`: no warning about a key that anybody would try.
    pub permit_weak_key: bool,
    /// `max_request_size_mb` (megabytes, fractions allowed) as bytes; default 100 MB.
    pub max_request_bytes: usize,
    /// `max_header_bytes`: request head, 8 KiB to 1 MiB; default 64 KiB.
    pub max_header_bytes: usize,
    /// `max_headers`: number of header lines of a request; default 100.
    pub max_headers: usize,
    /// `max_connections`: client connections open at once; further ones wait in the kernel's queue; default 16384.
    pub max_connections: usize,
    /// `max_upstream_connections`: connections to one upstream address open at once, idle ones that are
    /// kept included; default 4096.
    pub max_upstream_connections: usize,
    /// `header_read_timeout`: from the opening of a connection, or the end of its last answer, to the end of
    /// the next request head, so that it is also how long an idle connection is kept; default 30 s.
    pub header_read_timeout: Duration,
    /// `body_read_timeout`: the longest gap while a client sends its body; default 30 s.
    pub body_read_timeout: Duration,
    /// `write_timeout`: how long a client may leave an answer unread before it is given up; default 60 s.
    pub write_timeout: Duration,
    /// `shutdown_grace`: how long open answers may go on after SIGTERM; default 30 s.
    pub shutdown_grace: Duration,
    /// `workers`: number of runtimes, each on a thread of its own; default one for each core.
    pub workers: Option<NonZeroUsize>,
    /// `runtime`: how requests are spread over threads.
    pub runtime: Runtime,
}

impl GeneralSettings {
    /// The hash of the master key, which no client's key may have.
    pub(crate) fn master_hash(&self) -> Option<KeyHash> {
        self.master_key.as_ref().map(|key| KeyHash::of(key.expose().as_bytes()))
    }
}

impl Default for GeneralSettings {
    fn default() -> Self {
        Self {
            master_key: None,
            keys_file: None,
            permit_weak_key: false,
            max_request_bytes: 100 * 1024 * 1024,
            max_header_bytes: 64 * 1024,
            max_headers: 100,
            max_connections: 16_384,
            max_upstream_connections: 4096,
            header_read_timeout: Duration::from_secs(30),
            body_read_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(60),
            shutdown_grace: Duration::from_secs(30),
            workers: None,
            runtime: Runtime::PerCore,
        }
    }
}

/// How requests are spread over threads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Runtime {
    /// `per_core`: one single-threaded runtime a worker, each with its own listener and upstream connections.
    #[default]
    PerCore,
    /// `work_stealing`: one runtime over all workers; dearer a request, steadier tail under contention.
    WorkStealing,
}

/// An OpenAI-compatible engine that runs inside this process, for trying things without a GPU or a key.
#[derive(Debug, Clone, PartialEq)]
pub struct SimulatedEngine {
    /// `slots`: answers generated at once, further requests wait; 1 to 100,000; default 4.
    pub slots: u32,
    /// `first_token_time`: seconds from getting a slot to the first token; default 0.2.
    pub first_token_time: Duration,
    /// `tokens_per_second` of each answer; default 50.
    pub tokens_per_second: f64,
    /// `mean_tokens`: mean answer length when the request sets no `max_tokens`; lognormal; default 64.
    pub mean_tokens: f64,
}

impl Default for SimulatedEngine {
    fn default() -> Self {
        Self {
            slots: 4,
            first_token_time: Duration::from_millis(200),
            tokens_per_second: 50.0,
            mean_tokens: 64.0,
        }
    }
}
