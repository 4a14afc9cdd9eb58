//! Measured beside computed.

use std::io::{self, Write};

use leastbusy_sim::{Measure, Metric, Report, Row, Statistic};
use owo_colors::OwoColorize;

use super::Compared;

/// Whether sockets and virtual time agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// All requests were answered, and no figure is beyond its bound.
    Agree,
    /// Some were not, or one is.
    Differ,
}

const MEASURES: [(Measure, &str); 2] =
    [(Measure::FirstToken, "time to first token"), (Measure::Response, "response")];
const STATISTICS: [Statistic; 4] =
    [Statistic::Mean, Statistic::PerMille(500), Statistic::PerMille(950), Statistic::PerMille(990)];

/// How far measured and computed may be apart, as a share of what was computed.
fn bound(statistic: Statistic) -> Option<f64> {
    match statistic {
        Statistic::Mean => Some(0.05),
        Statistic::PerMille(990) => Some(0.10),
        Statistic::PerMille(_) => None,
    }
}

/// Writes what was measured beside the mean of the virtual runs, and what nineteen in twenty of them lie between.
pub(super) fn write(out: &mut impl Write, compared: &Compared) -> io::Result<Verdict> {
    let Compared { measured, computed } = compared;
    for (reason, count) in &measured.errors {
        writeln!(out, "{} {count} x {reason}", "failed:".red())?;
    }
    let mut verdict = if measured.errors.is_empty() { Verdict::Agree } else { Verdict::Differ };
    let measured = Report {
        first_tokens: measured.first_tokens.clone(),
        responses: measured.responses.clone(),
        ..Report::default()
    };
    for (measure, name) in MEASURES {
        let [first, second, third] = ["measured", "computed", "95 % of runs"];
        writeln!(
            out,
            "\n{name:<19} {first:>9} {second:>9} {third:>17} {:>10} {:>7}",
            "difference", "allowed"
        )?;
        for statistic in STATISTICS {
            let metric = Metric::Of(measure, statistic);
            let (ours, theirs) = (metric.of(&measured), computed.estimate(metric).mean);
            let difference = ours / theirs - 1.0;
            let range = range(computed, metric);
            let percent = 100.0 * difference;
            let line =
                format!("  {statistic:<17} {ours:>7.3} s {theirs:>7.3} s {range:>17} {percent:>+8.1} %");
            let Some(bound) = bound(statistic) else {
                writeln!(out, "{line}")?;
                continue;
            };
            let line = format!("{line} {:>5.0} %", 100.0 * bound);
            // Where nothing was answered the difference is 100 %; where nothing takes time it is no number.
            if difference.abs() <= bound {
                writeln!(out, "{line}")?;
            } else {
                verdict = Verdict::Differ;
                writeln!(out, "{}", line.red())?;
            }
        }
    }
    writeln!(out, "\nmeasured: by clients over sockets, through the gateway, to simulated engines.")?;
    writeln!(out, "computed: the same requests in virtual time, {} times over.", computed.runs.len())?;
    Ok(verdict)
}

/// What nineteen in twenty of the virtual runs lie between.
fn range(computed: &Row, metric: Metric) -> String {
    let mut figures: Vec<f64> = computed.runs.iter().map(|run| run.figure(metric)).collect();
    figures.sort_by(f64::total_cmp);
    let at = |share: f64| figures.get((share * figures.len() as f64) as usize).copied().unwrap_or(f64::NAN);
    format!("{:.3} to {:.3}", at(0.025), at(0.975))
}

#[cfg(test)]
mod tests;
