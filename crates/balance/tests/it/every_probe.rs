//! All small histories of instances that want to probe one deployment.

use std::time::Duration;

use leastbusy_balance::{
    HealthRules, Learned, Lease, Member, News, Outcome, Pick, Rest, Standing, TieBreak, Weight,
};

use crate::choices::Choices;
use crate::crowd::Crowd;

/// How long a probe is waited for before another joins it.
const PATIENCE: f64 = 2.0;
/// For how long after it was granted a right may be used, and for how long nobody else gets it.
const USED_WITHIN: f64 = 1.0;
const RIGHT: f64 = USED_WITHIN + PATIENCE;
/// How long an answer is waited for.
const ANSWER_PATIENCE: Duration = Duration::from_millis(100);
/// Times that pass in a step; two short ones are too long for an answer.
const SHORT: f64 = 0.06;
const LONG: f64 = 1.0;

/// A crowd whose first deployment has just rested, at all of them.
fn rested(instances: usize) -> Crowd {
    let mut crowd = Crowd::of(instances, 2, &HealthRules::default());
    crowd.answers(0, 0, Outcome::RateLimited { retry_after: None });
    crowd.exchange();
    crowd.later(5.0);
    crowd
}

struct Probe {
    of: usize,
    picked: Duration,
    by_right: bool,
    lease: Lease,
}

struct World {
    crowd: Crowd,
    /// Who holds the right to probe, and until when.
    right: Option<(usize, Duration)>,
    /// The questions that were lost: of whom, asked when.
    lost: Vec<(usize, Duration)>,
    probes: Vec<Probe>,
    /// Probes that were picked by right, and without.
    picked: [usize; 2],
}

impl World {
    fn of(instances: usize) -> Self {
        let crowd = rested(instances);
        crowd.guard(true);
        Self { crowd, right: None, lost: Vec::new(), probes: Vec::new(), picked: [0; 2] }
    }

    /// A request of an instance that may go to the deployment; what it has to ask is asked and granted or refused, or lost.
    fn wants(&mut self, at: usize, is_lost: bool) {
        let now = self.crowd.now;
        if let Some(lease) = self.crowd.instances[at].pick(Some(0), now) {
            assert!(lease.is_probe(), "nobody has shown yet that it is well");
            self.picked(at, lease);
        }
        if self.crowd.news(at, 0) != Some(News::AsksToProbe) {
            return;
        }
        match self.right {
            _ if is_lost => self.lost.push((at, now)),
            Some((_, until)) if now < until => self.crowd.refuse(at, 0),
            _ => {
                self.right = Some((at, now + Duration::from_secs_f64(RIGHT)));
                self.crowd.grant(at, 0, USED_WITHIN);
            }
        }
    }

    fn picked(&mut self, at: usize, lease: Lease) {
        let (now, patience) = (self.crowd.now, Duration::from_secs_f64(PATIENCE));
        let lost = self.lost.iter().position(|(of, _)| *of == at).map(|lost| self.lost.remove(lost));
        let by_right = lost.is_none();
        if let Some((_, asked)) = lost {
            assert!(asked + ANSWER_PATIENCE <= now, "{at} did not wait for an answer");
        } else {
            let (holder, until) = self.right.expect("a probe needs the right");
            assert!(holder == at && now + patience < until, "the right of {at} is over, or another's");
        }
        for probe in self.probes.iter().filter(|probe| now < probe.picked + patience) {
            assert!(probe.of != at, "two probes of {at} at once");
            assert!(!(by_right && probe.by_right), "two probes by right at once");
        }
        self.picked[usize::from(!by_right)] += 1;
        self.probes.push(Probe { of: at, picked: now, by_right, lease });
    }

    /// Whoever is left comes to probe, and then all come back.
    fn recovers(mut self) {
        self.crowd.later(RIGHT);
        self.wants(0, false);
        let before = self.picked;
        self.wants(0, false);
        // Whoever held the right still, or did not wait for it, asks no further.
        if self.picked == before {
            self.crowd.later(RIGHT);
            self.wants(0, false);
            self.wants(0, false);
        }
        let Probe { of, lease, .. } = self.probes.pop().expect("a probe is out");
        assert_eq!(of, 0);
        lease.end(Outcome::Success, self.crowd.instances[0].clock(self.crowd.now));
        self.crowd.exchange();
        assert!(self.crowd.standings(0).iter().all(|standing| *standing == Standing::Ramping));
    }
}

/// How many histories, and how many probes by right and without.
fn play(instances: usize, steps: usize) -> (u64, [usize; 2]) {
    let (mut choices, mut histories, mut probes) = (Choices::default(), 0, [0; 2]);
    while choices.advance() {
        let mut world = World::of(instances);
        for _ in 0..steps {
            let live = world.crowd.instances.len();
            // A request at one, with a question that arrives or is lost; the death of the last one, a probe given up, time.
            match choices.choose(2 * live + 4) {
                step if step < 2 * live => world.wants(step % live, live <= step),
                step => match step - 2 * live {
                    0 if 1 < live => {
                        world.crowd.instances.pop();
                        world.probes.retain(|probe| probe.of < live - 1);
                    }
                    1 => drop(world.probes.pop()),
                    2 => world.crowd.later(SHORT),
                    _ => world.crowd.later(LONG),
                },
            }
        }
        probes = [probes[0] + world.picked[0], probes[1] + world.picked[1]];
        world.recovers();
        histories += 1;
    }
    (histories, probes)
}

#[test]
fn every_history_of_guarded_probes_has_one_by_right_at_a_time_and_comes_back() {
    let ((two, of_two), (three, of_three)) = (play(2, 6), play(3, 5));
    let [by_right, without] = [0, 1].map(|at| of_two[at] + of_three[at]);
    eprintln!("{} histories with {by_right} probes by right and {without} without an answer", two + three);
    assert!(200_000 < two + three, "{two} and {three} histories");
    assert!(80_000 < by_right && 20_000 < without, "{by_right} and {without} probes");
}

#[test]
fn without_a_guard_each_probes_for_itself() {
    let crowd = rested(3);
    let probes: Vec<_> = (0..3).map(|at| crowd.pick(at, 0)).collect();
    assert!(probes.iter().all(Lease::is_probe));
}

#[test]
fn when_the_guard_goes_each_may_probe_at_once() {
    let crowd = rested(2);
    crowd.guard(true);
    assert!((0..2).all(|at| crowd.instances[at].pick(Some(0), crowd.now).is_none()));
    crowd.guard(false);
    assert!((0..2).all(|at| crowd.pick(at, 0).is_probe()));
}

#[test]
fn an_instance_that_was_refused_asks_again_after_a_while() {
    let mut crowd = rested(1);
    crowd.guard(true);
    let mut asked = Vec::new();
    for at in 0..50 {
        assert!(crowd.instances[0].pick(Some(0), crowd.now).is_none());
        if crowd.news(0, 0) == Some(News::AsksToProbe) {
            crowd.refuse(0, 0);
            asked.push(at);
        }
        crowd.later(0.01);
    }
    assert_eq!(asked, [0, 20, 40], "each 200 ms, however many requests wait");
}

#[test]
fn an_instance_without_an_answer_waits_for_a_hundred_milliseconds_before_each_probe() {
    let mut crowd = rested(1);
    crowd.guard(true);
    let mut probed = Vec::new();
    for at in 0..450 {
        if let Some(lease) = crowd.instances[0].pick(Some(0), crowd.now) {
            assert!(lease.is_probe());
            probed.push((at, lease));
        }
        crowd.later(0.01);
    }
    // Its probe is waited for two seconds, and then it asks again.
    assert_eq!(probed.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [10, 220, 430]);
}

/// Instances whose only deployment has just rested, under guard.
fn only_one_rested(instances: usize) -> Crowd {
    let mut crowd = Crowd::of(instances, 1, &HealthRules::default());
    let until = crowd.now + Duration::from_secs(5);
    let rest = Rest { until, reason: Some(Outcome::ServerError), status: Some(500), relapses: 0 };
    (0..instances).for_each(|at| crowd.learn(at, 0, &News::Rests(rest)));
    assert_eq!(crowd.rests(0), vec![Some(5.0); instances]);
    crowd.later(5.0);
    crowd.guard(true);
    crowd
}

#[test]
fn where_all_rest_the_first_request_probes_without_leave() {
    let crowd = only_one_rested(3);
    let _probes: Vec<_> = (0..3)
        .map(|at| {
            let probe = crowd.pick(at, 0);
            assert!(probe.is_probe());
            assert!(crowd.instances[at].pick(Some(0), crowd.now).is_none(), "one of each instance at a time");
            assert_eq!(
                crowd.news(at, 0),
                Some(News::AsksToProbe),
                "the others are to wait for it if they can"
            );
            probe
        })
        .collect();
}

#[test]
fn where_all_rest_a_refusal_does_not_keep_a_request_back() {
    let crowd = only_one_rested(2);
    let probe = crowd.pick(0, 0);
    crowd.refuse(0, 0);
    drop(probe);
    assert!(crowd.pick(0, 0).is_probe());
}

#[test]
fn in_two_halves_too_the_last_resort_needs_no_leave() {
    let crowd = only_one_rested(1);
    let group = &crowd.instances[0].group;
    let pick = Pick { now: crowd.instances[0].clock(crowd.now), ..Pick::default() };
    let eligible = group.eligible(&pick).expect("one has rested");
    let probe = group.pick_exactly(&pick, eligible[0].member).expect("nobody else probes it");
    assert!(probe.is_probe());
    assert!(group.eligible(&pick).is_err() && group.pick_exactly(&pick, 0).is_none());
}

#[test]
fn a_deployment_that_joins_under_guard_is_probed_by_leave_only() {
    let crowd = rested(1);
    crowd.guard(true);
    let (fleet, now) = (&crowd.instances[0].fleet, crowd.instances[0].clock(crowd.now));
    let joined = fleet.deploy_gently(now);
    let open = crowd.instances[0].deployments[1];
    let members = [joined, open].map(|deployment| Member::new(deployment, Weight::ONE));
    let group = fleet.group(members.into(), TieBreak::Random);
    let pick = Pick { now, ..Pick::default() };
    let elsewhere = group.pick(&pick).expect("the other one is open");
    assert_eq!(elsewhere.deployment(), open, "all instances add it at once: one of them probes it");
    assert_eq!(fleet.news(), [(joined, News::AsksToProbe)]);
    let until = now + Duration::from_secs(1);
    fleet.learn(joined, &Learned::MayProbe { until }, now);
    assert!(group.pick(&pick).is_ok_and(|lease| lease.is_probe()));
}
