//! All small walks, none left out: whatever each attempt ends with, every step keeps the rules.

use std::collections::HashSet;
use std::thread;
use std::time::Duration;

use leastbusy_balance::{Ask, Directions, GiveUp, Limits, NoPick, Outcome, Remedy, Step, WhenAllCooling};

use crate::choices::Choices;
use crate::request::{Plan, Request};

/// What one attempt may end with, and whether its deployment then cools down, for so many seconds.
pub(crate) const ENDS: [(Outcome, u64); 10] = [
    (Outcome::ServerError, 0),
    (Outcome::Success, 0),
    (Outcome::ServerError, 2),
    (Outcome::RateLimited { retry_after: Some(Duration::from_secs(2)) }, 2),
    (Outcome::RateLimited { retry_after: Some(Duration::from_secs(20)) }, 0),
    (Outcome::RateLimited { retry_after: None }, 0),
    (Outcome::Authentication, 0),
    (Outcome::BadRequest, 0),
    (Outcome::ContextWindow, 0),
    (Outcome::ClientLeft, 0),
];

/// Groups of up to three deployments, and how they lead to each other.
pub(crate) fn plans() -> Vec<Plan> {
    let plan = Plan::default;
    vec![
        plan().room(&[], &[]),
        plan().room(&[0], &[]),
        plan().room(&[0, 1], &[]),
        plan().room(&[0, 1, 2], &[]),
        plan().levels(&[(0, 1), (1, 2)], &[]),
        plan().levels(&[(0, 1), (1, 1), (2, 2)], &[1]).room(&[0], &[]),
        plan().levels(&[(0, 1), (1, 2), (2, 3)], &[]),
        // A chain, a cycle, itself, a repeated target.
        plan().room(&[0], &[1]).room(&[1], &[2]).room(&[2], &[]),
        plan().room(&[0], &[1]).room(&[1], &[2, 0]).room(&[2], &[0, 1]),
        plan().room(&[0, 1], &[0, 1, 1]).room(&[2], &[1, 0]),
        plan().room(&[0], &[1, 2]).room(&[1], &[]).room(&[2], &[1]),
        // Groups that share deployments, or are the same by another name, or empty.
        plan().room(&[0, 1], &[1]).room(&[1, 2], &[]),
        plan().room(&[0], &[1, 2]).room(&[0], &[2]).room(&[0, 1], &[]),
        plan().room(&[], &[1]).room(&[0], &[2]).room(&[], &[0]),
        plan().levels(&[(0, 1), (1, 2)], &[1]).levels(&[(2, 2), (1, 1)], &[0]),
        // A list of its own for requests that are too long.
        plan().room(&[0], &[1]).or_if_too_long(&[2]).room(&[1], &[]).room(&[2], &[1]),
        // Groups that it seems too long for, with a way elsewhere and without.
        plan().room(&[0], &[1]).short().or_if_too_long(&[2]).room(&[1], &[]).room(&[2], &[1]).short(),
        plan().room(&[0, 1], &[1]).or_if_too_long(&[2]).room(&[1], &[2]).short().room(&[2], &[]).short(),
        plan().levels(&[(0, 1), (1, 2)], &[]).short().or_if_too_long(&[1]).room(&[2], &[0]),
        plan()
            .room(&[0], &[])
            .short()
            .or_if_too_long(&[1, 2])
            .room(&[1], &[])
            .short()
            .room(&[0, 2], &[])
            .short(),
    ]
}

fn limits() -> Vec<Limits> {
    let wait = WhenAllCooling::Wait(Duration::from_secs(3));
    let limits = |max_fallbacks, when_all_cooling, seconds: u64| Limits {
        max_fallbacks,
        when_all_cooling,
        deadline: Duration::from_secs(1000 + seconds),
        ..Limits::default()
    };
    vec![
        limits(0, WhenAllCooling::Fail, 3600),
        limits(1, wait, 3600),
        limits(2, wait, 3600),
        limits(2, WhenAllCooling::TrySoonest, 3600),
        limits(2, wait, 4),
        Limits { max_retries: 1, ..limits(2, WhenAllCooling::TrySoonest, 3600) },
        Limits { retry_after: Duration::from_secs(9), ..limits(1, wait, 30) },
    ]
}

type Leg = (usize, Option<i64>);

/// An attempt that was made.
#[derive(Debug)]
struct Attempt {
    leg: Leg,
    deployment: usize,
    ended: Duration,
    outcome: Outcome,
}

/// Watches one walk, and knows nothing of how it decides.
#[derive(Debug)]
struct Witness {
    steps: Vec<(Duration, Step)>,
    limits: Limits,
    attempts: Vec<Attempt>,
    /// Legs in the order they were asked on.
    legs: Vec<Leg>,
    /// Legs that found every deployment cooling down.
    parked: HashSet<Leg>,
    /// Legs that the request was held to be too long for.
    too_long: HashSet<Leg>,
    /// Whether there was one since the last attempt.
    is_ruled_out: bool,
    waited: Duration,
    /// The target that a wait is for, until an attempt is made.
    waits_for: Option<usize>,
    /// The wait has just ended.
    is_awake: bool,
    /// The budget was empty when the last attempt failed.
    may_not_retry: bool,
}

impl Witness {
    fn new(limits: Limits) -> Self {
        Self {
            steps: Vec::new(),
            limits,
            attempts: Vec::new(),
            legs: Vec::new(),
            parked: HashSet::new(),
            too_long: HashSet::new(),
            is_ruled_out: false,
            waited: Duration::ZERO,
            waits_for: None,
            is_awake: false,
            may_not_retry: false,
        }
    }

    /// The last attempt on a deployment.
    fn last_on(&self, deployment: usize) -> Option<&Attempt> {
        self.attempts.iter().rfind(|attempt| attempt.deployment == deployment)
    }

    /// How long a deployment is to be left alone after an attempt.
    fn rest_after(&self, attempt: &Attempt) -> Duration {
        attempt.outcome.retry_after().unwrap_or(Duration::from_millis(500)).max(self.limits.retry_after)
    }

    fn asks(&mut self, ask: Ask, request: &Request<'_>) {
        assert!(request.now < self.limits.deadline, "nothing begins at or after the deadline");
        assert_eq!(request.walk.target(), ask.target);
        if ask.force {
            assert_eq!(self.limits.when_all_cooling, WhenAllCooling::TrySoonest);
        }
        let leg = (ask.target, ask.above_order);
        let may_return = self.parked.contains(&leg) || ask.insist && self.too_long.contains(&leg);
        if self.legs.last() != Some(&leg) {
            let is_new = !self.legs.contains(&leg);
            assert!(is_new || may_return, "{leg:?} is left for good, unless it cooled down or was not asked");
            self.legs.push(leg);
        } else if self.may_not_retry && !self.attempts.is_empty() {
            assert!(may_return, "no retry without budget");
        }
        if self.is_awake {
            assert_eq!(self.waits_for, Some(ask.target), "a wait is for an attempt where the request is");
            self.is_awake = false;
        }
    }

    /// An attempt begins on one of the candidates.
    fn goes_to(&mut self, ask: Ask, candidates: &[(usize, i64)], deployment: usize, request: &Request<'_>) {
        let (plan, limits) = (request.plan, self.limits);
        if let Some(before) = self.last_on(deployment) {
            assert_eq!(before.leg.0, ask.target, "tried by another name");
            assert_ne!(before.outcome.remedy(), Remedy::OtherDeployment, "it would say the same");
            let rest = self.rest_after(before);
            assert!(before.ended + rest <= request.now, "{deployment} was to rest for {rest:?}");
            let above = |member: &&(usize, i64)| ask.above_order.is_none_or(|order| order < member.1);
            let members = plan.rooms[ask.target].members.iter().filter(above);
            let mut available =
                members.filter(|member| ask.force || request.cooling[member.0] <= request.now);
            let is_tried = |member: &(usize, i64)| self.last_on(member.0).is_some();
            assert!(available.all(is_tried), "{deployment} again, while an untried one is available");
            if !ask.force {
                self.keeps_retries(ask, deployment, request);
            }
        } else {
            let is_tried = |candidate: &(usize, i64)| self.last_on(candidate.0).is_some();
            assert!(!candidates.iter().any(is_tried), "the pick had the choice of a tried one");
        }
        let leg = (ask.target, ask.above_order);
        let on_leg: Vec<_> = self.attempts.iter().filter(|attempt| attempt.leg == leg).collect();
        if let Some(before) = on_leg.last() {
            let is_wrong = before.outcome.remedy() == Remedy::OtherGroup;
            assert!(!is_wrong || plan.bad_request_retries.is_some(), "only a policy retries a wrong request");
        }
        let retries = plan.retries.max(plan.bad_request_retries.unwrap_or_default()) as usize;
        assert!(on_leg.len() <= retries, "retries on {leg:?}");
        // The counts include the attempt that begins.
        let legs: HashSet<_> = self.attempts.iter().map(|attempt| attempt.leg).chain([leg]).collect();
        let fallbacks = legs.iter().filter(|leg| **leg != (0, None)).count();
        assert_eq!(request.walk.retries() as usize, self.attempts.len() + 1 - legs.len(), "retries");
        assert_eq!(request.walk.fallbacks() as usize, fallbacks, "fallbacks");
        assert!(request.walk.retries() <= limits.max_retries, "max_retries");
        assert!(request.walk.fallbacks() <= limits.max_fallbacks, "max_fallbacks");
        let most = (1 + retries) * (1 + limits.max_fallbacks as usize);
        assert!(self.attempts.len() < most, "{most} attempts at most");
        self.waits_for = None;
    }

    /// A deployment is tried again, so a retry is left for each untried one that cools down and returns in time.
    fn keeps_retries(&self, ask: Ask, deployment: usize, request: &Request<'_>) {
        let plan = request.plan;
        let last = self.attempts.last().expect("one was tried");
        let returns = |member: &(usize, i64)| request.cooling[member.0];
        let in_time =
            |end: Duration| end < self.limits.deadline && end <= last.ended + Duration::from_secs(7);
        let above = |member: &&(usize, i64)| ask.above_order.is_none_or(|order| order < member.1);
        let members = plan.rooms[ask.target].members.iter().filter(above);
        let untried = members.filter(|member| self.last_on(member.0).is_none());
        let untried = untried.filter(|member| request.now < returns(member)).map(returns);
        let leg = (ask.target, ask.above_order);
        let on_leg: Vec<_> = self.attempts.iter().filter(|attempt| attempt.leg == leg).collect();
        let allowed = on_leg.last().map_or(0, |last| plan.retries(ask.target, last.outcome));
        let left = (allowed as usize).saturating_sub(on_leg.len());
        let left = left.min((self.limits.max_retries - request.walk.retries()) as usize);
        assert!(
            !untried.clone().any(in_time) || untried.count() <= left,
            "{deployment} again, with the last retries"
        );
    }

    fn waits(&mut self, wait: Duration, request: &Request<'_>) {
        assert!(request.now + wait < self.limits.deadline, "a wait ends before the deadline");
        assert!(Duration::from_millis(10) <= wait, "a wait gets somewhere");
        self.waited += wait;
        let for_cooldowns = match self.limits.when_all_cooling {
            WhenAllCooling::Wait(longest) => longest,
            WhenAllCooling::Fail | WhenAllCooling::TrySoonest => Duration::ZERO,
        };
        let for_retries = Duration::from_millis(60_750) * u32::try_from(self.attempts.len()).expect("few");
        assert!(self.waited <= for_cooldowns + for_retries, "waited for {:?} in all", self.waited);
        self.waits_for = Some(request.walk.target());
        self.is_awake = true;
    }

    fn gives_up(&self, why: GiveUp, request: &Request<'_>) {
        let (is_tried, is_parked) = (!self.attempts.is_empty(), !self.parked.is_empty());
        match why {
            GiveUp::Failed => assert!(is_tried),
            GiveUp::Cooling { remaining } => {
                let cooling = request.cooling.iter().filter(|end| request.now < **end);
                let soonest = cooling.map(|end| *end - request.now).min().unwrap_or_default();
                assert_eq!((is_tried, is_parked, remaining >= soonest), (false, true, true));
            }
            GiveUp::Full => panic!("nobody is full"),
            GiveUp::Empty => assert_eq!((is_tried, is_parked), (false, false)),
            GiveUp::Deadline => assert!(self.limits.deadline <= request.now),
        }
        let insists = matches!(self.steps.iter().rev().nth(1), Some((_, Step::Pick(ask))) if ask.insist);
        let is_over = matches!(why, GiveUp::Deadline);
        assert!(insists || is_over || !self.is_ruled_out, "a reckoning refuses nothing");
        // What a wait was for may turn out to cool down for longer than there is time, or to have been tried by another
        // name since. A wait that no attempt followed is in vain only if somebody could have been asked.
        if self.waits_for.is_some() {
            let (target, above_order) = *self.legs.last().expect("it waited somewhere");
            let above = |member: &&(usize, i64)| above_order.is_none_or(|order| order < member.1);
            let may_be_asked = |member: &(usize, i64)| {
                request.cooling[member.0] <= request.now
                    && self.last_on(member.0).is_none_or(|before| {
                        before.leg.0 == target
                            && before.outcome.remedy() != Remedy::OtherDeployment
                            && before.ended + self.rest_after(before) <= request.now
                    })
            };
            let members = request.plan.rooms[target].members.iter();
            assert!(!members.filter(above).any(may_be_asked), "a wait that no attempt followed");
        }
    }
}

impl Drop for Witness {
    /// A walk that breaks a rule is told from its beginning.
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("{self:?}");
        }
    }
}

/// One walk, as the choices have it. The first `free` attempts may end with anything, the others with an error.
fn walk(plan: &Plan, limits: Limits, free: usize, choices: &mut Choices) {
    let mut request = plan.request_within(limits);
    for deployment in 0..plan.deployments() {
        request.cools(deployment, [0, 2][choices.choose(2)]);
    }
    if 0 < plan.retries {
        request.budget = [u32::MAX, 1][choices.choose(2)];
    }
    let mut witness = Witness::new(limits);
    for _ in 0..200 {
        witness.steps.push((request.now, request.step));
        match request.step {
            Step::GiveUp(why) => return witness.gives_up(why, &request),
            Step::Wait(wait) => {
                witness.waits(wait, &request);
                request.sleep(wait);
            }
            Step::Pick(ask) => {
                witness.asks(ask, &request);
                let candidates = match request.candidates(ask) {
                    Ok(candidates) => candidates,
                    Err(refusal) => {
                        if matches!(refusal, NoPick::AllCooling { .. }) {
                            witness.parked.insert((ask.target, ask.above_order));
                        }
                        if refusal == NoPick::TooLong {
                            witness.too_long.insert((ask.target, ask.above_order));
                            witness.is_ruled_out = true;
                        }
                        request.refuse(refusal);
                        continue;
                    }
                };
                let (deployment, order) = candidates[choices.choose(candidates.len())];
                witness.goes_to(ask, &candidates, deployment, &request);
                let ends = if witness.attempts.len() < free { ENDS.len() } else { 1 };
                let (outcome, cooldown) = ENDS[choices.choose(ends)];
                if outcome == Outcome::Success {
                    return;
                }
                request.now += Duration::from_secs(1);
                if 0 < cooldown {
                    request.cools(deployment, cooldown);
                }
                witness.is_ruled_out = false;
                witness.may_not_retry = request.budget == 0;
                let leg = (ask.target, ask.above_order);
                witness.attempts.push(Attempt { leg, deployment, ended: request.now, outcome });
                request.fail((deployment, order), outcome);
                if outcome == Outcome::ClientLeft {
                    assert_eq!(request.step, Step::GiveUp(GiveUp::Failed), "nobody is there to be served");
                }
            }
        }
    }
    panic!("no end: {:?}", request.walk);
}

#[test]
fn every_walk_keeps_the_rules() {
    let mut walks = 0;
    for plan in plans() {
        for limits in limits() {
            for (retries, free) in [(0, 3), (1, 2), (2, 2)] {
                for bad_request_retries in [None, Some(1)] {
                    let plan = Plan { bad_request_retries, ..plan.clone().retries(retries) };
                    let mut choices = Choices::default();
                    while choices.advance() {
                        walk(&plan, limits, free, &mut choices);
                        walks += 1;
                    }
                }
            }
        }
    }
    eprintln!("{walks} walks");
    assert!(200_000 < walks, "{walks} walks");
}
