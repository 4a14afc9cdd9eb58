//! The part of a walk on one order level of one target.

use std::time::Duration;

use crate::outcome::Outcome;
use crate::walk::FallbackFor;

/// Where a walk is, and what it did there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leg {
    pub(super) target: usize,
    pub(super) above_order: Option<i64>,
    pub(super) is_fallback: bool,
    /// Why a fallback would be needed: the last failure here, or what led here.
    pub(super) reason: FallbackFor,
    /// Attempts that failed here, hedges aside. More than 0 makes the next one a retry.
    pub(super) attempts: u32,
    /// Retries that the last failure allows here in all.
    pub(super) retries: u32,
    /// The lowest order that failed here.
    pub(super) lowest_order: i64,
    /// Rests of what was tried that were taken here.
    pub(super) rests: u32,
    /// Time waited since the last attempt here.
    pub(super) rested: Duration,
    /// It waited for a cooldown to end, so that what was tried may be asked again here.
    pub(super) waited: bool,
    /// The ask goes to a deployment that cools down.
    pub(super) force: bool,
    /// The ask may wait for a place.
    pub(super) queued: bool,
}

/// A leg that found every deployment cooling down or full.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parked {
    pub(super) leg: Leg,
    /// The moment at which the first of them may be asked.
    pub(super) soonest: Duration,
    /// Whether a place that comes free is waited for.
    pub(super) is_full: bool,
}

impl Leg {
    pub(super) fn first(target: usize) -> Self {
        Self {
            target,
            above_order: None,
            is_fallback: false,
            reason: FallbackFor::Any,
            attempts: 0,
            retries: 0,
            lowest_order: i64::MAX,
            rests: 0,
            rested: Duration::ZERO,
            waited: false,
            force: false,
            queued: false,
        }
    }

    pub(super) fn fallback(target: usize, reason: FallbackFor) -> Self {
        Self { is_fallback: true, reason, ..Self::first(target) }
    }

    pub(super) fn above(target: usize, order: i64) -> Self {
        Self { above_order: Some(order), ..Self::fallback(target, FallbackFor::Any) }
    }

    pub(super) fn failed(&mut self, outcome: Outcome) {
        self.attempts += 1;
        self.reason = outcome.into();
        self.rested = Duration::ZERO;
        self.force = false;
        self.queued = false;
    }
}
