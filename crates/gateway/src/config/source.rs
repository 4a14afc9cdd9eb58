//! The texts that a configuration was read from, and lines of them that are safe to show.

use super::finding::Place;
use super::keys::Dialect;
use super::mask::{self, MASK};

/// A piece of one source: where it starts and how much of the first line it covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(super) struct Span {
    /// Index in [`Sources`].
    pub(super) file: usize,
    /// From 1; 0 where there are no lines.
    pub(super) line: usize,
    /// In characters, from 1.
    pub(super) column: usize,
    /// In characters; 0 when it is not known.
    pub(super) width: usize,
}

/// Everything that was read, in the order of reading.
#[derive(Debug, Default)]
pub(super) struct Sources {
    all: Vec<Source>,
    /// Nothing in them has to be masked.
    are_open: bool,
}

#[derive(Debug)]
struct Source {
    name: String,
    text: String,
    /// Where each line starts; ten thousand mistakes in a file of ten thousand entries ask for as many lines.
    lines: Vec<usize>,
    /// What [`tree`](super::tree) found to be values; `None` when the text is not YAML.
    scalars: Option<Vec<Scalar>>,
}

/// The bytes of one value in a text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scalar {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) secret: bool,
}

impl Sources {
    /// Sources of this kind of file.
    pub(super) fn of(dialect: &Dialect) -> Self {
        Self { all: Vec::new(), are_open: !dialect.has_secrets }
    }

    pub(super) fn have_secrets(&self) -> bool {
        !self.are_open
    }

    /// Adds a text and returns its index.
    pub(super) fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> usize {
        let text: String = text.into();
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        self.all.push(Source { name: name.into(), text, lines, scalars: None });
        self.all.len() - 1
    }

    /// Adds something that has a value but no lines, and returns the span of it.
    pub(super) fn add_variable(&mut self, name: &str) -> Span {
        let file = self.add(format!("environment variable {name}"), "");
        Span { file, ..Span::default() }
    }

    pub(super) fn text(&self, file: usize) -> &str {
        &self.all[file].text
    }

    pub(super) fn name(&self, file: usize) -> &str {
        &self.all[file].name
    }

    pub(super) fn set_scalars(&mut self, file: usize, mut scalars: Vec<Scalar>) {
        // An alias makes one text the value of several keys; it is a secret if any of them is.
        scalars.sort_by_key(|scalar| (scalar.start, !scalar.secret));
        scalars.dedup_by_key(|scalar| scalar.start);
        self.all[file].scalars = Some(scalars);
    }

    /// The place of a span, with its line where that can be shown.
    pub(super) fn place(&self, span: Span) -> Place {
        let source = &self.all[span.file];
        let line = (span.line > 0).then(|| source.line(span.line, span.column, self.are_open)).flatten();
        let room = line.as_ref().map_or(0, |line| (line.chars().count() + 1).saturating_sub(span.column));
        Place {
            file: source.name.clone(),
            position: (span.line > 0).then_some((span.line, span.column.max(1))),
            line,
            width: span.width.min(room),
            file_index: span.file,
        }
    }
}

/// A line longer than this is not shown: it would not help, and a terminal would break it.
const LINE_CHARS_MAX: usize = 200;

impl Source {
    /// The line with secrets masked, or `None` if it cannot be shown or what stands before `column` was masked.
    fn line(&self, number: usize, column: usize, is_open: bool) -> Option<String> {
        let start = *self.lines.get(number - 1)?;
        let end = self.lines.get(number).map_or(self.text.len(), |next| next - 1);
        let line = self.text.get(start..end)?.trim_end_matches('\r');
        if line.chars().count() > LINE_CHARS_MAX || line.chars().any(char::is_control) {
            return None;
        }
        if is_open {
            return Some(line.trim_end().to_owned());
        }
        let Some(scalars) = &self.scalars else {
            return Some(mask::shape(line));
        };
        let end = start + line.len();
        let caret = line.char_indices().nth(column.saturating_sub(1)).map_or(end, |(at, _)| start + at);
        let mut shown = String::new();
        let mut at = start;
        let first = scalars.partition_point(|scalar| scalar.end <= start);
        for scalar in scalars[first..].iter().take_while(|scalar| scalar.start < end) {
            let (from, to) = (scalar.start.clamp(at, end), scalar.end.clamp(at, end));
            // Between values stand signs, and names of anchors, which may be keys that lost their space.
            shown += &mask::shape(&self.text[at..from]);
            let value = &self.text[from..to];
            if scalar.secret && !value.trim().is_empty() {
                // The mask is as long as what it hides only before the caret, so that the caret still points right.
                if from < caret {
                    shown.extend(value.chars().map(|_| '*'));
                } else {
                    shown += MASK;
                }
            } else {
                shown += value;
            }
            at = to;
        }
        let rest = &self.text[at..end];
        // A comment may hold an old key.
        shown += mask::shape(rest.split_once('#').map_or(rest, |(before, _)| before)).trim_end();
        (!mask::is_secret_text(&shown)).then_some(shown)
    }
}
