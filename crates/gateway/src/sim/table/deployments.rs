//! What each deployment got.

use std::io::{self, Write};

use leastbusy_sim::Comparison;
use owo_colors::OwoColorize;

use super::{Columns, brief};
use crate::sim::Study;

/// More lines than these hide the figures above.
const LINES_MAX: usize = 16;

/// Writes the most requests at once and the share of the answers, by deployment and policy.
pub(super) fn write(
    out: &mut dyn Write,
    study: &Study,
    comparison: &Comparison,
    columns: Columns,
) -> io::Result<()> {
    let engines = &study.scenario.engines;
    writeln!(out, "Most requests at once (mean of the runs), and share of the answers")?;
    write!(out, "{:15} {:>5}", "", "slots".dimmed())?;
    for row in &comparison.rows {
        write!(out, " {:>12}", row.policy.name().dimmed())?;
    }
    writeln!(out)?;
    let most = if columns == Columns::All { usize::MAX } else { LINES_MAX };
    for (place, engine) in engines.iter().enumerate().take(most) {
        write!(out, "{:15} {:>5}", brief(&engine.name), engine.slots)?;
        for row in &comparison.rows {
            let count = engines.len();
            match (row.largest_in_flight(count, place), row.share_of_answers(count, place)) {
                (Some(largest), Some(share)) => write!(out, " {largest:>6.0} {:>3.0} %", 100.0 * share)?,
                _ => write!(out, " {:>12}", "-")?,
            }
        }
        writeln!(out)?;
    }
    if most < engines.len() {
        writeln!(out, "and {} more, which --all and --json show", engines.len() - most)?;
    }
    writeln!(out)
}
