//! Ways of choosing over the same requests, and the reports of what came of it.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use leastbusy_sim::{Comparison, Policy, Timeline};

use super::html::{self, Told};
use super::{Arguments, Study, json, table, threads, unless_closed, with_progress, write_file};

/// The spans of a timeline.
const SPANS: u32 = 120;

/// Runs a study and writes every report that was asked for.
pub(super) fn run(arguments: &Arguments, study: &Study) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let to_stdout = arguments.json.as_deref() == Some(Path::new("-"));
    let json_file = arguments.json.as_deref().filter(|_| !to_stdout);
    check_places(arguments, json_file)?;
    let began = Instant::now();
    let threads = threads(arguments.what.threads);
    let comparison = with_progress(Some(study.runs()), |done| study.run(threads, done));
    let took = began.elapsed().as_secs_f64();
    let json = || json::text(study, &comparison);
    // Before the files, so that it is not lost where one of them cannot be written.
    unless_closed(match to_stdout {
        true => io::stdout().write_all(json().as_bytes()),
        false => table::write(&mut anstream::stdout(), study, &comparison, arguments.columns()),
    })?;
    if let Some(path) = json_file {
        write_file(path, &json())?;
    }
    if arguments.html.is_some() || arguments.pictures.is_some() {
        draw(arguments, study, &comparison)?;
    }
    let _ = writeln!(
        anstream::stderr(),
        "{} runs of {} requests in {took:.1} s",
        study.runs(),
        table::grouped(study.requests())
    );
    Ok(ExitCode::SUCCESS)
}

/// Finds out before the runs whether there is room for what they are to write.
fn check_places(arguments: &Arguments, json: Option<&Path>) -> Result<(), String> {
    let html = arguments.html.as_deref();
    if html == Some(Path::new("-")) {
        return Err("--html writes its page to a file: name one, such as report.html".into());
    }
    for file in [json, html].into_iter().flatten() {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
            let (file, folder) = (file.display(), folder.display());
            return Err(format!("{file}: there is no directory {folder}: make it, or name another file"));
        }
        if file.is_dir() {
            return Err(format!("{}: is a directory: name a file", file.display()));
        }
    }
    let made = arguments.pictures.as_deref().map(|folder| (folder, fs::create_dir_all(folder)));
    match made {
        Some((folder, Err(error))) => Err(format!("{}: {error}", folder.display())),
        _ => Ok(()),
    }
}

/// The command of this process, as a shell takes it.
fn command(words: impl Iterator<Item = OsString>) -> String {
    let words = words.map(|word| quoted(&word.to_string_lossy()));
    ["leastbusy".to_owned()].into_iter().chain(words).collect::<Vec<_>>().join(" ")
}

/// A word, in quotes if a shell would take it for something else.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "_-./:=,+@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn draw(arguments: &Arguments, study: &Study, comparison: &Comparison) -> Result<(), String> {
    let told = Told {
        title: &study.title,
        command: &command(env::args_os().skip(1)),
        scenario: &study.scenario,
        seeds: &study.seeds,
        comparison,
        timelines: &timelines(study),
        notes: &study.notes,
    };
    if let Some(path) = &arguments.html {
        write_file(path, &html::page(&told))?;
    }
    if let Some(directory) = &arguments.pictures {
        for (name, svg) in html::pictures(&told) {
            write_file(&directory.join(format!("{name}.svg")), &svg)?;
        }
    }
    Ok(())
}

/// How the first seed's run went over time, by each way of choosing.
fn timelines(study: &Study) -> Vec<(Policy, Timeline)> {
    let seed = study.seeds.first().copied().unwrap_or_default();
    let jobs = study.scenario.jobs(seed);
    let Some(last) = jobs.last() else { return Vec::new() };
    let span = (last.arrival / SPANS).max(Duration::from_millis(1));
    let of = |policy: &Policy| {
        let report = study.scenario.replay(&jobs, *policy, seed, Some(span));
        Some((*policy, report.timeline?))
    };
    study.policies.iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests;
