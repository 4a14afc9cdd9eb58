//! What is wrong, or odd, in a configuration, and how it is shown.

use std::fmt;

use owo_colors::{OwoColorize, Style};

use super::mask;

/// A mistake that keeps the gateway from starting, or a warning that does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whether the gateway can start all the same.
    pub severity: Severity,
    /// The setting, as a path in the YAML file.
    pub path: Path,
    /// Where the setting was read from; `None` in a configuration made in code.
    pub place: Option<Place>,
    /// What is wrong, without a full stop. Never holds a secret.
    pub what: String,
    /// What to write instead, when that is known.
    pub way_out: Option<String>,
    pub(super) at: Part,
    /// Another setting that has to do with it.
    pub(super) also: Option<Path>,
    /// Where the setting may stand instead.
    pub(super) elsewhere: Option<Path>,
}

/// Whether the gateway can start all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// It cannot.
    Mistake,
    /// It can, but something will not be as the file says.
    Warning,
}

/// Which half of `key: value` a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Key,
    Value,
}

/// Where something was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file as it was named, or `environment variable NAME`.
    pub file: String,
    /// Line and column, both from 1; `None` where there are no lines.
    pub position: Option<(usize, usize)>,
    /// The line itself, with secrets masked; `None` where it cannot be shown safely.
    pub line: Option<String>,
    /// How many characters of `line`, from the column on, the finding is about.
    pub width: usize,
    /// Sorts places in the order of reading: the file given first, then what it includes.
    pub(super) file_index: usize,
}

/// The way to a setting, e.g. `model_list[0].litellm_params.weight`.
///
/// Both `Display` and `Debug` mask a key that may hold a secret, as `api_key sk-...` does where a colon was forgotten.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(Vec<Step>);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

/// The section that sets variables for what is read.
const VARIABLES: &str = "environment_variables";

impl Path {
    /// The path of a top-level key.
    pub(crate) fn top(key: &str) -> Self {
        Self::default().key(key)
    }

    /// The path of `litellm_params` or `model_info` of an entry of `model_list`.
    pub(super) fn of_deployment(index: usize, part: &str) -> Self {
        Self::top("model_list").index(index).key(part)
    }

    /// The path of an environment variable that is read without being named in the file.
    pub(super) fn variable(name: &str) -> Self {
        Self::top(VARIABLES).key(name)
    }

    /// The variable's name, if it is the path of one or leads into one.
    pub(super) fn as_variable(&self) -> Option<&str> {
        match self.0.as_slice() {
            [Step::Key(top), Step::Key(name), ..] if top == VARIABLES => Some(name),
            _ => None,
        }
    }

    pub(crate) fn key(&self, key: &str) -> Self {
        let mut steps = self.0.clone();
        steps.push(Step::Key(key.to_owned()));
        Self(steps)
    }

    pub(crate) fn index(&self, index: usize) -> Self {
        let mut steps = self.0.clone();
        steps.push(Step::Index(index));
        Self(steps)
    }

    /// The key at its end; `None` for an entry of a list.
    pub(super) fn last_key(&self) -> Option<&str> {
        match self.0.last()? {
            Step::Key(key) => Some(key),
            Step::Index(_) => None,
        }
    }

    pub(super) fn steps(&self) -> &[Step] {
        &self.0
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) => {
                    let dot = if position == 0 { "" } else { "." };
                    write!(f, "{dot}{}", mask::plain(key))?;
                }
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Finding {
    pub(crate) fn mistake(path: Path, what: impl Into<String>) -> Self {
        Self {
            severity: Severity::Mistake,
            path,
            place: None,
            what: what.into(),
            way_out: None,
            at: Part::Value,
            also: None,
            elsewhere: None,
        }
    }

    pub(crate) fn warning(path: Path, what: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::mistake(path, what) }
    }

    pub(crate) fn way_out(self, way_out: impl Into<String>) -> Self {
        Self { way_out: Some(way_out.into()), ..self }
    }

    pub(super) fn also(self, path: Path) -> Self {
        Self { also: Some(path), ..self }
    }

    pub(super) fn or_at(self, path: Path) -> Self {
        Self { elsewhere: Some(path), ..self }
    }

    pub(crate) fn at_key(self) -> Self {
        Self { at: Part::Key, ..self }
    }

    /// The finding as a log line: where, what, and the way out.
    #[must_use]
    pub fn one_line(&self) -> String {
        let place = self.place.as_ref().map_or_else(|| self.path.to_string(), ToString::to_string);
        let way_out = self.way_out.as_ref().map(|way_out| format!("; {way_out}")).unwrap_or_default();
        format!("{place}: {}{way_out}", self.what)
    }

    /// The finding as a person reads it in a terminal, with ANSI colours if `colour`.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let paint = |style: Style| if colour { style } else { Style::new() };
        let (accent, mark) = match self.severity {
            Severity::Mistake => (paint(Style::new().red().bold()), ""),
            Severity::Warning => (paint(Style::new().yellow().bold()), "warning: "),
        };
        let (bold, dim) = (paint(Style::new().bold()), paint(Style::new().dimmed()));
        let mut out = String::new();
        let mut margin = 2;
        match &self.place {
            Some(place) => {
                out += &format!("{}: ", place.style(bold));
                out += &format!("{}{}\n", mark.style(accent), self.what);
                if let (Some((number, column)), Some(line)) = (place.position, &place.line) {
                    margin = number.to_string().len().max(4);
                    let under = " ".repeat(column - 1) + &"^".repeat(place.width.max(1));
                    out += &format!("{} {line}\n", format!("{number:>margin$} |").style(dim));
                    out += &format!("{:>margin$} {} {}\n", "", "|".style(dim), under.style(accent));
                }
            }
            None => out += &format!("{}: {}{}\n", self.path.style(bold), mark.style(accent), self.what),
        }
        if let Some(way_out) = &self.way_out {
            out += &format!("{:margin$}{way_out}\n", "");
        }
        out
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.render(false).trim_end())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.position {
            Some((line, column)) => write!(f, "{}:{line}:{column}", self.file),
            None => f.write_str(&self.file),
        }
    }
}

/// A configuration that cannot be used, with every mistake in it.
#[derive(Debug, Clone)]
pub struct LoadError {
    /// The mistakes, in the order of the file; never empty.
    pub mistakes: Vec<Finding>,
    /// Warnings about the same configuration, in the order of the file.
    pub warnings: Vec<Finding>,
    /// The file that was given, as it was given.
    pub file: String,
}

impl LoadError {
    /// Every warning and mistake and a closing count, with ANSI colours if `colour`.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let mut out = String::new();
        for finding in self.warnings.iter().chain(&self.mistakes) {
            out += &finding.render(colour);
        }
        out + &format!("{} in {}", counted(self.mistakes.len(), "mistake"), self.file)
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for LoadError {}

pub(super) fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
