//! One line for each request, written when its last byte is out.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Instant;

use http::{Method, StatusCode, Uri};
use serde::Serialize;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};

use super::lines::Lines;
use super::log::LogFormat;
use super::metrics::Metrics;
use crate::openai::endpoint::EndpointIndex;
use crate::router::{CallId, Served};

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
    time: String,
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
    stream: Option<bool>,
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
        if let Some(first_byte) = self.first_byte_ms {
            let _ = write!(text, " first byte {first_byte:.1}ms");
        }
        if !self.complete {
            text.push_str(" incomplete");
        }
        let _ = write!(text, " {}", self.call_id);
        text
    }
}

/// The record of one request, from its head to its last byte. Dropping it writes the line.
#[derive(Debug)]
pub struct Record {
    log: Option<AccessLog>,
    metrics: Arc<Metrics>,
    method: Method,
    uri: Uri,
    started: Instant,
    call_id: CallId,
    endpoint: Option<EndpointIndex>,
    model: Option<String>,
    served: Option<Served>,
    stream: Option<bool>,
    status: Option<StatusCode>,
    first_byte: Option<std::time::Duration>,
    bytes: u64,
    complete: bool,
}

/// nginx's status for a client that left before its answer began.
const CLIENT_LEFT: u16 = 499;

impl Record {
    /// Begins the record of a request.
    pub fn begin(
        log: Option<AccessLog>,
        metrics: Arc<Metrics>,
        method: &Method,
        uri: &Uri,
        call_id: CallId,
    ) -> Self {
        Self {
            log,
            metrics,
            method: method.clone(),
            uri: uri.clone(),
            started: Instant::now(),
            call_id,
            endpoint: None,
            model: None,
            served: None,
            stream: None,
            status: None,
            first_byte: None,
            bytes: 0,
            complete: false,
        }
    }

    /// When the request's head had arrived.
    #[must_use]
    pub fn started(&self) -> Instant {
        self.started
    }

    /// The id the request goes by in headers and logs.
    #[must_use]
    pub fn call_id(&self) -> &CallId {
        &self.call_id
    }

    /// The request goes upstream.
    pub fn calls(&mut self, endpoint: EndpointIndex) {
        self.endpoint = Some(endpoint);
    }

    /// What the client asked for.
    pub fn asks_for(&mut self, model: &str, stream: bool) {
        self.model = Some(model.to_owned());
        self.stream = Some(stream);
    }

    /// Which deployment answered.
    pub fn served_by(&mut self, served: Served) {
        self.served = Some(served);
        self.first_byte = Some(self.started.elapsed());
    }

    /// The head of the answer.
    pub fn answers(&mut self, status: StatusCode) {
        self.status = Some(status);
    }

    /// A piece of the answer's body.
    pub fn sent(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    /// The last byte of the answer.
    pub fn complete(&mut self) {
        self.complete = true;
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let status = self.status.map_or(CLIENT_LEFT, |status| status.as_u16());
        self.metrics.answered(self.endpoint, status);
        let Some(log) = &self.log else { return };
        let mut time = String::with_capacity(27);
        let _ = SystemTime.format_time(&mut Writer::new(&mut time));
        log.write(&Line {
            time,
            method: self.method.as_str(),
            path: self.uri.path(),
            status,
            duration_ms: milliseconds(self.started.elapsed()),
            first_byte_ms: self.first_byte.map(milliseconds),
            bytes_out: self.bytes,
            model: self.model.as_deref(),
            model_group: self.served.as_ref().map(Served::group),
            deployment: self.served.as_ref().map(Served::deployment),
            stream: self.stream,
            call_id: self.call_id.to_string(),
            complete: self.complete,
        });
    }
}

/// Milliseconds with three digits after the point.
fn milliseconds(duration: std::time::Duration) -> f64 {
    (duration.as_secs_f64() * 1_000_000.0).round() / 1000.0
}
