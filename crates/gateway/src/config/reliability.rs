//! What happens when an attempt fails: retries, fallbacks, cooldown, hedging.

use std::collections::BTreeMap;
use std::time::Duration;

use leastbusy_balance::{ByClass, ErrorClass, Outcome};

use crate::provider;

/// How often a request is tried again within its model group.
#[derive(Debug, Clone, PartialEq)]
pub struct Retries {
    /// `num_retries`: further attempts after the first; 0 to 1000, default 2 (LiteLLM's).
    ///
    /// A deployment's own [`num_retries`](super::Deployment::num_retries) and the request's go before it.
    pub num_retries: u32,
    /// `litellm_settings.num_retries_per_request`: bounds the retries of a request over all model groups that
    /// serve it, fallbacks included; 0 to 1000, default none.
    pub per_request: Option<u32>,
    /// `retry_after`: the least wait, in seconds, before a deployment that was tried already is tried again; 0 to
    /// 3600, default 0 (LiteLLM's).
    pub retry_after: Duration,
    /// `retry_policy`: retries by class of error; goes before every count above.
    pub policy: RetryPolicy,
    /// `model_group_retry_policy`: the policies that take the place of [`policy`](Self::policy) for some names. An
    /// alias has its own or else that of its model group.
    pub group_policies: BTreeMap<String, RetryPolicy>,
    /// `retry_budget_percent`: retries and hedges of a model group, in percent of its successes; 0 to 1000,
    /// default 20.
    pub budget_percent: f64,
    /// `retry_budget_per_second`: retries and hedges a second that a model group may always make besides; 0 to
    /// 100,000, default 10.
    pub budget_per_second: f64,
}

impl Retries {
    /// The largest number of retries that any setting may give.
    pub const MOST: u32 = 1000;

    /// The policy of a request that is known by `names`: the one it asks for, then what that leads to.
    #[must_use]
    pub fn policy_for(&self, names: &[&str]) -> &RetryPolicy {
        names.iter().find_map(|name| self.group_policies.get(*name)).unwrap_or(&self.policy)
    }
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            num_retries: 2,
            per_request: None,
            retry_after: Duration::ZERO,
            policy: RetryPolicy::default(),
            group_policies: BTreeMap::new(),
            // Finagle's and linkerd's figures.
            budget_percent: 20.0,
            budget_per_second: 10.0,
        }
    }
}

/// Retries by class of error, each 0 to 1000.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RetryPolicy {
    /// `RateLimitErrorRetries` and its like.
    pub by_class: ByClass,
    /// `DefaultRetries`: for classes without a number of their own; `None` leaves those to the plain counts.
    pub default: Option<u32>,
}

impl RetryPolicy {
    /// The retries after an error of this class; `None` leaves them to the plain counts.
    #[must_use]
    pub fn retries(&self, class: ErrorClass) -> Option<u32> {
        self.by_class.get(class).or(self.default)
    }
}

/// The model groups that take over when one cannot serve a request.
///
/// A list holds a name (a model group, an alias, a name that a wildcard serves, or `*` for every name without an item
/// of its own) with the names to try, in order. The first item for a name counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fallbacks {
    /// `fallbacks`: whatever the error is.
    pub general: Vec<(String, Vec<String>)>,
    /// `context_window_fallbacks`: for requests longer than the model can read; when there are any, no other
    /// fallback serves those.
    pub context_window: Vec<(String, Vec<String>)>,
    /// `content_policy_fallbacks`: for requests that a content filter refused; when there are any, no other fallback
    /// serves those.
    pub content_policy: Vec<(String, Vec<String>)>,
    /// `default_fallbacks`: for every name without an item in `fallbacks`; goes before the `*` there.
    pub default: Vec<String>,
    /// `max_fallbacks`: targets that one request tries in all, however they follow from each other; 0 to 100,
    /// default 5 (LiteLLM's).
    pub max: u32,
}

impl Fallbacks {
    /// The largest `max_fallbacks`.
    pub const MOST: u32 = 100;

    /// The names to try after `outcome`, in order, for a request that is known by `names`: the one it asks for, then
    /// what that leads to. They may hold a name twice, or one of `names`.
    ///
    /// In a list a name itself goes before the same name with or without a provider (`gpt-4o` and `openai/gpt-4o`), and
    /// this before `*`, as in LiteLLM.
    #[must_use]
    pub fn after(&self, outcome: Outcome, names: &[&str]) -> &[String] {
        let special = match outcome {
            Outcome::ContextWindow => self.context_window.as_slice(),
            Outcome::ContentPolicy => self.content_policy.as_slice(),
            _ => &[],
        };
        if !special.is_empty() {
            return named(special, names).or_else(|| item(special, "*")).unwrap_or_default();
        }
        let default = || (!self.default.is_empty()).then_some(self.default.as_slice());
        named(&self.general, names).or_else(default).or_else(|| item(&self.general, "*")).unwrap_or_default()
    }
}

fn named<'f>(list: &'f [(String, Vec<String>)], names: &[&str]) -> Option<&'f [String]> {
    let exact = names.iter().find_map(|name| item(list, name));
    exact.or_else(|| {
        let is_like = |group: &str, name: &str| {
            provider::without(name) == Some(group) || provider::without(group) == Some(name)
        };
        let like = |name: &&str| list.iter().find(|(group, _)| is_like(group, name));
        names.iter().find_map(like).map(|(_, targets)| targets.as_slice())
    })
}

fn item<'f>(list: &'f [(String, Vec<String>)], name: &str) -> Option<&'f [String]> {
    list.iter().find(|(group, _)| group == name).map(|(_, targets)| targets.as_slice())
}

impl Default for Fallbacks {
    fn default() -> Self {
        Self {
            general: Vec::new(),
            context_window: Vec::new(),
            content_policy: Vec::new(),
            default: Vec::new(),
            max: 5,
        }
    }
}

/// When a deployment rests, for how long, and how it returns.
#[derive(Debug, Clone, PartialEq)]
pub struct Cooldown {
    /// `cooldown_time`: the rest after too many failures; 0 to ten years, `None` is [`Cooldown::DEFAULT_TIME`].
    ///
    /// Precedence: deployment, the upstream's `Retry-After`, this one. 0 takes no deployment out.
    pub time: Option<Duration>,
    /// `disable_cooldowns`: no deployment ever rests; default false.
    pub disabled: bool,
    /// `allowed_fails`: failures within [`failure_window`](Self::failure_window) that are tolerated, so that one
    /// more starts a rest; `None` leaves the decision to the rules for rates.
    pub allowed_fails: Option<u32>,
    /// `allowed_fails_policy`: the same by class of error, which goes before [`allowed_fails`](Self::allowed_fails).
    pub allowed_fails_policy: ByClass,
    /// `failure_window`: the sliding window over which failures count; 1 s to an hour, default 60 s.
    pub failure_window: Duration,
    /// `max_cooldown_time`: bounds the rest, which doubles each time a deployment fails its probe; more than 0, at
    /// most ten years, default 300 s. A longer [`time`](Self::time) is not shortened; it only never doubles.
    pub max_time: Duration,
    /// `max_retry_after`: bounds the `Retry-After` of an upstream; 0 to ten years, default 300 s. 0 ignores it.
    pub max_retry_after: Duration,
    /// `ramp_time`: from a deployment's return to its full share at the latest; 0 to an hour, default 20 s. 0 gives
    /// the full share at once.
    pub ramp: Duration,
    /// `when_all_cooling`: what becomes of a request while every deployment of its model group rests.
    pub when_all_cooling: WhenAllCooling,
    /// `all_cooling_wait`: the longest wait of [`WhenAllCooling::Wait`], never past the request's own deadline; 0 to
    /// an hour, default 1 s.
    pub all_cooling_wait: Duration,
}

impl Cooldown {
    /// `cooldown_time` where nothing else is set: LiteLLM's 5 s.
    pub const DEFAULT_TIME: Duration = Duration::from_secs(5);
}

impl Default for Cooldown {
    fn default() -> Self {
        Self {
            time: None,
            disabled: false,
            allowed_fails: None,
            allowed_fails_policy: ByClass::default(),
            failure_window: Duration::from_secs(60),
            max_time: Duration::from_secs(300),
            max_retry_after: Duration::from_secs(300),
            ramp: Duration::from_secs(20),
            when_all_cooling: WhenAllCooling::Wait,
            all_cooling_wait: Duration::from_secs(1),
        }
    }
}

/// What becomes of a request while every deployment of its model group rests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WhenAllCooling {
    /// `fail`: a fallback or an error at once.
    Fail,
    /// `wait`: a short wait for the first deployment that returns, then as `fail`.
    #[default]
    Wait,
    /// `try_soonest`: the deployment that would return first is tried in spite of its rest.
    TrySoonest,
}

/// When one deployment rests; each `None` and each class without a number is left to the router's [`Cooldown`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeploymentCooldown {
    /// `model_info.cooldown_time`, else `litellm_params.cooldown_time`: goes before the upstream's `Retry-After`; 0
    /// never takes the deployment out.
    pub time: Option<Duration>,
    /// `model_info.allowed_fails`; on the only deployment of a model group it never starts a rest, as in LiteLLM.
    pub allowed_fails: Option<u32>,
    /// `model_info.allowed_fails_policy`.
    pub allowed_fails_policy: ByClass,
}

/// When a second attempt starts beside one that is slow to answer; the first answer wins.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum Hedge {
    /// Never.
    #[default]
    Off,
    /// `hedge_after`: when no byte has come for so long; more than 0, at most an hour.
    After(Duration),
    /// `hedge_percentile`: when the first byte takes longer than in this percentage of the model group's latest
    /// attempts; more than 0, less than 100.
    Percentile(f64),
}
