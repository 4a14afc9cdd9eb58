//! Other files that are written as the configuration is: YAML, with every mistake told at its place.

use std::path::Path as FilePath;

use super::environment::{self, Environment};
use super::finding::{Finding, LoadError, Path};
use super::keys::Dialect;
use super::load::in_order;
use super::source::{Sources, Span};
use super::tree::{self, Node, Value};
use super::{Reader, files};

/// A file, read but not yet understood.
pub(crate) struct Document {
    dialect: &'static Dialect,
    name: String,
    sources: Sources,
    root: Node,
    findings: Vec<(Finding, Span)>,
}

impl Document {
    /// Reads the file at `path`; one that cannot be read is a mistake that [`Self::understand`] tells.
    pub(crate) fn read(path: &FilePath, dialect: &'static Dialect) -> Self {
        let name = path.display().to_string();
        match files::text_of(path) {
            Ok(text) => Self::parse(&name, text, dialect),
            Err(fault) => {
                let mut document = Self::parse(&name, String::new(), dialect);
                document.findings.push((Finding::mistake(Path::default(), fault), Span::default()));
                document
            }
        }
    }

    /// Reads `text` as if it stood in a file called `name`.
    pub(crate) fn parse(name: &str, text: String, dialect: &'static Dialect) -> Self {
        let mut sources = Sources::of(dialect);
        let mut findings = Vec::new();
        let file = sources.add(name, text);
        let parsed = tree::parse(&mut sources, file, &mut findings);
        let start = Span { file, line: 1, column: 1, width: 0 };
        let mut root = parsed.unwrap_or_else(|| Node::new(start, Value::Null));
        if !matches!(root.value, Value::Map(_) | Value::Null) {
            let what = format!("expected a map of settings, found {}", root.described(false));
            let finding = Finding::mistake(Path::default(), what).way_out("write `KEY: VALUE` lines");
            findings.push((finding, root.span));
            root.value = Value::Null;
        }
        Self { dialect, name: name.to_owned(), sources, root, findings }
    }

    /// The same with every `os.environ/NAME` replaced by the variable's value.
    pub(crate) fn expand(mut self, environment: &Environment) -> Self {
        let mut findings = Vec::new();
        environment::expand(&mut self.root, &Path::default(), environment, &mut findings);
        let root = &self.root;
        self.findings.extend(findings.into_iter().map(|finding| {
            let span = root.span_of(&finding.path, finding.at);
            (finding, span)
        }));
        self
    }

    /// What `read` makes of the whole file, and warnings in the order of the file.
    ///
    /// # Errors
    ///
    /// With every mistake, if there is one.
    pub(crate) fn understand<T>(
        self,
        read: impl FnOnce(&mut Reader<'_>, &Node) -> T,
    ) -> Result<(T, Vec<Finding>), LoadError> {
        let Self { dialect, name, sources, root, findings: mut placed } = self;
        let refused = |mistakes, warnings| LoadError { mistakes, warnings, file: name };
        if !placed.is_empty() && root.value == Value::Null {
            // What could not be read has nothing else to be told of.
            let (mistakes, warnings) = in_order(placed, &root, &sources);
            return Err(refused(mistakes, warnings));
        }
        let mut findings = Vec::new();
        let mut reader = Reader::new(dialect, &mut findings);
        let read = read(&mut reader, &root);
        reader.finish();
        placed.extend(findings.into_iter().map(|finding| {
            let span = root.span_of(&finding.path, finding.at);
            (finding, span)
        }));
        let (mistakes, warnings) = in_order(placed, &root, &sources);
        if mistakes.is_empty() { Ok((read, warnings)) } else { Err(refused(mistakes, warnings)) }
    }
}
