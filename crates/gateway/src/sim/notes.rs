//! What is odd about a study, once files and command line have had their say.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use leastbusy_sim::Workload;

use super::{Demand, Study};

/// Names of deployments that one note lists.
const NAMES_MAX: usize = 3;

/// Each as a sentence without its full stop.
pub(super) fn of(study: &Study) -> Vec<String> {
    let mut notes = Vec::new();
    let demand = Demand::of(&study.scenario);
    let last = last_arrival(&study.scenario.workload);
    if matches!(study.scenario.workload, Workload::Trace(_)) && last.is_zero() && 1 < study.requests() {
        notes
            .push(format!("all {} requests come at one moment, so that they have no rate", study.requests()));
    }
    if 1.0 <= demand.load() {
        notes.push(format!(
            "this is {:.0} % of what the deployments can do: the queue grows as long as the run lasts",
            100.0 * demand.load()
        ));
    }
    notes.extend(late(study, last));
    notes
}

/// Writes notes, a line each, where no report has them. That nobody reads them is no failure.
pub(super) fn tell(notes: &[String], out: &mut impl Write) {
    for note in notes {
        let _ = writeln!(out, "note: {note}");
    }
}

/// Troubles that begin when nobody comes any more.
fn late(study: &Study, last: Duration) -> Vec<String> {
    let mut late: BTreeMap<Duration, Vec<&str>> = BTreeMap::new();
    for engine in &study.scenario.engines {
        for episode in engine.episodes.iter().filter(|episode| last < episode.from) {
            late.entry(episode.from).or_default().push(&engine.name);
        }
    }
    let one = |(from, mut names): (Duration, Vec<&str>)| {
        names.dedup();
        let others = names.len().saturating_sub(NAMES_MAX);
        names.truncate(NAMES_MAX);
        let others = if others == 0 { String::new() } else { format!(" and {others} more") };
        format!(
            "the trouble of {}{others} after {} s is not seen: the last request comes after about {:.0} s",
            names.join(", "),
            from.as_secs_f64(),
            last.as_secs_f64()
        )
    };
    late.into_iter().map(one).collect()
}

/// When the last request comes, about.
fn last_arrival(workload: &Workload) -> Duration {
    match workload {
        Workload::Drawn { arrivals, requests, .. } => {
            Duration::try_from_secs_f64(*requests as f64 / arrivals.per_second()).unwrap_or(Duration::MAX)
        }
        Workload::Trace(jobs) => jobs.last().map_or(Duration::ZERO, |job| job.arrival),
    }
}

#[cfg(test)]
mod tests;
