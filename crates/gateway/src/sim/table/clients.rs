//! How long each client's requests waited.

use std::io::{self, Write};

use leastbusy_sim::{Comparison, Estimate, Statistic};
use owo_colors::OwoColorize;

use super::{brief, figure, margin};
use crate::sim::Study;

const STATISTICS: [Statistic; 2] = [Statistic::Mean, Statistic::PerMille(990)];

/// Writes the wait of the requests of each client, where there are any, by policy.
pub(super) fn write(out: &mut dyn Write, study: &Study, comparison: &Comparison) -> io::Result<()> {
    let clients = &study.scenario.clients;
    if clients.is_empty() {
        return Ok(());
    }
    writeln!(out, "Wait of each client's requests in seconds, mean and p99")?;
    write!(out, "{:15}", "")?;
    for row in &comparison.rows {
        write!(out, " {:27}", row.policy.name().dimmed())?;
    }
    writeln!(out)?;
    for (place, client) in clients.iter().enumerate() {
        write!(out, "{:15}", brief(&client.name))?;
        for row in &comparison.rows {
            for statistic in STATISTICS {
                write!(out, " {}", cell(row.client_wait(place, statistic)))?;
            }
            write!(out, "  ")?;
        }
        writeln!(out)?;
    }
    writeln!(out)
}

fn cell(estimate: Estimate) -> String {
    let around = margin(&estimate).map(|margin| format!("±{margin}")).unwrap_or_default();
    format!("{:>5} {:6}", figure(estimate.mean), around.dimmed())
}
