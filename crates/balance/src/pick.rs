//! What a pick is told, and what it says when there is nobody.

use std::fmt;
use std::time::Duration;

use crate::fleet::DeploymentIndex;

/// What one pick needs to know.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pick<'a> {
    /// Deployments this request was already on; they are left out.
    pub tried: &'a [DeploymentIndex],
    /// Those of them that it will not be on again, so that a refusal does not tell when they have rested.
    pub barred: &'a [DeploymentIndex],
    /// A random number, which breaks ties.
    pub dice: u64,
    /// The time since a moment that is the same for all calls.
    pub now: Duration,
    /// Only members of a higher order than this, where a request has done with the lower ones.
    pub above_order: Option<i64>,
    /// Whether a deployment that rests may be picked where none else is left: the one whose rest ends first.
    pub even_resting: bool,
    /// Whether the answer will be a stream, for strategies that tell them apart.
    pub stream: bool,
    /// Which members may be picked, by their place in the group; `None` is all of them.
    pub among: Option<&'a [bool]>,
    /// The deployment that the request goes to unless that is too busy.
    pub prefer: Option<Preference>,
    /// What the request takes of a deployment.
    pub demand: Demand,
}

/// A deployment that a request is better off with, as one that has its prompt in a cache.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Preference {
    /// Which one.
    pub deployment: DeploymentIndex,
    /// How many times the mean load of those that could be picked it may have with this request on it, rounded up to whole
    /// requests; 1 or more. Beyond that the request is picked as any other. Loads are requests for each weight; those that
    /// an engine has from elsewhere count on the preferred one, and not in the mean.
    // Mirrokni, Thorup and Zadimoghaddam, "Consistent hashing with bounded loads" (2018).
    pub bound: f64,
}

/// What a request takes of a deployment, as far as that can be told beforehand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Demand {
    /// Tokens of its prompt.
    pub prompt: u32,
    /// The most tokens that its answer may have, 0 for any number. The mean of the group's answers counts in its place,
    /// where that is known and less.
    pub output: u32,
}

impl Demand {
    /// All its tokens.
    #[must_use]
    pub fn tokens(self) -> u32 {
        self.prompt.saturating_add(self.output)
    }
}

impl Pick<'_> {
    pub(crate) fn allows(&self, member: usize, order: i64) -> bool {
        self.above_order.is_none_or(|above| above < order)
            && self.among.is_none_or(|among| among.get(member).is_none_or(|is_among| *is_among))
    }

    pub(crate) fn was_tried(&self, deployment: DeploymentIndex) -> bool {
        !self.tried.is_empty() && self.tried.contains(&deployment)
    }
}

/// Why no deployment could be picked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The group has no members, or none of a higher order.
    Empty,
    /// The request has been on every member that can be picked.
    AllTried {
        /// How many others there are: members that rest and that the request was not on.
        untried: u32,
        /// When the first of them may be asked; `None` where there are none.
        soonest: Option<Duration>,
    },
    /// Every member that could be picked has as many requests in flight as its limit allows.
    AllFull,
    /// Every member that could be picked is at a limit, and some of them only because they were asked for as much as
    /// their providers grant in a minute.
    AllSpent {
        /// When the first of these may be asked again.
        soonest: Duration,
    },
    /// Every member that could be picked is at its limit, and as many requests wait as may.
    QueueFull {
        /// The time in which those that wait will probably have been served.
        wait: Duration,
    },
    /// Every member rests.
    AllCooling {
        /// When the first of them has rested.
        soonest: Duration,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the group has no deployments",
            Self::AllTried { .. } => "every deployment of the group was tried",
            Self::AllFull => "every deployment of the group is at its limit",
            Self::AllSpent { .. } => {
                "every deployment of the group has had its requests or tokens of this minute"
            }
            Self::QueueFull { .. } => "every deployment of the group is at its limit, and so is the queue",
            Self::AllCooling { .. } => "every deployment of the group is cooling down",
        })
    }
}

impl std::error::Error for Refusal {}
