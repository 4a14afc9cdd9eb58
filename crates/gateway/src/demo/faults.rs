//! `--faults`: which engine fails when, what the gateway makes of it, and what became of the requests.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use owo_colors::OwoColorize;

use super::attempts::Attempts;
use super::fleet::FLEET;
use crate::config::Config;
use crate::load::Measured;
use crate::router::Table;
use crate::simulated::{Engine, Fault};

/// After so many milliseconds the engine at this place of [`FLEET`] has this fault. One is always well, and what
/// is well can serve the load.
pub(super) const SCHEDULE: [(u64, usize, Fault); 14] = [
    (1_000, 1, Fault::Errors),
    (3_000, 1, Fault::None),
    (3_000, 0, Fault::HangsUp),
    (5_000, 0, Fault::None),
    (5_500, 2, Fault::Hangs),
    (7_500, 2, Fault::None),
    (8_000, 0, Fault::RateLimits),
    (8_000, 3, Fault::RateLimits),
    (10_000, 0, Fault::None),
    (10_000, 3, Fault::None),
    (11_000, 0, Fault::BreaksOff),
    (11_000, 1, Fault::Errors),
    (12_500, 0, Fault::None),
    (12_500, 1, Fault::None),
];

/// Settings with which a demo of 14 s shows cooldown and recovery; the defaults are for days.
pub(super) fn settings(config: &mut Config) {
    // Longer than any queue here, so that only an engine that hangs is late.
    config.router.timeouts.first_byte = Some(Duration::from_secs(2));
    config.router.cooldown.time = Some(Duration::from_millis(700));
    config.router.cooldown.max_time = Duration::from_secs(2);
    config.router.cooldown.ramp = Duration::from_secs(1);
}

/// How the deployments of [`FLEET`] stand, one line each.
pub(super) type Standings = [String; FLEET.len()];

/// The schedule while it runs.
#[derive(Debug)]
pub(super) struct Faults<'a> {
    engines: &'a [Engine],
    table: &'a Table,
    start: Instant,
    done: usize,
}

impl<'a> Faults<'a> {
    pub(super) fn new(engines: &'a [Engine], table: &'a Table) -> Self {
        Self { engines, table, start: Instant::now(), done: 0 }
    }

    /// Makes ill and well what is due, and says so.
    pub(super) fn turn(&mut self) -> Vec<String> {
        let now = self.start.elapsed();
        let mut told = Vec::new();
        while let Some(&(at, engine, fault)) = SCHEDULE.get(self.done)
            && Duration::from_millis(at) <= now
        {
            self.done += 1;
            self.engines[engine].fails(fault);
            let again = if fault == Fault::None { " again" } else { "" };
            let seconds = at as f64 / 1000.0;
            told.push(format!("{seconds:>5.1} s  {} {}{again}", FLEET[engine].name, fault.told()));
        }
        told
    }

    /// What the gateway thinks of each deployment.
    pub(super) fn standings(&self) -> Standings {
        std::array::from_fn(|place| {
            let spec = &FLEET[place];
            let Some(known) = self.table.deployments().find(|known| known.id == spec.name) else {
                return "unknown".to_owned();
            };
            let condition = self.table.condition(known);
            let why =
                condition.cooldown.map_or_else(String::new, |rest| format!(" ({})", rest.reason.name()));
            let ill = match self.engines[place].fault() {
                Fault::None => String::new(),
                fault => format!(", {}", fault.told()),
            };
            format!("{}{why}{ill}", condition.standing.name().replace('_', " "))
        })
    }
}

/// Writes what became of the requests.
pub(super) fn write(
    out: &mut impl Write,
    requests: usize,
    measured: &Measured,
    attempts: &Attempts,
) -> io::Result<()> {
    let errors: usize = measured.errors.values().sum();
    for (reason, count) in &measured.errors {
        writeln!(out, "  {} {count} x {reason}", "failed:".red())?;
    }
    let (all, further, failed) = (attempts.all(), attempts.further(), attempts.failed());
    for (count, what) in [
        (requests, "requests"),
        (errors, "errors that a client saw"),
        (failed, "attempts that failed"),
        (further, "attempts after a request's first, on another deployment where there was one"),
        (all, "attempts in all"),
    ] {
        writeln!(out, "{:>5} {what}", count.bold())?;
    }
    let times = &measured.first_tokens;
    let (p50, p99) = (times.quantile(0.5).as_secs_f64(), times.quantile(0.99).as_secs_f64());
    writeln!(out, "First token after {p50:.2} s at p50, {p99:.2} s at p99.")
}
