//! A deployment's condition, for people and metrics.

use std::time::Duration;

use super::{Availability, Health, LearnedLimit, State};
use crate::outcome::Outcome;

/// How a deployment stands at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Condition {
    /// Requests in flight: its live leases.
    pub in_flight: u32,
    /// Whether requests go there.
    pub standing: Standing,
    /// Why it rests, or rested before it was probed and ramped.
    pub cooldown: Option<Cooldown>,
    /// Share of the last ten seconds' answers that showed it works, 0 to 1; 1 where there were none.
    pub success_rate: f64,
    /// Requests at once that it took before it answered 429, where it did so within the last minute.
    pub learned_limit: Option<u32>,
}

/// Whether requests go to a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// They do.
    Available,
    /// It rests.
    CoolingDown,
    /// Its rest is over; one request shows, or is to show, whether it is well.
    Probing,
    /// It is given more from request to request.
    Ramping,
    /// It has as many as it is known to take.
    Full,
}

impl Standing {
    /// Every standing once.
    pub const ALL: [Self; 5] = [Self::Available, Self::CoolingDown, Self::Probing, Self::Ramping, Self::Full];

    /// The standing as one word, for JSON and metric labels.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::CoolingDown => "cooling_down",
            Self::Probing => "probing",
            Self::Ramping => "ramping",
            Self::Full => "full",
        }
    }
}

/// Why a deployment rests, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cooldown {
    /// How the attempt ended that made it rest.
    pub reason: Outcome,
    /// The status of that attempt's answer, if there was one.
    pub status: Option<u16>,
    /// Time until it may be asked again; zero once it is probed.
    pub remaining: Duration,
}

impl Health {
    pub(crate) fn condition(&mut self, in_flight: u32, now: Duration) -> Condition {
        self.settle(now);
        let (well, all) = self.sums(now);
        let learned_limit = self.limit.as_ref().map(LearnedLimit::places);
        let standing = match (&self.state, self.availability(now)) {
            (State::Resting(_), Availability::Closed(_)) => Standing::CoolingDown,
            (State::Resting(_) | State::Probing(_), _) => Standing::Probing,
            (State::Ramping(_), _) => Standing::Ramping,
            (State::Open, _) if learned_limit.is_some_and(|limit| limit <= in_flight) => Standing::Full,
            (State::Open, _) => Standing::Available,
        };
        let remaining = match self.state {
            State::Resting(until) => until.saturating_sub(now),
            State::Open | State::Probing(_) | State::Ramping(_) => Duration::ZERO,
        };
        let cause = self.cause.filter(|_| !matches!(self.state, State::Open));
        Condition {
            in_flight,
            standing,
            cooldown: cause.map(|cause| Cooldown { reason: cause.outcome, status: cause.status, remaining }),
            success_rate: if all == 0 { 1.0 } else { well as f64 / all as f64 },
            learned_limit,
        }
    }
}
