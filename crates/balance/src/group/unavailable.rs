//! The members that a pick cannot choose, and what becomes of it when that is all of them.

use std::time::Duration;

use super::{Pick, Refusal};
use crate::health::Availability;

/// The members that a pick cannot choose.
#[derive(Default)]
pub(crate) struct Unavailable {
    pub(super) resting: Resting,
    /// Somebody could be picked, whether or not the request has been there.
    pub(super) somebody_open: bool,
    /// Somebody rests whom the request has been on.
    pub(super) somebody_out: bool,
}

impl Unavailable {
    /// What becomes of a pick that could choose nobody.
    pub(crate) fn instead(&self, pick: &Pick<'_>) -> Result<usize, Refusal> {
        let Resting { soonest, untried, soonest_untried, first } = self.resting;
        match (first, soonest) {
            (Some((_, index)), _) if pick.even_resting => Ok(index),
            (_, Some(soonest)) if !self.somebody_open => Err(Refusal::AllCooling { soonest }),
            _ if self.somebody_open || self.somebody_out => {
                Err(Refusal::AllTried { untried, soonest: soonest_untried })
            }
            _ => Err(Refusal::Empty),
        }
    }
}

/// The members that rest.
#[derive(Clone, Copy, Default)]
pub(super) struct Resting {
    /// When the first of them may be asked.
    soonest: Option<Duration>,
    /// How many were not tried.
    untried: u32,
    /// When the first of those may be asked.
    soonest_untried: Option<Duration>,
    /// The one of those to ask if it must be, with its place; one whose probe is out comes last.
    first: Option<((bool, Duration), usize)>,
}

impl Resting {
    pub(super) fn see(&mut self, index: usize, closed: Availability, tried: bool) {
        let (is_probed, until) = match closed {
            Availability::Closed(until) => (false, until),
            Availability::Probed(until) => (true, until),
            Availability::Open | Availability::Ready => return,
        };
        let sooner = |known: Option<Duration>| known.map_or(until, |known| known.min(until));
        self.soonest = Some(sooner(self.soonest));
        if tried {
            return;
        }
        self.untried += 1;
        self.soonest_untried = Some(sooner(self.soonest_untried));
        let place = (is_probed, until);
        if self.first.is_none_or(|(first, _)| place < first) {
            self.first = Some((place, index));
        }
    }
}
