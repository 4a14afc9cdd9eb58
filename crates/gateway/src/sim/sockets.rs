//! `leastbusy sim SCENARIO --sockets`: is virtual time true?
//!
//! The requests of a scenario are sent at their times, over loopback, through the production gateway to
//! simulated engines. Then the very same requests go through the same deployments in virtual time, and what
//! clients measured is set beside what was computed.

use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::thread;
use std::time::Duration;

use leastbusy_sim::{Comparison, Job, Policy, Row, Scenario, Workload};

use super::unless_closed;
use crate::load::{Load, Measured, Planned, Progress};
use crate::serve::{self, Options, StartError};
use crate::simulated::ANSWER_TOKENS_MAX;
pub(crate) use table::Verdict;

mod fleet;
mod progress;
mod table;

#[cfg(test)]
mod tests;

/// Virtual runs. In each the dice break ties differently, and the sockets rolled dice of their own.
const DICE: u64 = 200;
/// The longest a request may take: far more than any queue that a run of some minutes builds up.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(600);

/// Why a scenario was not run on sockets.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SocketsError {
    /// It has what simulated engines do not have, or what their clients cannot ask for.
    #[error("this scenario cannot run on sockets, because it has\n  {}", .0.join("\n  "))]
    NotOnSockets(Vec<String>),
    /// The gateway did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The clients' runtime did not start, or the output cannot be written to.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// One run in real time, and its requests many times over in virtual time.
struct Compared {
    measured: Measured,
    computed: Row,
}

/// Runs the requests that `seed` draws in real time and in virtual time, and writes both to `out`.
///
/// Takes as long as the scenario lasts; progress is shown on standard error where that is a terminal. Must not be called
/// from async code: the gateway and its clients have runtimes of their own.
pub(crate) fn run(scenario: &Scenario, seed: u64, out: &mut impl Write) -> Result<Verdict, SocketsError> {
    let plan = plan(scenario, seed)?;
    unless_closed(writeln!(
        out,
        "{} requests in {:.0} s over sockets to {} simulated engines, the first {} not counted.",
        plan.len(),
        lasts(&plan).as_secs_f64(),
        scenario.engines.len(),
        uncounted(scenario, &plan),
    ))?;
    let compared = compare(scenario, &plan, DICE)?;
    // Whole before it is written: the verdict stands even where nobody reads to the end.
    let mut text = Vec::new();
    let verdict = table::write(&mut text, &compared)?;
    unless_closed(out.write_all(&text))?;
    Ok(verdict)
}

fn compare(scenario: &Scenario, plan: &[Planned], dice: u64) -> Result<Compared, SocketsError> {
    let measured = measure(scenario, plan)?;
    let jobs = plan.iter().map(Planned::in_virtual_time).collect();
    let virtually = Scenario { workload: Workload::Trace(jobs), ..scenario.clone() };
    let dice: Vec<u64> = (0..dice).collect();
    let threads = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let computed = Comparison::run(&virtually, &[Policy::LeastBusy], &dice, threads, &|| {});
    let computed = computed.rows.into_iter().next().expect("one policy has one row");
    Ok(Compared { measured, computed })
}

fn measure(scenario: &Scenario, plan: &[Planned]) -> Result<Measured, SocketsError> {
    let clients = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let gateway = serve::start(&fleet::config(scenario), Options { port: 0, ..Options::default() })?;
    let load = Load { plan, uncounted: uncounted(scenario, plan), request_time_max: REQUEST_TIME_MAX };
    let progress = Progress::default();
    Ok(clients.block_on(async {
        let measured = tokio::select! {
            measured = load.send(gateway.address(), &progress) => measured,
            never = progress::show(&progress, plan.len(), lasts(plan)) => match never {},
        };
        gateway.stop().await;
        measured
    }))
}

/// What is sent, and when.
///
/// In a scenario the first token takes an engine's `first_token_time`, and the output tokens come after it; on the wire
/// the first token is one of the answer's.
fn plan(scenario: &Scenario, seed: u64) -> Result<Vec<Planned>, SocketsError> {
    let mut refused = fleet::refused(scenario);
    let jobs = scenario.jobs(seed);
    let tokens_max = ANSWER_TOKENS_MAX - 1;
    let longest = jobs.iter().map(|job| job.output_tokens.round()).fold(0.0, f64::max);
    if f64::from(tokens_max) < longest {
        refused.push(format!("an answer of {longest} tokens: {tokens_max} is the most"));
    }
    if !refused.is_empty() {
        return Err(SocketsError::NotOnSockets(refused));
    }
    let planned = |job: &Job| Planned { arrival: job.arrival, tokens: job.output_tokens.round() as u32 + 1 };
    Ok(jobs.iter().map(planned).collect())
}

fn lasts(plan: &[Planned]) -> Duration {
    plan.last().map_or(Duration::ZERO, |last| last.arrival)
}

/// As many as in virtual time.
fn uncounted(scenario: &Scenario, plan: &[Planned]) -> usize {
    (scenario.uncounted * plan.len() as f64) as usize
}
