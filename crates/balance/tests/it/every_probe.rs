//! All small histories of instances that want to probe one deployment.

use std::time::Duration;

use leastbusy_balance::{
    HealthRules, Learned, Lease, Member, News, Outcome, Pick, Standing, TieBreak, Weight,
};

use crate::choices::Choices;
use crate::crowd::Crowd;

/// How long a probe is waited for before another joins it.
const PATIENCE: f64 = 2.0;
/// For how long after it was granted a right may be used, and for how long nobody else gets it.
const USED_WITHIN: f64 = 1.0;
const RIGHT: f64 = USED_WITHIN + PATIENCE;

/// A crowd whose first deployment has just rested, at all of them.
fn rested(instances: usize) -> Crowd {
    let mut crowd = Crowd::of(instances, 2, &HealthRules::default());
    crowd.answers(0, 0, Outcome::RateLimited { retry_after: None });
    crowd.exchange();
    crowd.later(5.0);
    crowd
}

struct World {
    crowd: Crowd,
    /// Who holds the right to probe, and until when.
    right: Option<(usize, Duration)>,
    /// Probes that are out: of whom, picked when.
    probes: Vec<(usize, Duration, Lease)>,
    probes_picked: usize,
}

impl World {
    fn of(instances: usize) -> Self {
        let crowd = rested(instances);
        crowd.guard(true);
        Self { crowd, right: None, probes: Vec::new(), probes_picked: 0 }
    }

    /// A request that only the deployment could serve; what it has to ask is asked, and granted or refused.
    fn wants(&mut self, at: usize, asks: bool) {
        let now = self.crowd.now;
        if let Some(lease) = self.crowd.instances[at].pick(Some(0), now) {
            assert!(lease.is_probe(), "nobody has shown yet that it is well");
            let (holder, until) = self.right.expect("a probe needs the right");
            let until = until - Duration::from_secs_f64(PATIENCE);
            assert!(holder == at && now < until, "the right of {at} is over, or another's");
            let patience = Duration::from_secs_f64(PATIENCE);
            assert!(self.probes.iter().all(|(_, picked, _)| *picked + patience <= now), "two probes at once");
            self.probes.push((at, now, lease));
            self.probes_picked += 1;
        }
        if !asks || self.crowd.news(at, 0) != Some(News::AsksToProbe) {
            return;
        }
        if self.right.is_none_or(|(_, until)| until <= now) {
            self.right = Some((at, now + Duration::from_secs_f64(RIGHT)));
            self.crowd.grant(at, 0, USED_WITHIN);
        }
    }

    /// Whoever is left comes to probe, and then all come back.
    fn recovers(mut self) {
        self.crowd.later(RIGHT);
        self.wants(0, true);
        let before = self.probes_picked;
        self.wants(0, true);
        // Whoever holds the right still, or holds it anew, asks no further.
        if self.probes_picked == before {
            self.crowd.later(RIGHT);
            self.wants(0, true);
            self.wants(0, true);
        }
        let (at, _, probe) = self.probes.pop().expect("a probe is out");
        assert_eq!(at, 0);
        probe.end(Outcome::Success, self.crowd.instances[0].clock(self.crowd.now));
        self.crowd.exchange();
        assert!(self.crowd.standings(0).iter().all(|standing| *standing == Standing::Ramping));
    }
}

fn play(instances: usize, steps: usize) -> (u64, usize) {
    let (mut choices, mut histories, mut probes) = (Choices::default(), 0, 0);
    while choices.advance() {
        let mut world = World::of(instances);
        for _ in 0..steps {
            let live = world.crowd.instances.len();
            // A request at one, with a question that arrives or is lost; the death of the last one, a probe given up, time.
            match choices.choose(2 * live + 4) {
                step if step < 2 * live => world.wants(step % live, step < live),
                step => match step - 2 * live {
                    0 if 1 < live => {
                        world.crowd.instances.pop();
                        world.probes.retain(|(at, ..)| *at < live - 1);
                    }
                    1 => drop(world.probes.pop()),
                    2 => world.crowd.later(0.3),
                    _ => world.crowd.later(1.0),
                },
            }
        }
        probes += world.probes_picked;
        world.recovers();
        histories += 1;
    }
    (histories, probes)
}

#[test]
fn every_history_of_guarded_probes_has_one_at_a_time_and_comes_back() {
    let ((two, of_two), (three, of_three)) = (play(2, 6), play(3, 5));
    eprintln!("{} histories with {} probes", two + three, of_two + of_three);
    assert!(200_000 < two + three, "{two} and {three} histories");
    assert!(100_000 < of_two + of_three, "{of_two} and {of_three} probes");
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
fn an_instance_without_an_answer_asks_again_after_a_while() {
    let mut crowd = rested(1);
    crowd.guard(true);
    let mut asked = Vec::new();
    for _ in 0..50 {
        assert!(crowd.instances[0].pick(Some(0), crowd.now).is_none());
        asked.push(crowd.news(0, 0) == Some(News::AsksToProbe));
        crowd.later(0.01);
    }
    let times: Vec<_> = (0..50).filter(|at| asked[*at]).collect();
    assert_eq!(times, [0, 20, 40], "each 200 ms, however many requests wait");
}

#[test]
fn a_deployment_that_joins_under_guard_is_probed_by_leave_only() {
    let crowd = rested(1);
    crowd.guard(true);
    let (fleet, now) = (&crowd.instances[0].fleet, crowd.instances[0].clock(crowd.now));
    let joined = fleet.deploy_gently(now);
    let member = Member::new(joined, Weight::ONE);
    let group = fleet.group(vec![member], TieBreak::Random);
    let pick = Pick { now, ..Pick::default() };
    assert!(group.pick(&pick).is_err(), "all instances add it at once: one of them probes it");
    assert_eq!(fleet.news(), [(joined, News::AsksToProbe)]);
    let until = now + Duration::from_secs(1);
    fleet.learn(joined, &Learned::MayProbe { until }, now);
    assert!(group.pick(&pick).is_ok_and(|lease| lease.is_probe()));
}
