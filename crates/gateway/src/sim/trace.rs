//! Recorded requests: when they came, and how long their prompts and answers were.
//!
//! CSV with a line of names, or JSON lines such as the gateway's own access log writes.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use leastbusy_sim::Job;

use super::scenario::bounds::{Bounds, REQUESTS};
use super::table::counted;

mod columns;
mod csv;
mod json;
#[cfg(test)]
mod tests;

/// How much faster a trace may be played.
pub(super) const SPEED: Bounds = Bounds::from(0.001, 1000.0);
/// The largest file that is read: ten million lines of a hundred characters.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// Recorded requests.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// The requests by arrival; the first comes at 0.
    pub jobs: Vec<Job>,
    /// Lines that tell of something else than a request with its tokens, such as an access line of another path.
    pub skipped: usize,
    /// Lines of other models than the one that was asked for.
    pub of_other_models: usize,
}

/// Why a trace cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The file, and the line in it from 1.
    pub place: (String, Option<usize>),
    /// What is wrong.
    pub what: String,
    /// The line, shortened.
    pub line: Option<String>,
    /// What to do about it.
    pub way_out: String,
}

/// A line of a trace.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Line {
    Request(Recorded),
    Skipped,
    OfAnotherModel,
}

/// A request as it was recorded.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Recorded {
    /// Nanoseconds since whatever the trace counts from.
    arrival: i64,
    prompt_tokens: f64,
    output_tokens: f64,
}

/// What is wrong with a line, and the way out.
type Objection = (String, &'static str);

const LINE_CHARS_MAX: usize = 160;

impl Trace {
    /// Reads the file at `path`; where `models` names some, only their requests.
    ///
    /// # Errors
    ///
    /// With the first thing that is wrong.
    pub fn read(path: &Path, models: &[&str]) -> Result<Self, Fault> {
        let name = path.display().to_string();
        let fault = |what: &dyn fmt::Display, way_out: &str| Fault {
            place: (name.clone(), None),
            what: what.to_string(),
            line: None,
            way_out: way_out.to_owned(),
        };
        let cannot = |error| fault(&format!("cannot be read: {error}"), "name a file that is there");
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(cannot)?;
        file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(cannot)?;
        if FILE_BYTES_MAX < bytes.len() as u64 {
            return Err(fault(&"is larger than 1 GiB", "cut it; a quarter of an hour of load tells enough"));
        }
        match String::from_utf8(bytes) {
            Ok(text) => Self::parse(&name, &text, models),
            Err(error) => {
                let valid = error.utf8_error().valid_up_to();
                let line = error.as_bytes()[..valid].iter().filter(|byte| **byte == b'\n').count() + 1;
                let what = format!("is not text: line {line} is not UTF-8");
                Err(fault(&what, "name a file of CSV or JSON lines, unpacked if it was compressed"))
            }
        }
    }

    /// Reads `text` as if it stood in a file called `name`; see [`read`](Self::read).
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn parse(name: &str, text: &str, models: &[&str]) -> Result<Self, Fault> {
        // Windows editors begin a text with a mark.
        let text = text.trim_start_matches('\u{feff}');
        let fault = |line: Option<usize>, (what, way_out): Objection| Fault {
            place: (name.to_owned(), line),
            what,
            line: line.and_then(|number| shown(text, number)),
            way_out: way_out.to_owned(),
        };
        if text.trim().is_empty() {
            return Err(fault(None, ("is empty".to_owned(), NO_REQUEST)));
        }
        let mut recorded = Vec::new();
        let (mut skipped, mut of_other_models) = (0, 0);
        let mut take = |line| {
            match line {
                Line::Request(request) => recorded.push(request),
                Line::Skipped => skipped += 1,
                Line::OfAnotherModel => of_other_models += 1,
            }
            if REQUESTS.contains(&recorded.len().max(1)) {
                return Ok(());
            }
            Err((format!("a run has at most {} requests", REQUESTS.end()), "cut the trace"))
        };
        let read = match text.trim_start().starts_with('{') {
            true => json::read(text, models, &mut take),
            false => csv::read(text, models, &mut take),
        };
        read.map_err(|(line, objection)| fault(Some(line), objection))?;
        if recorded.is_empty() {
            let what = format!(
                "holds no request; {skipped} of its lines were left out, {of_other_models} are of other models"
            );
            return Err(fault(None, (what, NO_REQUEST)));
        }
        recorded.sort_by_key(|request| request.arrival);
        let first = recorded[0].arrival;
        let job = |request: Recorded| Job {
            arrival: Duration::from_nanos(request.arrival.abs_diff(first)),
            prompt_tokens: request.prompt_tokens,
            output_tokens: request.output_tokens,
        };
        Ok(Self { jobs: recorded.into_iter().map(job).collect(), skipped, of_other_models })
    }

    /// The same requests, so many times as fast after each other.
    #[must_use]
    pub fn faster(mut self, speed: f64) -> Self {
        if speed != 1.0 {
            for job in &mut self.jobs {
                // A trace is shorter than 600 years, and a thousand times that still fits.
                job.arrival =
                    Duration::try_from_secs_f64(job.arrival.as_secs_f64() / speed).unwrap_or(Duration::MAX);
            }
        }
        self
    }

    /// What was left out, as a sentence.
    #[must_use]
    pub fn note(&self) -> Option<String> {
        let left_out = match (self.skipped, self.of_other_models) {
            (0, 0) => return None,
            (skipped, 0) => format!("{} without the tokens of an answer", counted(skipped, "line")),
            (0, others) => format!("{} of other models", counted(others, "line")),
            (skipped, others) => {
                format!(
                    "{} without the tokens of an answer and {others} of other models",
                    counted(skipped, "line")
                )
            }
        };
        Some(format!("the trace has {}, not counting {left_out}", counted(self.jobs.len(), "request")))
    }
}

const NO_REQUEST: &str = "record one with `leastbusy serve --log-format json`, or write `arrival,prompt_tokens,output_tokens` \
    and a line for each request";

/// A line of the text, shortened; `None` if it has characters that a terminal would act on.
fn shown(text: &str, number: usize) -> Option<String> {
    let line = text.lines().nth(number.checked_sub(1)?)?;
    if line.trim().is_empty() || line.chars().any(char::is_control) {
        return None;
    }
    Some(match line.char_indices().nth(LINE_CHARS_MAX) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line.to_owned(),
    })
}

impl fmt::Display for Fault {
    /// The place and what is wrong, then the line; the way out is left to the caller.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (file, line) = &self.place;
        write!(f, "{file}")?;
        if let Some(line) = line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.what)?;
        if let (Some(number), Some(line)) = (line, &self.line) {
            write!(f, "\n{number:>4} | {line}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Fault {}
