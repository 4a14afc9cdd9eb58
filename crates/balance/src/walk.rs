//! What one request may do next: try, wait, fall back, give up.
//!
//! # The problem
//!
//! After a failure there is nearly always something left to try, and each thing left has a price. Asking
//! the deployment that has just failed again hammers it; waiting for it when another one is free wastes the
//! client's time; waiting and then not trying wastes all of it; retries times fallbacks multiply.
//!
//! # The rules
//!
//! - A retry goes to a deployment this request has not tried, at once. Only when all that are available
//!   were tried it waits, until the first of them may be asked again: at the end of the rest it asked for
//!   (`Retry-After`), or of a rest that doubles each time; or until the first that cools down returns.
//! - A retry is kept for each deployment that was not tried and cools down: when no more are left, the request
//!   waits up to 8 s for the first of them, and does not ask again what has just failed. So one that has a
//!   retry for each ill deployment of a group gets to a healthy one. Retries to spare go where the wait is
//!   shorter: what failed once is more often well than what cools down.
//! - What an outcome's [`Remedy`] excludes is not tried: not the same deployment after a refused key, no
//!   deployment of the group after a bad request.
//! - A retry needs the group's [budget](crate::RetryBudget). A fallback needs none: it is another group's load.
//! - When retries end, fallbacks begin: first the higher order levels of the same group, then the group's
//!   list, depth first, each target at most once and never the first again. A deployment that was tried on
//!   the way is not tried by another name.
//! - There is no wait before a fallback and none before giving up: each wait is for an attempt.
//! - When every deployment of a target cools down, those aside that were tried by another name, fallbacks go
//!   first. When none is left, [`WhenAllCooling`] says whether to fail, to wait for the first that returns or to
//!   ask it at once.
//! - When every deployment of a target is full, fallbacks go first, too. When none is left, the request asks once more
//!   and may wait for a place ([`Ask::queue`]), first where it was first refused.
//! - A request that its caller reckons to be too long for a target goes where that one's list for such requests leads. Where
//!   nobody was asked there, it is a reckoning against nothing: the target is asked after all ([`Ask::insist`]), and so are
//!   the others that were ruled out, as its fallbacks.
//! - Nothing begins at or after the deadline.
//!
//! # It ends
//!
//! Let `R` be the largest number [`Directions::retries`] gives. A leg is the part of a walk on one order level
//! of one target. It makes a first attempt and at most `R` more. The first leg is free, each further one in
//! which an attempt is made counts against [`Limits::max_fallbacks`]. So a walk makes at most
//! `(1 + R) * (1 + max_fallbacks)` attempts, and at most `1 + max_fallbacks + max_retries`. Before one retry it
//! rests for 60 s at most (or `retry_after`, if that is more) in steps of at least 10 ms, and for cooldowns as
//! long as [`WhenAllCooling::Wait`] says at most, in all, in such steps too. Between these are only picks that
//! come to nothing: a few for each step and for each target of the fallback lists.

use std::time::Duration;

use crate::fleet::DeploymentIndex;
use crate::outcome::Remedy;

mod again;
mod directions;
mod last_resort;
mod leg;
mod rest;
mod step;
mod tried;

pub use directions::{Directions, FallbackFor, Limits, WhenAllCooling};
use leg::{Leg, Parked};
pub use step::{Ask, FailedAttempt, GiveUp, NoPick, Step};
use tried::{Trial, Tried};

/// What one request has tried, and what it may do next.
///
/// A pure state machine: each call tells what happened and returns the next [`Step`]. It reads no clock
/// and allocates nothing before the first failure. Every `now` is the time since one epoch of the caller's
/// choice; every `dice` is a number rolled for that call alone.
///
/// ```
/// use std::time::Duration;
/// use leastbusy_balance::{
///     Directions, FailedAttempt, FallbackFor, Fleet, GiveUp, Limits, NoPick, Outcome, Step, Walk,
/// };
///
/// /// Two model groups; `chat` (0) falls back to `spare` (1), and each retries once.
/// struct Config;
/// impl Directions for Config {
///     fn retries(&self, _target: usize, _outcome: Outcome) -> u32 {
///         1
///     }
///     fn fallbacks(&self, target: usize, _reason: FallbackFor) -> &[usize] {
///         if target == 0 { &[1] } else { &[] }
///     }
///     fn has_level_above(&self, _target: usize, _order: i64) -> bool {
///         false
///     }
/// }
///
/// let fleet = Fleet::new();
/// let (deployment, other) = (fleet.deploy(), fleet.deploy());
/// let (now, dice) = (Duration::from_secs(100), 4);
/// let mut walk = Walk::new(0, Limits { deadline: now + Duration::from_secs(60), ..Limits::default() });
///
/// let Step::Pick(ask) = walk.start(now) else { panic!("there is time") };
/// assert_eq!((ask.target, walk.tried()), (0, &[][..]));
///
/// // The first deployment answers 500. Another one of the group may do better, and the budget allows it.
/// let failed = FailedAttempt { deployment, order: 0, outcome: Outcome::ServerError };
/// let Step::Pick(ask) = walk.failed(failed, now, dice, || true, &Config) else { panic!("one retry") };
/// assert_eq!((ask.target, walk.tried()), (0, &[deployment][..]));
///
/// // That one as well, and no retry is left: the fallback is tried, without a wait.
/// let failed = FailedAttempt { deployment: other, order: 0, outcome: Outcome::ServerError };
/// let Step::Pick(ask) = walk.failed(failed, now, dice, || true, &Config) else { panic!("a fallback") };
/// assert_eq!((ask.target, walk.retries(), walk.fallbacks()), (1, 1, 1));
///
/// // `spare` leads to the same two deployments. They are not asked again by another name.
/// let step = walk.refused(NoPick::AllTried { untried: 0, soonest: None }, now, dice, &Config);
/// assert_eq!(step, Step::GiveUp(GiveUp::Failed));
/// ```
#[derive(Debug)]
pub struct Walk {
    limits: Limits,
    first: usize,
    leg: Leg,
    tried: Tried,
    /// Fallback targets that were asked, whether or not they had a deployment.
    visited: Vec<usize>,
    /// Fallback targets to ask, the next one last.
    pending: Vec<usize>,
    /// Legs that found every deployment cooling down or full.
    parked: Vec<Parked>,
    retries: u32,
    fallbacks: u32,
    /// Legs on which the request was held to be too long, since the last attempt.
    too_long: Vec<Leg>,
    /// What the caller reckons of its length does not count any more.
    insists: bool,
    /// Time given to waits for cooldowns.
    waited: Duration,
    /// Whether a target was found full.
    is_full: bool,
}

impl Walk {
    /// A walk that begins at a target.
    #[must_use]
    pub fn new(first: usize, limits: Limits) -> Self {
        Self {
            limits,
            first,
            leg: Leg::first(first),
            tried: Tried::default(),
            visited: Vec::new(),
            pending: Vec::new(),
            parked: Vec::new(),
            retries: 0,
            fallbacks: 0,
            too_long: Vec::new(),
            insists: false,
            waited: Duration::ZERO,
            is_full: false,
        }
    }

    /// The first step.
    pub fn start(&mut self, now: Duration) -> Step {
        self.ask(now)
    }

    /// The attempt failed.
    ///
    /// `may_retry` is asked at most once, when everything else allows a retry; it spends the group's budget.
    // The jitter of every wait is cut from a `dice` that was rolled for it. tower clones one generator into each
    // backoff, and all clones roll the same numbers: four sessions slept exactly 134, 292 and 795 ms, together.
    // A walk has no generator that could be cloned.
    pub fn failed(
        &mut self,
        attempt: FailedAttempt,
        now: Duration,
        dice: u64,
        may_retry: impl FnOnce() -> bool,
        directions: &impl Directions,
    ) -> Step {
        self.note(attempt, now);
        let outcome = attempt.outcome;
        self.leg.failed(outcome);
        if outcome.remedy() == Remedy::None {
            return Step::GiveUp(GiveUp::Failed);
        }
        if self.limits.deadline <= now {
            return Step::GiveUp(GiveUp::Deadline);
        }
        let target = self.leg.target;
        self.leg.retries = directions.retries(target, outcome);
        if self.retries < self.limits.max_retries && self.leg.attempts <= self.leg.retries && may_retry() {
            self.retries += 1;
            return self.ask(now);
        }
        // A request that is too long or too bold for one level is so for all of them.
        let level = self.leg.lowest_order;
        if self.leg.reason == FallbackFor::Any
            && self.fallbacks < self.limits.max_fallbacks
            && directions.has_level_above(target, level)
        {
            return self.enter(Leg::above(target, level), now);
        }
        self.fall_back(self.leg.reason, now, dice, directions)
    }

    /// An attempt failed while another one of this request is under way: its deployment counts as tried.
    ///
    /// For hedges. Nothing is to be done next, and it counts neither as a retry nor as a fallback.
    pub fn note(&mut self, attempt: FailedAttempt, now: Duration) {
        let FailedAttempt { deployment, order, outcome } = attempt;
        self.leg.lowest_order = order.min(self.leg.lowest_order);
        // A failure says more than a reckoning.
        self.too_long.clear();
        self.tried.add(
            deployment,
            Trial {
                target: self.leg.target,
                order,
                failed_at: now,
                // "In 0 s" says nothing of when, and at once would not be a rest.
                until: outcome
                    .retry_after()
                    .filter(|rest| !rest.is_zero())
                    .map(|rest| now.saturating_add(rest.max(self.limits.retry_after))),
                again: outcome.remedy() != Remedy::OtherDeployment,
            },
        );
        self.tried.bar_for(&self.leg);
    }

    /// No deployment could be picked.
    pub fn refused(
        &mut self,
        refusal: NoPick,
        now: Duration,
        dice: u64,
        directions: &impl Directions,
    ) -> Step {
        if self.limits.deadline <= now {
            return Step::GiveUp(GiveUp::Deadline);
        }
        let reason = match refusal {
            NoPick::AllTried { untried, soonest } => {
                if let Some(step) = self.again((untried, soonest), now, dice, directions) {
                    return step;
                }
                // What is available here was tried by another name, so for this request all others cool down.
                if let (true, Some(soonest)) = (self.is_new_leg(), soonest) {
                    self.park(soonest, false, now);
                }
                self.leg.reason
            }
            // It has waited for a place already.
            NoPick::AllFull if self.leg.queued => self.leg.reason,
            NoPick::AllFull => {
                self.is_full = true;
                self.park_leg(now, true, now)
            }
            NoPick::AllCooling { soonest } => self.park_leg(soonest, false, now),
            NoPick::Empty => FallbackFor::Any,
            NoPick::TooLong => {
                if !self.insists {
                    self.too_long.push(self.leg);
                }
                FallbackFor::ContextWindow
            }
        };
        self.uncount();
        self.fall_back(reason, now, dice, directions)
    }

    /// The wait is over.
    pub fn waited(&mut self, now: Duration) -> Step {
        self.leg.force = false;
        // Also those that had their rest: an untried one that is back by now goes first.
        self.tried.leave_all_out();
        self.ask(now)
    }

    /// The deployments that a pick leaves out.
    #[must_use]
    pub fn tried(&self) -> &[DeploymentIndex] {
        self.tried.left_out()
    }

    /// Those of [`Walk::tried`] that this request will not ask again: a wait for them would be in vain.
    #[must_use]
    pub fn barred(&self) -> &[DeploymentIndex] {
        self.tried.barred()
    }

    /// The target that the request is on.
    #[must_use]
    pub fn target(&self) -> usize {
        self.leg.target
    }

    /// The target that the walk began at.
    #[must_use]
    pub fn first(&self) -> usize {
        self.first
    }

    /// Retries so far on all targets, the one under way included.
    #[must_use]
    pub fn retries(&self) -> u32 {
        self.retries
    }

    /// Fallback targets and order levels on which an attempt was made, the one under way included.
    #[must_use]
    pub fn fallbacks(&self) -> u32 {
        self.fallbacks
    }

    fn ask(&self, now: Duration) -> Step {
        if self.limits.deadline <= now {
            return Step::GiveUp(GiveUp::Deadline);
        }
        let Leg { target, above_order, force, queued: queue, .. } = self.leg;
        Step::Pick(Ask { target, above_order, force, queue, insist: self.insists })
    }

    /// Asks on a new or a parked leg.
    fn enter(&mut self, leg: Leg, now: Duration) -> Step {
        self.leg = leg;
        self.count();
        self.tried.bar_for(&self.leg);
        self.ask(now)
    }

    /// The leg's next attempt is a retry, or its fallback's first.
    fn count(&mut self) {
        if 0 < self.leg.attempts {
            self.retries += 1;
        } else if self.leg.is_fallback {
            self.fallbacks += 1;
        }
    }

    /// The attempt that [`Self::count`] counted was not made.
    fn uncount(&mut self) {
        if 0 < self.leg.attempts {
            self.retries -= 1;
        } else if self.leg.is_fallback {
            self.fallbacks -= 1;
        }
    }

    /// Nothing was tried on this leg, nor waited for.
    fn is_new_leg(&self) -> bool {
        self.leg.attempts == 0 && !self.leg.waited
    }

    fn has_fallback(&self, directions: &impl Directions) -> bool {
        let mut targets = self.pending.iter().chain(directions.fallbacks(self.leg.target, self.leg.reason));
        self.fallbacks < self.limits.max_fallbacks && targets.any(|target| self.is_new(*target))
    }

    fn is_new(&self, target: usize) -> bool {
        target != self.first && !self.visited.contains(&target)
    }

    /// Leaves a leg whose deployments cool down or are full. Meanwhile those that it tried have their rest.
    fn park(&mut self, soonest: Duration, is_full: bool, now: Duration) {
        self.rest_tried(now);
        self.parked.push(Parked { leg: self.leg, soonest, is_full });
    }

    /// The same for a leg on which nobody else can be asked; returns why a fallback is needed.
    fn park_leg(&mut self, soonest: Duration, is_full: bool, now: Duration) -> FallbackFor {
        self.park(soonest, is_full, now);
        if 0 < self.leg.attempts { self.leg.reason } else { FallbackFor::Any }
    }

    fn rest_tried(&mut self, now: Duration) {
        let due = now.saturating_add(rest::backoff(self.leg.rests));
        self.tried.rest(&self.leg, due, self.limits.retry_after);
    }

    /// The leg is over: on to the next target, or back to one that cooled down.
    fn fall_back(
        &mut self,
        reason: FallbackFor,
        now: Duration,
        dice: u64,
        directions: &impl Directions,
    ) -> Step {
        // Depth first: a target's own list goes before what is left of the list that led to it.
        self.pending.extend(directions.fallbacks(self.leg.target, reason).iter().rev());
        while self.fallbacks < self.limits.max_fallbacks
            && let Some(target) = self.pending.pop()
        {
            if self.is_new(target) {
                self.visited.push(target);
                return self.enter(Leg::fallback(target, reason), now);
            }
        }
        self.last_resort(now, dice)
    }
}
