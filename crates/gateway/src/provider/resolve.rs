//! From what the configuration says to a provider, the model name it knows, and an address.

use http::Uri;
use thiserror::Error;

use super::{BareBase, Paths, Provider, find, is_known_elsewhere, names};
use crate::likeness::nearest;

/// The `api-version` that Azure gets when neither the deployment nor `AZURE_API_VERSION` names one; LiteLLM's default.
pub const AZURE_API_VERSION: &str = "2025-02-01-preview";

/// Where a deployment is and what it calls its model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// How to speak to it.
    pub provider: &'static Provider,
    /// The model's name there: `litellm_params.model` without the provider.
    pub model: String,
    /// Base URL without a trailing slash; `None` only for `simulated`.
    pub api_base: Option<String>,
    /// What a reader of the configuration should know about the choice.
    pub notes: Vec<Note>,
}

/// Something about an [`Address`] that may not be what was meant.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Note {
    /// The part before the slash is no provider, so it was taken for a part of the model's name.
    #[error("`{prefix}` is not a provider, so the model `{model}` is asked for at the api_base as it stands")]
    WholeNameSent {
        /// What stands before the first slash.
        prefix: String,
        /// The name that is sent.
        model: String,
    },
    /// A provider with another protocol, reached through a base that is taken to speak OpenAI's.
    #[error(
        "leastbusy does not speak {provider}'s own protocol; `{model}` is asked for at the api_base as OpenAI would be"
    )]
    TakenForOpenAi {
        /// LiteLLM's name of the provider.
        provider: String,
        /// The name that is sent.
        model: String,
    },
    /// The base has no path, where most servers want `/v1`.
    #[error("`{api_base}` has no path; most {provider} servers serve under `/v1`")]
    NoPath {
        /// The base.
        api_base: String,
        /// The provider's name.
        provider: &'static str,
    },
    /// The base ended in an endpoint, which is added to each request anyway.
    #[error("`{endpoint}` at the end of the api_base is dropped: it is added to each request")]
    EndpointDropped {
        /// What was dropped.
        endpoint: &'static str,
    },
}

impl Note {
    /// What to write to say the same without a warning.
    #[must_use]
    pub fn way_out(&self) -> String {
        match self {
            Self::WholeNameSent { model, .. } => format!("write `custom_openai/{model}` to say so"),
            Self::TakenForOpenAi { model, .. } => {
                format!("write `custom_openai/{model}` if the server there speaks OpenAI's protocol")
            }
            Self::NoPath { api_base, .. } => {
                format!("write `{api_base}/v1`, or `{api_base}/` followed by the path it serves under")
            }
            Self::EndpointDropped { .. } => "end the api_base at its version, e.g. `/v1`".into(),
        }
    }
}

/// Why a deployment leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Unresolved {
    /// Nothing stands where the model's name should.
    #[error("the model has no name")]
    NoModel,
    /// The part before the slash is no provider, and there is no base to send it to.
    #[error("`{name}` is not a provider")]
    UnknownProvider {
        /// What stands there.
        name: String,
        /// The provider whose name is most like it.
        nearest: Option<&'static str>,
    },
    /// LiteLLM reaches this provider; leastbusy does not.
    #[error("leastbusy does not speak {provider}'s protocol")]
    NotSpoken {
        /// LiteLLM's name of the provider.
        provider: String,
    },
    /// The provider has no base of its own.
    #[error("{provider} needs an api_base")]
    NoBase {
        /// The provider.
        provider: &'static Provider,
    },
    /// The base is not a URL that requests can be sent to.
    #[error("the api_base {fault}")]
    BadBase {
        /// What is wrong with it, without quoting it: it may hold a password.
        fault: &'static str,
        /// What to write.
        way_out: &'static str,
    },
    /// A simulated engine runs in this process and has no address.
    #[error("a simulated engine runs in this process and takes no api_base")]
    SimulatedWithBase,
}

impl std::fmt::Display for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl Unresolved {
    /// What to write instead.
    #[must_use]
    pub fn way_out(&self) -> String {
        match self {
            Self::NoModel => "write `provider/model`, e.g. `openai/gpt-4o`".into(),
            Self::UnknownProvider { nearest: Some(nearest), .. } => {
                format!("did you mean `{nearest}`? With an `api_base` any name is sent there as it stands")
            }
            Self::UnknownProvider { nearest: None, .. } => {
                format!("give an `api_base`, or name one of: {}", names().collect::<Vec<_>>().join(", "))
            }
            Self::NotSpoken { .. } => {
                "give the `api_base` of an OpenAI-compatible endpoint of it, and write `custom_openai/MODEL`"
                    .into()
            }
            Self::NoBase { provider } => match provider.api_base_variables {
                [variable, ..] => {
                    format!("add `api_base: http://HOST:PORT/v1` or set the environment variable {variable}")
                }
                [] => "add `api_base: http://HOST:PORT/v1`".into(),
            },
            Self::BadBase { way_out, .. } => (*way_out).into(),
            Self::SimulatedWithBase => "remove the `api_base`, or name another provider".into(),
        }
    }
}

/// The address that `litellm_params.model`, `custom_llm_provider` and `api_base` lead to.
///
/// # Errors
///
/// When the provider is unknown or not spoken and no base says where else to go, when the provider needs a
/// base and has none, and when the base is not an `http://` or `https://` URL with a host.
pub fn resolve(
    model: &str,
    custom_llm_provider: Option<&str>,
    api_base: Option<&str>,
) -> Result<Address, Unresolved> {
    let mut notes = Vec::new();
    let (provider, model) = match custom_llm_provider {
        Some(name) => {
            let rest = model.strip_prefix(name).and_then(|rest| rest.strip_prefix('/')).unwrap_or(model);
            (named(name, rest, api_base.is_some(), &mut notes)?, rest)
        }
        None => prefixed(model, api_base.is_some(), &mut notes)?,
    };
    if model.trim().is_empty() {
        return Err(Unresolved::NoModel);
    }
    // OpenRouter's own models (`openrouter/auto`) have the prefix in their name; all others have a maker's.
    let model = match provider.name {
        "openrouter" if !model.contains('/') && model != "*" => format!("openrouter/{model}"),
        _ => model.to_owned(),
    };
    let api_base = match api_base {
        Some(_) if provider.name == "simulated" => return Err(Unresolved::SimulatedWithBase),
        Some(base) => Some(normal_base(base, provider, &mut notes)?),
        None if provider.name == "simulated" => None,
        None => Some(provider.api_base.ok_or(Unresolved::NoBase { provider })?.to_owned()),
    };
    Ok(Address { provider, model, api_base, notes })
}

fn prefixed<'m>(
    model: &'m str,
    has_base: bool,
    notes: &mut Vec<Note>,
) -> Result<(&'static Provider, &'m str), Unresolved> {
    let Some((prefix, rest)) = model.split_once('/') else {
        return Ok((the("openai"), model));
    };
    if let Some(provider) = find(prefix) {
        return Ok((provider, rest));
    }
    if has_base && !is_known_elsewhere(prefix) {
        notes.push(Note::WholeNameSent { prefix: prefix.into(), model: model.into() });
        return Ok((the("custom_openai"), model));
    }
    Ok((named(prefix, rest, has_base, notes)?, rest))
}

fn named(
    name: &str,
    model: &str,
    has_base: bool,
    notes: &mut Vec<Note>,
) -> Result<&'static Provider, Unresolved> {
    if let Some(provider) = find(name) {
        return Ok(provider);
    }
    match (is_known_elsewhere(name), has_base) {
        (true, true) => {
            notes.push(Note::TakenForOpenAi { provider: name.into(), model: model.into() });
            Ok(the("custom_openai"))
        }
        (true, false) => Err(Unresolved::NotSpoken { provider: name.into() }),
        (false, _) => Err(Unresolved::UnknownProvider { name: name.into(), nearest: nearest(name, names()) }),
    }
}

fn the(name: &'static str) -> &'static Provider {
    find(name).expect("the table has a row for each provider that this module names")
}

/// Endpoints that people copy into the base together with it.
const ENDPOINTS: [&str; 3] = ["/chat/completions", "/completions", "/embeddings"];

fn normal_base(base: &str, provider: &'static Provider, notes: &mut Vec<Note>) -> Result<String, Unresolved> {
    let bad = |fault, way_out| Unresolved::BadBase { fault, way_out };
    if !base.starts_with("http://") && !base.starts_with("https://") {
        return Err(bad(
            "does not start with http:// or https://",
            "write the whole URL, e.g. `http://gpu-a:8000/v1`",
        ));
    }
    let uri: Uri = base.parse().map_err(|_| bad("is not a URL", "write it as `http://HOST:PORT/v1`"))?;
    let authority =
        uri.authority().ok_or(bad("has no host", "write it as `http://HOST:PORT/v1`"))?.as_str().to_owned();
    if authority.contains('@') {
        return Err(bad(
            "holds a user or a password",
            "put the key into `api_key`, or an Authorization header into `extra_headers`",
        ));
    }
    if uri.host().is_none_or(str::is_empty) {
        return Err(bad("has no host", "write it as `http://HOST:PORT/v1`"));
    }
    let after_host = authority.rsplit_once(']').map_or(authority.as_str(), |(_, rest)| rest);
    if after_host.contains(':') && uri.port_u16().is_none_or(|port| port == 0) {
        return Err(bad("has a port that is not between 1 and 65535", "write it as `http://HOST:PORT/v1`"));
    }
    if uri.query().is_some() || base.contains('#') {
        return Err(bad(
            "has a query or a fragment",
            "end it at the path; an Azure version goes into `api_version`",
        ));
    }
    let mut base = base.trim_end_matches('/');
    if provider.paths == Paths::OpenAi
        && let Some((rest, endpoint)) =
            ENDPOINTS.iter().find_map(|endpoint| Some((base.strip_suffix(endpoint)?, *endpoint)))
    {
        notes.push(Note::EndpointDropped { endpoint });
        base = rest.trim_end_matches('/');
    }
    let has_path = !uri.path().trim_matches('/').is_empty();
    Ok(match provider.bare_base {
        BareBase::AddV1 if !has_path => format!("{base}/v1"),
        BareBase::Warn if !has_path => {
            notes.push(Note::NoPath { api_base: base.into(), provider: provider.name });
            base.into()
        }
        BareBase::Keep | BareBase::AddV1 | BareBase::Warn => base.into(),
    })
}
