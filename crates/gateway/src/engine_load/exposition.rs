//! What an engine's `/metrics` say of its requests: three gauges of a Prometheus text exposition.
//!
//! | | running | waiting | part of the cache in use |
//! | --- | --- | --- | --- |
//! | vLLM | `vllm:num_requests_running` | `vllm:num_requests_waiting` | `vllm:kv_cache_usage_perc`, or the older `vllm:gpu_cache_usage_perc` |
//! | SGLang | `sglang:num_running_reqs` | `sglang:num_queue_reqs` | `sglang:token_usage` |
//! | llama.cpp | `llamacpp:requests_processing` | `llamacpp:requests_deferred` | `llamacpp:kv_cache_usage_ratio`, until 2025 |
//!
//! A gauge may come as several series. Those of the deployment's model count, if any bears its name; several schedulers of
//! one server (`engine`, `dp_rank`) have requests of their own, which are added up, and caches of one size, of which the mean
//! counts; the ranks that share a scheduler's work (`tp_rank`, `pp_rank`, `moe_ep_rank`) each tell of the same requests, which
//! count once. Where SGLang tells of each priority beside the whole, the whole counts.
//!
//! This is no reader of every exposition: lines that it does not understand are passed over.

use super::{Told, requests};
use crate::config::EngineKind;

/// The longest exposition that is read, in bytes. One of 800 series has 85 KB, and takes 70 µs.
pub const BYTES_MAX: usize = 1024 * 1024;

/// Labels of one scheduler's ranks.
const RANKS: [&str; 3] = ["tp_rank", "pp_rank", "moe_ep_rank"];

/// The gauges of an engine.
struct Gauges {
    running: &'static str,
    waiting: &'static str,
    /// In the order in which they are asked.
    kv_use: &'static [&'static str],
}

fn gauges(kind: EngineKind) -> Gauges {
    match kind {
        EngineKind::Vllm => Gauges {
            running: "vllm:num_requests_running",
            waiting: "vllm:num_requests_waiting",
            kv_use: &["vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"],
        },
        EngineKind::Sglang => Gauges {
            running: "sglang:num_running_reqs",
            waiting: "sglang:num_queue_reqs",
            kv_use: &["sglang:token_usage"],
        },
        EngineKind::LlamaCpp => Gauges {
            running: "llamacpp:requests_processing",
            waiting: "llamacpp:requests_deferred",
            kv_use: &["llamacpp:kv_cache_usage_ratio"],
        },
    }
}

/// What an exposition of an engine of this kind says of its requests for a model; `None` where it does not say how many
/// are running.
#[must_use]
pub fn read(text: &[u8], kind: EngineKind, model: &str) -> Option<Told> {
    let names = gauges(kind);
    let (mut running, mut waiting) = (Gauge::of(model), Gauge::of(model));
    let mut kv_use: Vec<_> = names.kv_use.iter().map(|_| Gauge::of(model)).collect();
    for line in text.split(|&byte| byte == b'\n') {
        // Most lines are of histograms, and are not looked at beyond their names.
        let name = &line[..line.iter().position(|byte| b"{ \t".contains(byte)).unwrap_or(line.len())];
        let gauge = if name == names.running.as_bytes() {
            &mut running
        } else if name == names.waiting.as_bytes() {
            &mut waiting
        } else if let Some(at) = names.kv_use.iter().position(|kv_use| name == kv_use.as_bytes()) {
            &mut kv_use[at]
        } else {
            continue;
        };
        if let Some(series) = std::str::from_utf8(&line[name.len()..]).ok().and_then(Series::read) {
            gauge.add(series);
        }
    }
    let all = running.sum()? + waiting.sum().unwrap_or(0.0);
    let kv_use = kv_use.iter().find_map(Gauge::mean);
    Some(Told { requests: requests(all)?, at_least: waiting.sum().is_none(), kv_use })
}

/// One gauge's series, as far as they count.
struct Gauge<'a> {
    model: &'a str,
    /// Whether any series bears the model's name; then all that are kept do.
    is_named: bool,
    /// What each scheduler told, by the labels that make it one.
    schedulers: Vec<(Vec<(&'a str, String)>, f64)>,
}

impl<'a> Gauge<'a> {
    fn of(model: &'a str) -> Self {
        Self { model, is_named: false, schedulers: Vec::new() }
    }

    fn add(&mut self, mut series: Series<'a>) {
        let is_named = series.labels.iter().any(|(name, value)| *name == "model_name" && value == self.model);
        let is_part = series.labels.iter().any(|(name, value)| *name == "priority" && !value.is_empty());
        if is_part || (self.is_named && !is_named) {
            return;
        }
        if is_named && !self.is_named {
            self.is_named = true;
            self.schedulers.clear();
        }
        series.labels.retain(|(name, _)| !RANKS.contains(name));
        series.labels.sort();
        if let Some((_, most)) = self.schedulers.iter_mut().find(|(labels, _)| *labels == series.labels) {
            *most = most.max(series.value);
        } else if self.schedulers.len() < SCHEDULERS_MAX {
            self.schedulers.push((series.labels, series.value));
        }
    }

    fn sum(&self) -> Option<f64> {
        (!self.schedulers.is_empty()).then(|| self.schedulers.iter().map(|(_, value)| value).sum())
    }

    fn mean(&self) -> Option<f64> {
        self.sum().map(|sum| sum / self.schedulers.len() as f64)
    }
}

/// More schedulers than a server has; each is looked for among those before it.
const SCHEDULERS_MAX: usize = 256;

/// One line of an exposition, behind its name.
struct Series<'a> {
    labels: Vec<(&'a str, String)>,
    /// From 0 up.
    value: f64,
}

impl<'a> Series<'a> {
    fn read(rest: &'a str) -> Option<Self> {
        let (labels, rest) = match rest.trim_start().strip_prefix('{') {
            Some(rest) => labels(rest)?,
            None => (Vec::new(), rest),
        };
        // A moment may follow the value.
        let value: f64 = rest.split_ascii_whitespace().next()?.parse().ok()?;
        (value.is_finite() && 0.0 <= value).then_some(Self { labels, value })
    }
}

/// The labels behind a `{`, and what follows their `}`.
fn labels(mut rest: &str) -> Option<(Vec<(&str, String)>, &str)> {
    let mut labels = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if let Some(rest) = rest.strip_prefix('}') {
            return Some((labels, rest));
        }
        let (name, behind) = rest.split_once('=')?;
        let (value, behind) = quoted(behind.trim_start().strip_prefix('"')?)?;
        labels.push((name.trim_end(), value));
        rest = behind;
    }
}

/// The text before the closing quotation mark, and what follows that.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match letters.next()?.1 {
                'n' => '\n',
                escaped => escaped,
            }),
            _ => value.push(letter),
        }
    }
    None
}

#[cfg(test)]
mod tests;
