//! Ways of choosing over the same requests, and the reports of what came of it.

use std::env;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use leastbusy_sim::{Comparison, Policy, Timeline};

use super::html::{self, Told};
use super::{Arguments, Study, json, table, threads, with_progress, write_file};

/// The spans of a timeline.
const SPANS: u32 = 120;

/// Runs a study and writes every report that was asked for.
pub(super) fn run(arguments: &Arguments, study: &Study) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let began = Instant::now();
    let threads = threads(arguments.what.threads);
    let comparison = with_progress(Some(study.runs()), |done| study.run(threads, done));
    if arguments.html.is_some() || arguments.pictures.is_some() {
        draw(arguments, study, &comparison)?;
    }
    let took = began.elapsed().as_secs_f64();
    let to_stdout = arguments.json.as_deref() == Some(Path::new("-"));
    let json = || json::text(study, &comparison);
    if let Some(path) = arguments.json.as_ref().filter(|_| !to_stdout) {
        write_file(path, &json())?;
    }
    let written = match to_stdout {
        true => io::stdout().write_all(json().as_bytes()),
        false => table::write(&mut anstream::stdout(), study, &comparison, arguments.columns()),
    };
    match written {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(ExitCode::SUCCESS),
        other => other?,
    }
    let _ = writeln!(
        anstream::stderr(),
        "{} runs of {} requests in {took:.1} s",
        study.runs(),
        table::grouped(study.requests())
    );
    Ok(ExitCode::SUCCESS)
}

fn draw(arguments: &Arguments, study: &Study, comparison: &Comparison) -> Result<(), String> {
    let words: Vec<String> = env::args().skip(1).collect();
    let told = Told {
        title: &study.title,
        command: &format!("leastbusy {}", words.join(" ")),
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
        fs::create_dir_all(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
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
