//! When a deployment rests, and when it does not: each rule as a short story.

use std::sync::Arc;
use std::time::Duration;

use leastbusy_balance::{
    ByClass, Condition, DeploymentIndex, Ending, ErrorClass, Fleet, Group, HealthRules, Member, Outcome,
    Phase, Pick, Refusal, Standing, TieBreak, Tolerance, Weight,
};

const RATE_LIMITED: Outcome = Outcome::RateLimited { retry_after: None };
const TIMED_OUT: Outcome = Outcome::Timeout(Phase::FirstByte);

fn asks_for(seconds: u64) -> Outcome {
    Outcome::RateLimited { retry_after: Some(Duration::from_secs(seconds)) }
}

/// A group whose deployments answer as they are told, and a clock that goes when it is told.
struct Stage {
    fleet: Arc<Fleet>,
    deployments: Vec<DeploymentIndex>,
    group: Group,
    now: Duration,
}

impl Stage {
    fn of(deployments: usize) -> Self {
        Self::with_rules(vec![HealthRules::default(); deployments])
    }

    fn with_rules(rules: Vec<HealthRules>) -> Self {
        let fleet = Fleet::new();
        let deployments: Vec<_> = rules.iter().map(|_| fleet.deploy()).collect();
        let members = deployments.iter().zip(rules);
        let members = members.map(|(&deployment, rules)| Member {
            rules: rules.into(),
            ..Member::new(deployment, Weight::ONE)
        });
        let group = fleet.group(members.collect(), TieBreak::First);
        Self { fleet, deployments, group, now: Duration::from_secs(1000) }
    }

    /// One request goes to the deployment, whatever the others do, and ends so.
    fn answers(&mut self, deployment: usize, ending: impl Into<Ending>) -> Option<Duration> {
        let others: Vec<_> =
            self.deployments.iter().copied().filter(|&other| other != self.deployments[deployment]).collect();
        let pick = Pick { tried: &others, now: self.now, even_resting: true, ..Pick::default() };
        let lease = self.group.pick(&pick).expect("one deployment is left");
        lease.end(ending, self.now).map(|until| until - self.now)
    }

    fn answers_times(&mut self, deployment: usize, outcome: Outcome, times: usize) {
        for _ in 0..times {
            self.answers(deployment, outcome);
        }
    }

    fn later(&mut self, seconds: f64) {
        self.now += Duration::from_secs_f64(seconds);
    }

    fn condition(&self, deployment: usize) -> Condition {
        self.fleet.condition(self.deployments[deployment], self.now)
    }

    /// Seconds of rest that are left; `None` for a deployment that does not rest.
    fn rest(&self, deployment: usize) -> Option<f64> {
        let condition = self.condition(deployment);
        (condition.standing == Standing::CoolingDown)
            .then(|| condition.cooldown.expect("a rest has a reason").remaining.as_secs_f64())
    }

    fn picks(&self) -> Result<usize, Refusal> {
        self.group.pick(&Pick { now: self.now, ..Pick::default() }).map(|lease| lease.member())
    }
}

fn tolerates(any: u32) -> HealthRules {
    HealthRules {
        router_tolerance: Tolerance { any: Some(any), ..Tolerance::default() },
        ..HealthRules::default()
    }
}

fn own_tolerates(any: u32) -> HealthRules {
    HealthRules { tolerance: Tolerance { any: Some(any), ..Tolerance::default() }, ..HealthRules::default() }
}

fn by_class(class: ErrorClass, number: u32) -> Tolerance {
    let mut by_class = ByClass::default();
    by_class.set(class, number);
    Tolerance { any: None, by_class }
}

#[test]
fn a_rate_limit_rests_one_of_two_at_once() {
    let mut stage = Stage::of(2);
    assert_eq!(stage.answers(0, RATE_LIMITED), Some(Duration::from_secs(5)), "LiteLLM's 5 s");
    assert_eq!(stage.picks(), Ok(1));
    assert_eq!(stage.answers(1, RATE_LIMITED), Some(Duration::from_secs(5)), "also the last one");
    let soonest = stage.now + Duration::from_secs(5);
    assert_eq!(stage.picks(), Err(Refusal::AllCooling { soonest }));
}

#[test]
fn a_rate_limit_never_rests_the_only_one() {
    let mut stage = Stage::of(1);
    stage.answers_times(0, RATE_LIMITED, 10);
    assert_eq!((stage.rest(0), stage.picks()), (None, Ok(0)));
}

#[test]
fn what_a_client_may_have_caused_never_rests_the_last_one_available() {
    for outcome in [Outcome::Authentication, Outcome::NotFound] {
        let mut stage = Stage::of(2);
        assert_eq!(stage.answers(0, outcome), Some(Duration::from_secs(5)));
        assert_eq!(stage.answers(1, outcome), None, "{outcome:?} of the last one");
        assert_eq!(Stage::of(1).answers(0, outcome), None, "{outcome:?} of the only one");
    }
}

#[test]
fn a_bad_request_is_not_the_deployments_fault() {
    let mut stage = Stage::with_rules(vec![tolerates(0), tolerates(0)]);
    for outcome in [Outcome::BadRequest, Outcome::ContextWindow, Outcome::ContentPolicy, Outcome::ClientLeft]
    {
        stage.answers_times(0, outcome, 20);
        assert_eq!(stage.rest(0), None, "{outcome:?}");
    }
}

#[test]
fn a_policy_may_name_even_a_bad_request() {
    let rules = HealthRules { tolerance: by_class(ErrorClass::BadRequest, 1), ..HealthRules::default() };
    let mut stage = Stage::with_rules(vec![rules, HealthRules::default()]);
    assert_eq!(stage.answers(0, Outcome::BadRequest), None);
    assert!(stage.answers(0, Outcome::BadRequest).is_some());

    let rules = HealthRules { tolerance: by_class(ErrorClass::BadRequest, 1), ..HealthRules::default() };
    let mut alone = Stage::with_rules(vec![rules]);
    alone.answers_times(0, Outcome::BadRequest, 9);
    assert_eq!(alone.rest(0), None, "but never the last one, for what a client caused");
}

#[test]
fn a_deployment_that_cannot_be_reached_rests_at_once() {
    for outcome in [Outcome::ConnectionFailed, Outcome::Timeout(Phase::Connect)] {
        let mut stage = Stage::of(3);
        assert!(stage.answers(0, outcome).is_some(), "{outcome:?}");
        assert!(stage.answers(1, outcome).is_some(), "{outcome:?}");
        assert!(stage.answers(2, outcome).is_none(), "the last one goes on");
    }
}

#[test]
fn one_failure_says_little_and_five_in_a_row_say_enough() {
    let mut stage = Stage::of(2);
    stage.answers_times(0, Outcome::ServerError, 4);
    assert_eq!(stage.rest(0), None);
    assert!(stage.answers(0, Outcome::ServerError).is_some());

    let mut stage = Stage::of(2);
    for _ in 0..20 {
        stage.answers_times(0, Outcome::ServerError, 4);
        stage.answers(0, Outcome::Success);
        stage.later(30.0);
    }
    assert_eq!(stage.rest(0), None, "a success in between starts the row anew");
}

#[test]
fn more_failures_than_successes_of_ten_say_enough() {
    let mut stage = Stage::of(2);
    for _ in 0..40 {
        stage.answers(0, Outcome::Success);
        stage.answers(0, TIMED_OUT);
    }
    assert_eq!(stage.rest(0), None, "40 of 80 is not most");
    assert!(stage.answers(0, TIMED_OUT).is_some(), "41 of 81 is");

    let mut stage = Stage::of(2);
    stage.answers_times(0, Outcome::Success, 7);
    stage.answers_times(0, Outcome::ServerError, 3);
    assert_eq!(stage.rest(0), None, "3 of 10");
}

#[test]
fn failures_leave_the_window_one_by_one() {
    let mut stage = Stage::of(2);
    for _ in 0..40 {
        stage.answers_times(0, Outcome::ServerError, 3);
        stage.answers(0, Outcome::Success);
        stage.later(4.0);
    }
    assert_eq!(stage.rest(0), None, "never ten answers within ten seconds");
}

#[test]
fn a_refusal_tells_when_the_first_untried_one_returns() {
    let mut stage = Stage::of(4);
    for (deployment, seconds) in [(1, 2), (2, 9), (3, 6)] {
        stage.answers(deployment, asks_for(seconds));
    }
    let after = |seconds| Some(stage.now + Duration::from_secs(seconds));
    for (tried, untried, soonest) in [
        (&stage.deployments[..1], 3, after(2)),
        (&stage.deployments[..2], 2, after(6)),
        (&stage.deployments[..], 0, None),
    ] {
        let refusal = stage.group.pick(&Pick { tried, now: stage.now, ..Pick::default() }).unwrap_err();
        assert_eq!(refusal, Refusal::AllTried { untried, soonest });
        let barred = &stage.deployments[..3];
        let refusal =
            stage.group.pick(&Pick { tried, barred, now: stage.now, ..Pick::default() }).unwrap_err();
        let (untried, soonest) = if 0 < untried { (1, after(6)) } else { (0, None) };
        assert_eq!(refusal, Refusal::AllTried { untried, soonest });
    }
}

#[test]
fn failing_now_and_then_rests_at_most_half_of_a_group_and_never_the_last() {
    let mut stage = Stage::of(4);
    for deployment in 0..4 {
        stage.answers_times(deployment, Outcome::ServerError, 50);
    }
    let resting = (0..4).filter(|&deployment| stage.rest(deployment).is_some()).count();
    assert_eq!(resting, 2);

    let mut stage = Stage::of(1);
    stage.answers_times(0, Outcome::ServerError, 1001);
    assert_eq!(stage.rest(0), None, "there is nobody else");
}

#[test]
fn each_of_three_that_fail_a_quarter_stays_and_the_one_that_fails_more_goes() {
    let mut stage = Stage::of(3);
    for round in 0..40 {
        for deployment in 0..3 {
            let fails = if deployment == 1 { round % 5 < 3 } else { round % 4 == 0 };
            stage.answers(deployment, if fails { Outcome::ServerError } else { Outcome::Success });
        }
        stage.later(0.05);
        if stage.rest(1).is_some() {
            break;
        }
    }
    assert_eq!((stage.rest(0), stage.rest(2)), (None, None));
    assert!(stage.rest(1).is_some(), "60 % is most");
}

#[test]
fn an_explicit_number_is_explicit() {
    for tolerated in [0, 1, 3, 100] {
        let mut stage = Stage::with_rules(vec![tolerates(tolerated), HealthRules::default()]);
        stage.answers_times(0, Outcome::ServerError, tolerated as usize);
        assert_eq!(stage.rest(0), None, "{tolerated} are tolerated");
        assert!(stage.answers(0, Outcome::ServerError).is_some(), "one more than {tolerated}");
    }
}

#[test]
fn an_explicit_number_rests_even_the_only_one() {
    let mut stage = Stage::with_rules(vec![tolerates(1)]);
    assert_eq!(stage.answers(0, TIMED_OUT), None);
    assert!(stage.answers(0, TIMED_OUT).is_some());

    let named = HealthRules { tolerance: by_class(ErrorClass::Timeout, 1), ..HealthRules::default() };
    let mut stage = Stage::with_rules(vec![named]);
    assert_eq!(stage.answers(0, TIMED_OUT), None);
    assert!(stage.answers(0, TIMED_OUT).is_some());

    let mut stage = Stage::with_rules(vec![own_tolerates(0)]);
    stage.answers_times(0, Outcome::ServerError, 20);
    assert_eq!(stage.rest(0), None, "LiteLLM: a bare number of its own does not");
}

#[test]
fn each_deployment_has_its_own_number_and_falls_back_on_the_routers() {
    let rules = HealthRules {
        router_tolerance: Tolerance { any: Some(2), ..Tolerance::default() },
        ..own_tolerates(0)
    };
    let mut stage = Stage::with_rules(vec![rules, tolerates(2)]);
    assert!(stage.answers(0, Outcome::ServerError).is_some());
    stage.answers_times(1, Outcome::ServerError, 2);
    assert_eq!(stage.rest(1), None);

    let rules = HealthRules { tolerance: by_class(ErrorClass::Timeout, 5), ..tolerates(0) };
    let mut stage = Stage::with_rules(vec![rules, HealthRules::default()]);
    assert_eq!(stage.answers(0, TIMED_OUT), None, "its own policy");
    assert!(stage.answers(0, Outcome::ServerError).is_some(), "which says nothing of this: the router's");
}

#[test]
fn each_class_with_a_number_counts_for_itself() {
    let mut tolerance = by_class(ErrorClass::Timeout, 2);
    tolerance.by_class.set(ErrorClass::RateLimit, 2);
    let rules = HealthRules { router_tolerance: tolerance, ..HealthRules::default() };
    let mut stage = Stage::with_rules(vec![rules, HealthRules::default()]);
    for outcome in [TIMED_OUT, RATE_LIMITED, TIMED_OUT, RATE_LIMITED] {
        assert_eq!(stage.answers(0, outcome), None);
    }
    assert!(stage.answers(0, RATE_LIMITED).is_some(), "the third of its class");
}

#[test]
fn tolerated_failures_are_counted_over_a_sliding_minute() {
    let mut stage = Stage::with_rules(vec![tolerates(2), HealthRules::default()]);
    for _ in 0..20 {
        assert_eq!(stage.answers(0, Outcome::ServerError), None, "never three within a minute");
        stage.later(30.0);
    }
    stage.answers(0, Outcome::ServerError);
    stage.later(1.0);
    assert!(stage.answers(0, Outcome::ServerError).is_some());
}

#[test]
fn the_rest_is_the_deployments_own_time_else_what_it_asks_for_else_the_routers() {
    let own =
        |seconds| HealthRules { cooldown_time: Some(Duration::from_secs(seconds)), ..HealthRules::default() };
    assert_eq!(
        Stage::with_rules(vec![own(9), own(9)]).answers(0, asks_for(70)),
        Some(Duration::from_secs(9))
    );
    assert_eq!(Stage::of(2).answers(0, asks_for(70)), Some(Duration::from_secs(70)));
    assert_eq!(Stage::of(2).answers(0, asks_for(287_441)), Some(Duration::from_secs(300)), "clamped");
    assert_eq!(Stage::of(2).answers(0, asks_for(0)), None, "it may be asked again at once");
    let router = HealthRules { default_cooldown_time: Duration::from_secs(30), ..HealthRules::default() };
    assert_eq!(Stage::with_rules(vec![router; 2]).answers(0, RATE_LIMITED), Some(Duration::from_secs(30)));
    let mut never = Stage::with_rules(vec![own(0), own(0)]);
    never.answers_times(0, RATE_LIMITED, 9);
    assert_eq!(never.rest(0), None, "0 means never");
    let off = HealthRules { cooldowns: false, ..HealthRules::default() };
    let mut off = Stage::with_rules(vec![off.clone(), off]);
    off.answers_times(0, Outcome::ServerError, 9);
    assert_eq!(off.rest(0), None, "disable_cooldowns");
}

#[test]
fn an_overload_that_says_for_how_long_is_believed() {
    let mut stage = Stage::of(2);
    assert_eq!(stage.answers(0, Outcome::Overloaded { retry_after: None }), None);
    let asks = Outcome::Overloaded { retry_after: Some(Duration::from_secs(2)) };
    assert_eq!(stage.answers(0, asks), Some(Duration::from_secs(2)));
}

#[test]
fn of_two_deadlines_the_later_one_counts() {
    let stage = Stage::of(2);
    let requests: Vec<_> = (0..2)
        .map(|_| {
            let tried = [stage.deployments[1]];
            stage.group.pick(&Pick { tried: &tried, now: stage.now, ..Pick::default() }).unwrap()
        })
        .collect();
    for (lease, seconds) in requests.into_iter().zip([60, 1]) {
        lease.end(asks_for(seconds), stage.now);
    }
    assert_eq!(stage.rest(0), Some(60.0));
}

#[test]
fn what_the_client_caused_leaves_health_alone() {
    let mut stage = Stage::with_rules(vec![tolerates(0), tolerates(0)]);
    for _ in 0..20 {
        stage.answers(0, Ending { counts: false, ..TIMED_OUT.into() });
    }
    assert_eq!((stage.rest(0), stage.condition(0).success_rate), (None, 1.0));
}

#[test]
fn a_rest_tells_its_reason_and_what_is_left_of_it() {
    let mut stage = Stage::of(2);
    stage.answers(0, Ending { status: Some(429), ..asks_for(10).into() });
    stage.later(4.0);
    let cooldown = stage.condition(0).cooldown.unwrap();
    assert_eq!((cooldown.reason, cooldown.status), (asks_for(10), Some(429)));
    assert_eq!(cooldown.remaining, Duration::from_secs(6));
}

#[test]
fn a_probe_that_says_nothing_is_joined_by_another() {
    let mut stage = Stage::with_rules(vec![tolerates(0)]);
    stage.answers(0, Outcome::ServerError);
    stage.later(5.0);
    let pick = |stage: &Stage| stage.group.pick(&Pick { now: stage.now, ..Pick::default() });
    let hangs = pick(&stage).unwrap();
    assert!(hangs.is_probe());
    let again = stage.now + Duration::from_millis(50);
    assert_eq!(pick(&stage).unwrap_err(), Refusal::AllCooling { soonest: again });
    stage.later(2.0);
    let other = pick(&stage).unwrap();
    assert!(other.is_probe());
    assert!(pick(&stage).is_err(), "one at a time");
    other.end(Outcome::Success, stage.now);
    assert_eq!(stage.condition(0).standing, Standing::Ramping);
    hangs.end(Outcome::ClientLeft, stage.now);
    assert_eq!(stage.condition(0).standing, Standing::Ramping, "what the first saw does not matter any more");
}

#[test]
fn a_client_that_gives_a_hanging_probe_up_does_not_pass_it_to_the_next_at_once() {
    let mut stage = Stage::of(2);
    stage.answers(0, Outcome::ConnectionFailed);
    stage.later(5.0);
    let probe = stage.group.pick(&Pick { now: stage.now, ..Pick::default() }).unwrap();
    assert_eq!((probe.member(), probe.is_probe()), (0, true));
    stage.later(30.0);
    probe.end(Outcome::ClientLeft, stage.now);
    assert_eq!(stage.picks(), Ok(1));
    stage.later(2.0);
    assert_eq!(stage.picks(), Ok(0));
}

#[test]
fn requests_from_before_the_rest_say_nothing_after_the_return() {
    let mut stage = Stage::of(2);
    let tried = [stage.deployments[1]];
    let old: Vec<_> = (0..9)
        .map(|_| stage.group.pick(&Pick { tried: &tried, now: stage.now, ..Pick::default() }).unwrap())
        .collect();
    stage.answers(0, Outcome::ConnectionFailed);
    stage.later(5.0);
    let probe = stage.group.pick(&Pick { tried: &tried, now: stage.now, ..Pick::default() }).unwrap();
    probe.end(Outcome::Success, stage.now);
    for lease in old {
        assert_eq!(lease.end(Outcome::Timeout(Phase::Idle), stage.now), None);
    }
    assert_eq!(stage.condition(0).standing, Standing::Ramping);
}

#[test]
fn a_rate_limit_teaches_a_limit_that_grows_again() {
    let mut stage = Stage::of(1);
    let mut leases: Vec<_> =
        (0..10).map(|_| stage.group.pick(&Pick { now: stage.now, ..Pick::default() }).unwrap()).collect();
    leases.pop().unwrap().end(RATE_LIMITED, stage.now);
    assert_eq!(stage.condition(0).learned_limit, Some(7), "0.7 of the ten that were there");
    assert_eq!(stage.condition(0).standing, Standing::Full);
    leases.pop().unwrap().end(RATE_LIMITED, stage.now);
    assert_eq!(stage.condition(0).learned_limit, Some(7), "one burst is one sign");
    for lease in leases.drain(..2) {
        lease.end(Outcome::Success, stage.now);
    }
    for _ in 0..8 {
        let lease = stage.group.pick(&Pick { now: stage.now, ..Pick::default() }).unwrap();
        lease.end(Outcome::Success, stage.now);
    }
    assert_eq!(stage.condition(0).learned_limit, Some(8), "one more for a round of successes");
    stage.later(61.0);
    assert_eq!(stage.condition(0).learned_limit, None, "quotas are by the minute");
}

#[test]
fn a_deployment_at_its_learned_limit_comes_after_those_that_have_a_place() {
    let own = HealthRules { cooldown_time: Some(Duration::ZERO), ..HealthRules::default() };
    let stage = Stage::with_rules(vec![own.clone(), own]);
    let on = |member: usize| {
        let tried = [stage.deployments[1 - member]];
        stage.group.pick(&Pick { tried: &tried, now: stage.now, ..Pick::default() }).unwrap()
    };
    on(0).end(RATE_LIMITED, stage.now);
    let _one_on_the_first = on(0);
    let _six_on_the_second: Vec<_> = (0..6).map(|_| on(1)).collect();
    let later = stage.now + Duration::from_secs(2);
    let lease = stage.group.pick(&Pick { now: later, ..Pick::default() }).unwrap();
    assert_eq!(lease.member(), 1, "the first takes one at once, it has shown");
}
