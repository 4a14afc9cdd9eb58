//! What a request asks of the router beside its model, in its body and in headers.

use std::time::Duration;

use http::{HeaderMap, HeaderName};
use leastbusy_balance::Strategy;

use super::ApiError;
use super::bad_request::BadRequest;
use super::fallbacks::{FallbackList, RequestFallbacks};
use super::given::{Given, Members, retries};
use super::metadata::{self, RouterMetadata};

/// The longest time limit that counts; a longer one is taken as this. A year, so that adding it to
/// the present time cannot overflow.
pub const MAX_TIMEOUT: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The most retries that a request may ask for. The configuration may set more: its writer pays for them.
pub const MAX_RETRIES: u32 = 100;

/// What one request asks of the router, beside its model.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Extras {
    /// `timeout`: see [`Timeouts::timeout`](crate::config::Timeouts::timeout).
    pub timeout: Option<Duration>,
    /// `stream_timeout`: see [`Timeouts::stream_timeout`](crate::config::Timeouts::stream_timeout).
    pub stream_timeout: Option<Duration>,
    /// `request_timeout`: another name for `timeout`, which wins over it.
    pub request_timeout: Option<Duration>,
    /// `num_retries`: further attempts after the first, at most [`MAX_RETRIES`].
    pub num_retries: Option<u32>,
    /// `cooldown_time`, at most [`MAX_TIMEOUT`]: read so that a mistake is told, and not served, because one client could
    /// rest a deployment for all others.
    pub cooldown_time: Option<Duration>,
    /// `disable_fallbacks`: whether an error of the group is the last word; default false.
    pub disable_fallbacks: bool,
    /// `include_fallback_errors`: whether the answer tells which fallbacks failed; default false.
    pub include_fallback_errors: bool,
    /// The failure that the first group has to pretend, so that fallbacks can be tried out.
    pub mock_failure: Option<MockFailure>,
    /// `router_settings_override.routing_strategy`: how a deployment is chosen for this request.
    pub strategy: Option<Strategy>,
    /// `router_settings_override.enable_tag_filtering`: whether tags count for this request.
    pub tag_filtering: Option<bool>,
    /// `priority`: which of the requests that wait is served first, the lowest number before others.
    pub priority: Option<i64>,
    /// The tags that the request brings: `tags`, then `metadata.tags`, then the header `x-litellm-tags` (a list with commas);
    /// each of the three gives at most [`MAX_TAGS`](super::MAX_TAGS).
    pub tags: Vec<String>,
    /// What the request has in common with others of its session, 1 to [`MAX_SESSION_BYTES`](super::MAX_SESSION_BYTES):
    /// `litellm_session_id`, else `metadata.session_id`, else the header `x-litellm-session-id`.
    pub session: Option<String>,
    /// The request's own fallbacks, if it brings any.
    pub fallbacks: Option<Box<RequestFallbacks>>,
}

/// A failure that a request asks for: LiteLLM's way to try fallbacks out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MockFailure {
    /// `mock_testing_fallbacks`: a failure of the deployment; goes before the others.
    General,
    /// `mock_testing_context_fallbacks`: a request longer than the model can read.
    ContextWindow,
    /// `mock_testing_content_policy_fallbacks`: a request that a content filter refused.
    ContentPolicy,
}

static TIMEOUT: HeaderName = HeaderName::from_static("x-litellm-timeout");
static STREAM_TIMEOUT: HeaderName = HeaderName::from_static("x-litellm-stream-timeout");
static NUM_RETRIES: HeaderName = HeaderName::from_static("x-litellm-num-retries");
static TAGS: HeaderName = HeaderName::from_static("x-litellm-tags");
static SESSION: HeaderName = HeaderName::from_static("x-litellm-session-id");

impl Extras {
    /// The whole-answer limit the request asks for: `timeout`, else `request_timeout`.
    #[must_use]
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout.or(self.request_timeout)
    }

    /// Takes from the headers what the body left open.
    ///
    /// # Errors
    /// For a header that cannot be read, whether it would count or not.
    pub fn fill_from(&mut self, headers: &HeaderMap) -> Result<(), ApiError> {
        // A search hashes the whole name, and most requests have none of these.
        if !headers.keys().any(|name| name.as_str().starts_with("x-litellm-")) {
            return Ok(());
        }
        let seconds = "a number of seconds above 0";
        let timeout = header(headers, &TIMEOUT, seconds, time_limit)?;
        let stream_timeout = header(headers, &STREAM_TIMEOUT, seconds, time_limit)?;
        let num_retries = header(headers, &NUM_RETRIES, RETRIES, retries)?;
        self.timeout = self.timeout().or(timeout);
        self.stream_timeout = self.stream_timeout.or(stream_timeout);
        self.num_retries = self.num_retries.or(num_retries);
        self.tags.extend(tags(headers)?);
        let session = header(headers, &SESSION, SESSION_NAME, metadata::session_name)?.flatten();
        self.session = self.session.take().or(session);
        Ok(())
    }
}

/// What a header with a number of retries must be; the limit is [`MAX_RETRIES`].
const RETRIES: &str = "a whole number from 0 to 100";
/// What the header with tags must be; the limit is [`MAX_TAGS`](super::MAX_TAGS).
const TAG_LIST: &str = "a list of at most 100 tags with commas between them";
/// What the header with the session's name must be; the limit is [`MAX_SESSION_BYTES`](super::MAX_SESSION_BYTES).
const SESSION_NAME: &str = "text of at most 256 bytes";

fn header<T>(
    headers: &HeaderMap,
    name: &'static HeaderName,
    expected: &str,
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, ApiError> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    value.to_str().ok().and_then(|text| read(text.trim())).map(Some).ok_or_else(|| {
        ApiError::invalid_request(format!("The header `{name}` must be {expected}."), name.as_str())
    })
}

/// The tags of all lines of their header, which are one list as those of any header with commas.
fn tags(headers: &HeaderMap) -> Result<Vec<String>, ApiError> {
    let lines = headers.get_all(&TAGS).iter();
    let texts: Option<Vec<_>> = lines.map(|line| line.to_str().ok()).collect();
    texts.and_then(|texts| metadata::comma_list(&texts.join(","))).ok_or_else(|| {
        ApiError::invalid_request(format!("The header `{TAGS}` must be {TAG_LIST}."), TAGS.as_str())
    })
}

/// A field that [`Extras`] are read from. A new one is a line in each of `named` and `name`, and its arm
/// in [`ExtrasReader::take`].
#[derive(Debug, Clone, Copy)]
pub(super) enum Extra {
    Timeout,
    StreamTimeout,
    RequestTimeout,
    NumRetries,
    CooldownTime,
    Fallbacks,
    ContextWindowFallbacks,
    ContentPolicyFallbacks,
    DisableFallbacks,
    IncludeFallbackErrors,
    RouterSettingsOverride,
    MockFallbacks,
    MockContextFallbacks,
    MockContentPolicyFallbacks,
    Priority,
    Tags,
    Session,
}

impl Extra {
    pub(super) fn named(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"timeout" => Self::Timeout,
            b"stream_timeout" => Self::StreamTimeout,
            b"request_timeout" => Self::RequestTimeout,
            b"num_retries" => Self::NumRetries,
            b"cooldown_time" => Self::CooldownTime,
            b"fallbacks" => Self::Fallbacks,
            b"context_window_fallbacks" => Self::ContextWindowFallbacks,
            b"content_policy_fallbacks" => Self::ContentPolicyFallbacks,
            b"disable_fallbacks" => Self::DisableFallbacks,
            b"include_fallback_errors" => Self::IncludeFallbackErrors,
            b"router_settings_override" => Self::RouterSettingsOverride,
            b"mock_testing_fallbacks" => Self::MockFallbacks,
            b"mock_testing_context_fallbacks" => Self::MockContextFallbacks,
            b"mock_testing_content_policy_fallbacks" => Self::MockContentPolicyFallbacks,
            b"priority" => Self::Priority,
            b"tags" => Self::Tags,
            b"litellm_session_id" => Self::Session,
            _ => return None,
        })
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::StreamTimeout => "stream_timeout",
            Self::RequestTimeout => "request_timeout",
            Self::NumRetries => "num_retries",
            Self::CooldownTime => "cooldown_time",
            Self::Fallbacks => "fallbacks",
            Self::ContextWindowFallbacks => "context_window_fallbacks",
            Self::ContentPolicyFallbacks => "content_policy_fallbacks",
            Self::DisableFallbacks => "disable_fallbacks",
            Self::IncludeFallbackErrors => "include_fallback_errors",
            Self::RouterSettingsOverride => "router_settings_override",
            Self::MockFallbacks => "mock_testing_fallbacks",
            Self::MockContextFallbacks => "mock_testing_context_fallbacks",
            Self::MockContentPolicyFallbacks => "mock_testing_content_policy_fallbacks",
            Self::Priority => "priority",
            Self::Tags => "tags",
            Self::Session => "litellm_session_id",
        }
    }
}

/// Whether a top-level field is the router's and must not reach an upstream.
///
/// `metadata` stays although its `tags` are the router's: OpenAI's own API has it too.
#[must_use]
pub fn is_routing_extra(name: &[u8]) -> bool {
    Extra::named(name).is_some()
        || matches!(name, b"mock_response" | b"mock_timeout")
        || name.starts_with(b"mock_testing_")
}

/// A time limit written as a number of seconds: finite and above 0, cut to [`MAX_TIMEOUT`].
pub(super) fn time_limit(number: &str) -> Option<Duration> {
    let seconds = number.parse::<f64>().ok().filter(|seconds| seconds.is_finite())?;
    let limit = Duration::try_from_secs_f64(seconds.min(MAX_TIMEOUT.as_secs_f64())).ok()?;
    (!limit.is_zero()).then_some(limit)
}

/// Collects a request's extras from its fields, which come in any order.
#[derive(Debug, Default)]
pub(super) struct ExtrasReader {
    extras: Extras,
    overrides: Option<Box<Extras>>,
    metadata: RouterMetadata,
}

impl ExtrasReader {
    /// Takes the value of one field.
    pub(super) fn take(&mut self, extra: Extra, json: &[u8]) -> Result<(), BadRequest> {
        let given = Given { json, param: extra.name() };
        let extras = &mut self.extras;
        match extra {
            Extra::Timeout => extras.timeout = given.time_limit()?,
            Extra::StreamTimeout => extras.stream_timeout = given.time_limit()?,
            Extra::RequestTimeout => extras.request_timeout = given.time_limit()?,
            Extra::NumRetries => extras.num_retries = given.retries()?,
            Extra::CooldownTime => extras.cooldown_time = given.rest()?,
            Extra::DisableFallbacks => extras.disable_fallbacks = given.is_true()?,
            Extra::IncludeFallbackErrors => extras.include_fallback_errors = given.is_true()?,
            Extra::MockFallbacks => mock(extras, given, MockFailure::General)?,
            Extra::MockContextFallbacks => mock(extras, given, MockFailure::ContextWindow)?,
            Extra::MockContentPolicyFallbacks => mock(extras, given, MockFailure::ContentPolicy)?,
            Extra::Fallbacks | Extra::ContextWindowFallbacks | Extra::ContentPolicyFallbacks => {
                fallbacks(extras, extra, given)?;
            }
            Extra::RouterSettingsOverride => self.overrides = overrides(given)?,
            Extra::Priority => extras.priority = given.priority()?,
            Extra::Tags => extras.tags = given.tags()?,
            Extra::Session => extras.session = given.session()?,
        }
        Ok(())
    }

    /// Takes what `metadata` holds for the router; the rest of it is the upstream's.
    pub(super) fn take_metadata(&mut self, json: &[u8]) {
        self.metadata = RouterMetadata::read(json);
    }

    /// All that was taken; a field of the request itself goes before the same in `router_settings_override`.
    pub(super) fn finish(self) -> Extras {
        let Self { mut extras, overrides, metadata } = self;
        extras.tags.extend(metadata.tags);
        extras.session = extras.session.or(metadata.session);
        let Some(overrides) = overrides else { return extras };
        extras.timeout = extras.timeout().or(overrides.timeout);
        extras.num_retries = extras.num_retries.or(overrides.num_retries);
        extras.strategy = overrides.strategy;
        extras.tag_filtering = overrides.tag_filtering;
        if let Some(theirs) = overrides.fallbacks {
            let ours = extras.fallbacks.get_or_insert_default();
            ours.general = ours.general.take().or(theirs.general);
            ours.context_window = ours.context_window.take().or(theirs.context_window);
            ours.content_policy = ours.content_policy.take().or(theirs.content_policy);
        }
        extras
    }
}

fn mock(extras: &mut Extras, given: Given<'_>, failure: MockFailure) -> Result<(), BadRequest> {
    if given.is_true()? && extras.mock_failure.is_none_or(|other| failure < other) {
        extras.mock_failure = Some(failure);
    }
    Ok(())
}

fn fallbacks(extras: &mut Extras, which: Extra, given: Given<'_>) -> Result<(), BadRequest> {
    let Some(list) = FallbackList::read(given)? else { return Ok(()) };
    let fallbacks = extras.fallbacks.get_or_insert_default();
    let place = match which {
        Extra::ContextWindowFallbacks => &mut fallbacks.context_window,
        Extra::ContentPolicyFallbacks => &mut fallbacks.content_policy,
        _ => &mut fallbacks.general,
    };
    *place = Some(list);
    Ok(())
}

/// `router_settings_override`, of which the keys that mean something for one request count.
fn overrides(given: Given<'_>) -> Result<Option<Box<Extras>>, BadRequest> {
    if given.json == b"null" {
        return Ok(None);
    }
    let Ok(Members(members)) = serde_json::from_slice(given.json) else {
        return Err(given.wrong_type("an object"));
    };
    let mut extras = Box::<Extras>::default();
    for (name, value) in members {
        let member = |param| Given::member(value, param);
        match &*name {
            "timeout" => extras.timeout = member("router_settings_override.timeout").time_limit()?,
            "routing_strategy" => {
                extras.strategy = member("router_settings_override.routing_strategy").strategy()?;
            }
            "enable_tag_filtering" => {
                extras.tag_filtering = member("router_settings_override.enable_tag_filtering").yes_or_no()?;
            }
            "num_retries" => extras.num_retries = member("router_settings_override.num_retries").retries()?,
            "fallbacks" => {
                fallbacks(&mut extras, Extra::Fallbacks, member("router_settings_override.fallbacks"))?;
            }
            "context_window_fallbacks" => fallbacks(
                &mut extras,
                Extra::ContextWindowFallbacks,
                member("router_settings_override.context_window_fallbacks"),
            )?,
            "content_policy_fallbacks" => fallbacks(
                &mut extras,
                Extra::ContentPolicyFallbacks,
                member("router_settings_override.content_policy_fallbacks"),
            )?,
            _ => {}
        }
    }
    Ok(Some(extras))
}

#[cfg(test)]
mod tests;
