//! The command line.

mod key;

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::config::{self, Environment, Loaded, SharedState, SharingMode};
use crate::demo::{Demo, DemoOptions};
use crate::serve::{self, Options};
use crate::sim;
use crate::telemetry::access::AccessLog;
use crate::telemetry::log::{self, LogFormat};

/// An LLM gateway that sends each request to the least busy deployment.
#[derive(Debug, Parser)]
#[command(name = "leastbusy", version, about, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve a configuration (LiteLLM's config.yaml).
    Serve(Serve),
    /// Report every mistake in a configuration at once, without starting.
    Check(Check),
    /// Try it with nothing to configure: simulated engines, the gateway, and a load through it.
    Demo(DemoArguments),
    /// See what a way of choosing would do, before switching to it.
    ///
    /// The same requests go through the same deployments once for each way of choosing, with other dice for each
    /// seed, in virtual time and through the gateway's own code. What to simulate is written in a scenario file, or
    /// it is a configuration that you have and a rate of requests.
    Sim(Box<sim::Arguments>),
    /// Make keys for clients, and the hashes that are kept of them.
    #[command(subcommand)]
    Key(key::Command),
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, clap::Args)]
struct ConfigFile {
    /// The configuration file.
    #[arg(short, long, value_name = "FILE", env = "LEASTBUSY_CONFIG")]
    config: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct Serve {
    #[command(flatten)]
    file: ConfigFile,
    /// Address to listen on; one that other machines reach needs general_settings.master_key, or keys.
    #[arg(long, default_value = "127.0.0.1", env = "LEASTBUSY_HOST")]
    host: IpAddr,
    /// Port to listen on; 0 takes a free one.
    #[arg(long, default_value_t = 4000, env = "LEASTBUSY_PORT")]
    port: u16,
    /// How log and access lines look.
    #[arg(long, value_enum, default_value_t, env = "LEASTBUSY_LOG_FORMAT")]
    log_format: LogFormat,
    /// Write no line for each request.
    #[arg(long)]
    no_access_log: bool,
    /// Let anyone who reaches the address use the deployments and their keys.
    #[arg(long)]
    open_to_everyone_without_a_key: bool,
}

#[derive(Debug, clap::Args)]
struct Check {
    #[command(flatten)]
    file: ConfigFile,
}

#[derive(Debug, clap::Args)]
struct DemoArguments {
    /// Let engines fail in turn, in a thinner load; a client that sees an error makes the exit code 1.
    #[arg(long)]
    faults: bool,
    /// Keep the engines and the gateway up after the load, and print a curl line to try.
    #[arg(long)]
    serve: bool,
    /// Port for the gateway; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
}

/// Something went wrong that the user can mend.
const EXIT_FAILURE: u8 = 1;

/// Runs the command line of this process.
#[must_use]
pub fn run() -> ExitCode {
    match Cli::parse().command {
        Command::Serve(arguments) => report(serve(&arguments)),
        Command::Check(arguments) => check(&arguments),
        Command::Demo(arguments) => report(demo(&arguments)),
        Command::Sim(arguments) => report(sim::run(&arguments)),
        Command::Key(command) => report(key::run(&command)),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "leastbusy", &mut io::stdout());
            ExitCode::SUCCESS
        }
    }
}

fn serve(arguments: &Serve) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let Some(loaded) = load(&arguments.file) else { return Ok(EXIT_FAILURE.into()) };
    let (stdout, _written_at_the_end) = log::start(arguments.log_format)?;
    for warning in &loaded.warnings {
        tracing::warn!("{}", warning.one_line());
    }
    let deployments = counted(loaded.config.deployments.len(), "deployment");
    let options = Options {
        host: arguments.host,
        port: arguments.port,
        open_to_everyone: arguments.open_to_everyone_without_a_key,
        access_log: (!arguments.no_access_log).then(|| AccessLog::new(stdout, arguments.log_format)),
        observers: Vec::new(),
        ..Options::default()
    };
    let running = serve::start(&loaded.config, options)?;
    tracing::info!("listening on http://{}, {deployments}", running.address());
    serve::until_stopped(running)?;
    Ok(ExitCode::SUCCESS)
}

/// Runs the demo; the gateway is the one that `serve` runs, in this process.
fn demo(arguments: &DemoArguments) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let demo = Demo::start(DemoOptions { faults: arguments.faults, serve: arguments.serve }).await?;
        let observers = vec![demo.observer()];
        let options = Options { port: arguments.port, observers, ..Options::default() };
        let gateway = serve::start(&demo.config(), options)?;
        let failed = demo.run(gateway.address(), gateway.table(), &mut anstream::stdout()).await?;
        gateway.stop().await;
        demo.stop().await;
        Ok(if failed == 0 { ExitCode::SUCCESS } else { EXIT_FAILURE.into() })
    })
}

/// The exit code of a command that says itself how it went, or says here why it could not.
fn report(done: Result<ExitCode, Box<dyn std::error::Error>>) -> ExitCode {
    done.unwrap_or_else(|error| {
        complain(&error);
        EXIT_FAILURE.into()
    })
}

fn check(arguments: &Check) -> ExitCode {
    let Some(loaded) = load(&arguments.file) else { return EXIT_FAILURE.into() };
    for warning in &loaded.warnings {
        let _ = writeln!(anstream::stderr(), "{}", warning.render(true));
    }
    let groups: BTreeSet<&str> =
        loaded.config.deployments.iter().map(|entry| entry.model_name.as_str()).collect();
    let _ = writeln!(
        anstream::stdout(),
        "{} in {}{}, no mistakes",
        counted(loaded.config.deployments.len(), "deployment"),
        counted(groups.len(), "model group"),
        sharing(loaded.config.shared_state.as_ref()),
    );
    ExitCode::SUCCESS
}

/// Through what counts are shared, without a secret; nothing where they are not.
fn sharing(shared: Option<&SharedState>) -> String {
    let Some(SharedState { redis, mode, .. }) = shared else { return String::new() };
    let how = match mode {
        SharingMode::Counts => "",
        SharingMode::Strict => "strictly ",
    };
    format!(", counts {how}shared through Redis ({redis})")
}

/// `1 deployment`, `2 deployments`.
fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Loads the configuration, or says on standard error what is wrong with it.
fn load(file: &ConfigFile) -> Option<Loaded> {
    let litellms = std::env::var_os("CONFIG_FILE_PATH").map(PathBuf::from);
    let Some(path) = file.config.clone().or(litellms) else {
        complain("no configuration: pass --config FILE, or set LEASTBUSY_CONFIG");
        return None;
    };
    match config::load(&path, &Environment::of_process()) {
        Ok(loaded) => Some(loaded),
        Err(error) => {
            let _ = writeln!(anstream::stderr(), "{}", error.render(true));
            None
        }
    }
}

fn complain(error: &(impl std::fmt::Display + ?Sized)) {
    let _ = writeln!(anstream::stderr(), "leastbusy: {error}");
}
