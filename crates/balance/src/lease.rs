//! One place in flight, given back when dropped.

use std::sync::Arc;

use crate::fleet::{DeploymentIndex, Fleet};

/// The right to have one request in flight on a deployment.
///
/// The count goes down when the lease is dropped: at the last byte, an error, a cancelled task or a
/// panic alike. A lease cannot be cloned and has no other end.
#[must_use = "dropping a lease ends it"]
#[derive(Debug)]
pub struct Lease {
    fleet: Arc<Fleet>,
    deployment: DeploymentIndex,
    member: usize,
    in_flight: u32,
}

impl Lease {
    pub(crate) fn new(fleet: Arc<Fleet>, deployment: DeploymentIndex, member: usize, in_flight: u32) -> Self {
        Self { fleet, deployment, member, in_flight }
    }

    /// The deployment the request is counted on.
    #[must_use]
    pub fn deployment(&self) -> DeploymentIndex {
        self.deployment
    }

    /// Which of the group's members was picked, as an index into [`Group::members`](crate::Group::members).
    #[must_use]
    pub fn member(&self) -> usize {
        self.member
    }

    /// The deployment's count right after the pick, this request included.
    #[must_use]
    pub fn in_flight_at_pick(&self) -> u32 {
        self.in_flight
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.fleet.lock().give_back(self.deployment);
    }
}
