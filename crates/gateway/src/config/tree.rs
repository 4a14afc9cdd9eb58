//! YAML with the place of every key and value, in the order of the file.

use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use serde_saphyr::{DuplicateKeyPolicy, Location, NonFiniteFloatPolicy, Spanned};

use super::finding::{Finding, Part, Path, Step};
use super::source::{Scalar, Sources, Span};
use super::{keys, mask};

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(super) span: Span,
    pub(crate) value: Value,
    /// The environment variable that the value came from; such a value may be a number in quotes.
    pub(super) variable: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(super) key_span: Span,
    pub(crate) value: Node,
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl Node {
    pub(super) fn new(span: Span, value: Value) -> Self {
        Self { span, value, variable: None }
    }

    /// The value of an environment variable.
    pub(super) fn of_variable(name: &str, value: &str) -> Self {
        Self { variable: Some(name.to_owned()), ..Self::new(Span::default(), Value::Text(value.to_owned())) }
    }

    /// What JSON says that is the text of `within`.
    pub(super) fn from_json(json: &serde_json::Value, within: &Self) -> Self {
        let value = match json {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(flag) => Value::Bool(*flag),
            serde_json::Value::Number(number) => Value::Number(number.clone()),
            serde_json::Value::String(text) => Value::Text(text.clone()),
            serde_json::Value::Array(items) => {
                Value::List(items.iter().map(|item| Self::from_json(item, within)).collect())
            }
            serde_json::Value::Object(entries) => {
                let entry = |(key, value): (&String, &serde_json::Value)| Entry {
                    key: key.clone(),
                    key_span: within.span,
                    value: Self::from_json(value, within),
                };
                Value::Map(entries.iter().map(entry).collect())
            }
        };
        Self { variable: within.variable.clone(), ..Self::new(within.span, value) }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value),
            _ => None,
        }
    }

    /// The span that a finding about `path` points at: the setting's own, or that of the nearest one around it.
    pub(super) fn span_of(&self, path: &Path, part: Part) -> Span {
        let mut node = self;
        let mut span = self.span;
        for step in path.steps() {
            match (step, &node.value) {
                (Step::Key(key), Value::Map(entries)) => {
                    let Some(entry) = entries.iter().find(|entry| entry.key == *key) else { return span };
                    node = &entry.value;
                    let points_at_key = part == Part::Key
                        || matches!(node.value, Value::Map(_) | Value::List(_) | Value::Null);
                    span = if points_at_key { entry.key_span } else { node.span };
                }
                (Step::Index(index), Value::List(items)) => {
                    let Some(item) = items.get(*index) else { return span };
                    node = item;
                    span = match &item.value {
                        Value::Map(entries) => entries.first().map_or(item.span, |entry| entry.key_span),
                        _ => item.span,
                    };
                }
                _ => return span,
            }
        }
        span
    }

    /// Whether something is written at `path`.
    pub(super) fn has(&self, path: &Path) -> bool {
        let mut node = self;
        for step in path.steps() {
            let next = match (step, &node.value) {
                (Step::Key(key), _) => node.get(key),
                (Step::Index(index), Value::List(items)) => items.get(*index),
                (Step::Index(_), _) => None,
            };
            let Some(next) = next else { return false };
            node = next;
        }
        true
    }

    /// The value as JSON, for what is passed on as it is.
    pub(super) fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(flag) => (*flag).into(),
            Value::Number(number) => number.clone().into(),
            Value::Text(text) => text.as_str().into(),
            Value::List(items) => items.iter().map(Self::to_json).collect(),
            Value::Map(entries) => {
                entries.iter().map(|entry| (entry.key.clone(), entry.value.to_json())).collect()
            }
        }
    }

    /// What the value is, for a sentence; quotes it unless it stands under a secret's name.
    pub(super) fn described(&self, secret: bool) -> String {
        match &self.value {
            Value::Null => "nothing".into(),
            Value::Bool(flag) => format!("`{flag}`"),
            Value::Number(_) if secret => "a number".into(),
            Value::Number(number) => format!("the number {number}"),
            Value::Text(_) if secret => "a text".into(),
            Value::Text(text) => format!("the text {}", mask::quoted(text)),
            Value::List(_) => "a list".into(),
            Value::Map(_) => "a map".into(),
        }
    }
}

/// Parses the source `file`; duplicate keys and text that is not YAML become findings.
pub(super) fn parse(sources: &mut Sources, file: usize, findings: &mut Vec<(Finding, Span)>) -> Option<Node> {
    let options = serde_saphyr::options! {
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        legacy_octal_numbers: true,
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
        // Its own snippets show the lines around, keys included.
        with_snippet: false,
    };
    let text = sources.text(file);
    let parsed: Result<Spanned<Raw>, _> = serde_saphyr::from_str_with_options(text, options);
    match parsed {
        Ok(raw) => {
            let mut builder = Builder {
                text,
                file,
                has_secrets: sources.have_secrets(),
                scalars: Vec::new(),
                findings,
                hidden: HashMap::new(),
            };
            let node = builder.node(raw, false, true);
            let scalars = builder.scalars;
            sources.set_scalars(file, scalars);
            Some(node)
        }
        Err(error) => {
            let span = error.location().map_or(Span { file, line: 1, column: 1, width: 1 }, |at| Span {
                file,
                line: number(at.line()).max(1),
                column: number(at.column()).max(1),
                width: 1,
            });
            let message = error.to_string();
            let message = message.split(" at line ").next().unwrap_or_default();
            let shown = if mask::is_secret_text(message) { "this cannot be read" } else { message };
            findings.push((Finding::mistake(Path::default(), format!("not YAML: {shown}")), span));
            None
        }
    }
}

/// What serde sees; only here so that every level can be [`Spanned`].
enum Raw {
    Scalar(Value),
    List(Vec<Spanned<Self>>),
    Map(Vec<(Spanned<String>, Spanned<Self>)>),
}

struct Builder<'a> {
    text: &'a str,
    file: usize,
    /// Whether anything has to be hidden at all.
    has_secrets: bool,
    scalars: Vec<Scalar>,
    findings: &'a mut Vec<(Finding, Span)>,
    /// Unknown keys met so far, and whether what stands under them is hidden.
    hidden: HashMap<String, bool>,
}

/// Whether any name may stand under this key; under a misspelt one only those may that belong to the right one.
fn is_free(key: &str) -> bool {
    key.starts_with("x-") || (keys::is_known(key) && !FIXED.contains(&key))
}

/// Sections in which every key has a meaning, so that an unknown one is a slip.
const FIXED: [&str; 12] = [
    "model_list",
    "litellm_params",
    "router_settings",
    "litellm_settings",
    "general_settings",
    "simulated",
    "shared_state",
    "cache_params",
    "cache_kwargs",
    "coordination_redis",
    "startup_nodes",
    "redis_startup_nodes",
];

impl Builder<'_> {
    /// `secret`: a key above says so. `fixed`: an unknown key here is a slip rather than a name.
    fn node(&mut self, raw: Spanned<Raw>, secret: bool, fixed: bool) -> Node {
        // A value that an alias or a merge brings in is mended where it is defined, a list or a map where it is used.
        match raw.value {
            Raw::Scalar(value) => {
                let value = self.as_pyyaml(value, raw.defined);
                let shown = matches!(&value, Value::Text(text) if text.starts_with("os.environ/"));
                let looks = matches!(&value, Value::Text(text) if mask::is_secret_text(text));
                self.note(raw.defined, (secret && !shown && value != Value::Null) || looks);
                Node::new(self.span(raw.defined), value)
            }
            Raw::List(items) => {
                let items = items.into_iter().map(|item| self.node(item, secret, fixed)).collect();
                Node::new(self.span(raw.referenced), Value::List(items))
            }
            Raw::Map(entries) => {
                let mut kept: Vec<Entry> = Vec::with_capacity(entries.len());
                let mut lines: HashMap<String, usize> = HashMap::new();
                for (key, value) in entries {
                    let key_span = self.span(key.defined);
                    let secret = secret || self.hides(&key.value, fixed);
                    let value = self.node(value, secret, fixed && !is_free(&key.value));
                    // A word alone among secrets may be one that lost the name before it.
                    let alone = secret && value.value == Value::Null;
                    let hidden = self.has_secrets
                        && ((alone && !keys::is_known(&key.value)) || mask::plain(&key.value) != key.value);
                    self.note(key.defined, hidden);
                    if hidden {
                        kept.push(Entry { key: mask::MASK.into(), key_span, value });
                        continue;
                    }
                    match lines.get(&key.value) {
                        Some(line) => self.findings.push((twice(&key.value, *line), key_span)),
                        None => {
                            lines.insert(key.value.clone(), key_span.line);
                            kept.push(Entry { key: key.value, key_span, value });
                        }
                    }
                }
                Node::new(self.span(raw.referenced), Value::Map(kept))
            }
        }
    }

    fn hides(&mut self, key: &str, fixed: bool) -> bool {
        if !self.has_secrets {
            return false;
        }
        if mask::is_secret_key(key) {
            return true;
        }
        if !fixed || keys::is_known(key) || key.starts_with("x-") {
            return false;
        }
        *self.hidden.entry(key.to_owned()).or_insert_with(|| keys::may_hide_secret(key))
    }

    /// `y` and `n` are plain text to PyYAML, which LiteLLM reads its file with.
    fn as_pyyaml(&self, value: Value, at: Location) -> Value {
        match value {
            Value::Bool(_) => match self.source(at).map(|(start, end)| &self.text[start..end]) {
                Some(text @ ("y" | "Y" | "n" | "N")) => Value::Text(text.into()),
                _ => value,
            },
            _ => value,
        }
    }

    fn note(&mut self, at: Location, secret: bool) {
        if let Some((start, end)) = self.source(at) {
            self.scalars.push(Scalar { start, end, secret });
        }
    }

    fn source(&self, at: Location) -> Option<(usize, usize)> {
        let start = usize::try_from(at.span().byte_offset()?).ok()?;
        let end = start.checked_add(usize::try_from(at.span().byte_len()?).ok()?)?;
        self.text.get(start..end).map(|_| (start, end))
    }

    fn span(&self, at: Location) -> Span {
        let width = self.source(at).map_or(0, |(start, end)| {
            self.text[start..end].lines().next().unwrap_or_default().chars().count()
        });
        Span { file: self.file, line: number(at.line()), column: number(at.column()), width }
    }
}

fn twice(key: &str, line: usize) -> Finding {
    Finding::mistake(
        Path::default(),
        format!("{} is written twice; the first is on line {line}", mask::quoted(key)),
    )
    .way_out("keep one of the two")
}

fn number(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any YAML value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Scalar(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Scalar(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Scalar(Value::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Scalar(Value::Number(value.into())))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Scalar(Value::Number(value.into())))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Scalar(Number::from_f64(value).map_or_else(|| Value::Text(value.to_string()), Value::Number)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Scalar(Value::Text(value.into())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Raw::Map(map))
    }
}
