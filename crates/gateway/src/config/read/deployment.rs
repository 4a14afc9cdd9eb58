//! Entries of `model_list`.

use http::{HeaderName, HeaderValue};

use super::{Reader, Setting, Settings, busy, filters, reliability};
use crate::config::check::wire;
use crate::config::environment::Environment;
use crate::config::keys::{self, Status};
use crate::config::mask;
use crate::config::tree::Value;
use crate::config::{Deployment, Retries, Secret, SimulatedEngine, Timeouts};
use crate::likeness::nearest;
use crate::provider::{AZURE_API_VERSION, Paths, Unresolved};

/// One deployment for each entry, whatever is wrong with it, so that indices stay those of the file.
pub(super) fn all(
    reader: &mut Reader<'_>,
    model_list: Option<&Setting<'_>>,
    environment: &Environment,
) -> Vec<Deployment> {
    let Some(model_list) = model_list else { return Vec::new() };
    let entries = reader.items(model_list);
    entries.iter().map(|entry| one(reader, entry, environment)).collect()
}

fn one(reader: &mut Reader<'_>, entry: &Setting<'_>, environment: &Environment) -> Deployment {
    let settings = reader.section(entry.node, &entry.path, &keys::ENTRY);
    let mut deployment = Deployment::new("", "");
    match settings.get("model_name") {
        Some(name) => deployment.model_name = reader.text(Some(name)).unwrap_or_default(),
        None => reader.mistake(
            &entry.path.key("model_name"),
            "an entry of model_list needs a model_name",
            "add `model_name: NAME`, the name that clients will ask for",
        ),
    }
    match settings.get("litellm_params") {
        Some(params) => read_params(reader, params, &mut deployment, environment),
        None => reader.mistake(
            &entry.path.key("litellm_params").key("model"),
            "an entry of model_list needs litellm_params",
            "add `litellm_params: {model: PROVIDER/MODEL, api_base: URL}`",
        ),
    }
    let per_minute = |reader: &mut Reader<'_>, key| reader.up_to(settings.get(key), u32::MAX);
    deployment.rpm = deployment.rpm.or(per_minute(reader, "rpm"));
    deployment.tpm = deployment.tpm.or(per_minute(reader, "tpm"));
    if let Some(info) = settings.get("model_info") {
        read_info(reader, info, &mut deployment);
    }
    deployment
}

fn read_params(
    reader: &mut Reader<'_>,
    params: &Setting<'_>,
    deployment: &mut Deployment,
    environment: &Environment,
) {
    for entry in reader.entries(params.node, &params.path) {
        let is_param = keys::REQUEST_PARAMS.contains(&entry.key.as_str());
        if is_param && entry.value.value != Value::Null {
            deployment.default_params.insert(entry.key.clone(), entry.value.to_json());
        }
    }
    let settings = reader.section(params.node, &params.path, &keys::LITELLM_PARAMS);
    match settings.get("model") {
        Some(model) => deployment.model = reader.text(Some(model)).unwrap_or_default(),
        None => reader.mistake(
            &params.path.key("model"),
            "litellm_params needs a model",
            "add `model: PROVIDER/MODEL`, e.g. `model: hosted_vllm/Qwen/Qwen3-32B`",
        ),
    }
    deployment.provider = reader.text(settings.get("custom_llm_provider"));
    deployment.api_base = reader.text(settings.get("api_base"));
    deployment.api_version = reader.text(settings.get("api_version"));
    deployment.api_key_variable = settings.get("api_key").and_then(|key| key.node.variable.clone());
    // Mounted secrets often end in a line feed, which no key holds.
    deployment.api_key = reader.text(settings.get("api_key")).map(|key| Secret::new(key.trim()));
    if let Some(organization) = settings.get("organization") {
        if matches!(organization.node.value, Value::List(_)) {
            reader.mistake(
                &organization.path,
                "a list of organizations is not served",
                "write one entry of model_list for each organization",
            );
        } else {
            deployment.organization = reader.text(Some(organization));
        }
    }
    if let Some(weight) = reader.number(settings.get("weight"), "a number") {
        deployment.weight = weight;
    }
    if let Some(order) = reader.whole(settings.get("order")) {
        deployment.order = order;
    }
    deployment.max_parallel_requests = reader.up_to(settings.get("max_parallel_requests"), u32::MAX);
    deployment.rpm = reader.up_to(settings.get("rpm"), u32::MAX);
    deployment.tpm = reader.up_to(settings.get("tpm"), u32::MAX);
    deployment.input_cost_per_token = reader.number(settings.get("input_cost_per_token"), "a number");
    deployment.output_cost_per_token = reader.number(settings.get("output_cost_per_token"), "a number");
    deployment.timeouts = read_timeouts(reader, &settings);
    let num_retries = reader.up_to(settings.get("num_retries"), Retries::MOST);
    let max_retries = reader.up_to(settings.get("max_retries"), Retries::MOST);
    deployment.num_retries = num_retries.or(max_retries);
    deployment.cooldown.time = reader.seconds(settings.get("cooldown_time"));
    if let Some(headers) = settings.get("extra_headers") {
        read_headers(reader, headers, deployment);
    }
    if let Some(body) = settings.get("extra_body") {
        for entry in reader.entries(body.node, &body.path) {
            if entry.key == keys::NO_DEFAULT {
                reader.note_not_yet(&keys::LITELLM_PARAMS, &entry.key, body.path.key(&entry.key));
                continue;
            }
            deployment.default_params.insert(entry.key.clone(), entry.value.to_json());
        }
    }
    for (key, texts) in [("tags", &mut deployment.tags), ("tag_regex", &mut deployment.tag_regex)] {
        if let Some(list) = settings.get(key) {
            *texts = filters::texts(reader, list);
        }
    }
    if let Some(engine) = settings.get("simulated") {
        deployment.simulated = Some(read_engine(reader, engine));
    }
    fill_from(environment, deployment);
}

pub(super) fn read_timeouts(reader: &mut Reader<'_>, settings: &Settings<'_>) -> Timeouts {
    let timeout = reader.seconds(settings.get("timeout"));
    let request_timeout = reader.seconds(settings.get("request_timeout"));
    Timeouts {
        timeout: timeout.or(request_timeout),
        stream_timeout: reader.seconds(settings.get("stream_timeout")),
        connect: reader.seconds(settings.get("connect_timeout")),
        first_byte: reader.seconds(settings.get("first_byte_timeout")),
        idle: reader.seconds(settings.get("idle_timeout")),
        total: reader.seconds(settings.get("total_timeout")),
    }
}

fn read_headers(reader: &mut Reader<'_>, headers: &Setting<'_>, deployment: &mut Deployment) {
    for entry in reader.entries(headers.node, &headers.path) {
        let value = Setting { node: &entry.value, path: headers.path.key(&entry.key) };
        let text = match &entry.value.value {
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(flag) => Some(flag.to_string()),
            _ => reader.text(Some(&value)),
        };
        let Some(text) = text else { continue };
        match (HeaderName::try_from(&entry.key), HeaderValue::try_from(&text)) {
            (Ok(name), _) if wire::is_of_the_hop(&name) => {
                reader.findings.push(wire::hop_header(value.path, &name));
            }
            (Ok(name), Ok(mut header)) => {
                header.set_sensitive(true);
                deployment.extra_headers.push((name, header));
            }
            (Err(_), _) => reader.mistake(
                &value.path,
                format!("{} is not a header name", mask::quoted(&entry.key)),
                "use letters, digits and hyphens",
            ),
            (_, Err(_)) => reader.mistake(
                &value.path,
                "a header value may hold printable characters only",
                "remove line breaks and control characters",
            ),
        }
    }
}

fn read_engine(reader: &mut Reader<'_>, engine: &Setting<'_>) -> SimulatedEngine {
    let settings = reader.section(engine.node, &engine.path, &keys::SIMULATED);
    let mut read = SimulatedEngine::default();
    if let Some(slots) = reader.count(settings.get("slots"), 1..=100_000) {
        read.slots = u32::try_from(slots).unwrap_or(u32::MAX);
    }
    if let Some(time) = reader.seconds(settings.get("first_token_time")) {
        read.first_token_time = time;
    }
    if let Some(speed) = reader.number(settings.get("tokens_per_second"), "a number") {
        read.tokens_per_second = speed;
    }
    if let Some(tokens) = reader.number(settings.get("mean_tokens"), "a number") {
        read.mean_tokens = tokens;
    }
    read
}

fn read_info(reader: &mut Reader<'_>, info: &Setting<'_>, deployment: &mut Deployment) {
    for entry in reader.entries(info.node, &info.path) {
        let path = info.path.key(&entry.key);
        match keys::MODEL_INFO.status(&entry.key) {
            Status::Served => {
                let setting = Setting { node: &entry.value, path };
                match (entry.key.as_str(), &entry.value.value) {
                    ("id", Value::Number(number)) if !number.is_f64() => {
                        deployment.id = Some(number.to_string());
                    }
                    ("id", _) => deployment.id = reader.text(Some(&setting)),
                    (key @ ("cooldown_time" | "allowed_fails" | "allowed_fails_policy"), _) => {
                        reliability::of_model_info(reader, key, &setting, &mut deployment.cooldown);
                    }
                    (key, _) => busy::of_model_info(reader, key, &setting, deployment),
                }
            }
            Status::NotYet => reader.note_not_yet(&keys::MODEL_INFO, &entry.key, path),
            Status::WithoutMeaning => {}
            // LiteLLM keeps whatever stands here, so only a likely slip is worth a word.
            Status::Unknown => {
                let near = nearest(
                    &entry.key,
                    keys::MODEL_INFO.served.iter().chain(keys::MODEL_INFO.not_yet).copied(),
                );
                if let Some(near) = near.filter(|near| near.len() > 3) {
                    reader.warning(
                        &path,
                        format!("{} is kept in model_info as it stands", mask::quoted(&entry.key)),
                        format!("did you mean `{near}`?"),
                    );
                }
            }
        }
        if !mask::is_secret_key(&entry.key) {
            deployment.model_info.insert(entry.key.clone(), entry.value.to_json());
        }
    }
}

/// What the provider's own variables say where the file says nothing.
fn fill_from(environment: &Environment, deployment: &mut Deployment) {
    // A missing base is what the variables may supply, so it does not hide the provider here.
    let (provider, is_without_base) = match deployment.address() {
        Ok(address) => (address.provider, false),
        Err(Unresolved::NoBase { provider }) => (provider, true),
        Err(_) => return,
    };
    if deployment.api_base.is_none() {
        let set = environment.first(provider.api_base_variables).map(|(_, base)| base.to_owned());
        let variable = provider.api_base_variables.first().filter(|_| is_without_base);
        deployment.api_base = set.or_else(|| environment.stand_in_base(variable?));
    }
    if deployment.api_key.is_none()
        && let Some((name, key)) = environment.first(provider.api_key_variables)
    {
        deployment.api_key = Some(Secret::new(key.trim()));
        deployment.api_key_variable = Some(name.to_owned());
    }
    if provider.paths == Paths::Azure && deployment.api_version.is_none() {
        let version = environment.get("AZURE_API_VERSION").filter(|version| !version.is_empty());
        deployment.api_version = Some(version.unwrap_or(AZURE_API_VERSION).to_owned());
    }
}
