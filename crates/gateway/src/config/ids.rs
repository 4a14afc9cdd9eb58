//! A name for each deployment that survives what does not change the deployment.
//!
//! LiteLLM hashes every parameter in written order, the key included, so that moving a line or rotating a key
//! makes another deployment of it. Here only what says *which* deployment it is goes in: the group, the provider,
//! the model there, the address, and the variable that the key comes from, but never the key.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Config, Deployment};
use crate::provider;

/// Hexadecimal digits of a derived id: 64 bits, enough that ten thousand deployments collide once in 10^11 files.
const ID_DIGITS: usize = 16;

impl Config {
    /// The id of each deployment, in order: the one given, or one derived from what the deployment is.
    ///
    /// Derived ids differ from each other and from the given ones. They stay the same when keys are reordered in
    /// the file, when weights or time limits change and when an API key is rotated.
    #[must_use]
    pub fn ids(&self) -> Vec<String> {
        let mut ids: Vec<Option<String>> =
            self.deployments.iter().map(|deployment| deployment.id.clone()).collect();
        let derived = |of: fn(&Deployment) -> Value| {
            let mut with: BTreeMap<String, Vec<usize>> = BTreeMap::new();
            for (index, deployment) in self.deployments.iter().enumerate().filter(|(_, one)| one.id.is_none())
            {
                with.entry(digest(&of(deployment))).or_default().push(index);
            }
            with
        };
        let mut unlike = HashMap::new();
        for (id, members) in derived(everything_but_secrets) {
            for (position, index) in members.into_iter().enumerate() {
                unlike
                    .insert(index, if position == 0 { id.clone() } else { format!("{id}-{}", position + 1) });
            }
        }
        for (id, members) in derived(identity) {
            match members[..] {
                [only] => ids[only] = Some(id),
                _ => members.iter().for_each(|index| ids[*index] = unlike.get(index).cloned()),
            }
        }
        ids.into_iter().map(Option::unwrap_or_default).collect()
    }

    /// Pairs of deployments that are the same in every respect, the earlier one first.
    pub(super) fn twins(&self) -> Vec<(usize, usize)> {
        let mut seen: HashMap<String, usize> = HashMap::new();
        let mut twins = Vec::new();
        for (index, deployment) in self.deployments.iter().enumerate() {
            if deployment.id.is_some() || deployment.model.is_empty() {
                continue;
            }
            match seen.get(&everything(deployment).to_string()) {
                Some(first) => twins.push((*first, index)),
                None => {
                    seen.insert(everything(deployment).to_string(), index);
                }
            }
        }
        twins
    }

    /// Pairs of deployments that were given the same id, the earlier one first.
    pub(super) fn shared_ids(&self) -> Vec<(usize, usize)> {
        let mut seen: HashMap<&str, usize> = HashMap::new();
        let mut shared = Vec::new();
        for (index, id) in
            self.deployments.iter().enumerate().filter_map(|(index, one)| Some((index, one.id.as_deref()?)))
        {
            match seen.get(id) {
                Some(first) => shared.push((*first, index)),
                None => {
                    seen.insert(id, index);
                }
            }
        }
        shared
    }
}

/// What says which deployment it is.
fn identity(deployment: &Deployment) -> Value {
    let address =
        provider::resolve(&deployment.model, deployment.provider.as_deref(), deployment.api_base.as_deref());
    let (provider, model, api_base) = match address {
        Ok(address) => (Some(address.provider.name), address.model, address.api_base),
        Err(_) => (None, deployment.model.clone(), deployment.api_base.clone()),
    };
    json!([
        deployment.model_name,
        provider,
        model,
        api_base,
        deployment.api_version,
        deployment.organization,
        deployment.api_key_variable,
    ])
}

/// Everything else that may be shown, for deployments that are the same up to here.
fn everything_but_secrets(deployment: &Deployment) -> Value {
    let mut headers: Vec<_> = deployment.extra_headers.iter().map(|(name, _)| name.as_str()).collect();
    headers.sort_unstable();
    let mut info = deployment.model_info.clone();
    info.remove("id");
    let mut all = vec![
        identity(deployment),
        json!(deployment.weight.to_string()),
        json!(deployment.order),
        json!(format!("{:?}", deployment.timeouts)),
        json!(format!(
            "{:?}",
            (deployment.num_retries, deployment.cooldown, deployment.max_parallel_requests)
        )),
        json!(headers),
        sorted(&Value::Object(deployment.default_params.clone())),
        sorted(&Value::Object(info)),
        json!(format!("{:?}", deployment.simulated)),
    ];
    // Only where there are some, so that they change no id of those that have none.
    if !(deployment.tags.is_empty() && deployment.tag_regex.is_empty()) {
        all.push(json!([deployment.tags, deployment.tag_regex]));
    }
    let terms = (
        [deployment.rpm, deployment.tpm],
        [deployment.input_cost_per_token, deployment.output_cost_per_token],
    );
    if terms != ([None; 2], [None; 2]) {
        all.push(json!(format!("{terms:?}")));
    }
    all.into()
}

/// Everything, keys included; compared, never shown.
fn everything(deployment: &Deployment) -> Value {
    let mut headers: Vec<_> = deployment
        .extra_headers
        .iter()
        .map(|(name, value)| format!("{name}: {:?}", value.as_bytes()))
        .collect();
    headers.sort_unstable();
    json!([
        everything_but_secrets(deployment),
        headers,
        deployment.api_key.as_ref().map(super::Secret::expose),
    ])
}

/// The same value with the keys of every map in alphabetical order.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let ordered: BTreeMap<_, _> = map.iter().map(|(key, value)| (key, sorted(value))).collect();
            json!(ordered)
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        _ => value.clone(),
    }
}

fn digest(value: &Value) -> String {
    let mut digits = String::new();
    for byte in Sha256::digest(value.to_string()).iter().take(ID_DIGITS / 2) {
        write!(digits, "{byte:02x}").expect("writing to a String cannot fail");
    }
    digits
}
