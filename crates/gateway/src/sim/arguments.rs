//! The arguments of `leastbusy sim`.

use std::ffi::OsString;
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use leastbusy_sim::{Policy, Sizes, Workload};

use super::question::Question;
use super::scenario::bounds::{self, Bounds};
use super::scenario::{self, DEFAULT_SEED, DEFAULT_SEEDS, Written};
use super::table::Columns;
use super::trace::Trace;
use super::{Demand, Study, from_config, hints, notes};
use crate::config::{self, Environment, LoadError};
use crate::duration;
use crate::likeness::nearest;

/// What is simulated.
#[derive(Debug, clap::Args)]
pub(super) struct What {
    /// The scenario file; docs/scenario.md lists its keys.
    #[arg(conflicts_with = "config")]
    scenario: Option<PathBuf>,
    /// A configuration (LiteLLM's config.yaml) whose model group is to be simulated.
    #[arg(long, value_name = "FILE", help_heading = "A configuration instead of a scenario")]
    config: Option<PathBuf>,
    /// The model group, where there are several; of a trace, the requests to take.
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Slots of deployments that are not `simulated/`: requests that each serves at once.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    #[arg(help_heading = "A configuration instead of a scenario", conflicts_with = "scenario")]
    slots: u32,
    /// Tokens a second of one of their answers.
    #[arg(long, value_name = "N", default_value_t = 50.0, value_parser = speed)]
    #[arg(help_heading = "A configuration instead of a scenario", conflicts_with = "scenario")]
    tokens_per_second: f64,
    /// The time that each of their requests spends in its slot before the first token.
    #[arg(long, value_name = "TIME", default_value = "200ms", value_parser = time)]
    #[arg(help_heading = "A configuration instead of a scenario", conflicts_with = "scenario")]
    first_token_time: Duration,
    /// How fast each of them reads prompts, one after the other; without it they cost nothing.
    #[arg(long, value_name = "N", value_parser = speed)]
    #[arg(help_heading = "A configuration instead of a scenario", conflicts_with = "scenario")]
    prefill_tokens_per_second: Option<f64>,
    /// Lengths of answers: a number, exponential:MEAN, lognormal:MEAN:SIGMA or bimodal:SMALL:LARGE:SHARE [default:
    /// lognormal:250:1.2, or the mean_tokens of simulated/ deployments].
    #[arg(long, value_name = "SIZES", value_parser = sizes)]
    #[arg(help_heading = "A configuration instead of a scenario", conflicts_with = "scenario")]
    output_tokens: Option<Sizes>,
    /// Lengths of prompts, written alike.
    #[arg(long, value_name = "SIZES", default_value = "lognormal:600:1", value_parser = sizes)]
    #[arg(help_heading = "A configuration instead of a scenario", conflicts_with = "scenario")]
    prompt_tokens: Sizes,
    /// Requests a second.
    #[arg(long, value_name = "N", value_parser = rate, help_heading = "The load", conflicts_with = "load")]
    rate: Option<f64>,
    /// Requests as a share of what the deployments can do, such as 0.8.
    #[arg(long, value_name = "SHARE", value_parser = load, help_heading = "The load")]
    load: Option<f64>,
    /// Recorded requests instead: CSV, or JSON lines such as the access log has.
    #[arg(long, value_name = "FILE", help_heading = "The load", conflicts_with_all = ["rate", "load"])]
    trace: Option<PathBuf>,
    /// Requests of a run; of a trace, the first ones [default: 200000, or all of the trace].
    #[arg(long, value_name = "N", value_parser = requests, help_heading = "The load")]
    requests: Option<usize>,
    /// Runs of each way, with other dice [default: 5].
    #[arg(long, value_name = "N", value_parser = seeds)]
    seeds: Option<usize>,
    /// The first seed; the same one gives the same bytes [default: 1].
    #[arg(long, value_name = "N", value_parser = seed)]
    seed: Option<u64>,
    /// Threads to run on; they change nothing but the time [default: one for each core].
    #[arg(long, value_name = "N")]
    pub(super) threads: Option<NonZeroUsize>,
}

/// What to simulate, and what to tell of it.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    override_usage = "leastbusy sim [OPTIONS] SCENARIO\n       leastbusy sim [OPTIONS] --config FILE --rate N",
    after_long_help = "Examples:\n  leastbusy sim examples/sim/unequal-vllm-pool.yaml\n  leastbusy sim --config \
        config.yaml --rate 20 --model chat\n  leastbusy sim --config config.yaml --trace access.log --model chat \
        --json -"
)]
pub struct Arguments {
    #[command(subcommand)]
    pub(super) question: Option<Question>,
    #[command(flatten)]
    pub(super) what: What,
    /// Ways of choosing, separated by commas: random, round-robin, stale-first, lowest-latency, lowest-usage,
    /// peak-ewma, two-choices, own-and-told, least-busy, least-busy-by-speed, central-queue [default: random,
    /// round-robin, stale-first, two-choices, least-busy, central-queue].
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = policy)]
    policies: Option<Vec<Policy>>,
    /// Tell every figure.
    #[arg(long)]
    all: bool,
    /// Write everything to a file as JSON, `-` for standard output.
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
    /// Write a report with plots to a file: one HTML page that needs no network.
    #[arg(long, value_name = "FILE")]
    pub(super) html: Option<PathBuf>,
    /// Write the report's plots to a directory, each as an SVG file.
    #[arg(long, value_name = "DIR")]
    pub(super) pictures: Option<PathBuf>,
    /// Run the scenario in real time as well, over loopback sockets through the gateway to simulated engines, and
    /// compare. Exits with 1 when a mean differs by more than 5 % or a p99 by more than 10 %.
    #[arg(long, conflicts_with_all = ["policies", "seeds", "all", "json", "html", "pictures"])]
    pub(super) sockets: bool,
    /// Measure the goals of balancing instead, on fleets of their own. Exits with 1 when one is missed.
    #[arg(long, exclusive = true)]
    pub(super) goals: bool,
    /// Words after the scenario's name: none has a meaning, but the name may have been meant as a question's.
    #[arg(hide = true, trailing_var_arg = true)]
    rest: Vec<OsString>,
}

impl Arguments {
    /// What is to be compared; `None` when the mistakes in a file were told on standard error.
    pub(super) fn study(&self) -> Result<Option<Study>, Box<dyn std::error::Error>> {
        if let (Some(scenario), Some(extra)) = (&self.what.scenario, self.rest.first()) {
            let extra = || format!("`{}` is one too many: name one scenario file", extra.to_string_lossy());
            return Err(hints::of_no_file(scenario).unwrap_or_else(extra).into());
        }
        let policies = self.policies.as_deref().unwrap_or_default();
        if let Some(twice) = policies.iter().enumerate().find(|(at, policy)| policies[..*at].contains(policy))
        {
            return Err(format!("--policies has `{}` twice: keep one of the two", twice.1.name()).into());
        }
        let mut study = self.what.study()?;
        if let (Some(study), false) = (&mut study, policies.is_empty()) {
            study.policies = policies.to_vec();
        }
        Ok(study)
    }

    /// The columns of the table.
    pub(super) fn columns(&self) -> Columns {
        if self.all { Columns::All } else { Columns::Chosen }
    }
}

impl What {
    /// The scenario with all ways of choosing; `None` when the mistakes in a file were told on standard error.
    pub(super) fn study(&self) -> Result<Option<Study>, Box<dyn std::error::Error>> {
        let studied = match (&self.scenario, &self.config) {
            (Some(path), _) => self.of_scenario(path)?,
            (None, Some(path)) => self.of_config(path)?,
            (None, None) => {
                return Err(
                    "name a scenario file (examples/sim has some), or a configuration with --config FILE"
                        .into(),
                );
            }
        };
        match studied {
            Err(error) => {
                let _ = writeln!(anstream::stderr(), "{}", error.render(true));
                Ok(None)
            }
            Ok(mut study) => {
                self.reload(&mut study)?;
                let odd = notes::of(&study);
                study.notes.extend(odd);
                Ok(Some(study))
            }
        }
    }

    fn of_scenario(&self, path: &Path) -> Result<Result<Study, LoadError>, String> {
        if let Some(hint) = hints::of_no_file(path) {
            return Err(hint);
        }
        if self.model.is_some() && self.trace.is_none() {
            return Err(
                "--model takes requests of a --trace, or a model group of a --config: leave it out, or \
                write `model` into the scenario's `trace`"
                    .into(),
            );
        }
        let models: Vec<&str> = self.model.as_deref().into_iter().collect();
        let (written, warnings) = match scenario::load(path, self.trace(&models)?) {
            Ok(loaded) => loaded,
            Err(error) => return Ok(Err(error)),
        };
        for warning in warnings {
            let _ = write!(anstream::stderr(), "{}", warning.render(true));
        }
        let Written { scenario, policies, seeds, seed, notes } = written;
        let title = path.display().to_string();
        let mut study = Study { title, scenario, policies, seeds: Vec::new(), notes };
        self.finish(&mut study, seeds, seed);
        Ok(Ok(study))
    }

    fn of_config(&self, path: &Path) -> Result<Result<Study, LoadError>, String> {
        let file = path.display().to_string();
        // No request is sent, so no key is needed. Its warnings are about serving; `leastbusy check` tells them.
        let config = match config::load(path, &Environment::of_process().with_stand_ins()) {
            Ok(loaded) => loaded.config,
            Err(error) if hints::is_of_a_scenario(&error) => {
                return Err(format!("{file} is a scenario: leave --config out, `leastbusy sim {file}`"));
            }
            Err(error) => return Ok(Err(error)),
        };
        if self.trace.is_none() && self.rate.is_none() && self.load.is_none() {
            return Err(
                "a configuration does not say how many requests come: add --rate N (requests a second), \
                --load SHARE or --trace FILE"
                    .into(),
            );
        }
        let assumed = from_config::Assumed {
            slots: self.slots,
            tokens_per_second: self.tokens_per_second,
            first_token_time: self.first_token_time,
            prefill_tokens_per_second: self.prefill_tokens_per_second,
            prompt_tokens: self.prompt_tokens,
            output_tokens: self.output_tokens,
        };
        let model = self.model.as_deref();
        let group = from_config::group(&config, model)?;
        // A recorded request may have been sent to an alias.
        let models: Vec<&str> = model.into_iter().flat_map(|model| [model, group]).collect();
        let mut study = from_config::study(&file, &config, model, &assumed, self.trace(&models)?)?;
        self.finish(&mut study, DEFAULT_SEEDS, DEFAULT_SEED);
        Ok(Ok(study))
    }

    /// The recorded requests, of these models where some are named.
    fn trace(&self, models: &[&str]) -> Result<Option<Trace>, String> {
        let read = self.trace.as_deref().map(|path| Trace::read(path, models)).transpose();
        read.map_err(|fault| format!("{fault}\n      {}", fault.way_out))
    }

    fn finish(&self, study: &mut Study, seeds: usize, seed: u64) {
        let (seeds, seed) = (self.seeds.unwrap_or(seeds), self.seed.unwrap_or(seed));
        study.seeds = (seed..).take(seeds).collect();
        match &mut study.scenario.workload {
            Workload::Drawn { requests, .. } => *requests = self.requests.unwrap_or(*requests),
            Workload::Trace(jobs) => jobs.truncate(self.requests.unwrap_or(usize::MAX)),
        }
    }

    /// Gives the study the rate or load that was asked for.
    fn reload(&self, study: &mut Study) -> Result<(), String> {
        if self.rate.is_none() && self.load.is_none() {
            return Ok(());
        }
        let demand = Demand::of(&study.scenario);
        let Workload::Drawn { arrivals, .. } = &mut study.scenario.workload else {
            return Err(
                "the scenario's requests are a trace, which has its own rate: leave --rate and --load \
                out, or raise the trace's `speed`"
                    .into(),
            );
        };
        let rate = self.rate.or(self.load.map(|load| load * demand.capacity)).unwrap_or(demand.per_second);
        if !bounds::RATE.hold(rate) {
            return Err(format!("{rate} requests a second are out of range: {}", bounds::RATE));
        }
        *arrivals = arrivals.at(rate);
        Ok(())
    }
}

fn bounded(text: &str, bounds: Bounds) -> Result<f64, String> {
    let number = text.trim().parse::<f64>().map_err(|_| format!("`{text}` is not a number"))?;
    if bounds.hold(number) { Ok(number) } else { Err(format!("out of range: {bounds}")) }
}

fn speed(text: &str) -> Result<f64, String> {
    bounded(text, bounds::SPEED)
}

fn rate(text: &str) -> Result<f64, String> {
    bounded(text, bounds::RATE)
}

fn load(text: &str) -> Result<f64, String> {
    bounded(text, bounds::LOAD)
}

fn count(text: &str, range: &std::ops::RangeInclusive<usize>) -> Result<usize, String> {
    let number = text.parse::<usize>().map_err(|_| format!("`{text}` is not a whole number"))?;
    let refused = || format!("out of range: {} to {}", range.start(), range.end());
    if range.contains(&number) { Ok(number) } else { Err(refused()) }
}

fn requests(text: &str) -> Result<usize, String> {
    count(text, &bounds::REQUESTS)
}

fn seeds(text: &str) -> Result<usize, String> {
    count(text, &bounds::SEEDS)
}

fn seed(text: &str) -> Result<u64, String> {
    count(text, &bounds::SEED).map(|seed| seed as u64)
}

fn time(text: &str) -> Result<Duration, String> {
    match duration::parse(text) {
        Some(time) if time <= bounds::TIME_MAX => Ok(time),
        Some(_) => Err("a year at most".into()),
        None => Err("write a time such as 200ms, 1.5s or 2".into()),
    }
}

pub(super) fn policy(text: &str) -> Result<Policy, String> {
    Policy::of_name(text).ok_or_else(|| match nearest(text, Policy::ALL.iter().map(|policy| policy.name())) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("write one of {}", Policy::ALL.map(Policy::name).join(", ")),
    })
}

/// `250`, `exponential:250`, `lognormal:250:1.2`, `bimodal:50:2000:0.1`.
pub(super) fn sizes(text: &str) -> Result<Sizes, String> {
    let mut parts = text.split(':');
    let kind = parts.next().unwrap_or_default();
    let parts: Vec<&str> = parts.collect();
    match (kind, parts.as_slice()) {
        (size, []) => bounded(size, bounds::TOKENS).map(Sizes::Fixed),
        ("exponential", [mean]) => Ok(Sizes::Exponential { mean: bounded(mean, bounds::MEAN_TOKENS)? }),
        ("lognormal", [mean, sigma]) => Ok(Sizes::Lognormal {
            mean: bounded(mean, bounds::MEAN_TOKENS)?,
            sigma: bounded(sigma, bounds::SIGMA)?,
        }),
        ("bimodal", [small, large, share]) => Ok(Sizes::Bimodal {
            small: bounded(small, bounds::TOKENS)?,
            large: bounded(large, bounds::TOKENS)?,
            share: bounded(share, bounds::SHARE)?,
        }),
        _ => {
            Err("write a number, exponential:MEAN, lognormal:MEAN:SIGMA or bimodal:SMALL:LARGE:SHARE".into())
        }
    }
}

#[cfg(test)]
mod tests;
