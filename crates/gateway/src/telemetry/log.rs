//! Logs on standard error, access lines on standard output; text or JSON.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

use super::lines::{self, LineWriter, Lines};

/// How lines are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Keeps the writing threads alive; dropping it writes what is still waiting.
#[derive(Debug)]
#[must_use = "dropping the guard stops the logs"]
pub struct LogGuard {
    _writers: [LineWriter; 2],
}

/// Starts logging for the process, and gives the lines of standard output for access lines.
/// `LEASTBUSY_LOG` filters, e.g. `debug` or `leastbusy_gateway=debug`; default `info`.
///
/// # Errors
///
/// When the system refuses a thread.
pub fn start(format: LogFormat) -> io::Result<(Lines, LogGuard)> {
    let (stderr, stderr_writer) = lines::start(io::stderr())?;
    let (stdout, stdout_writer) = lines::start(io::stdout())?;
    let filter = EnvFilter::try_from_env("LEASTBUSY_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_ansi(io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .with_writer(move || stderr.clone());
    // A program that embeds the gateway may have its own subscriber; then that one stays.
    let _ = match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    Ok((stdout, LogGuard { _writers: [stderr_writer, stdout_writer] }))
}
