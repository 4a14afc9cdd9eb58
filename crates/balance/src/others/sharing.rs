//! What a fleet keeps of other instances, and what it counts to tell them.

use std::time::Duration;

use super::{Told, View};
use crate::fleet::DeploymentIndex;
use crate::health::Answers;
use crate::two_view;

/// What a fleet that shares its counts keeps.
#[derive(Debug, Default)]
pub(crate) struct Sharing {
    outgoing: Vec<Outgoing>,
    told_at: Duration,
    /// What the others told; `None` while there are none.
    view: Option<View>,
    /// What the view says of each deployment, by its index.
    others: Vec<Others>,
    /// Kept between picks, so that they allocate nothing.
    pub(crate) scratch: Scratch,
}

/// What a pick among several instances' deployments works with.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pub(crate) members: Vec<usize>,
    pub(crate) seen: Vec<two_view::Sight>,
    /// What each of them counts as busy beside its requests.
    pub(crate) beside: Vec<f64>,
}

impl Scratch {
    pub(crate) fn clear(&mut self) {
        let Self { members, seen, beside } = self;
        members.clear();
        seen.clear();
        beside.clear();
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Outgoing {
    /// Picks since the last telling.
    picks: u32,
    /// Picks a second.
    rate: f64,
}

/// What all others together have on one deployment.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Others {
    pub(crate) in_flight: u32,
    /// Seconds between their telling and the view.
    pub(crate) age: f64,
    /// Picks a second.
    pub(crate) arrivals: f64,
    /// Requests that this instance had there when the view came.
    pub(crate) own: u32,
}

/// Seconds over which arrivals are averaged: a rate wrong by half or by four times does no harm (tried here, asked by
/// `leastbusy sim instances examples/sim/many-gateways.yaml`), one that lags behind a burst for minutes would.
const RATE_MEMORY: f64 = 3.0;

/// More requests a second are not believed, so that no telling makes a sum infinite.
const ARRIVALS_MAX: f64 = 1e9;

impl Sharing {
    pub(crate) fn picked(&mut self, deployment: DeploymentIndex) {
        let at = deployment.0 as usize;
        if self.outgoing.len() <= at {
            self.outgoing.resize(at + 1, Outgoing::default());
        }
        self.outgoing[at].picks = self.outgoing[at].picks.saturating_add(1);
    }

    /// Adds what there is to tell of the deployments: what each has in flight, and its answers.
    pub(super) fn tell(
        &mut self,
        deployments: impl ExactSizeIterator<Item = (u32, Answers)>,
        now: Duration,
        told: &mut Vec<Told>,
    ) {
        self.outgoing.resize(deployments.len(), Outgoing::default());
        let passed = now.saturating_sub(self.told_at).as_secs_f64();
        self.told_at = self.told_at.max(now);
        // Nothing is learned from no time.
        let part = 1.0 - (-passed / RATE_MEMORY).exp();
        for (at, (one, (in_flight, answers))) in self.outgoing.iter_mut().zip(deployments).enumerate() {
            if 0.0 < passed {
                one.rate += part * (f64::from(one.picks) / passed - one.rate);
                one.picks = 0;
            }
            // One request in ten minutes is no traffic that anybody need expect.
            if one.rate < 1.0 / 600.0 {
                one.rate = 0.0;
            }
            if 0 < in_flight || 0.0 < one.rate || !answers.is_empty() {
                let deployment = DeploymentIndex::at(at);
                told.push(Told { deployment, in_flight, arrivals: one.rate, answers });
            }
        }
    }

    pub(super) fn see(&mut self, view: &View) {
        self.others.clear();
        for seen in &view.deployments {
            let at = seen.deployment.0 as usize;
            if self.others.len() <= at {
                self.others.resize(at + 1, Others::default());
            }
            // `max` makes 0 of what is no number, `clamp` alone would keep it.
            let arrivals = seen.arrivals.max(0.0).clamp(0.0, ARRIVALS_MAX);
            self.others[at] =
                Others { in_flight: seen.in_flight, age: seen.age.as_secs_f64(), arrivals, own: 0 };
        }
        self.view = (0 < view.others).then(|| View { deployments: Vec::new(), ..*view });
    }

    /// Notes what this instance has on a deployment at the moment of the view.
    pub(super) fn has(&mut self, deployment: DeploymentIndex, own: u32) {
        let at = deployment.0 as usize;
        if self.others.len() <= at {
            self.others.resize(at + 1, Others::default());
        }
        self.others[at].own = own;
    }

    pub(crate) fn view(&self) -> Option<&View> {
        self.view.as_ref()
    }

    /// What the others have on a deployment.
    pub(crate) fn others(&self, deployment: DeploymentIndex) -> Others {
        self.others.get(deployment.0 as usize).copied().unwrap_or_default()
    }

    /// Own picks a second on a deployment.
    pub(crate) fn own_arrivals(&self, deployment: DeploymentIndex) -> f64 {
        self.outgoing.get(deployment.0 as usize).map_or(0.0, |one| one.rate)
    }
}

#[cfg(test)]
mod tests;
