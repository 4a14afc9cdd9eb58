//! What the terminal shows of a comparison.

use std::io::{self, Write};

use leastbusy_sim::{Comparison, Measure, Metric, Policy, Row, Statistic, Workload};
use owo_colors::{OwoColorize, Style};

use super::{Demand, Study};

mod clients;
mod deployments;
mod figures;
#[cfg(test)]
mod tests;
mod verdict;

pub(super) use figures::grouped;
use figures::{figure, margin, percent};

/// Which figures a table has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Columns {
    /// Those that tell ways of choosing apart, a policy on each line; 100 columns wide.
    Chosen,
    /// All of them, a figure on each line.
    All,
}

/// Columns with a margin, and their two lines of heading.
const WITH_MARGIN: [(Metric, &str, &str); 5] = [
    (Metric::Of(Measure::Response, Statistic::Mean), "response, s", "mean"),
    (Metric::Of(Measure::Response, Statistic::PerMille(990)), "", "p99"),
    (Metric::Of(Measure::FirstToken, Statistic::PerMille(990)), "1st token,s", "p99"),
    (Metric::Of(Measure::Wait, Statistic::PerMille(990)), "wait, s", "p99"),
    (Metric::Of(Measure::Slowdown, Statistic::PerMille(990)), "slowdown", "p99"),
];
/// Columns without, their headings and their widths.
const WITHOUT_MARGIN: [(Metric, &str, &str, usize); 3] = [
    (Metric::Imbalance, "imbal-", "ance", 6),
    (Metric::LargestInFlight, "most", "in fl.", 6),
    (Metric::Errors, "errors,", "%", 7),
];
/// Characters of a name that a table has room for.
const NAME_CHARS_MAX: usize = 15;
/// Best figures of real ways of choosing; the bound is no way of choosing.
const BEST: Style = Style::new().green().bold();

/// Writes everything: the scenario, the figures, the deployments and a sentence of verdict.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn write(
    out: &mut dyn Write,
    study: &Study,
    comparison: &Comparison,
    columns: Columns,
) -> io::Result<()> {
    write_study(out, study)?;
    match columns {
        Columns::Chosen => write_policies(out, comparison)?,
        Columns::All => write_figures(out, comparison)?,
    }
    clients::write(out, study, comparison)?;
    deployments::write(out, study, comparison, columns)?;
    if let Some(verdict) = verdict::sentence(study, comparison) {
        writeln!(out, "{verdict}")?;
    }
    Ok(())
}

fn write_study(out: &mut dyn Write, study: &Study) -> io::Result<()> {
    let engines = &study.scenario.engines;
    let slots: u64 = engines.iter().map(|engine| u64::from(engine.slots)).sum();
    let demand = Demand::of(&study.scenario);
    let kind = match study.scenario.workload {
        Workload::Drawn { .. } => "",
        Workload::Trace(_) => " of a trace",
    };
    writeln!(out, "{}", study.title.bold())?;
    let slots = counted(usize::try_from(slots).unwrap_or(usize::MAX), "slot");
    write!(out, "{}, {slots}; ", counted(engines.len(), "deployment"))?;
    write!(out, "{} requests/s", figure(demand.per_second))?;
    if demand.capacity.is_finite() {
        write!(out, ", {:.0} % of what they can do", 100.0 * demand.load())?;
    }
    let seeds = counted(study.seeds.len(), "seed");
    writeln!(out, "; {} requests{kind}, {seeds}", grouped(study.requests()))?;
    for note in &study.notes {
        writeln!(out, "{note}")?;
    }
    writeln!(out)
}

fn write_policies(out: &mut dyn Write, comparison: &Comparison) -> io::Result<()> {
    for line in [0, 1] {
        write!(out, "{:13}", "")?;
        for (_, above, below) in WITH_MARGIN {
            write!(out, " {:12}", [above, below][line].dimmed())?;
        }
        for (_, above, below, width) in WITHOUT_MARGIN {
            write!(out, " {:>width$}", [above, below][line].dimmed())?;
        }
        writeln!(out)?;
    }
    for row in &comparison.rows {
        write!(out, "{:13}", row.policy.name())?;
        for (metric, _, _) in WITH_MARGIN {
            write!(out, " {}", cell(comparison, row, metric))?;
        }
        for (metric, _, _, width) in WITHOUT_MARGIN {
            let mean = row.estimate(metric).mean;
            let text = match metric {
                Metric::Errors | Metric::Refused => percent(mean).trim_end_matches(" %").to_owned(),
                Metric::LargestInFlight => format!("{mean:.0}"),
                Metric::Imbalance | Metric::Retries | Metric::Of(..) => figure(mean),
            };
            write!(out, " {}", format!("{text:>width$}").style(style(comparison, row, metric)))?;
        }
        writeln!(out)?;
    }
    writeln!(out)
}

fn write_figures(out: &mut dyn Write, comparison: &Comparison) -> io::Result<()> {
    write!(out, "{:17}", "")?;
    for row in &comparison.rows {
        write!(out, " {:13}", row.policy.name().dimmed())?;
    }
    writeln!(out)?;
    for metric in Metric::all() {
        write!(out, "{metric:17}")?;
        for row in &comparison.rows {
            write!(out, " {} ", cell(comparison, row, metric))?;
        }
        writeln!(out)?;
    }
    writeln!(out)
}

/// A figure with its margin, painted if no other way of choosing has a better one.
fn cell(comparison: &Comparison, row: &Row, metric: Metric) -> String {
    let estimate = row.estimate(metric);
    let around = margin(&estimate).map(|margin| format!("±{margin}")).unwrap_or_default();
    let mean = format!("{:>5}", figure(estimate.mean));
    format!("{} {:6}", mean.style(style(comparison, row, metric)), around.dimmed())
}

fn style(comparison: &Comparison, row: &Row, metric: Metric) -> Style {
    let real = || comparison.rows.iter().filter(|row| row.policy != Policy::CentralQueue);
    let means = || real().map(|row| row.estimate(metric).mean);
    let best = means().fold(f64::INFINITY, f64::min);
    let differ = means().any(|mean| mean != best);
    let is_best = row.policy != Policy::CentralQueue && row.estimate(metric).mean == best;
    if differ && is_best { BEST } else { Style::new() }
}

/// `1 seed`, `5 seeds`.
pub(super) fn counted(number: usize, noun: &str) -> String {
    format!("{} {noun}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// A name, its middle left out where it is long.
fn brief(name: &str) -> String {
    if name.chars().count() <= NAME_CHARS_MAX {
        return name.to_owned();
    }
    // Copies of one entry differ at the end.
    let (begin, end): (String, Vec<char>) = (name.chars().take(8).collect(), name.chars().collect());
    let end: String = end[end.len() - (NAME_CHARS_MAX - 9)..].iter().collect();
    format!("{begin}…{end}")
}

/// The row of a policy.
fn row(comparison: &Comparison, policy: Policy) -> Option<&Row> {
    comparison.rows.iter().find(|row| row.policy == policy)
}
