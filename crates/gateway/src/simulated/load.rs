//! What an engine tells of its load: a page of metrics, and headers of answers, in vLLM's names.

use http::{HeaderMap, HeaderValue};

use super::slots::Slots;

/// The part of its cache that an engine without one uses: that of its slots which are taken.
fn cache_use(slots: &Slots) -> f64 {
    slots.busy() as f64 / slots.count() as f64
}

/// The page of metrics.
pub(super) fn exposition(name: &str, slots: &Slots) -> String {
    let gauge = |metric: &str, help: &str, value: f64| {
        format!(
            "# HELP vllm:{metric} {help}\n# TYPE vllm:{metric} gauge\n\
             vllm:{metric}{{engine=\"0\",model_name=\"{}\"}} {value:?}\n",
            escaped(name)
        )
    };
    [
        gauge("num_requests_running", "Answers that are being generated.", slots.busy() as f64),
        gauge("num_requests_waiting", "Requests that wait for a slot.", slots.waiting() as f64),
        gauge("kv_cache_usage_perc", "The part of the slots that is taken.", cache_use(slots)),
    ]
    .concat()
}

/// A label's value as it stands between quotation marks.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// A form of load reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Text,
    Json,
}

impl Format {
    /// The form that a request wants a report in; `None` where it wants none.
    pub(super) fn asked_for(headers: &HeaderMap) -> Option<Self> {
        let format = headers.get("endpoint-load-metrics-format")?.to_str().ok()?;
        [("text", Self::Text), ("json", Self::Json)]
            .into_iter()
            .find_map(|(name, known)| format.eq_ignore_ascii_case(name).then_some(known))
    }

    /// What vLLM reports, which leaves out the requests that are running.
    pub(super) fn report(self, slots: &Slots) -> HeaderValue {
        let (cache, waiting) = (cache_use(slots), slots.waiting() as f64);
        let report = match self {
            Self::Text => format!(
                "TEXT named_metrics.kv_cache_usage_perc={cache:?}, named_metrics.num_requests_waiting={waiting:?}"
            ),
            Self::Json => format!(
                "JSON {{\"named_metrics\": {{\"kv_cache_usage_perc\": {cache:?}, \"num_requests_waiting\": {waiting:?}}}}}"
            ),
        };
        HeaderValue::from_str(&report).expect("numbers and names are printable")
    }
}
