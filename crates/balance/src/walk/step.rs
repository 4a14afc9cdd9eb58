//! What passes between a walk and its caller.

use std::time::Duration;

use crate::fleet::DeploymentIndex;
use crate::outcome::Outcome;
use crate::pick::Refusal;

/// What the caller does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Pick a deployment and try it. Then tell [`Walk::failed`](crate::Walk::failed), or
    /// [`Walk::refused`](crate::Walk::refused) if there is none; a success ends the walk.
    Pick(Ask),
    /// Wait this long, then call [`Walk::waited`](crate::Walk::waited).
    Wait(Duration),
    /// Answer the client with an error.
    GiveUp(GiveUp),
}

/// Which deployments a pick may choose from, but for those that [`Walk::tried`](crate::Walk::tried) leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// The target, such as a model group.
    pub target: usize,
    /// Only members with an order above this one.
    pub above_order: Option<i64>,
    /// Cooldowns do not count: the member whose cooldown ends first is taken.
    pub force: bool,
    /// Nothing else is left but to wait for a place, as [`Group::pick_or_queue`](crate::Group::pick_or_queue) does. A refusal
    /// because all is full ends that.
    pub queue: bool,
    /// [`NoPick::TooLong`] is no answer any more: whoever can read most is to decide. From then on for the whole walk.
    pub insist: bool,
}

/// Why a walk ends without a success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GiveUp {
    /// An attempt failed and nothing else may be tried.
    ///
    /// The client gets the last error of the [first](crate::Walk::first) target: it is about the model it asked for.
    Failed,
    /// Nothing was tried: all deployments cool down.
    Cooling {
        /// Time until the first of them may be asked.
        remaining: Duration,
    },
    /// Nothing was tried: deployments are at their limits, and nobody waited for a place, or none came free in time.
    Full,
    /// Nothing was tried: no target has a deployment.
    Empty,
    /// The deadline has passed.
    Deadline,
}

/// An attempt that was not a success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailedAttempt {
    /// The deployment it was on.
    pub deployment: DeploymentIndex,
    /// The deployment's order in the group it was picked from.
    pub order: i64,
    /// How it ended.
    pub outcome: Outcome,
}

/// Why a pick found no deployment.
///
/// `soonest` is the moment, since the caller's epoch, at which the first member that cools down may be asked;
/// members in [`Walk::barred`](crate::Walk::barred) do not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoPick {
    /// The target has no members, or none above the order that was asked for.
    Empty,
    /// The request is longer than any member can read, by the caller's own reckoning. Not to be said where the ask
    /// [insists](Ask::insist).
    TooLong,
    /// Members are available, but [`Walk::tried`](crate::Walk::tried) holds them all; or only barred ones cool down.
    AllTried {
        /// Members that cool down and that [`Walk::tried`](crate::Walk::tried) does not hold.
        untried: u32,
        /// Of these; `None` if there are none.
        soonest: Option<Duration>,
    },
    /// Every member that could be picked is at its limit.
    AllFull,
    /// Every member cools down.
    AllCooling {
        /// In the past, if a cooldown has just ended but nothing can be picked yet.
        soonest: Duration,
    },
}

impl From<Refusal> for NoPick {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Empty => Self::Empty,
            Refusal::AllTried { untried, soonest } => Self::AllTried { untried, soonest },
            Refusal::AllFull | Refusal::AllSpent { .. } | Refusal::QueueFull { .. } => Self::AllFull,
            Refusal::AllCooling { soonest } => Self::AllCooling { soonest },
        }
    }
}
