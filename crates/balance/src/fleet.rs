//! All deployments and their counts, under one lock.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::group::{Group, Member, TieBreak};

/// The place of one physical deployment in its [`Fleet`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeploymentIndex(pub(crate) u32);

/// The deployments that requests may go to, and how many are in flight on each.
///
/// One lock covers the whole fleet, not one for each group: groups may share deployments, and a pick
/// must see the count that another group's pick just raised. The lock is held for a scan of one group's
/// members (tens of nanoseconds), never across I/O.
#[derive(Debug, Default)]
pub struct Fleet {
    books: Mutex<Books>,
}

#[derive(Debug, Default)]
pub(crate) struct Books {
    in_flight: Vec<u32>,
}

impl Fleet {
    /// A fleet without deployments.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// Adds an idle deployment.
    ///
    /// Call it once for each physical deployment, however many groups lead there.
    pub fn deploy(&self) -> DeploymentIndex {
        let mut books = self.lock();
        let index = u32::try_from(books.in_flight.len()).expect("fewer than 2^32 deployments");
        books.in_flight.push(0);
        DeploymentIndex(index)
    }

    /// A group of this fleet's deployments.
    ///
    /// # Panics
    ///
    /// If a member is not a deployment of this fleet.
    #[must_use]
    pub fn group(self: &Arc<Self>, members: Vec<Member>, tie_break: TieBreak) -> Group {
        let deployments = self.lock().in_flight.len();
        assert!(
            members.iter().all(|member| (member.deployment.0 as usize) < deployments),
            "every member of a group is a deployment of its fleet"
        );
        Group::new(Arc::clone(self), members, tie_break)
    }

    /// Requests in flight on a deployment: its live leases.
    ///
    /// # Panics
    ///
    /// If the deployment is not one of this fleet.
    #[must_use]
    pub fn in_flight(&self, deployment: DeploymentIndex) -> u32 {
        self.lock().in_flight(deployment)
    }

    /// Requests in flight on every deployment at one moment, in the order they were added.
    #[must_use]
    pub fn snapshot(&self) -> Vec<u32> {
        self.lock().in_flight.clone()
    }

    // A panic while the lock is held cannot leave the books half-written: every change is a single
    // assignment made after all checks. So poison says nothing, and giving back must never fail.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Books {
    pub(crate) fn in_flight(&self, deployment: DeploymentIndex) -> u32 {
        self.in_flight[deployment.0 as usize]
    }

    /// Counts one more request and returns the new count.
    pub(crate) fn take(&mut self, deployment: DeploymentIndex) -> u32 {
        let count = &mut self.in_flight[deployment.0 as usize];
        *count += 1;
        *count
    }

    pub(crate) fn give_back(&mut self, deployment: DeploymentIndex) {
        let count = &mut self.in_flight[deployment.0 as usize];
        debug_assert!(0 < *count, "a lease ends once");
        *count = count.saturating_sub(1);
    }
}
