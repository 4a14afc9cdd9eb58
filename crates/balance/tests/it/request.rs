//! One request's walk in a small world: groups, deployments that cool down, and a clock.
//!
//! A test tells it as a dialogue: the request goes to A, fails, waits, goes to B, succeeds. The world picks for
//! the walk as a group would, among the members it may have.

use std::ops::RangeInclusive;
use std::time::Duration;

use leastbusy_balance::{
    Ask, DeploymentIndex, Directions, FailedAttempt, FallbackFor, Fleet, GiveUp, Limits, NoPick, Outcome,
    Remedy, Step, Walk,
};

/// A model group: its members with their order, and the groups to fall back to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Room {
    pub(crate) members: Vec<(usize, i64)>,
    pub(crate) fallbacks: Vec<usize>,
    pub(crate) context_window_fallbacks: Vec<usize>,
    /// Whether requests are held to be too long for it.
    pub(crate) is_short: bool,
}

/// What the configuration says.
#[derive(Debug, Clone, Default)]
pub(crate) struct Plan {
    pub(crate) rooms: Vec<Room>,
    /// Retries where the remedy allows one.
    pub(crate) retries: u32,
    /// `BadRequestErrorRetries`, which holds for requests that are too long as well.
    pub(crate) bad_request_retries: Option<u32>,
}

impl Plan {
    /// Adds a group whose members are all on one level.
    pub(crate) fn room(self, members: &[usize], fallbacks: &[usize]) -> Self {
        let members: Vec<_> = members.iter().map(|&member| (member, 0)).collect();
        self.levels(&members, fallbacks)
    }

    /// Adds a group of `(deployment, order)`.
    pub(crate) fn levels(mut self, members: &[(usize, i64)], fallbacks: &[usize]) -> Self {
        let (members, fallbacks) = (members.to_vec(), fallbacks.to_vec());
        self.rooms.push(Room { members, fallbacks, ..Room::default() });
        self
    }

    /// Gives the group that was added last a list for requests that are too long.
    pub(crate) fn or_if_too_long(mut self, fallbacks: &[usize]) -> Self {
        let room = self.rooms.last_mut().expect("a group was added");
        room.context_window_fallbacks = fallbacks.to_vec();
        self
    }

    /// Has requests be held to be too long for the group that was added last.
    pub(crate) fn short(mut self) -> Self {
        self.rooms.last_mut().expect("a group was added").is_short = true;
        self
    }

    pub(crate) fn retries(self, retries: u32) -> Self {
        Self { retries, ..self }
    }

    pub(crate) fn deployments(&self) -> usize {
        let members = self.rooms.iter().flat_map(|room| &room.members);
        members.map(|(deployment, _)| deployment + 1).max().unwrap_or_default()
    }

    pub(crate) fn request(&self) -> Request<'_> {
        self.request_within(Limits::default())
    }

    /// A request to the first group.
    pub(crate) fn request_within(&self, limits: Limits) -> Request<'_> {
        Request::new(self, limits)
    }
}

impl Directions for Plan {
    fn retries(&self, _target: usize, outcome: Outcome) -> u32 {
        match outcome {
            Outcome::BadRequest | Outcome::ContextWindow => self.bad_request_retries.unwrap_or_default(),
            outcome if outcome.remedy() == Remedy::OtherGroup => 0,
            _ => self.retries,
        }
    }

    fn fallbacks(&self, target: usize, reason: FallbackFor) -> &[usize] {
        let is_for_too_long = reason == FallbackFor::ContextWindow
            && self.rooms.iter().any(|room| !room.context_window_fallbacks.is_empty());
        let room = &self.rooms[target];
        if is_for_too_long { &room.context_window_fallbacks } else { &room.fallbacks }
    }

    fn has_level_above(&self, target: usize, order: i64) -> bool {
        self.rooms[target].members.iter().any(|member| order < member.1)
    }
}

/// A request on its way.
pub(crate) struct Request<'p> {
    pub(crate) plan: &'p Plan,
    pub(crate) now: Duration,
    /// The moment at which each deployment's cooldown ends.
    pub(crate) cooling: Vec<Duration>,
    pub(crate) walk: Walk,
    pub(crate) step: Step,
    /// The retries that the budget has left.
    pub(crate) budget: u32,
    pub(crate) deployments: Vec<DeploymentIndex>,
    /// Rolls a new number for each call.
    pub(crate) dice: u64,
    /// The deployment and order of the attempt under way.
    on: Option<(usize, i64)>,
}

impl<'p> Request<'p> {
    fn new(plan: &'p Plan, limits: Limits) -> Self {
        let fleet = Fleet::new();
        let now = Duration::from_secs(1000);
        let mut walk = Walk::new(0, limits);
        Self {
            plan,
            now,
            cooling: vec![Duration::ZERO; plan.deployments()],
            step: walk.start(now),
            walk,
            budget: u32::MAX,
            deployments: (0..plan.deployments()).map(|_| fleet.deploy()).collect(),
            dice: 0,
            on: None,
        }
    }

    /// A deployment cools down for so many seconds.
    pub(crate) fn cools(&mut self, deployment: usize, seconds: u64) -> &mut Self {
        self.cooling[deployment] = self.now + Duration::from_secs(seconds);
        self
    }

    /// The members a pick may choose from, or why there are none.
    pub(crate) fn candidates(&self, ask: Ask) -> Result<Vec<(usize, i64)>, NoPick> {
        if self.plan.rooms[ask.target].is_short && !ask.insist {
            return Err(NoPick::TooLong);
        }
        let above = |member: &&(usize, i64)| ask.above_order.is_none_or(|order| order < member.1);
        let members: Vec<_> = self.plan.rooms[ask.target].members.iter().filter(above).copied().collect();
        let ends = |member: &(usize, i64)| self.cooling[member.0];
        let is_available = |member: &(usize, i64)| ask.force || ends(member) <= self.now;
        let is_free = |member: &(usize, i64)| !self.walk.tried().contains(&self.deployments[member.0]);
        let is_barred = |member: &&(usize, i64)| self.walk.barred().contains(&self.deployments[member.0]);
        let cools = members.iter().filter(|member| self.now < ends(member) && !is_barred(member));
        let untried: Vec<_> = cools.clone().filter(|member| is_free(member)).map(ends).collect();
        let all_tried =
            NoPick::AllTried { untried: untried.len() as u32, soonest: untried.into_iter().min() };
        if members.is_empty() {
            return Err(NoPick::Empty);
        }
        if !members.iter().any(is_available) {
            let soonest = cools.map(ends).min();
            return Err(soonest.map_or(all_tried, |soonest| NoPick::AllCooling { soonest }));
        }
        let mut free: Vec<_> =
            members.into_iter().filter(|member| is_available(member) && is_free(member)).collect();
        let best = if ask.force {
            free.sort_by_key(ends);
            free.truncate(1);
            None
        } else {
            free.iter().map(|member| member.1).min()
        };
        free.retain(|member| best.is_none_or(|order| member.1 == order));
        if free.is_empty() { Err(all_tried) } else { Ok(free) }
    }

    /// Tells the walk that a pick came to nothing.
    pub(crate) fn refuse(&mut self, refusal: NoPick) {
        self.dice += 1;
        self.step = self.walk.refused(refusal, self.now, self.dice, self.plan);
    }

    /// Tells the walk that the attempt on a deployment failed.
    pub(crate) fn fail(&mut self, (deployment, order): (usize, i64), outcome: Outcome) {
        self.dice += 1;
        let attempt = FailedAttempt { deployment: self.deployments[deployment], order, outcome };
        let budget = &mut self.budget;
        let may_retry = || {
            let may = 0 < *budget;
            *budget = budget.saturating_sub(1);
            may
        };
        self.step = self.walk.failed(attempt, self.now, self.dice, may_retry, self.plan);
    }

    /// Lets the time pass that the walk waits for.
    pub(crate) fn sleep(&mut self, wait: Duration) {
        self.now += wait;
        self.step = self.walk.waited(self.now);
    }

    /// Picks until a deployment is found or the walk does something else.
    fn settle(&mut self) {
        while let (Step::Pick(ask), None) = (self.step, self.on) {
            match self.candidates(ask) {
                Ok(candidates) => self.on = Some(candidates[0]),
                Err(refusal) => self.refuse(refusal),
            }
        }
    }

    /// The next attempt is on this deployment.
    #[track_caller]
    pub(crate) fn goes_to(&mut self, deployment: usize) -> &mut Self {
        self.settle();
        let on = self.on.map(|(deployment, _)| deployment);
        assert_eq!(on, Some(deployment), "where the request goes; its step is {:?}", self.step);
        self
    }

    /// The attempt takes so long.
    pub(crate) fn takes(&mut self, seconds: u64) -> &mut Self {
        self.now += Duration::from_secs(seconds);
        self
    }

    /// The attempt under way fails.
    #[track_caller]
    pub(crate) fn fails(&mut self, outcome: Outcome) -> &mut Self {
        let on = self.on.take().expect("an attempt is under way");
        self.fail(on, outcome);
        self
    }

    /// The attempt under way fails, and its deployment has to cool down for so many seconds.
    #[track_caller]
    pub(crate) fn fails_and_cools(&mut self, outcome: Outcome, seconds: u64) -> &mut Self {
        let (deployment, _) = self.on.expect("an attempt is under way");
        self.cools(deployment, seconds).fails(outcome)
    }

    /// The next thing is a wait of so many milliseconds, and it passes.
    #[track_caller]
    pub(crate) fn waits(&mut self, millis: RangeInclusive<u128>) -> &mut Self {
        self.settle();
        let Step::Wait(wait) = self.step else { panic!("no wait, but {:?} on {:?}", self.step, self.on) };
        assert!(millis.contains(&wait.as_millis()), "a wait of {wait:?}, not of {millis:?} ms");
        self.sleep(wait);
        self
    }

    /// The request ends with an error.
    #[track_caller]
    pub(crate) fn gives_up(&mut self, why: GiveUp) -> &mut Self {
        self.settle();
        assert_eq!((self.step, self.on), (Step::GiveUp(why), None));
        self
    }

    /// The attempt under way succeeds, after so many retries and fallbacks.
    #[track_caller]
    pub(crate) fn succeeds(&mut self, retries: u32, fallbacks: u32) {
        assert!(self.on.is_some(), "an attempt is under way");
        assert_eq!((self.walk.retries(), self.walk.fallbacks()), (retries, fallbacks), "retries, fallbacks");
    }
}
