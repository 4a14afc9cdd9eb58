//! What an answer tells about how it came to be: the `x-litellm-*` headers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderName, HeaderValue};

use super::call_id::CallId;
use super::table::Table;

/// The deployment that a request was last sent to.
#[derive(Debug, Clone)]
pub struct Served {
    table: Arc<Table>,
    group: usize,
    member: usize,
}

impl Served {
    pub(super) fn new(table: &Arc<Table>, group: usize, member: usize) -> Self {
        Self { table: Arc::clone(table), group, member }
    }

    /// The model group.
    #[must_use]
    pub fn group(&self) -> &str {
        &self.table.groups()[self.group].name
    }

    /// The deployment's id.
    #[must_use]
    pub fn deployment(&self) -> &str {
        &self.table.groups()[self.group].deployment(self.member).id
    }
}

/// The facts that every answer carries in its headers, gathered while the request is served.
#[derive(Debug)]
pub struct Facts {
    /// Where the request went, if it went anywhere.
    pub served: Option<Served>,
    /// When the request's head had arrived.
    pub received: Instant,
    /// Time spent waiting for upstreams, and in queues for a place on one.
    pub waited: Duration,
    /// Attempts on the model groups that were tried, beyond the first on each.
    pub retries: u32,
    /// Model groups and order levels that were tried after the first.
    pub fallbacks: u32,
    /// For a client that asks: the model group of each attempt that failed, and how it did.
    pub failures: Vec<(String, &'static str)>,
}

impl Facts {
    /// The facts about a request that has just arrived.
    #[must_use]
    pub fn new() -> Self {
        Self {
            served: None,
            received: Instant::now(),
            waited: Duration::ZERO,
            retries: 0,
            fallbacks: 0,
            failures: Vec::new(),
        }
    }

    /// Writes the headers.
    pub fn write(&self, headers: &mut HeaderMap, call_id: &CallId) {
        headers.reserve(HEADERS);
        if let Some(served) = &self.served {
            let group = &served.table.groups()[served.group];
            let deployment = group.deployment(served.member);
            headers.insert(MODEL_ID, deployment.id_header.clone());
            headers.insert(MODEL_GROUP, group.header.clone());
            headers.insert(API_BASE, deployment.api_base_header.clone());
        }
        headers.insert(CALL_ID, call_id.to_header());
        headers.insert(ATTEMPTED_RETRIES, count(self.retries));
        headers.insert(ATTEMPTED_FALLBACKS, count(self.fallbacks));
        if !self.failures.is_empty() {
            headers.insert(FALLBACK_ERRORS, errors(&self.failures));
        }
        let until_answer = self.received.elapsed();
        headers.insert(RESPONSE_DURATION, milliseconds(until_answer));
        headers.insert(OVERHEAD_DURATION, milliseconds(until_answer.saturating_sub(self.waited)));
    }
}

impl Default for Facts {
    fn default() -> Self {
        Self::new()
    }
}

const MODEL_ID: HeaderName = HeaderName::from_static("x-litellm-model-id");
const MODEL_GROUP: HeaderName = HeaderName::from_static("x-litellm-model-group");
const API_BASE: HeaderName = HeaderName::from_static("x-litellm-model-api-base");
/// The header that carries a request's id, both ways.
pub const CALL_ID: HeaderName = HeaderName::from_static("x-litellm-call-id");
const ATTEMPTED_RETRIES: HeaderName = HeaderName::from_static("x-litellm-attempted-retries");
const ATTEMPTED_FALLBACKS: HeaderName = HeaderName::from_static("x-litellm-attempted-fallbacks");
const FALLBACK_ERRORS: HeaderName = HeaderName::from_static("x-litellm-fallback-errors");
const RESPONSE_DURATION: HeaderName = HeaderName::from_static("x-litellm-response-duration-ms");
const OVERHEAD_DURATION: HeaderName = HeaderName::from_static("x-litellm-overhead-duration-ms");

/// How many headers [`Facts::write`] writes.
const HEADERS: usize = 8;

/// A JSON list. Names of model groups stand in headers elsewhere too, so they can stand here.
fn errors(failures: &[(String, &'static str)]) -> HeaderValue {
    let errors: Vec<_> = failures
        .iter()
        .map(|(group, outcome)| serde_json::json!({"model_group": group, "error": outcome}))
        .collect();
    let text = serde_json::Value::from(errors).to_string();
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("[]"))
}

fn count(number: u32) -> HeaderValue {
    match number {
        0 => HeaderValue::from_static("0"),
        _ => HeaderValue::from(number),
    }
}

/// Milliseconds with three digits after the point.
fn milliseconds(duration: Duration) -> HeaderValue {
    let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    let mut text = [0; 24];
    let mut at = text.len();
    let mut rest = micros;
    while rest > 0 || text.len() - at < "0.000".len() {
        at -= 1;
        if text.len() - at == ".000".len() {
            text[at] = b'.';
        } else {
            text[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
    }
    HeaderValue::from_bytes(&text[at..]).expect("digits are printable")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::milliseconds;

    #[test]
    fn durations_are_milliseconds_with_three_digits() {
        assert_eq!(milliseconds(Duration::ZERO), "0.000");
        assert_eq!(milliseconds(Duration::from_micros(56)), "0.056");
        assert_eq!(milliseconds(Duration::from_micros(281_942)), "281.942");
        assert_eq!(milliseconds(Duration::from_secs(6000)), "6000000.000");
        assert_eq!(milliseconds(Duration::MAX), "18446744073709551.615");
    }
}
