//! `leastbusy sim --goals`: whether the goals of balancing are met, with each figure, its bound and its error.

use std::io::{self, Write};
use std::num::NonZeroUsize;

use leastbusy_sim::{Bound, Effort, Estimate, Figure, Goal};
use owo_colors::OwoColorize;

use super::{unless_closed, with_progress};

#[cfg(test)]
mod tests;

/// Measures all goals, with a bar on standard error where that is a terminal, and writes what came of it; whether
/// all are met.
///
/// # Errors
///
/// When `out` cannot be written to, unless nobody reads it any more: then the verdict alone is told.
pub(crate) fn run(out: &mut dyn Write, effort: Effort, threads: NonZeroUsize) -> io::Result<bool> {
    let runs = usize::try_from(Goal::runs(effort)).ok();
    let goals = with_progress(runs, |done| Goal::measure_all(effort, threads, done));
    unless_closed(write(out, &goals, effort))?;
    Ok(goals.iter().all(Goal::is_met))
}

/// A goal a paragraph, a figure a line.
fn write(out: &mut dyn Write, goals: &[Goal], effort: Effort) -> io::Result<()> {
    for goal in goals {
        let verdict = match goal.is_met() {
            true => "met".green().to_string(),
            false => "missed".red().bold().to_string(),
        };
        writeln!(out, "{} {}: {verdict}", goal.name.bold(), goal.says)?;
        for figure in &goal.figures {
            write_figure(out, figure)?;
        }
        writeln!(out)?;
    }
    let met = goals.iter().filter(|goal| goal.is_met()).count();
    writeln!(
        out,
        "{met} of {} goals are met. A figure is met where its whole 95 % interval, over {} seeds, is within the bound.",
        goals.len(),
        effort.seeds
    )
}

fn write_figure(out: &mut dyn Write, figure: &Figure) -> io::Result<()> {
    let Estimate { mean, margin } = figure.measured;
    let measured = format!("{:>8}", number(mean));
    let measured = match figure.is_met() {
        true => measured.green().to_string(),
        false => measured.red().bold().to_string(),
    };
    let margin = number(margin.unwrap_or(f64::NAN));
    let bound = match figure.bound {
        Bound::AtMost(most) => format!("<= {most}"),
        Bound::Within(least, most) => format!("{least} to {most}"),
    };
    writeln!(out, "  {measured} {} {bound:13} {}", format!("± {margin:7}").dimmed(), figure.what)
}

/// Four digits where they are needed: the smallest bound is 0.005.
fn number(number: f64) -> String {
    format!("{number:.4}")
}
