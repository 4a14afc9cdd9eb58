//! A deployment ready for the wire: everything about a request to it that does not change.

use std::borrow::Cow;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use leastbusy_balance::{Capacity, DeploymentIndex, HealthRules, Room, Terms};

use super::physical::Physical;
use super::rules;
use crate::config::{self, EngineKind, RouterSettings, Timeouts};
use crate::openai::DefaultParams;
use crate::openai::endpoint::{AzurePath, ENDPOINTS, Endpoint, EndpointIndex};
use crate::provider::{KeyHeader, Paths, Provider};
use crate::upstream::{Limits, Origin};
use crate::wildcard::Pattern;

/// One entry of `model_list`, made ready.
#[derive(Debug)]
pub struct Deployment {
    /// Its id, given or derived.
    pub id: String,
    /// The model group it was listed under.
    pub model_name: String,
    /// The provider's name.
    pub provider: &'static str,
    /// The model as the provider calls it; may hold `*`.
    pub model: String,
    /// Base URL without credentials or query.
    pub api_base: String,
    /// Its share of its group's work.
    pub weight: f64,
    /// Its level in its group.
    pub order: i64,
    /// The most requests in flight, as its entry has it.
    pub limit: Option<NonZeroU32>,
    /// What its engine is, where that is to tell how busy it is.
    pub engine: Option<EngineKind>,
    /// Whether nothing is sent there.
    pub blocked: bool,
    /// How long a health check waits for it, where it has its own limit.
    pub health_check_timeout: Option<Duration>,
    /// Its count in the fleet, which other entries may share.
    pub counted_as: DeploymentIndex,
    pub(super) physical: Physical,
    pub(super) id_header: HeaderValue,
    pub(super) api_base_header: HeaderValue,
    pub(super) defaults: DefaultParams,
    /// Headers that every request to it carries.
    headers: HeaderMap,
    /// Whether its answers are asked for a load report.
    pub(super) asks_for_load: bool,
    /// `num_retries`, where it has its own.
    pub(super) num_retries: Option<u32>,
    pub(super) rules: Arc<HealthRules>,
    pub(super) terms: Arc<Terms>,
    pub(super) room: Room,
    pub(super) capacity: Option<Capacity>,
    timeouts: Timeouts,
    origin: Arc<Origin>,
    pattern: Option<Pattern>,
    paths: PathRule,
    /// Answers cheaply when the deployment is up.
    pub(super) models_path: PathAndQuery,
}

#[derive(Debug)]
enum PathRule {
    /// One path for each endpoint.
    Fixed(Box<[PathAndQuery]>),
    /// Azure's, for a model that is known with the request.
    ByModel { base: String, query: String },
}

/// Where a deployment is, once everything that a configuration may leave out is known.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) provider: &'static Provider,
    pub(super) model: String,
    pub(super) api_base: String,
    pub(super) origin: Arc<Origin>,
    pub(super) counted_as: DeploymentIndex,
    pub(super) physical: Physical,
}

/// Why a deployment cannot be made ready.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NotUsable(pub String);

impl Deployment {
    pub(super) fn new(
        entry: &config::Deployment,
        id: String,
        place: Place,
        router: &RouterSettings,
    ) -> Result<Self, NotUsable> {
        let printable = |text: &str, what: &str| {
            HeaderValue::from_str(text)
                .map_err(|_| NotUsable(format!("{what} `{text}` cannot stand in a header")))
        };
        let pattern = Pattern::parse(&place.model);
        let paths = path_rule(&place, entry.api_version.as_deref(), pattern.is_some())?;
        let models_path = models_path(&paths, &place.api_base)?;
        Ok(Self {
            id_header: printable(&id, "the id")?,
            api_base_header: printable(&place.api_base, "api_base")?,
            defaults: DefaultParams::new(&entry.default_params),
            headers: headers(entry, place.provider.key_header)?,
            timeouts: merge(&entry.timeouts, &router.timeouts),
            num_retries: entry.num_retries,
            rules: rules::of_deployment(&router.cooldown, &entry.cooldown),
            terms: rules::terms(entry),
            room: rules::room(entry),
            capacity: rules::capacity(entry),
            id,
            model_name: entry.model_name.clone(),
            provider: place.provider.name,
            model: place.model,
            api_base: place.api_base,
            weight: entry.weight,
            order: entry.order,
            limit: entry.parallel_limit(router).and_then(NonZeroU32::new),
            engine: entry.engine.kind,
            asks_for_load: router.engine_load.headers && entry.engine.kind.is_some(),
            blocked: entry.blocked,
            health_check_timeout: entry.health_check_timeout,
            counted_as: place.counted_as,
            physical: place.physical,
            origin: place.origin,
            pattern,
            paths,
            models_path,
        })
    }

    /// The address it listens on.
    #[must_use]
    pub fn origin(&self) -> &Arc<Origin> {
        &self.origin
    }

    /// The model to ask for when the request's name gave these captures.
    pub(super) fn model_for(&self, captures: &[&str]) -> Cow<'_, str> {
        let Some(pattern) = &self.pattern else { return Cow::Borrowed(&self.model) };
        // With `*` under `*`, a client may write the provider in front, as LiteLLM's clients do.
        let captures: Vec<&str> = captures
            .iter()
            .map(|capture| match self.model.as_str() {
                "*" => capture
                    .strip_prefix(self.provider)
                    .and_then(|rest| rest.strip_prefix('/'))
                    .unwrap_or(capture),
                _ => capture,
            })
            .collect();
        Cow::Owned(pattern.fill(&captures))
    }

    pub(super) fn path(&self, endpoint: EndpointIndex, model: &str) -> Result<PathAndQuery, NotUsable> {
        match &self.paths {
            PathRule::Fixed(paths) => Ok(paths[endpoint.place()].clone()),
            PathRule::ByModel { base, query } => azure_path(base, query, endpoint.endpoint(), model),
        }
    }

    /// Adds the headers that every request to it carries, its key among them.
    pub(crate) fn add_headers(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.headers {
            headers.insert(name.clone(), value.clone());
        }
    }

    /// The time limits of one attempt.
    pub(super) fn limits(&self, request: &Timeouts, stream: bool) -> Limits {
        limits(&merge(request, &self.timeouts), stream)
    }
}

fn base_path(api_base: &str) -> &str {
    let after_scheme = api_base.split_once("://").map_or(api_base, |(_, rest)| rest);
    after_scheme.find('/').map_or("", |slash| after_scheme[slash..].trim_end_matches('/'))
}

fn path_rule(place: &Place, api_version: Option<&str>, any_model: bool) -> Result<PathRule, NotUsable> {
    let base = base_path(&place.api_base);
    let query = api_version.map(|version| format!("?api-version={version}")).unwrap_or_default();
    // Azure's newer surface is OpenAI's, under /openai/v1.
    let azure = place.provider.paths == Paths::Azure && !base.ends_with("/openai/v1");
    if azure && any_model {
        return Ok(PathRule::ByModel { base: base.to_owned(), query });
    }
    ENDPOINTS
        .iter()
        .map(|endpoint| match azure {
            true => azure_path(base, &query, endpoint, &place.model),
            false => parse_path(&format!("{base}/{}", endpoint.path)),
        })
        .collect::<Result<_, _>>()
        .map(PathRule::Fixed)
}

fn models_path(paths: &PathRule, api_base: &str) -> Result<PathAndQuery, NotUsable> {
    match paths {
        PathRule::Fixed(_) => parse_path(&format!("{}/models", base_path(api_base))),
        PathRule::ByModel { base, query } => parse_path(&format!("{base}/openai/models{query}")),
    }
}

fn azure_path(base: &str, query: &str, endpoint: &Endpoint, model: &str) -> Result<PathAndQuery, NotUsable> {
    parse_path(&match endpoint.azure {
        AzurePath::Deployment => {
            format!("{base}/openai/deployments/{}/{}{query}", segment(model)?, endpoint.path)
        }
        AzurePath::Account => format!("{base}/openai/{}{query}", endpoint.path),
    })
}

/// A model as one segment of a path. Behind a wildcard the client wrote it, and it must not lead elsewhere.
fn segment(model: &str) -> Result<String, NotUsable> {
    if matches!(model, "." | "..") {
        return Err(NotUsable("The model name cannot stand in a path.".to_owned()));
    }
    let mut segment = String::with_capacity(model.len());
    for byte in model.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            segment.push(char::from(byte));
        } else {
            segment.push_str(&format!("%{byte:02X}"));
        }
    }
    Ok(segment)
}

fn parse_path(path: &str) -> Result<PathAndQuery, NotUsable> {
    path.parse().map_err(|_| NotUsable(format!("`{path}` cannot stand in a URL")))
}

fn headers(entry: &config::Deployment, key_header: KeyHeader) -> Result<HeaderMap, NotUsable> {
    let mut headers = HeaderMap::new();
    if let Some(key) = &entry.api_key {
        let (name, text) = match key_header {
            KeyHeader::Bearer => (header::AUTHORIZATION, format!("Bearer {}", key.expose())),
            KeyHeader::ApiKey => (HeaderName::from_static("api-key"), key.expose().to_owned()),
        };
        let mut value = HeaderValue::from_str(&text)
            .map_err(|_| NotUsable("api_key cannot stand in a header".to_owned()))?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    if let Some(organization) = &entry.organization {
        let value = HeaderValue::from_str(organization)
            .map_err(|_| NotUsable("organization cannot stand in a header".to_owned()))?;
        headers.insert(HeaderName::from_static("openai-organization"), value);
    }
    headers.extend(entry.extra_headers.iter().cloned());
    Ok(headers)
}

/// The narrower settings where they say something, else the wider ones.
fn merge(narrow: &Timeouts, wide: &Timeouts) -> Timeouts {
    Timeouts {
        timeout: narrow.timeout.or(wide.timeout),
        stream_timeout: narrow.stream_timeout.or(wide.stream_timeout),
        connect: narrow.connect.or(wide.connect),
        first_byte: narrow.first_byte.or(wide.first_byte),
        idle: narrow.idle.or(wide.idle),
        total: narrow.total.or(wide.total),
    }
}

fn limits(timeouts: &Timeouts, stream: bool) -> Limits {
    let total = timeouts.total.unwrap_or(Timeouts::DEFAULT_TOTAL);
    let connect = timeouts.connect.unwrap_or(Timeouts::DEFAULT_CONNECT);
    if stream {
        let gap = timeouts.stream_timeout.or(timeouts.timeout).unwrap_or(total);
        Limits {
            connect,
            first_byte: timeouts.first_byte.unwrap_or(gap),
            idle: timeouts.idle.unwrap_or(gap),
            total,
        }
    } else {
        let total = timeouts.timeout.unwrap_or(total).min(total);
        Limits {
            connect,
            first_byte: timeouts.first_byte.unwrap_or(total),
            idle: timeouts.idle.unwrap_or(total),
            total,
        }
    }
}
