//! The deployments a request was on, and from when on they may be asked again.

use std::time::Duration;

use crate::fleet::DeploymentIndex;
use crate::walk::leg::Leg;

/// Every deployment a request was on, in three parts: barred, left out until a rest, back from a rest.
#[derive(Debug, Default)]
pub(super) struct Tried {
    // Two lists side by side, so that the first parts of one can be lent to a pick as they are.
    deployments: Vec<DeploymentIndex>,
    trials: Vec<Trial>,
    /// This many, from the front, are not asked again at all.
    barred: usize,
    /// This many, from the front, are left out of the next pick.
    left_out: usize,
}

/// The last attempt on a deployment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trial {
    pub(super) target: usize,
    pub(super) order: i64,
    pub(super) failed_at: Duration,
    /// The moment at which the deployment may be asked again: what it asked for, or what a rest gave it.
    pub(super) until: Option<Duration>,
    /// Whether it may be asked again at all.
    pub(super) again: bool,
}

impl Trial {
    /// Whether the leg would ask this deployment again. What was tried by way of another target is not.
    fn is_of(&self, leg: &Leg) -> bool {
        self.again
            && self.target == leg.target
            && leg.above_order.is_none_or(|above_order| above_order < self.order)
    }
}

impl Tried {
    pub(super) fn is_empty(&self) -> bool {
        self.deployments.is_empty()
    }

    pub(super) fn barred(&self) -> &[DeploymentIndex] {
        &self.deployments[..self.barred]
    }

    pub(super) fn left_out(&self) -> &[DeploymentIndex] {
        &self.deployments[..self.left_out]
    }

    /// A deployment failed: it is left out until a rest, and so are all others that were tried.
    pub(super) fn add(&mut self, deployment: DeploymentIndex, trial: Trial) {
        if let Some(place) = self.place(deployment) {
            self.trials[place] = trial;
        } else {
            self.deployments.push(deployment);
            self.trials.push(trial);
        }
        self.leave_all_out();
    }

    /// Leaves all out, and bars those that the leg would not ask again.
    pub(super) fn bar_for(&mut self, leg: &Leg) {
        self.leave_all_out();
        self.barred = 0;
        for place in 0..self.trials.len() {
            if !self.trials[place].is_of(leg) {
                self.swap(place, self.barred);
                self.barred += 1;
            }
        }
    }

    pub(super) fn leave_all_out(&mut self) {
        self.left_out = self.deployments.len();
    }

    /// Whether some may be picked again that failed.
    pub(super) fn has_released(&self) -> bool {
        self.left_out < self.deployments.len()
    }

    /// Lets those return to the leg's picks whose time has come; whether there were any.
    pub(super) fn release(&mut self, leg: &Leg, now: Duration) -> bool {
        let left_out_before = self.left_out;
        // From the back, so that what a swap puts in a place has been looked at.
        for place in (self.barred..left_out_before).rev() {
            let trial = self.trials[place];
            if trial.is_of(leg) && trial.until.is_some_and(|until| until <= now) {
                self.left_out -= 1;
                self.swap(place, self.left_out);
            }
        }
        self.left_out < left_out_before
    }

    /// Gives those that asked for no rest one until `due`, of at least `least` since they failed.
    pub(super) fn rest(&mut self, leg: &Leg, due: Duration, least: Duration) {
        for trial in self.trials.iter_mut().filter(|trial| trial.is_of(leg)) {
            trial.until.get_or_insert(due.max(trial.failed_at.saturating_add(least)));
        }
    }

    /// The moment at which the first one may be asked again on this leg.
    pub(super) fn soonest(&self, leg: &Leg) -> Option<Duration> {
        let left_out = self.trials[self.barred..self.left_out].iter();
        left_out.filter(|trial| trial.is_of(leg)).filter_map(|trial| trial.until).min()
    }

    fn place(&self, deployment: DeploymentIndex) -> Option<usize> {
        self.deployments.iter().position(|tried| *tried == deployment)
    }

    fn swap(&mut self, one: usize, other: usize) {
        self.deployments.swap(one, other);
        self.trials.swap(one, other);
    }
}
