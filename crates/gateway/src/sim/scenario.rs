//! A scenario file: what to simulate, in YAML.
//!
//! It is read as the configuration is: every mistake is told at once, at its place, with the way out.
//! `docs/scenario.md` lists its keys.

use std::path::Path as FilePath;

use leastbusy_balance::GroupRules;
use leastbusy_sim::{Arrivals, Policy, Scenario, Sizes, Workload};

pub(super) mod bounds;
mod clients;
mod deployments;
pub(super) mod instances;
mod keys;
#[cfg(test)]
mod tests;
mod workload;

use self::bounds::{QUEUED, REQUESTS, SEED, SEEDS};
use super::rules;
use super::trace::{self, Trace};
use crate::config::{self, Document, Finding, LoadError, Path, Reader, Setting, Settings};

/// Requests of a run where nothing else is said.
pub(super) const DEFAULT_REQUESTS: usize = 200_000;
/// Runs with other dice where nothing else is said.
pub(super) const DEFAULT_SEEDS: usize = 5;
/// The first seed where nothing else is said.
pub(super) const DEFAULT_SEED: u64 = 1;

/// A scenario as it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// What is to be simulated.
    pub scenario: Scenario,
    /// The ways of choosing to compare; by default [`Policy::USUAL`].
    pub policies: Vec<Policy>,
    /// Runs with other dice, 1 to 1000; default 5.
    pub seeds: usize,
    /// The first seed; default 1.
    pub seed: u64,
    /// What was left out, of a trace or of what the file says of one.
    pub notes: Vec<String>,
}

/// Reads the scenario file at `path`, and warnings about it; a `trace` takes the place of what the file says of
/// its requests.
///
/// # Errors
///
/// With every mistake at once.
pub fn load(path: &FilePath, trace: Option<Trace>) -> Result<(Written, Vec<Finding>), LoadError> {
    Document::read(path, &keys::SCENARIO).understand(|reader, root| {
        let folder = path.parent().unwrap_or(FilePath::new(""));
        written(reader, &Setting { node: root, path: Path::default() }, folder, trace)
    })
}

/// Reads `text` as if it stood in a file called `name`; traces are looked for beside that. See [`load`].
///
/// # Errors
///
/// As [`load`].
pub fn parse(name: &str, text: &str) -> Result<(Written, Vec<Finding>), LoadError> {
    Document::parse(name, text.to_owned(), &keys::SCENARIO).understand(|reader, root| {
        let folder = FilePath::new(name).parent().unwrap_or(FilePath::new(""));
        written(reader, &Setting { node: root, path: Path::default() }, folder, None)
    })
}

/// What the file says; where something is wrong with it, something else, because it is not used then.
fn written(reader: &mut Reader<'_>, root: &Setting<'_>, folder: &FilePath, trace: Option<Trace>) -> Written {
    if let Some(written) = refuse_config(reader, root) {
        return written;
    }
    let top = reader.section(root.node, &root.path, &keys::TOP);
    let way_out = "add `deployments: [{name: gpu, slots: 16, tokens_per_second: 50}]`";
    let deployments = bounds::needed(reader, &top, root, "deployments", "a scenario", way_out);
    let fleet = deployments.map(|setting| deployments::all(reader, setting)).unwrap_or_default();
    let mut scenario = Scenario::new(fleet.engines.clone(), Workload::Trace(Vec::new()));
    if let Some(router) = top.get("router") {
        scenario.rules = read_rules(reader, router);
    }
    if let Some(setting) = top.get("instances") {
        let cap = instances::cap_of_all(reader, setting).unwrap_or(GroupRules::USUAL_CAP_OF_ALL);
        scenario.instances = instances::instances(reader, setting).unwrap_or_default();
        scenario.rules.group.cap_of_all = (1 < scenario.instances.count).then_some(cap);
    }
    if let Some(clients) = top.get("clients") {
        scenario.clients = clients::all(reader, clients);
    }
    scenario.rules.queue.turns = reader.flag(top.get("turns")).unwrap_or(true);
    let rules = &scenario.rules;
    if [rules.request_timeout, rules.first_token_timeout, rules.answer_timeout] == [None; 3] {
        fleet.check_hanging(reader);
    }
    if let Some(uncounted) = bounds::number(reader, top.get("uncounted"), bounds::UNCOUNTED) {
        scenario.uncounted = uncounted;
    }
    let mut notes = Vec::new();
    let requests = reader.count(top.get("requests"), REQUESTS);
    if let Some(trace) = trace {
        notes.extend(trace.note());
        notes.extend(top.get("trace").and_then(|own| left_out(reader, own)));
        scenario.workload = Workload::Trace(trace.jobs);
    } else if let Some(setting) = top.get("trace") {
        if let Some(trace) = read_trace(reader, &top, setting, folder) {
            notes.extend(trace.note());
            let mut jobs = trace.jobs;
            jobs.truncate(requests.unwrap_or(usize::MAX));
            scenario.workload = Workload::Trace(jobs);
        }
    } else {
        let drawn = drawn(reader, &top, root, &mut scenario, requests.unwrap_or(DEFAULT_REQUESTS));
        scenario.workload = drawn.unwrap_or(Workload::Trace(Vec::new()));
    }
    let policies = top.get("policies").map(|setting| read_policies(reader, setting));
    let seed = reader.count(top.get("seed"), SEED).and_then(|seed| u64::try_from(seed).ok());
    Written {
        scenario,
        policies: policies.unwrap_or_else(|| Policy::USUAL.to_vec()),
        seeds: reader.count(top.get("seeds"), SEEDS).unwrap_or(DEFAULT_SEEDS),
        seed: seed.unwrap_or(DEFAULT_SEED),
        notes,
    }
}

/// Whether a path is that of a scenario's key at the top.
pub(super) fn is_key(path: &Path) -> bool {
    keys::TOP.served.iter().any(|key| *path == Path::top(key))
}

/// One mistake instead of many where the file is a configuration.
fn refuse_config(reader: &mut Reader<'_>, root: &Setting<'_>) -> Option<Written> {
    let entries = reader.entries(root.node, &root.path);
    let has = |key: &str| entries.iter().any(|entry| entry.key == key);
    if !has("model_list") || has("deployments") {
        return None;
    }
    let finding = Finding::mistake(Path::top("model_list"), "this is a configuration, not a scenario");
    let way_out = "simulate it with `leastbusy sim --config FILE --rate N`, N requests a second";
    reader.findings.push(finding.at_key().way_out(way_out));
    Some(Written {
        scenario: Scenario::new(Vec::new(), Workload::Trace(Vec::new())),
        policies: Vec::new(),
        seeds: DEFAULT_SEEDS,
        seed: DEFAULT_SEED,
        notes: Vec::new(),
    })
}

/// Requests that are drawn by chance.
fn drawn(
    reader: &mut Reader<'_>,
    top: &Settings<'_>,
    root: &Setting<'_>,
    scenario: &mut Scenario,
    requests: usize,
) -> Option<Workload> {
    let prompts = top.get("prompt_tokens").map(|setting| workload::sizes(reader, setting));
    let way_out = "add `output_tokens: {lognormal: {mean: 250, sigma: 1.2}}`";
    let outputs = bounds::needed(reader, top, root, "output_tokens", "a scenario", way_out);
    let outputs = outputs.and_then(|setting| workload::sizes(reader, setting));
    let prompt_tokens = prompts.unwrap_or(Some(Sizes::Fixed(0.0)));
    let sizes = prompt_tokens.zip(outputs);
    let capacity = sizes.filter(|_| !scenario.engines.is_empty()).map(|(prompt_tokens, output_tokens)| {
        let arrivals = Arrivals::Poisson { per_second: 1.0 };
        scenario.workload = Workload::Drawn { arrivals, prompt_tokens, output_tokens, requests };
        scenario.capacity().unwrap_or(f64::INFINITY)
    });
    let way_out = "add `arrivals: {poisson: {load: 0.8}}`, or a `trace`";
    let arrivals = bounds::needed(reader, top, root, "arrivals", "a scenario", way_out);
    let arrivals = arrivals.and_then(|setting| workload::arrivals(reader, setting, capacity));
    let (prompt_tokens, output_tokens) = sizes?;
    Some(Workload::Drawn { arrivals: arrivals?, prompt_tokens, output_tokens, requests })
}

/// What the file says of its own trace and another trace does not follow.
fn left_out(reader: &mut Reader<'_>, own: &Setting<'_>) -> Option<String> {
    let config::Value::Map(_) = &own.node.value else { return None };
    let settings = reader.section(own.node, &own.path, &keys::TRACE);
    let keys = ["speed", "model"].into_iter().filter(|key| settings.get(key).is_some());
    let keys: Vec<_> = keys.map(|key| format!("`{key}`")).collect();
    let keys = (!keys.is_empty()).then(|| keys.join(" and "))?;
    Some(format!("not applied to --trace: {keys} of the scenario's own `trace`"))
}

fn read_trace(
    reader: &mut Reader<'_>,
    top: &Settings<'_>,
    setting: &Setting<'_>,
    folder: &FilePath,
) -> Option<Trace> {
    for key in ["arrivals", "prompt_tokens", "output_tokens"] {
        if let Some(other) = top.get(key) {
            let what = format!("a trace brings its own {}", key.replace('_', " "));
            reader.mistake(&other.path, what, format!("remove `{key}`, or `trace`"));
        }
    }
    let (file, speed, model) = match &setting.node.value {
        config::Value::Map(_) => {
            let settings = reader.section(setting.node, &setting.path, &keys::TRACE);
            let file = bounds::needed(reader, &settings, setting, "file", "a trace", "add `file: FILE`");
            let file = reader.text(file);
            let speed = bounds::number(reader, settings.get("speed"), trace::SPEED);
            (file, speed, reader.text(settings.get("model")))
        }
        _ => (reader.text(Some(setting)), None, None),
    };
    let models: Vec<&str> = model.as_deref().into_iter().collect();
    match Trace::read(&folder.join(file?), &models) {
        Ok(trace) => Some(trace.faster(speed.unwrap_or(1.0))),
        Err(fault) => {
            reader.mistake(&setting.path, fault.to_string(), fault.way_out);
            None
        }
    }
}

fn read_rules(reader: &mut Reader<'_>, setting: &Setting<'_>) -> leastbusy_sim::Rules {
    let settings = reader.section(setting.node, &setting.path, &keys::ROUTER);
    let mut router = config::simulated_router(reader, &settings);
    let most = reader.count(settings.get("max_queued_requests"), QUEUED);
    router.queue.max = most.and_then(|most| u32::try_from(most).ok());
    if let Some(timeout) = bounds::queue_timeout(reader, settings.get("queue_timeout")) {
        router.queue.timeout = timeout;
    }
    config::check_router(&router, &setting.path, reader.findings);
    let streams = reader.flag(settings.get("streams")).unwrap_or(true);
    rules::of_router(&router, &config::DeploymentCooldown::default(), streams)
}

fn read_policies(reader: &mut Reader<'_>, setting: &Setting<'_>) -> Vec<Policy> {
    let words = Policy::ALL.map(|policy| (policy.name(), policy));
    let mut policies = Vec::new();
    for item in reader.items(setting) {
        let Some(policy) = reader.choice(Some(&item), &words) else { continue };
        if policies.contains(&policy) {
            reader.mistake(
                &item.path,
                format!("`{}` is written twice", policy.name()),
                "keep one of the two",
            );
        }
        policies.push(policy);
    }
    if policies.is_empty() {
        let way_out = "name some, or remove `policies` for the usual ones";
        reader.mistake(&setting.path, "there is no policy to compare", way_out);
    }
    policies
}
