//! The `leastbusy` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    leastbusy_gateway::cli::run()
}
