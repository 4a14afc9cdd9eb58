//! The members that a pick cannot choose, and what becomes of it when that is all of them.

use std::num::NonZeroU32;
use std::time::Duration;

use super::{Core, Member};
use crate::fleet::Books;
use crate::health::Availability;
use crate::pick::{Pick, Refusal};

impl Core {
    /// Why a pick could choose nobody while nothing has failed lately.
    pub(super) fn refusal(&self, books: &Books, pick: &Pick<'_>) -> Refusal {
        let allowed =
            self.members.iter().enumerate().filter(|(index, member)| pick.allows(*index, member.order));
        let mut allowed = allowed.map(|(_, member)| member).peekable();
        let is_empty = allowed.peek().is_none();
        let is_full = |member: &Member| {
            !pick.was_tried(member.deployment) && member.is_at_limit(books.seat(member.deployment).in_flight)
        };
        match is_empty {
            true => Refusal::Empty,
            false if allowed.any(is_full) => Refusal::AllFull,
            false => Refusal::AllTried { untried: 0, soonest: None },
        }
    }

    /// A refusal as its caller is told it: with the moment at which the first minute has moved on. That takes a look at all
    /// its seconds, which those who wait are spared.
    pub(crate) fn tell(&self, books: &mut Books, pick: &Pick<'_>, refusal: Refusal) -> Refusal {
        let Refusal::AllSpent { soonest } = refusal else { return refusal };
        let members = self.members.iter().enumerate().filter(|(index, member)| {
            pick.allows(*index, member.order) && !pick.was_tried(member.deployment)
        });
        let until = members.filter_map(|(_, Member { deployment, terms, .. })| {
            let is_spent = books.is_spent(*deployment, terms, pick.now);
            is_spent.then(|| books.spent_until(*deployment, terms, pick.now))
        });
        Refusal::AllSpent { soonest: until.fold(soonest, Duration::min) }
    }

    /// The members' own limits.
    pub(crate) fn limits(&self) -> impl Fn(usize) -> Option<u32> {
        |index| self.members[index].limit.map(NonZeroU32::get)
    }
}

/// The members that a pick cannot choose.
#[derive(Default)]
pub(crate) struct Unavailable {
    pub(super) resting: Resting,
    /// Somebody could be picked, whether or not the request has been there.
    pub(super) somebody_open: bool,
    /// Somebody could be picked whom the request has not been on, but for the limit.
    pub(super) somebody_full: bool,
    /// The same, but for the limits by the minute.
    pub(super) somebody_spent: bool,
    /// Somebody rests whom the request has been on.
    pub(super) somebody_out: bool,
}

impl Unavailable {
    /// What becomes of a pick that could choose nobody.
    pub(crate) fn instead(&self, pick: &Pick<'_>) -> Result<usize, Refusal> {
        let Resting { soonest, untried, soonest_untried, first, rested } = self.resting;
        // Nobody else can serve: it is asked without the others' leave.
        if let (Some(index), false) = (rested, self.somebody_open) {
            return Ok(index);
        }
        match (first, soonest) {
            (Some((_, index)), _) if pick.even_resting => Ok(index),
            _ if self.somebody_full => Err(Refusal::AllFull),
            // Who rests may be back before a minute has moved on; `Core::tell` knows that moment.
            _ if self.somebody_spent => {
                Err(Refusal::AllSpent { soonest: soonest_untried.unwrap_or(Duration::MAX) })
            }
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
    /// One that has rested and whose probe lacks the right only.
    rested: Option<usize>,
}

impl Resting {
    pub(super) fn see(&mut self, index: usize, closed: Availability, (tried, is_at_limit): (bool, bool)) {
        let (is_probed, until) = match closed {
            Availability::Closed(until) | Availability::Guarded(until) => (false, until),
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
        if !is_at_limit && matches!(closed, Availability::Guarded(_)) {
            self.rested.get_or_insert(index);
        }
        if !is_at_limit && self.first.is_none_or(|(first, _)| place < first) {
            self.first = Some((place, index));
        }
    }
}
