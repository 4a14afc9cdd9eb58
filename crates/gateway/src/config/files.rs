//! Reading a file and what it includes into one tree.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path as FilePath, PathBuf};

use super::finding::{Finding, Path};
use super::source::{Sources, Span};
use super::tree::{self, Entry, Node, Value};

/// The largest file that is read; ten thousand deployments take about 3 MB.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// The most files that one configuration may consist of.
const FILES_MAX: usize = 256;

/// One tree out of all files, and what was wrong on the way to it.
pub(super) struct Read {
    pub(super) sources: Sources,
    /// A map; empty when nothing could be read.
    pub(super) root: Node,
    /// Findings whose span is known because they are about the text rather than a setting.
    pub(super) findings: Vec<(Finding, Span)>,
    /// All files, the given one first.
    pub(super) files: Vec<PathBuf>,
}

/// Reads `path` and everything it includes.
pub(super) fn read(path: &FilePath) -> Read {
    let mut reading = Reading::default();
    let name = path.display().to_string();
    let root = match text_of(path) {
        Ok(text) => reading.file(path, &name, text, &mut Vec::new()),
        Err(fault) => {
            let file = reading.sources.add(&name, "");
            let finding =
                Finding::mistake(Path::default(), fault).way_out("name the file with `--config FILE`");
            reading.findings.push((finding, Span { file, ..Span::default() }));
            None
        }
    };
    reading.done(root)
}

/// Reads `text` as if it stood in a file called `name`; what it includes is read from beside that.
pub(super) fn read_text(name: &str, text: &str) -> Read {
    let mut reading = Reading::default();
    let root = reading.file(FilePath::new(name), name, text.to_owned(), &mut Vec::new());
    reading.done(root)
}

#[derive(Default)]
struct Reading {
    sources: Sources,
    findings: Vec<(Finding, Span)>,
    files: Vec<PathBuf>,
}

impl Reading {
    fn done(self, root: Option<Node>) -> Read {
        let root = root.unwrap_or_else(|| {
            Node::new(Span { line: 1, column: 1, ..Span::default() }, Value::Map(Vec::new()))
        });
        Read { sources: self.sources, root, findings: self.findings, files: self.files }
    }

    /// Parses one file and merges what it includes into it. `open` are the files that lead here.
    fn file(&mut self, path: &FilePath, name: &str, text: String, open: &mut Vec<PathBuf>) -> Option<Node> {
        let file = self.sources.add(name, text);
        self.files.push(path.to_owned());
        let mut root = tree::parse(&mut self.sources, file, &mut self.findings)?;
        match &root.value {
            Value::Map(_) => {}
            Value::Null => root.value = Value::Map(Vec::new()),
            _ => {
                let found = root.described(false);
                let finding =
                    Finding::mistake(Path::default(), format!("expected a map of settings, found {found}"))
                        .way_out("start with `model_list:`");
                self.findings.push((finding, root.span));
                return None;
            }
        }
        open.push(path.canonicalize().unwrap_or_else(|_| path.to_owned()));
        for include in take_includes(&mut root, &mut self.findings) {
            self.include(path, &include, &mut root, open);
        }
        open.pop();
        Some(root)
    }

    fn include(
        &mut self,
        from: &FilePath,
        include: &(String, Span),
        root: &mut Node,
        open: &mut Vec<PathBuf>,
    ) {
        let (included, span) = include;
        let path = from.parent().unwrap_or(FilePath::new("")).join(included);
        let refuse = |what: String, way_out: &str| {
            (Finding::mistake(Path::top("include"), what).way_out(way_out), *span)
        };
        let canonical = path.canonicalize().unwrap_or_else(|_| path.clone());
        if open.contains(&canonical) {
            let what = format!("{} includes itself, through this line", path.display());
            self.findings.push(refuse(what, "remove it from `include`"));
            return;
        }
        if self.files.len() >= FILES_MAX {
            let what = format!("a configuration may consist of {FILES_MAX} files, and this is one more");
            self.findings.push(refuse(what, "join some of them"));
            return;
        }
        match text_of(&path) {
            Ok(text) => {
                let name = path.display().to_string();
                if let Some(tree) = self.file(&path, &name, text, open) {
                    self.merge(root, tree, &Path::default());
                }
            }
            Err(fault) => {
                self.findings.push(refuse(fault, &format!("it is looked for beside {}", from.display())))
            }
        }
    }

    /// Adds `from` to `into`: maps key by key, lists one after the other; anything else may be set only once.
    fn merge(&mut self, into: &mut Node, from: Node, path: &Path) {
        match (&mut into.value, from.value) {
            (Value::Map(into), Value::Map(from)) => {
                for entry in from {
                    self.merge_entry(into, entry, path);
                }
            }
            (Value::List(into), Value::List(from)) => into.extend(from),
            (value @ Value::Null, from) => *value = from,
            (_, Value::Null) => {}
            _ => {
                let first = format!("{}:{}", self.sources.name(into.span.file), into.span.line);
                let finding = Finding::mistake(path.clone(), format!("`{path}` is set here and in {first}"))
                    .way_out("keep one of the two");
                self.findings.push((finding, from.span));
            }
        }
    }

    fn merge_entry(&mut self, into: &mut Vec<Entry>, entry: Entry, path: &Path) {
        match into.iter_mut().find(|there| there.key == entry.key) {
            Some(there) => self.merge(&mut there.value, entry.value, &path.key(&entry.key)),
            None => into.push(entry),
        }
    }
}

/// Takes the `include` list out of a file's map.
fn take_includes(root: &mut Node, findings: &mut Vec<(Finding, Span)>) -> Vec<(String, Span)> {
    let Value::Map(entries) = &mut root.value else { return Vec::new() };
    let Some(at) = entries.iter().position(|entry| entry.key == "include") else { return Vec::new() };
    let include = entries.remove(at).value;
    let mut wrong = |node: &Node| {
        let found = node.described(false);
        let finding =
            Finding::mistake(Path::top("include"), format!("expected a list of file names, found {found}"))
                .way_out("write `include: [models.yaml]`");
        findings.push((finding, node.span));
    };
    match include.value {
        Value::Null => Vec::new(),
        Value::List(items) => {
            let mut names = Vec::new();
            for item in items {
                match &item.value {
                    Value::Text(name) => names.push((name.clone(), item.span)),
                    _ => wrong(&item),
                }
            }
            names
        }
        _ => {
            wrong(&include);
            Vec::new()
        }
    }
}

pub(super) fn text_of(path: &FilePath) -> Result<String, String> {
    let shown = path.display();
    let fault = |error: std::io::Error| format!("cannot read {shown}: {}", reason(&error));
    let file = File::open(path).map_err(fault)?;
    if file.metadata().map_err(fault)?.is_dir() {
        return Err(format!("cannot read {shown}: it is a directory"));
    }
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(fault)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("cannot read {shown}: it is larger than {} MiB", FILE_BYTES_MAX >> 20));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..valid].iter().filter(|byte| **byte == b'\n').count() + 1;
        format!("cannot read {shown}: line {line} is not UTF-8")
    })
}

fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".into(),
        std::io::ErrorKind::PermissionDenied => "permission denied".into(),
        _ => error.to_string(),
    }
}
