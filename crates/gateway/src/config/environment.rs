//! Environment variables, as an argument rather than a global.

use std::collections::BTreeMap;

use super::finding::{Finding, Path, Step};
use super::tree::{Node, Value};

/// The variables that `os.environ/NAME`, the providers' defaults and the overrides are read from.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    /// Whether something stands in for variables that are not set.
    has_stand_ins: bool,
}

impl Environment {
    /// No variables at all.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// The variables of this process; those that are not UTF-8 are left out.
    #[must_use]
    pub fn of_process() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    /// The same, for a reader that sends nothing: no variable has to be set. Models, addresses and keys that one
    /// would hold get something in its place, any other setting stays at its default, and nothing is said of it.
    pub(crate) fn with_stand_ins(self) -> Self {
        Self { has_stand_ins: true, ..self }
    }

    /// Whether a variable that is missing is no fault.
    pub(super) fn has_stand_ins(&self) -> bool {
        self.has_stand_ins
    }

    /// The value of a variable.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// Sets a variable for what is read from here; the process's own environment stays as it is.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.variables.insert(name.into(), value.into());
    }

    /// All variables, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// What stands in for an address that a provider's own variable would hold.
    pub(super) fn stand_in_base(&self, variable: &str) -> Option<String> {
        self.has_stand_ins.then(|| stand_in("api_base", variable)).flatten()
    }

    /// The first of `names` that is set and not blank, with its value.
    pub(super) fn first(&self, names: &[&'static str]) -> Option<(&'static str, &str)> {
        names.iter().find_map(|name| Some((*name, self.get(name).filter(|value| !value.trim().is_empty())?)))
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        let variables = variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self { variables, has_stand_ins: false }
    }
}

impl std::fmt::Debug for Environment {
    /// Names only: any value may be a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.variables.keys()).finish()
    }
}

const REFERENCE: &str = "os.environ/";

/// Replaces every `os.environ/NAME` below `node` by the variable's value, or by nothing if it is unset.
pub(super) fn expand(node: &mut Node, path: &Path, environment: &Environment, findings: &mut Vec<Finding>) {
    match &mut node.value {
        Value::Text(text) => {
            let Some(name) = text.strip_prefix(REFERENCE).map(str::to_owned) else { return };
            match environment.get(&name) {
                Some(value) => *text = value.to_owned(),
                None if environment.has_stand_ins => {
                    let text = path.last_key().and_then(|key| stand_in(key, &name));
                    node.value = text.map_or(Value::Null, Value::Text);
                }
                None => {
                    findings.push(unset(&name, path));
                    node.value = Value::Null;
                }
            }
            node.variable = Some(name);
        }
        Value::List(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                expand(item, &path.index(index), environment, findings);
            }
        }
        Value::Map(entries) => {
            for entry in entries {
                expand(&mut entry.value, &path.key(&entry.key), environment, findings);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// What stands in for an unset variable under this key: it names the variable, so that deployments that differ in
/// nothing else stay two.
fn stand_in(key: &str, variable: &str) -> Option<String> {
    match key {
        "api_base" => Some(format!("http://not-set.invalid/{}", variable.to_ascii_lowercase())),
        "model" => Some(format!("openai/{variable}")),
        "api_key" => Some(variable.to_owned()),
        _ => None,
    }
}

fn unset(name: &str, path: &Path) -> Finding {
    let name = super::mask::quoted(name);
    if *path == Path::top("general_settings").key("master_key") {
        // Without its key the door would stand open to whoever reaches it.
        return Finding::mistake(
            path.clone(),
            format!("the environment variable {name} is not set, so there is no master key"),
        )
        .way_out("set the variable, or remove `master_key` to serve without a key on loopback");
    }
    if bounds_a_key(path) {
        return Finding::mistake(
            path.clone(),
            format!("the environment variable {name} is not set, and without it the key would open more"),
        )
        .way_out("set the variable, or remove the setting");
    }
    Finding::warning(
        path.clone(),
        format!("the environment variable {name} is not set; `{path}` is left out"),
    )
    .way_out("set the variable, or remove the setting")
}

/// Whether a client's key opens more without this setting.
fn bounds_a_key(path: &Path) -> bool {
    let [Step::Key(top), Step::Index(_), Step::Key(key), ..] = path.steps() else { return false };
    top == "keys"
        && matches!(
            key.as_str(),
            "models" | "expires" | "blocked" | "rpm_limit" | "tpm_limit" | "max_parallel_requests"
        )
}

#[cfg(test)]
mod tests;
