//! Load reports in the headers of answers, as ORCA (Open Request Cost Aggregation) has them.
//!
//! Who asks with `endpoint-load-metrics-format: text` gets a header of this kind from servers that know it:
//!
//! ```text
//! endpoint-load-metrics: TEXT named_metrics.kv_cache_usage_perc=0.4, named_metrics.num_requests_waiting=2.0
//! endpoint-load-metrics: JSON {"named_metrics": {"kv_cache_usage_perc": 0.4, "num_requests_waiting": 2.0}}
//! ```
//!
//! vLLM sends those two numbers, with answers to chats and completions. It does not say how many requests are running, so
//! that such a header tells of a queue and of nothing else; a server that names `num_requests_running`, too, is
//! believed in full. A report may leave out the format in front.

use serde_json::Value;

use super::{Told, requests};

/// The request header that asks for a report.
pub const ASKED_BY: &str = "endpoint-load-metrics-format";

/// The header that carries one.
pub const REPORT: &str = "endpoint-load-metrics";

/// What the gateway asks for.
pub const FORMAT: &str = "text";

/// The longest report that is read.
pub const BYTES_MAX: usize = 4096;

/// What a report says; `None` where that is nothing of requests and nothing of the cache.
#[must_use]
pub fn read(report: &[u8]) -> Option<Told> {
    let report = std::str::from_utf8(report.get(..BYTES_MAX.min(report.len()))?).ok()?.trim();
    if BYTES_MAX <= report.len() {
        return None;
    }
    let (format, rest) = report.split_at(report.find([' ', '\t']).unwrap_or(0));
    let body = match format {
        _ if ["text", "json"].iter().any(|known| format.eq_ignore_ascii_case(known)) => rest.trim_start(),
        _ => report,
    };
    match body.starts_with('{') {
        true => from_json(&serde_json::from_str(body).ok()?),
        false => from_text(body),
    }
}

fn from_text(text: &str) -> Option<Told> {
    let number = |wanted: &str| {
        text.split(',').find_map(|pair| {
            let (name, number) = pair.split_once('=')?;
            let name = name.trim();
            let is_wanted = name.strip_prefix("named_metrics.").unwrap_or(name) == wanted;
            number.trim().parse().ok().filter(|_| is_wanted)
        })
    };
    told(number)
}

fn from_json(report: &Value) -> Option<Told> {
    told(|wanted| report.get("named_metrics").and_then(|named| named.get(wanted)).and_then(Value::as_f64))
}

/// What these numbers, by their names, say.
fn told(number: impl Fn(&str) -> Option<f64>) -> Option<Told> {
    let count = |name| number(name).and_then(requests);
    let (running, waiting) = (count("num_requests_running"), count("num_requests_waiting"));
    let kv_use = number("kv_cache_usage_perc").or_else(|| number("kv_cache_utilization"));
    let kv_use = kv_use.filter(|kv_use| kv_use.is_finite());
    if running.is_none() && waiting.is_none() && kv_use.is_none() {
        return None;
    }
    Some(Told {
        requests: running.unwrap_or(0).saturating_add(waiting.unwrap_or(0)),
        at_least: running.is_none() || waiting.is_none(),
        kv_use,
    })
}

#[cfg(test)]
mod tests;
