//! Rests and returns of deployments, as they stand in Redis: JSON, with deadlines in the server's time.

use std::collections::HashMap;
use std::time::Duration;

use leastbusy_balance::{DeploymentIndex, InstanceId, Learned, Outcome, Rest};
use serde::Deserialize;

use super::blob::Names;
use super::name::{self, DeploymentName};

/// All marks at one moment.
#[derive(Debug, Default)]
pub(super) struct ReadMarks {
    /// Milliseconds of the server's time.
    pub(super) server_ms: f64,
    /// Each deployment's, as it stands there.
    pub(super) written: Vec<(String, Vec<u8>)>,
}

/// What is noted of a deployment; the scripts in `lua/` write it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Mark {
    /// Rises with every change, so that each is taken in once: the server's time in milliseconds, or a little more.
    #[serde(rename = "n")]
    number: u64,
    /// Who made the last change.
    by: String,
    #[serde(flatten)]
    phase: Phase,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "phase", rename_all = "lowercase")]
enum Phase {
    Resting {
        /// Milliseconds of the server's time.
        until: f64,
        reason: Option<String>,
        status: Option<u16>,
        #[serde(default)]
        relapses: u32,
    },
    Returning {
        /// Hexadecimal.
        ramp: String,
        /// Milliseconds of the server's time.
        since: f64,
    },
}

/// The marks that have been taken in.
#[derive(Debug, Default)]
pub(super) struct Marks {
    taken: HashMap<DeploymentName, u64>,
}

impl Marks {
    /// What is new in marks that were read `now`.
    pub(super) fn news(
        &mut self,
        ReadMarks { server_ms, written }: &ReadMarks,
        now: Duration,
        me: InstanceId,
        names: &Names,
    ) -> Vec<(DeploymentIndex, Learned)> {
        let me = name::written(me);
        let mut news = Vec::new();
        for (field, json) in written {
            let Some(deployment_name) = DeploymentName::read(field) else { continue };
            let Ok(mark) = serde_json::from_slice::<Mark>(json) else { continue };
            let Some(deployment) = names.deployment(deployment_name) else { continue };
            let known = self.taken.get(&deployment_name).copied();
            if known.is_some_and(|known| is_old(mark.number, known, *server_ms)) {
                continue;
            }
            self.taken.insert(deployment_name, mark.number);
            if mark.by == me {
                continue;
            }
            if let Some(learned) = mark.learned(*server_ms, now) {
                news.push((deployment, learned));
            }
        }
        news
    }
}

/// Whether a mark is the `known` one or from before it, as a replica that lags behind has it. Numbers are times of the
/// server: a known one that is yet to come says that its clock was set back, and lower numbers are the new ones.
fn is_old(number: u64, known: u64, server_ms: f64) -> bool {
    number == known || (number < known && known as f64 <= server_ms + CLOCK_SLACK_MS)
}

/// As in `lua/mark.lua`: numbers of marks that are made at one moment run ahead of it a little.
const CLOCK_SLACK_MS: f64 = 1000.0;

impl Mark {
    fn learned(&self, server_ms: f64, now: Duration) -> Option<Learned> {
        match &self.phase {
            Phase::Resting { until, reason, status, relapses } => Some(Learned::Rests(Rest {
                // No longer than it was to last when it was noted, even if the server's clock was set back since.
                until: now + milliseconds(until - server_ms.max(self.number as f64)),
                reason: reason.as_deref().and_then(Outcome::named),
                status: *status,
                relapses: *relapses,
            })),
            Phase::Returning { ramp, since } => Some(Learned::Returns {
                ramp: u64::from_str_radix(ramp, 16).ok()?,
                since: now.saturating_sub(milliseconds(server_ms - since)),
            }),
        }
    }
}

/// A time that has passed is none; one that no setting can ask for is cut, so that a broken mark rests nobody for ever.
fn milliseconds(number: f64) -> Duration {
    const DAY: f64 = 86_400_000.0;
    // What is no number is no time.
    Duration::try_from_secs_f64(number.clamp(0.0, 30.0 * DAY) / 1000.0).unwrap_or_default()
}

#[cfg(test)]
mod tests;
