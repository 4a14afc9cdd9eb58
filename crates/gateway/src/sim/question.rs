//! What an operator asks: `leastbusy sim replicas`, `outage`, `weights` and `instances`.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use leastbusy_sim::{Asked, Metric, Policy, Scenario};

use super::arguments::{What, policy};
use super::html::chart;
use super::{Study, notes, threads, with_progress, write_file};
use crate::likeness::nearest;

mod instances;
mod outage;
mod replicas;
mod weights;

/// A question about a scenario.
#[derive(Debug, Subcommand)]
pub(super) enum Question {
    /// How many deployments a target needs.
    Replicas(Box<replicas::Replicas>),
    /// What happens when a deployment dies, at the peak unless another moment is named.
    Outage(Box<outage::Outage>),
    /// What the weights of unlike deployments should be.
    Weights(Box<weights::Weights>),
    /// How often several instances of the gateway need to share their counts.
    Instances(Box<instances::Instances>),
}

/// What every question is asked about.
#[derive(Debug, clap::Args)]
struct About {
    #[command(flatten)]
    what: What,
    /// The way of choosing.
    #[arg(long, value_name = "NAME", default_value = "least-busy", value_parser = policy)]
    policy: Policy,
    /// Draw the answer to a file, as SVG.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

impl Question {
    /// Answers it on standard output; the exit code is 1 when there is no answer.
    pub(super) fn answer(&self) -> Result<ExitCode, Box<dyn std::error::Error>> {
        let about = self.about();
        let Some(study) = about.what.study()? else { return Ok(ExitCode::FAILURE) };
        notes::tell(&study.notes, &mut anstream::stderr());
        let runs = self.knows_its_runs().then_some(study.seeds.len());
        let answer = with_progress(runs, |done| {
            let threads = threads(about.what.threads);
            self.ask(&study, &Asked { policy: about.policy, seeds: &study.seeds, threads, done })
        })?;
        if let Some(path) = &about.svg {
            write_file(path, &chart::alone(&answer.svg))?;
        }
        match anstream::stdout().write_all(answer.text.as_bytes()) {
            // Whoever reads has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            other => other?,
        }
        Ok(answer.code)
    }

    fn about(&self) -> &About {
        match self {
            Self::Replicas(replicas) => &replicas.about,
            Self::Outage(outage) => &outage.about,
            Self::Weights(weights) => &weights.about,
            Self::Instances(instances) => &instances.about,
        }
    }

    /// Whether it takes one run for each seed.
    fn knows_its_runs(&self) -> bool {
        matches!(self, Self::Outage(_))
    }

    fn ask(&self, study: &Study, asked: &Asked<'_>) -> Result<Answer, String> {
        match self {
            Self::Replicas(replicas) => replicas.ask(study, asked),
            Self::Outage(outage) => outage.ask(study, asked),
            Self::Weights(weights) => weights.ask(study, asked),
            Self::Instances(instances) => instances.ask(study, asked),
        }
    }
}

/// An answer in words and as a picture.
struct Answer {
    text: String,
    svg: String,
    code: ExitCode,
}

/// The place of a deployment, by its name; without one the first.
fn place(scenario: &Scenario, name: Option<&str>) -> Result<usize, String> {
    let Some(name) = name else { return Ok(0) };
    let names = || scenario.engines.iter().map(|engine| engine.name.as_str());
    names().position(|known| known == name).ok_or_else(|| {
        let near = nearest(name, names()).map_or_else(
            || format!("the scenario has {}", names().collect::<Vec<_>>().join(", ")),
            |near| format!("did you mean {near}?"),
        );
        format!("there is no deployment {name:?}: {near}")
    })
}

fn metric(name: &str) -> Result<Metric, String> {
    Metric::of_name(name).ok_or_else(|| {
        let all: Vec<String> = Metric::all().iter().map(ToString::to_string).collect();
        match nearest(name, all.iter().map(String::as_str)) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("write one of {}", all.join(", ")),
        }
    })
}

#[cfg(test)]
mod tests;
