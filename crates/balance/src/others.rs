//! What other instances of the gateway tell of the deployments, and what this one tells them.

mod roster;
mod sharing;

use std::time::Duration;

pub use roster::{InstanceId, Known, Roster};
pub(crate) use sharing::{Scratch, Sharing};

use crate::fleet::{DeploymentIndex, Fleet};

/// What an instance tells of one deployment.
///
/// All numbers are absolute: whatever is lost, repeated or late is made good by the next telling.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// The deployment that it is about.
    pub deployment: DeploymentIndex,
    /// Requests that the instance has in flight there.
    pub in_flight: u32,
    /// Requests a second that it sent there lately.
    pub arrivals: f64,
}

/// What is known of the other instances at one moment; made by a [`Roster`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct View {
    /// When it was put together.
    pub at: Duration,
    /// How old what the others told was by then, on average.
    pub age: Duration,
    /// Other instances that are alive.
    pub others: u32,
    /// Other instances whose names come before this one's, so that all can share out places without a word.
    pub rank: u32,
    /// What they told of the deployments, added up.
    pub deployments: Vec<Seen>,
}

/// What all other instances together have told of one deployment.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// The deployment that it is about.
    pub deployment: DeploymentIndex,
    /// Requests that they had in flight when they told.
    pub in_flight: u32,
    /// How long before the view was put together that was, on average.
    pub age: Duration,
    /// Requests a second that they sent there lately.
    pub arrivals: f64,
}

impl Fleet {
    /// What this instance tells the others: the deployments that there is anything to tell of.
    pub fn tell(&self, now: Duration) -> Vec<Told> {
        let mut books = self.lock();
        let in_flight: Vec<u32> = books.counts().collect();
        books.sharing().tell(&in_flight, now)
    }

    /// Goes by what the others have told from now on; it takes the place of what they told before.
    ///
    /// Where there are others, a pick weighs what they told against its age (the two-view rule): the fleet's counts say
    /// which deployments are eligible, own counts which of them is picked. They can only add to a deployment's
    /// load, never take from it. Without others a pick goes by own counts alone.
    pub fn see(&self, view: View) {
        self.lock().sharing().see(view);
    }

    /// Requests in flight on a deployment, those of other instances included as they told last.
    ///
    /// # Panics
    ///
    /// If the deployment is not one of this fleet.
    #[must_use]
    pub fn in_flight_total(&self, deployment: DeploymentIndex) -> u32 {
        let books = self.lock();
        books.seat(deployment).in_flight + books.others_in_flight(deployment)
    }
}
