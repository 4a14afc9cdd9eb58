//! What a deployment can carry, the queue before it, and what of it least busy goes by.

use std::collections::BTreeMap;

use super::{Reader, Setting, Settings};
use crate::config::finding::Finding;
use crate::config::tree::Value;
use crate::config::{BusyBy, Config, Deployment, EngineKind, EngineLoad, Queue, SimulatedEngine};

/// Reads what `router_settings` says of places, queues and load.
pub(super) fn read(reader: &mut Reader<'_>, settings: &Settings<'_>, config: &mut Config) {
    let has_engine = config.deployments.iter().any(|deployment| deployment.engine.kind.is_some());
    let router = &mut config.router;
    router.default_max_parallel_requests =
        reader.up_to(settings.get("default_max_parallel_requests"), u32::MAX);
    router.queue = queue(reader, settings);
    if let Some(setting) = settings.get("least_busy_by") {
        router.least_busy_by = busy_by(reader, setting);
    }
    router.learn_speeds = reader.flag(settings.get("learn_speeds")).unwrap_or_default();
    let default = EngineLoad::default();
    router.engine_load = EngineLoad {
        interval: reader.seconds(settings.get("engine_load_interval")).unwrap_or(default.interval),
        headers: reader.flag(settings.get("engine_load_headers")).unwrap_or(default.headers),
    };
    let interval = settings.get("engine_load_interval").map(|setting| ("engine_load_interval", setting));
    let headers = settings.get("engine_load_headers").filter(|_| router.engine_load.headers);
    for (key, setting) in interval.into_iter().chain(headers.map(|setting| ("engine_load_headers", setting)))
    {
        if !has_engine {
            let what = format!("`{key}` has no effect, for no deployment names its `engine`");
            let finding = Finding::warning(setting.path.clone(), what).at_key();
            reader.findings.push(
                finding.way_out("add `model_info: {engine: vllm}` to those that run one, or remove it"),
            );
        }
    }
}

fn queue(reader: &mut Reader<'_>, settings: &Settings<'_>) -> Queue {
    let default = Queue::default();
    Queue {
        max: reader.up_to(settings.get("max_queued_requests"), u32::MAX),
        timeout: reader.seconds(settings.get("queue_timeout")).unwrap_or(default.timeout),
        default_priority: reader.whole(settings.get("default_priority")).unwrap_or(default.default_priority),
    }
}

/// One word or a list of them.
fn busy_by(reader: &mut Reader<'_>, setting: &Setting<'_>) -> BusyBy {
    let words = match &setting.node.value {
        Value::List(_) => reader.items(setting),
        _ => vec![Setting { node: setting.node, path: setting.path.clone() }],
    };
    let mut by = BusyBy::default();
    for word in &words {
        let known = [
            ("requests", BusyBy::default()),
            ("prefill", BusyBy { prefill: true, kv: false }),
            ("kv", BusyBy { prefill: false, kv: true }),
        ];
        let named = reader.choice(Some(word), &known).unwrap_or_default();
        by = BusyBy { prefill: by.prefill || named.prefill, kv: by.kv || named.kv };
    }
    by
}

/// A simulated engine says itself how many slots it has, in whichever of its entries.
pub(super) fn slots_of_simulated(config: &mut Config) {
    let names: Vec<_> = config.engine_names().collect();
    let mut slots = BTreeMap::new();
    for (at, name) in &names {
        if let Some(settings) = &config.deployments[*at].simulated {
            slots.entry(name).or_insert(settings.slots);
        }
    }
    for (at, name) in &names {
        let own = slots.get(name).copied().unwrap_or(SimulatedEngine::default().slots);
        config.deployments[*at].engine.slots.get_or_insert(own);
    }
}

/// Reads a key of `model_info` that is about the engine behind the deployment, or about what may be sent there.
pub(super) fn of_model_info(
    reader: &mut Reader<'_>,
    key: &str,
    setting: &Setting<'_>,
    deployment: &mut Deployment,
) {
    let setting = Some(setting);
    let engine = &mut deployment.engine;
    match key {
        "slots" => engine.slots = reader.up_to(setting, u32::MAX),
        "speed" => engine.speed = reader.number(setting, "a number"),
        "prefill_tokens_per_second" => engine.prefill_rate = reader.number(setting, "a number"),
        "kv_cache_tokens" => engine.kv_tokens = reader.large(setting),
        "engine" => {
            let engines = [
                ("vllm", EngineKind::Vllm),
                ("sglang", EngineKind::Sglang),
                ("llama.cpp", EngineKind::LlamaCpp),
            ];
            engine.kind = reader.choice(setting, &engines);
        }
        "max_input_tokens" => deployment.max_input_tokens = reader.large(setting),
        "blocked" => deployment.blocked = reader.flag(setting).unwrap_or_default(),
        "disable_background_health_check" => {
            deployment.unchecked = reader.flag(setting).unwrap_or_default();
        }
        _ => deployment.health_check_timeout = reader.seconds(setting),
    }
}
