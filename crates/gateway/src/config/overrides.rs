//! `LEASTBUSY_<SECTION>__<KEY>` environment variables, which set single settings over the file's.

use super::environment::Environment;
use super::finding::{Finding, Path};
use super::keys::{self, Section};
use super::source::{Sources, Span};
use super::tree::{self, Entry, Node, Value};
use crate::likeness::nearest;

const PREFIX: &str = "LEASTBUSY_";

/// The sections whose keys can be set from outside.
const SECTIONS: [&Section; 4] =
    [&keys::ROUTER_SETTINGS, &keys::GENERAL_SETTINGS, &keys::LITELLM_SETTINGS, &keys::SHARED_STATE];

/// Sets the settings that `LEASTBUSY_*` variables name in `root`, or says which do not exist.
pub(super) fn apply(
    root: &mut Node,
    environment: &Environment,
    sources: &mut Sources,
    findings: &mut Vec<(Finding, Span)>,
) {
    for (name, text) in environment.iter() {
        // Names without a double underscore belong to the command line: LEASTBUSY_CONFIG, LEASTBUSY_PORT, ...
        let Some((section, key)) = name.strip_prefix(PREFIX).and_then(|rest| rest.split_once("__")) else {
            continue;
        };
        let span = sources.add_variable(name);
        let (section, key) = (section.to_lowercase(), key.to_lowercase());
        let Some(known) = SECTIONS.iter().find(|known| known.name == section) else {
            let finding = Finding::mistake(
                Path::default(),
                format!("`{section}` is not a section of the configuration"),
            );
            let way_out = match nearest_section(&section) {
                Some(near) => {
                    format!("did you mean {PREFIX}{}__{}?", near.to_uppercase(), key.to_uppercase())
                }
                None => format!("the sections are {}", SECTIONS.map(|known| known.name).join(", ")),
            };
            findings.push((finding.way_out(way_out), span));
            continue;
        };
        if known.knows(&key) {
            set(root, known.name, &key, value_of(name, text, span, sources, findings));
            continue;
        }
        let finding =
            Finding::mistake(Path::top(known.name), format!("`{key}` is not a key of {}", known.name));
        findings.push((
            match nearest(&key, known.names()) {
                Some(near) => finding.way_out(format!(
                    "did you mean {PREFIX}{}__{}?",
                    known.name.to_uppercase(),
                    near.to_uppercase()
                )),
                None => finding,
            },
            span,
        ));
    }
}

/// The section that was probably meant. The ending that all of them share says nothing, and hides a slip when it is
/// left out.
fn nearest_section(section: &str) -> Option<&'static str> {
    let names = || SECTIONS.iter().map(|known| known.name);
    let short = |name: &'static str| name.strip_suffix("_settings").unwrap_or(name);
    let own = section.strip_suffix("_settings").unwrap_or(section);
    nearest(own, names().map(short))
        .and_then(|near| names().find(|name| short(name) == near))
        .or_else(|| nearest(section, names()))
}

/// The text itself, or what it means as YAML if it is a list or a map.
fn value_of(
    name: &str,
    text: &str,
    span: Span,
    sources: &mut Sources,
    findings: &mut Vec<(Finding, Span)>,
) -> Node {
    if !text.trim_start().starts_with(['{', '[']) {
        return Node { variable: Some(name.to_owned()), ..Node::new(span, Value::Text(text.to_owned())) };
    }
    let file = sources.add(format!("environment variable {name}"), text);
    tree::parse(sources, file, findings).unwrap_or_else(|| Node::new(span, Value::Null))
}

fn set(root: &mut Node, section: &str, key: &str, value: Node) {
    let span = value.span;
    let Value::Map(sections) = &mut root.value else { return };
    let section = child(sections, section, span);
    if section.value == Value::Null {
        section.value = Value::Map(Vec::new());
    }
    // A section of the wrong type is reported when it is read.
    if let Value::Map(settings) = &mut section.value {
        *child(settings, key, span) = value;
    }
}

fn child<'e>(entries: &'e mut Vec<Entry>, key: &str, key_span: Span) -> &'e mut Node {
    let at = entries.iter().position(|entry| entry.key == key).unwrap_or_else(|| {
        entries.push(Entry { key: key.to_owned(), key_span, value: Node::new(key_span, Value::Null) });
        entries.len() - 1
    });
    &mut entries[at].value
}
