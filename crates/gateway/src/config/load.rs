//! From a file to a checked [`Config`].

use std::path::{Path as FilePath, PathBuf};

use super::environment::{self, Environment};
use super::files::{self, Read};
use super::finding::{Finding, LoadError, Path, Severity};
use super::keys_file::{Beside, KeysFile};
use super::source::{Sources, Span};
use super::tree::{Entry, Node, Value};
use super::{ClientKey, Config, mask, overrides, read};

/// A configuration without mistakes.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What the gateway is told to do.
    pub config: Config,
    /// What may not do what was meant, in the order of the file.
    pub warnings: Vec<Finding>,
    /// Every file that was read, the given one first, included ones as they are named.
    pub files: Vec<PathBuf>,
}

/// Reads a LiteLLM `config.yaml` and what it includes.
///
/// # Errors
///
/// With every mistake at once: files that cannot be read, text that is not YAML, keys and names that nobody knows,
/// values of the wrong type or out of range, and whatever [`Config::check`] finds.
pub fn load(path: &FilePath, environment: &Environment) -> Result<Loaded, LoadError> {
    finish(files::read(path), &path.display().to_string(), environment)
}

/// Reads `text` as if it stood in a file called `name`; see [`load`].
///
/// # Errors
///
/// As [`load`].
pub fn parse(name: &str, text: &str, environment: &Environment) -> Result<Loaded, LoadError> {
    finish(files::read_text(name, text), name, environment)
}

fn finish(read: Read, name: &str, environment: &Environment) -> Result<Loaded, LoadError> {
    let Read { mut sources, mut root, findings: mut placed, mut files } = read;
    // What an unreadable file would have said is not known, so names that lead there are not mistakes.
    let broken = placed.iter().any(|(finding, _)| finding.severity == Severity::Mistake);
    overrides::apply(&mut root, environment, &mut sources, &mut placed);
    let mut findings = Vec::new();
    let environment = with_own_variables(&mut root, environment, &mut findings);
    environment::expand(&mut root, &Path::default(), &environment, &mut findings);
    let mut config = read::config(&root, &environment, &mut findings, broken);
    let folder = FilePath::new(name).parent().unwrap_or(FilePath::new(""));
    config.general.keys_file = config.general.keys_file.map(|file| file.within(folder));
    if !broken {
        let mistakes = config.check().into_iter().map(|mistake| settled(mistake, &root));
        let said: Vec<_> = findings
            .iter()
            .filter(|one| one.severity == Severity::Mistake)
            .map(|one| one.path.clone())
            .collect();
        findings.extend(mistakes.filter(|mistake| !said.contains(&mistake.path)));
        findings.extend(config.warnings().into_iter().map(|warning| settled(warning, &root)));
    }
    placed.extend(findings.into_iter().map(|finding| {
        let span = match finding.path.as_variable() {
            Some(name) if !sets(&root, name) => sources.add_variable(name),
            _ => root.span_of(&finding.path, finding.at),
        };
        (finding, span)
    }));
    let (mut mistakes, mut warnings) = in_order(placed, &root, &sources);
    // Whoever only looks at a configuration has no use for the keys, and may not have the file.
    if let Some(file) = config.general.keys_file.as_ref().filter(|_| !environment.has_stand_ins()) {
        files.push(file.path().to_owned());
        match config.read_keys(file) {
            Ok((_, more)) => warnings.extend(more),
            Err(error) => {
                warnings.extend(error.warnings);
                mistakes.extend(error.mistakes);
            }
        }
    }
    if mistakes.is_empty() {
        Ok(Loaded { config, warnings, files })
    } else {
        Err(LoadError { mistakes, warnings, file: name.to_owned() })
    }
}

impl Config {
    /// The keys in its keys file, and what is odd about them.
    fn read_keys(&self, file: &KeysFile) -> Result<(Vec<ClientKey>, Vec<Finding>), LoadError> {
        let models: Vec<_> = self.names().collect();
        let beside = Beside { keys: &self.keys, master: self.general.master_hash(), models: &models };
        file.read(beside, &|name| self.leads_somewhere(name))
    }
}

/// The finding at the other of its two places, where only that one is written.
fn settled(finding: Finding, root: &Node) -> Finding {
    match &finding.elsewhere {
        Some(elsewhere) if !root.has(&finding.path) && root.has(elsewhere) => {
            Finding { path: elsewhere.clone(), ..finding }
        }
        _ => finding,
    }
}

/// Whether the file sets this variable itself.
fn sets(root: &Node, variable: &str) -> bool {
    root.get("environment_variables").is_some_and(|section| section.get(variable).is_some())
}

/// Gives each finding its place, and sorts mistakes and warnings by it.
pub(super) fn in_order(
    placed: Vec<(Finding, Span)>,
    root: &Node,
    sources: &Sources,
) -> (Vec<Finding>, Vec<Finding>) {
    let mut findings: Vec<Finding> = placed
        .into_iter()
        .map(|(mut finding, span)| {
            if let Some(also) = &finding.also {
                let there = root.span_of(also, finding.at);
                if there.line > 0 {
                    finding.what += &format!(" ({}:{})", sources.name(there.file), there.line);
                }
            }
            finding.place = Some(sources.place(span));
            finding
        })
        .collect();
    findings.sort_by_key(|finding| finding.place.as_ref().map(|place| (place.file_index, place.position)));
    // One line that several entries share through an anchor has one mistake.
    findings.dedup_by(|a, b| a.place == b.place && a.what == b.what);
    findings.into_iter().partition(|finding| finding.severity == Severity::Mistake)
}

/// The environment with the variables of `environment_variables`, which go before the process's own, as in LiteLLM.
fn with_own_variables(
    root: &mut Node,
    environment: &Environment,
    findings: &mut Vec<Finding>,
) -> Environment {
    let mut all = environment.clone();
    let Value::Map(entries) = &mut root.value else { return all };
    let Some(section) = entries.iter_mut().find(|entry| entry.key == "environment_variables") else {
        return all;
    };
    let path = Path::top("environment_variables");
    environment::expand(&mut section.value, &path, environment, findings);
    let variables: &[Entry] = match &section.value.value {
        Value::Map(variables) => variables,
        Value::Null => &[],
        _ => {
            findings.push(
                Finding::mistake(path, "expected a map from names to values")
                    .way_out("write `NAME: value` lines"),
            );
            return all;
        }
    };
    for Entry { key, value, .. } in variables {
        match &value.value {
            Value::Text(text) => all.set(key, text),
            Value::Number(number) => all.set(key, number.to_string()),
            Value::Bool(flag) => all.set(key, if *flag { "True" } else { "False" }),
            Value::Null => {}
            Value::List(_) | Value::Map(_) => findings.push(
                Finding::mistake(
                    path.key(key),
                    format!("the variable {} cannot hold a list or a map", mask::quoted(key)),
                )
                .way_out("write a text"),
            ),
        }
    }
    all
}
