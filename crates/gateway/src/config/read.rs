//! From the tree to a [`Config`]: types, ranges and names of single settings.

mod busy;
mod client_keys;
mod deployment;
mod fallbacks;
mod filters;
mod general;
mod redis;
mod reliability;
mod router;
mod shared_state;
mod strategy;

pub(super) use client_keys::read as client_keys;
pub(crate) use router::simulated as simulated_router;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::Config;
use super::environment::Environment;
use super::finding::{Finding, Path, Step, counted};
use super::keys::{self, Dialect, Section, Status};
use super::mask;
use super::tree::{Entry, Node, Value};
use crate::duration;
use crate::likeness::nearest;

/// Reads the whole tree; what is wrong is left at its default.
///
/// `incomplete` says that a file could not be read, so that nothing is known about names that lead nowhere.
pub(super) fn config(
    root: &Node,
    environment: &Environment,
    findings: &mut Vec<Finding>,
    incomplete: bool,
) -> Config {
    let mut reader = Reader::new(&keys::LITELLMS, findings);
    let top = reader.section(root, &Path::default(), &keys::TOP);
    let general = top.get("general_settings");
    let general = general.map(|section| reader.section(section.node, &section.path, &keys::GENERAL_SETTINGS));
    let mut config = Config {
        deployments: deployment::all(&mut reader, top.get("model_list"), environment),
        general: general::read(&mut reader, general.as_ref(), environment),
        keys: client_keys::read(&mut reader, top.get("keys")),
        ..Config::default()
    };
    busy::slots_of_simulated(&mut config);
    let (router, litellm) = (top.get("router_settings"), top.get("litellm_settings"));
    router::read(&mut reader, router, litellm, general.as_ref(), &mut config, incomplete);
    config.shared_state = shared_state::read(&mut reader, &top, environment, incomplete);
    reader.finish();
    config
}

/// Reads values and collects what is wrong with them.
pub(crate) struct Reader<'a> {
    dialect: &'static Dialect,
    pub(crate) findings: &'a mut Vec<Finding>,
    /// Keys not served yet: where each stands first, and how often it stands there in all.
    not_yet: BTreeMap<(&'static str, String), (Path, usize)>,
}

/// A setting: its value and its path.
pub(crate) struct Setting<'n> {
    pub(crate) node: &'n Node,
    pub(crate) path: Path,
}

/// The settings of one map that are to be read.
pub(crate) struct Settings<'n>(Vec<(&'n str, Setting<'n>)>);

impl<'n> Settings<'n> {
    pub(crate) fn get(&self, key: &str) -> Option<&Setting<'n>> {
        self.0.iter().find(|(name, _)| *name == key).map(|(_, setting)| setting)
    }
}

impl<'a> Reader<'a> {
    pub(super) fn new(dialect: &'static Dialect, findings: &'a mut Vec<Finding>) -> Self {
        Self { dialect, findings, not_yet: BTreeMap::new() }
    }
}

impl Reader<'_> {
    pub(crate) fn mistake(&mut self, path: &Path, what: impl Into<String>, way_out: impl Into<String>) {
        self.findings.push(Finding::mistake(path.clone(), what).way_out(way_out));
    }

    pub(crate) fn warning(&mut self, path: &Path, what: impl Into<String>, way_out: impl Into<String>) {
        self.findings.push(Finding::warning(path.clone(), what).way_out(way_out));
    }

    /// The known settings of a map; the others become findings. A misspelt key counts as the right one, so that one
    /// slip gives one mistake.
    pub(crate) fn section<'n>(
        &mut self,
        node: &'n Node,
        path: &Path,
        section: &'static Section,
    ) -> Settings<'n> {
        let mut settings = Settings(Vec::new());
        for entry in self.entries(node, path) {
            let at = path.key(&entry.key);
            let setting = Setting { node: &entry.value, path: at.clone() };
            match section.status(&entry.key) {
                Status::Served => settings.0.push((entry.key.as_str(), setting)),
                Status::NotYet => {
                    // Kept as well: who reads the section may have more to say of it.
                    self.note_not_yet(section, &entry.key, at);
                    settings.0.push((entry.key.as_str(), setting));
                }
                Status::WithoutMeaning => {}
                Status::Unknown if entry.key.starts_with("x-") && section.name == keys::TOP.name => {}
                Status::Unknown => {
                    if let Some(meant) = self.unknown(&entry.key, &at, section)
                        && node.get(meant).is_none()
                    {
                        settings.0.push((meant, setting));
                    }
                }
            }
        }
        settings
    }

    fn note_not_yet(&mut self, section: &'static Section, key: &str, path: Path) {
        self.not_yet.entry((section.name, key.to_owned())).or_insert((path, 0)).1 += 1;
    }

    /// Reports a key that nobody knows here; the one that was probably meant.
    fn unknown(&mut self, key: &str, path: &Path, section: &'static Section) -> Option<&'static str> {
        let finding =
            Finding::mistake(path.clone(), format!("{} is not a key of {}", mask::quoted(key), section.name))
                .at_key();
        let suggestion = keys::suggestion(self.dialect, section, key);
        self.findings.push(match suggestion {
            Some((meant, None)) => finding.way_out(format!("did you mean `{meant}`?")),
            Some((meant, Some(place))) if meant == key => finding.way_out(format!("it belongs into {place}")),
            Some((meant, Some(place))) => {
                finding.way_out(format!("did you mean `{meant}`, which belongs into {place}?"))
            }
            None if section.name == keys::TOP.name => {
                finding.way_out("remove it; a key that only holds anchors may be called `x-...`")
            }
            None => finding.way_out("remove it"),
        });
        suggestion.and_then(|(meant, place)| place.is_none().then_some(meant))
    }

    pub(crate) fn wrong_type(&mut self, setting: &Setting<'_>, expected: &str, way_out: Option<String>) {
        let secret = self.dialect.has_secrets && is_secret(&setting.path);
        let found = setting.node.described(secret);
        let finding = Finding::mistake(setting.path.clone(), format!("expected {expected}, found {found}"));
        self.findings.push(match way_out {
            Some(way_out) => finding.way_out(way_out),
            None => finding,
        });
    }

    pub(crate) fn entries<'n>(&mut self, node: &'n Node, path: &Path) -> &'n [Entry] {
        match &node.value {
            Value::Map(entries) => entries,
            Value::Null => &[],
            _ => {
                self.wrong_type(&Setting { node, path: path.clone() }, "a map", None);
                &[]
            }
        }
    }

    pub(crate) fn items<'n>(&mut self, setting: &Setting<'n>) -> Vec<Setting<'n>> {
        match &setting.node.value {
            Value::List(items) => items
                .iter()
                .enumerate()
                .map(|(index, node)| Setting { node, path: setting.path.index(index) })
                .collect(),
            Value::Null => Vec::new(),
            _ => {
                self.wrong_type(setting, "a list", None);
                Vec::new()
            }
        }
    }

    pub(crate) fn text(&mut self, setting: Option<&Setting<'_>>) -> Option<String> {
        let setting = setting?;
        match &setting.node.value {
            Value::Text(text) => Some(text.clone()),
            Value::Null => None,
            Value::Number(_) | Value::Bool(_) => {
                self.wrong_type(setting, "a text", Some("put it in quotes".into()));
                None
            }
            Value::List(_) | Value::Map(_) => {
                self.wrong_type(setting, "a text", None);
                None
            }
        }
    }

    pub(crate) fn number(&mut self, setting: Option<&Setting<'_>>, expected: &str) -> Option<f64> {
        let setting = setting?;
        match &setting.node.value {
            Value::Number(number) => number.as_f64(),
            Value::Null => None,
            Value::Text(text) => {
                let parsed = text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
                if setting.node.variable.is_some() && parsed.is_some() {
                    return parsed;
                }
                let way_out = parsed.map(|number| format!("write {number} without quotes"));
                self.wrong_type(setting, expected, way_out);
                None
            }
            Value::Bool(_) | Value::List(_) | Value::Map(_) => {
                self.wrong_type(setting, expected, None);
                None
            }
        }
    }

    pub(crate) fn whole(&mut self, setting: Option<&Setting<'_>>) -> Option<i64> {
        let number = self.number(setting, "a whole number")?;
        // Above 2^53 not every whole number is an f64, and no setting is meant to be that large.
        if number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0 {
            #[expect(clippy::cast_possible_truncation, reason = "whole and at most 2^53")]
            return Some(number as i64);
        }
        self.wrong_type(setting?, "a whole number", None);
        None
    }

    pub(crate) fn count(
        &mut self,
        setting: Option<&Setting<'_>>,
        range: RangeInclusive<usize>,
    ) -> Option<usize> {
        let whole = self.whole(setting)?;
        match usize::try_from(whole) {
            Ok(count) if range.contains(&count) => Some(count),
            _ => {
                let path = setting?.path.clone();
                self.mistake(
                    &path,
                    format!("{whole} is not between {} and {}", range.start(), range.end()),
                    "choose a number in that range",
                );
                None
            }
        }
    }

    /// A whole number up to 2^53; the check knows the range.
    fn large(&mut self, setting: Option<&Setting<'_>>) -> Option<u64> {
        let count = self.count(setting, 0..=1 << 53)?;
        u64::try_from(count).ok()
    }

    fn up_to(&mut self, setting: Option<&Setting<'_>>, most: u32) -> Option<u32> {
        let count = self.count(setting, 0..=usize::try_from(most).unwrap_or(usize::MAX))?;
        u32::try_from(count).ok()
    }

    pub(crate) fn seconds(&mut self, setting: Option<&Setting<'_>>) -> Option<Duration> {
        if let (true, Some(Setting { node: Node { value: Value::Text(text), .. }, .. })) =
            (self.dialect.has_units, setting)
        {
            let time = duration::parse(text);
            if let (None, Some(setting)) = (time, setting) {
                self.wrong_type(setting, "a time", Some("write it as `500ms`, `20s`, `5m` or `2h`".into()));
            }
            return time;
        }
        let seconds = self.number(setting, "a number of seconds")?;
        match Duration::try_from_secs_f64(seconds) {
            Ok(duration) => Some(duration),
            Err(_) => {
                let path = setting?.path.clone();
                self.mistake(
                    &path,
                    format!("{seconds} is not a number of seconds"),
                    "write a number above 0",
                );
                None
            }
        }
    }

    pub(crate) fn flag(&mut self, setting: Option<&Setting<'_>>) -> Option<bool> {
        let setting = setting?;
        match &setting.node.value {
            Value::Bool(flag) => Some(*flag),
            Value::Null => None,
            Value::Text(text) if setting.node.variable.is_some() => match text.to_lowercase().as_str() {
                "true" | "yes" | "on" | "1" => Some(true),
                "false" | "no" | "off" | "0" => Some(false),
                _ => {
                    self.wrong_type(setting, "`true` or `false`", None);
                    None
                }
            },
            Value::Text(_) | Value::Number(_) | Value::List(_) | Value::Map(_) => {
                self.wrong_type(setting, "`true` or `false`", None);
                None
            }
        }
    }

    /// One of a few words.
    pub(crate) fn choice<T: Copy>(
        &mut self,
        setting: Option<&Setting<'_>>,
        words: &[(&'static str, T)],
    ) -> Option<T> {
        let setting = setting?;
        let text = self.text(Some(setting))?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let names: Vec<_> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
        let way_out = match nearest(&text, words.iter().map(|(word, _)| *word)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("write one of {}", names.join(", ")),
        };
        let what = format!("{} is not one of {}", mask::quoted(&text), names.join(", "));
        self.mistake(&setting.path, what, way_out);
        None
    }

    /// One warning for each key that is not served yet, however often it stands in the file.
    pub(super) fn finish(self) {
        for ((_, key), (path, times)) in self.not_yet {
            let more = match times {
                1 => String::new(),
                _ => format!(" (here and in {} more)", counted(times - 1, "place")),
            };
            let what = format!("`{key}` {}{more}", self.dialect.not_yet);
            let finding = Finding::warning(path, what).at_key();
            self.findings.push(match key.as_str() {
                keys::NO_DEFAULT => finding.way_out("remove it: clients ask for streams themselves"),
                keys::MAX_QUEUED_REQUESTS_PER_WORKER => finding
                    .way_out("requests wait for each model group: set `router_settings.max_queued_requests`"),
                keys::ADMISSION_QUEUE_TIMEOUT_SECONDS => {
                    finding.way_out("requests wait for each model group: set `router_settings.queue_timeout`")
                }
                _ => finding,
            });
        }
    }
}

fn is_secret(path: &Path) -> bool {
    path.steps().iter().any(|step| match step {
        Step::Key(key) => mask::is_secret_key(key) || (!keys::is_known(key) && keys::may_hide_secret(key)),
        Step::Index(_) => false,
    })
}
