//! `leastbusy sim`: what a way of choosing would do, before anybody switches to it.
//!
//! [`leastbusy_sim`] runs the production heart in virtual time; here it is told what to run (a [`scenario`] file, a
//! configuration and a rate, a recorded [`trace`]), and here is said what came of it: a [`table`] for the terminal,
//! [`html`] with plots, and [`json`] for everything else.

use std::fs;
use std::io::{self, IsTerminal};
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::ExitCode;
use std::thread;

use indicatif::{ProgressBar, ProgressStyle};
use leastbusy_sim::{Comparison, Effort, Policy, Scenario, Workload};
use sockets::Verdict;

mod arguments;
mod compare;
mod from_config;
mod goals;
mod hints;
pub mod html;
pub mod json;
mod notes;
mod number;
mod question;
mod rules;
pub mod scenario;
mod sockets;
pub mod table;
#[cfg(test)]
mod tests;
pub mod trace;

pub use arguments::Arguments;

/// What is compared, over what.
#[derive(Debug, Clone, PartialEq)]
pub struct Study {
    /// What it is called in reports: the file that it was read from.
    pub title: String,
    /// The fleet, its load and its rules.
    pub scenario: Scenario,
    /// The ways of choosing.
    pub policies: Vec<Policy>,
    /// One run of each way for each of them.
    pub seeds: Vec<u64>,
    /// What was assumed or left out, each a sentence without its full stop.
    pub notes: Vec<String>,
}

/// Requests a second, and what the fleet can do of such requests in the long run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Demand {
    /// Requests a second on average; 0 where all come at one moment.
    pub per_second: f64,
    /// Requests a second that the whole fleet can serve; infinite where they cost nothing.
    pub capacity: f64,
    /// Tokens of a prompt on average.
    pub prompt_tokens: f64,
    /// Tokens of an answer on average.
    pub output_tokens: f64,
}

impl Demand {
    /// The demand of a scenario; a trace's is that of its whole length.
    #[must_use]
    pub fn of(scenario: &Scenario) -> Self {
        let (per_second, prompt_tokens, output_tokens) = match &scenario.workload {
            Workload::Drawn { arrivals, prompt_tokens, output_tokens, .. } => {
                (arrivals.per_second(), prompt_tokens.mean(), output_tokens.mean())
            }
            Workload::Trace(jobs) => {
                let count = jobs.len().max(1) as f64;
                let length = jobs.last().map_or(0.0, |last| last.arrival.as_secs_f64());
                let prompts: f64 = jobs.iter().map(|job| job.prompt_tokens).sum();
                let outputs: f64 = jobs.iter().map(|job| job.output_tokens).sum();
                // Between n arrivals lie n - 1 gaps.
                let per_second = if length > 0.0 { (count - 1.0) / length } else { 0.0 };
                (per_second, prompts / count, outputs / count)
            }
        };
        let engines = scenario.engines.iter();
        let capacity = engines.map(|engine| engine.capacity(prompt_tokens, output_tokens)).sum();
        Self { per_second, capacity, prompt_tokens, output_tokens }
    }

    /// The share of the capacity that is asked for.
    #[must_use]
    pub fn load(&self) -> f64 {
        self.per_second / self.capacity
    }
}

impl Study {
    /// Runs it on so many threads; `done` is told of each run's end. The number of threads changes nothing but the
    /// time.
    pub fn run(&self, threads: NonZeroUsize, done: &(dyn Fn() + Sync)) -> Comparison {
        Comparison::run(&self.scenario, &self.policies, &self.seeds, threads, done)
    }

    /// Runs of all policies and seeds together.
    #[must_use]
    pub fn runs(&self) -> usize {
        self.policies.len() * self.seeds.len()
    }

    /// Requests of one run.
    #[must_use]
    pub fn requests(&self) -> usize {
        match &self.scenario.workload {
            Workload::Drawn { requests, .. } => *requests,
            Workload::Trace(jobs) => jobs.len(),
        }
    }
}

/// Runs `leastbusy sim`.
///
/// # Errors
///
/// When a file cannot be read or written, or arguments do not fit together. Mistakes in a scenario or a
/// configuration are told on standard error, and the exit code is 1.
pub fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn std::error::Error>> {
    if let Some(question) = &arguments.question {
        return question.answer();
    }
    if arguments.goals {
        let is_met = goals::run(&mut anstream::stdout(), Effort::FULL, threads(None))?;
        return Ok(if is_met { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let Some(study) = arguments.study()? else { return Ok(ExitCode::FAILURE) };
    if arguments.sockets {
        // Its table has no place for them.
        notes::tell(&study.notes, &mut anstream::stderr());
        let seed = study.seeds.first().copied().unwrap_or_default();
        let verdict = sockets::run(&study.scenario, seed, &mut anstream::stdout())?;
        return Ok(match verdict {
            Verdict::Agree => ExitCode::SUCCESS,
            Verdict::Differ => ExitCode::FAILURE,
        });
    }
    compare::run(arguments, &study)
}

/// As many as were asked for, or one for each core.
fn threads(asked: Option<NonZeroUsize>) -> NonZeroUsize {
    asked.or_else(|| thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN)
}

/// Does something that takes a number of runs, with a bar on standard error where that is a terminal.
fn with_progress<T>(runs: Option<usize>, work: impl FnOnce(&(dyn Fn() + Sync)) -> T) -> T {
    if !io::stderr().is_terminal() {
        return work(&|| ());
    }
    let bar = match runs {
        Some(runs) => ProgressBar::new(runs as u64).with_style(
            ProgressStyle::with_template("{bar:30} {pos} of {len} runs, {eta} left")
                .expect("the template is right")
                .progress_chars("━╸ "),
        ),
        None => ProgressBar::new_spinner()
            .with_style(ProgressStyle::with_template("{spinner} {pos} runs").expect("the template is right")),
    };
    bar.tick();
    let done = work(&|| bar.inc(1));
    bar.finish_and_clear();
    done
}

/// What became of writing to standard output, where whoever reads may have seen enough.
fn unless_closed(written: io::Result<()>) -> io::Result<()> {
    written.or_else(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Ok(()),
        _ => Err(error),
    })
}

/// Writes a file.
fn write_file(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}
