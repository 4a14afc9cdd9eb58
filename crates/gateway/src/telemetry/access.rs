//! One line for each request, written when its last byte is out.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::request::Parts;
use http::{Method, StatusCode, Uri};
use serde::Serialize;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};

use super::lines::Lines;
use super::log::LogFormat;
use super::metrics::{KeyMetrics, Metrics};
use crate::openai::endpoint::{EndpointIndex, TokenUse};
use crate::router::{Basis, CallId, Facts, Served, Tokens, TokensSeen};

/// Where access lines go, and how they look.
#[derive(Debug, Clone)]
pub struct AccessLog {
    out: Lines,
    format: LogFormat,
}

impl AccessLog {
    /// Lines in `format` to `out`.
    #[must_use]
    pub fn new(out: Lines, format: LogFormat) -> Self {
        Self { out, format }
    }

    fn write(&self, line: &Line<'_>) {
        let mut text = match self.format {
            LogFormat::Json => serde_json::to_vec(line).unwrap_or_default(),
            LogFormat::Text => line.text().into_bytes(),
        };
        text.push(b'\n');
        self.out.push(&text);
    }
}

/// One request as it is written.
#[derive(Debug, Serialize)]
struct Line<'a> {
    time: &'a str,
    method: &'a str,
    path: &'a str,
    status: u16,
    duration_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_byte_ms: Option<f64>,
    bytes_out: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model_group: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deployment: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens: Option<Basis>,
    retries: u32,
    fallbacks: u32,
    call_id: String,
    /// `false` when the client left before the last byte, or the answer broke off.
    complete: bool,
}

impl Line<'_> {
    fn text(&self) -> String {
        let mut text =
            format!("{} {} {} {} {:.1}ms", self.time, self.method, self.path, self.status, self.duration_ms);
        // Writing to a string does not fail.
        let _ = write!(text, " {}B", self.bytes_out);
        if let (Some(model), Some(deployment)) = (self.model, self.deployment) {
            let _ = write!(text, " {model} -> {deployment}");
        } else if let Some(model) = self.model {
            let _ = write!(text, " {model}");
        }
        if let Some(key) = self.key {
            let _ = write!(text, " key {key}");
        }
        if let Some(first_byte) = self.first_byte_ms {
            let _ = write!(text, " first byte {first_byte:.1}ms");
        }
        if let (Some(prompt), Some(basis)) = (self.prompt_tokens, self.tokens) {
            let about = match basis {
                Basis::Counted => "",
                Basis::Estimated => "~",
            };
            let _ = write!(text, " tokens {about}{prompt} in");
            if let Some(output) = self.output_tokens {
                let _ = write!(text, " {about}{output} out");
            }
        }
        for (count, one, many) in
            [(self.retries, "retry", "retries"), (self.fallbacks, "fallback", "fallbacks")]
        {
            let _ = match count {
                0 => Ok(()),
                1 => write!(text, " 1 {one}"),
                _ => write!(text, " {count} {many}"),
            };
        }
        if !self.complete {
            text.push_str(" incomplete");
        }
        let _ = write!(text, " {}", self.call_id);
        text
    }
}

/// The record of one request, from its head to its last byte. Dropping it counts the request and writes
/// its line.
#[derive(Debug)]
pub struct Record {
    metrics: Arc<Metrics>,
    endpoint: Option<EndpointIndex>,
    key: Option<Arc<KeyMetrics>>,
    status: Option<StatusCode>,
    call_id: CallId,
    /// What only a line needs; `None` where none is written.
    draft: Option<Box<Draft>>,
}

#[derive(Debug)]
struct Draft {
    log: AccessLog,
    method: Method,
    uri: Uri,
    /// When the head was here, by the wall's clock and by one that never jumps.
    arrived: String,
    started: Instant,
    model: Option<(String, bool)>,
    served: Option<Served>,
    retries: u32,
    fallbacks: u32,
    first_byte: Option<Duration>,
    prompt_bytes: u64,
    tokens: Option<TokensSeen>,
    bytes: u64,
    complete: bool,
}

/// nginx's status for a client that left before its answer began.
const CLIENT_LEFT: u16 = 499;

impl Record {
    /// Begins the record of a request.
    pub fn begin(log: Option<&AccessLog>, metrics: &Arc<Metrics>, parts: &Parts, call_id: CallId) -> Self {
        let draft = log.map(|log| {
            Box::new(Draft {
                log: log.clone(),
                method: parts.method.clone(),
                uri: parts.uri.clone(),
                arrived: now(),
                started: Instant::now(),
                model: None,
                served: None,
                retries: 0,
                fallbacks: 0,
                first_byte: None,
                prompt_bytes: 0,
                tokens: None,
                bytes: 0,
                complete: false,
            })
        });
        Self { metrics: Arc::clone(metrics), endpoint: None, key: None, status: None, call_id, draft }
    }

    /// The id the request goes by in headers and logs.
    #[must_use]
    pub fn call_id(&self) -> &CallId {
        &self.call_id
    }

    /// The key of a client that the request came with.
    pub fn comes_with(&mut self, key: &Arc<KeyMetrics>) {
        self.key = Some(Arc::clone(key));
    }

    /// The request goes upstream.
    pub fn calls(&mut self, endpoint: EndpointIndex) {
        self.endpoint = Some(endpoint);
    }

    /// What the client asked for.
    pub fn asks_for(&mut self, model: &str, stream: bool) {
        if let Some(draft) = &mut self.draft {
            draft.model = Some((model.to_owned(), stream));
        }
    }

    /// The length of the request's body.
    pub fn brings(&mut self, bytes: usize) {
        if let Some(draft) = &mut self.draft {
            draft.prompt_bytes = bytes as u64;
        }
    }

    fn token_use(&self) -> TokenUse {
        self.endpoint.map_or(TokenUse::Untold, |endpoint| endpoint.endpoint().tokens)
    }

    /// What the answer has shown of the tokens it takes.
    pub fn takes(&mut self, tokens: Option<TokensSeen>) {
        if let Some(draft) = &mut self.draft {
            draft.tokens = tokens;
        }
    }

    /// The head of the answer, and how it came to be.
    pub fn answers(&mut self, status: StatusCode, facts: &Facts) {
        self.status = Some(status);
        if let Some(draft) = &mut self.draft {
            draft.first_byte = facts.served.is_some().then(|| draft.started.elapsed());
            draft.served.clone_from(&facts.served);
            (draft.retries, draft.fallbacks) = (facts.retries, facts.fallbacks);
        }
    }

    /// A piece of the answer's body.
    pub fn sent(&mut self, bytes: usize) {
        if let Some(draft) = &mut self.draft {
            draft.bytes += bytes as u64;
        }
    }

    /// The last byte of the answer.
    pub fn complete(&mut self) {
        if let Some(draft) = &mut self.draft {
            draft.complete = true;
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let status = self.status.map_or(CLIENT_LEFT, |status| status.as_u16());
        self.metrics.answered(self.endpoint, status);
        if let Some(key) = &self.key {
            key.answered(status);
        }
        let Some(draft) = &self.draft else { return };
        let tokens = draft.tokens.and_then(|seen| Tokens::new(self.token_use(), seen, draft.prompt_bytes));
        draft.log.write(&Line {
            time: &draft.arrived,
            method: draft.method.as_str(),
            path: draft.uri.path(),
            status,
            duration_ms: milliseconds(draft.started.elapsed()),
            first_byte_ms: draft.first_byte.map(milliseconds),
            bytes_out: draft.bytes,
            model: draft.model.as_ref().map(|(model, _)| model.as_str()),
            model_group: draft.served.as_ref().map(Served::group),
            deployment: draft.served.as_ref().map(Served::deployment),
            key: self.key.as_ref().map(|key| key.name()),
            stream: draft.model.as_ref().map(|(_, stream)| *stream),
            prompt_tokens: tokens.map(|tokens| tokens.prompt),
            output_tokens: tokens.and_then(|tokens| tokens.output),
            tokens: tokens.map(|tokens| tokens.basis),
            retries: draft.retries,
            fallbacks: draft.fallbacks,
            call_id: self.call_id.to_string(),
            complete: draft.complete,
        });
    }
}

/// The time of day, UTC, with six digits after the point of the seconds.
fn now() -> String {
    let mut time = String::with_capacity(27);
    // Writing to a string does not fail.
    let _ = SystemTime.format_time(&mut Writer::new(&mut time));
    time
}

/// Milliseconds with three digits after the point.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1_000_000.0).round() / 1000.0
}
