//! The load's numbers beside what the same load would have seen otherwise.

use std::fmt;
use std::io::{self, Write};
use std::time::Duration;

use leastbusy_sim::{Policy, Scenario, Times, Workload};
use owo_colors::OwoColorize;

use super::fleet::{FLEET, Spec};
use crate::load::{Measured, Planned};

/// Replays a computed column: one could be lucky. From one 200 to the next, the p99 of random choice
/// moves by 4 % (standard deviation of ten).
const REPLAYS: u64 = 200;

/// One way of choosing, as its clients and its deployments saw it.
struct Column {
    chooser: &'static str,
    origin: Origin,
    first_tokens: Times,
    responses: Times,
    /// The most requests at once on each deployment; the mean over the replays when computed.
    largest_in_flight: Vec<f64>,
}

/// Where a column comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Measured,
    Computed,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Measured => "measured",
            Self::Computed => "computed",
        })
    }
}

/// Writes the summary of a load; `largest_in_flight` is what each engine counted itself.
pub(super) fn write(
    out: &mut impl Write,
    plan: &[Planned],
    measured: &Measured,
    largest_in_flight: &[usize],
) -> io::Result<()> {
    let failed: usize = measured.errors.values().sum();
    let answered = measured.responses.count();
    writeln!(out, "{answered} of {} requests answered, {failed} failed.", plan.len())?;
    for (reason, count) in &measured.errors {
        writeln!(out, "  {} {count} x {reason}", "failed:".red())?;
    }
    let columns = [
        Column {
            chooser: "least busy",
            origin: Origin::Measured,
            first_tokens: measured.first_tokens.clone(),
            responses: measured.responses.clone(),
            largest_in_flight: largest_in_flight.iter().map(|count| *count as f64).collect(),
        },
        computed("least busy", Policy::LeastBusy, plan),
        computed("random", Policy::Random, plan),
    ];
    writeln!(out)?;
    write_times(out, &columns)?;
    writeln!(out)?;
    write_in_flight(out, &columns)?;
    writeln!(out)?;
    write_verdict(out, &columns[0], &columns[2])?;
    writeln!(out, "measured: requests over sockets, through the gateway, to the simulated engines.")?;
    writeln!(out, "computed: the same arrivals and answer lengths in virtual time, {REPLAYS} times over.")?;
    writeln!(out, "random:   each deployment with a chance in proportion to its weight.")
}

fn computed(name: &'static str, policy: Policy, plan: &[Planned]) -> Column {
    let scenario = in_virtual_time(plan);
    let reports: Vec<_> = (0..REPLAYS).map(|seed| scenario.run(policy, seed)).collect();
    let mean_largest = |engine: usize| {
        let sum: u32 = reports.iter().map(|report| report.largest_in_flight[engine]).sum();
        f64::from(sum) / REPLAYS as f64
    };
    Column {
        chooser: name,
        origin: Origin::Computed,
        first_tokens: Times::pooled(reports.iter().map(|report| &report.first_tokens)),
        responses: Times::pooled(reports.iter().map(|report| &report.responses)),
        largest_in_flight: (0..FLEET.len()).map(mean_largest).collect(),
    }
}

/// The same fleet and load in virtual time, every request counted.
fn in_virtual_time(plan: &[Planned]) -> Scenario {
    let engines = FLEET.iter().map(Spec::in_virtual_time).collect();
    let jobs = plan.iter().map(Planned::in_virtual_time).collect();
    Scenario { uncounted: 0.0, ..Scenario::new(engines, Workload::Trace(jobs)) }
}

fn write_times(out: &mut impl Write, columns: &[Column]) -> io::Result<()> {
    let (first, whole) = ("first token after, in s", "whole answer after, in s");
    writeln!(out, "{:20}   {:<26}   {whole}", "", first)?;
    let shares = format!("{:>5}  {:>5}  {:>5}  {:>5}", "mean", "p50", "p95", "p99");
    writeln!(out, "{:20}   {}   {}", "", shares.dimmed(), shares.dimmed())?;
    for column in columns {
        let line = format!(
            "{:10} {:9}   {}   {}",
            column.chooser,
            column.origin,
            quantiles(&column.first_tokens),
            quantiles(&column.responses)
        );
        match column.origin {
            Origin::Measured => writeln!(out, "{}", line.bold())?,
            Origin::Computed => writeln!(out, "{line}")?,
        }
    }
    Ok(())
}

fn quantiles(times: &Times) -> String {
    let seconds = |time: Duration| format!("{:5.2}", time.as_secs_f64());
    [times.mean(), times.quantile(0.5), times.quantile(0.95), times.quantile(0.99)].map(seconds).join("  ")
}

fn write_verdict(out: &mut impl Write, measured: &Column, random: &Column) -> io::Result<()> {
    let against = |ask: fn(&Times) -> Duration| {
        let [ours, theirs] = [measured, random].map(|column| ask(&column.first_tokens).as_secs_f64());
        format!("{} s instead of {theirs:.2} s", format!("{ours:.2}").bold())
    };
    if measured.first_tokens.count() == 0 {
        return Ok(());
    }
    writeln!(out, "The first token, against random choice:")?;
    writeln!(out, "  {} on average,", against(Times::mean))?;
    writeln!(out, "  {} at p99.\n", against(|times| times.quantile(0.99)))
}

fn write_in_flight(out: &mut impl Write, columns: &[Column]) -> io::Result<()> {
    writeln!(out, "Most requests at once")?;
    write!(out, "{:10} {:>5}", "", "slots")?;
    for column in columns {
        write!(out, "  {:>19}", format!("{} {}", column.chooser, column.origin))?;
    }
    writeln!(out)?;
    for (index, spec) in FLEET.iter().enumerate() {
        let slots = spec.engine.slots;
        write!(out, "{:10} {slots:>5}", spec.name)?;
        for column in columns {
            let largest = column.largest_in_flight[index];
            let digits = usize::from(column.origin == Origin::Computed);
            let ratio = largest / f64::from(slots);
            write!(out, "  {:>19}", format!("{largest:.digits$} ({ratio:.1} x)"))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
