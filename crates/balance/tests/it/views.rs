//! The pick over what other instances told, against the rule's closed form worked out naively.

use std::sync::Arc;
use std::time::Duration;

use leastbusy_balance::{
    Answers, DeploymentIndex, Fleet, Group, HealthRules, Lease, Member, Outcome, Pick, Seen, TieBreak, View,
    Weight,
};
use proptest::prelude::*;

/// The moment of the view.
const AT: Duration = Duration::from_secs(100);

/// One deployment: what this instance did there, and what the others told.
#[derive(Debug, Clone)]
struct Place {
    weight: u32,
    order: i64,
    own: u32,
    /// Own attempts that failed just now.
    failed: u32,
    /// Whether it answered 429 when it had its `own` requests.
    limited: bool,
    others: u32,
    age_ms: u64,
    arrivals: f64,
    /// Answers that the others had: good ones and bad ones.
    answers: (u64, u64),
}

struct Scene {
    fleet: Arc<Fleet>,
    deployments: Vec<DeploymentIndex>,
    group: Group,
    held: Vec<Lease>,
}

impl Scene {
    fn of(places: &[Place], tie_break: TieBreak) -> Self {
        let rules = Arc::new(HealthRules { cooldowns: false, ..HealthRules::default() });
        let fleet = Fleet::new();
        // From here on it counts how often it picks.
        fleet.tell(AT - Duration::from_secs(1));
        let deployments: Vec<_> = places.iter().map(|_| fleet.deploy()).collect();
        let members = places.iter().zip(&deployments).map(|(place, &deployment)| Member {
            order: place.order,
            rules: Arc::clone(&rules),
            ..Member::new(deployment, Weight::new(place.weight.into()).expect("a positive weight"))
        });
        let group = fleet.group(members.collect(), tie_break);
        let mut scene = Self { fleet, deployments, group, held: Vec::new() };
        for (at, place) in places.iter().enumerate() {
            let held: Vec<_> = (0..place.own).map(|_| scene.lease(at)).collect();
            scene.held.extend(held);
            let limit = place.limited.then_some(Outcome::RateLimited { retry_after: None });
            let failures = (0..place.failed).map(|_| Outcome::ServerError);
            for outcome in failures.chain(limit) {
                scene.lease(at).end(outcome, AT);
            }
        }
        scene
    }

    fn lease(&self, deployment: usize) -> Lease {
        let others: Vec<_> = (0..self.deployments.len())
            .filter(|other| *other != deployment)
            .map(|other| self.deployments[other])
            .collect();
        self.group.pick(&Pick { tried: &others, now: AT, ..Pick::default() }).expect("one is left")
    }

    fn see(&self, places: &[Place], view_age: Duration, others: u32) {
        let deployments = places.iter().zip(&self.deployments).map(|(place, &deployment)| Seen {
            deployment,
            in_flight: place.others,
            age: Duration::from_millis(place.age_ms),
            arrivals: place.arrivals,
            answers: Answers {
                well: place.answers.0,
                all: place.answers.0 + place.answers.1,
                ..Answers::default()
            },
        });
        let deployments = deployments.collect();
        self.fleet.see(View { at: AT, age: view_age, others, deployments, ..View::default() }, AT);
    }
}

/// The rule, worked out for one pick.
struct Worked {
    /// Of each member: whether it is eligible with its whole share, and whether it has half of it, as rounding goes. Where
    /// between these the rule draws its line is its own affair.
    eligible: Vec<(bool, bool)>,
    /// Own requests, with failed ones that are still held against it, for its weight.
    own: Vec<f64>,
}

fn work_out(scene: &Scene, places: &[Place], tried: u32, tau: f64, since: f64) -> Worked {
    let own_arrivals = scene.fleet.tell(AT);
    let own_arrivals = |at: usize| {
        own_arrivals
            .iter()
            .find(|told| told.deployment == scene.deployments[at])
            .map_or(0.0, |told| told.arrivals)
    };
    let is_full = |at: &usize| {
        let limit = scene.fleet.condition(scene.deployments[*at], AT).learned_limit;
        limit.is_some_and(|limit| limit <= places[*at].own)
    };
    let untried: Vec<usize> = (0..places.len()).filter(|at| tried & (1 << at) == 0).collect();
    let class = |at: &usize| (places[*at].order, is_full(at));
    let best = untried.iter().map(class).min();
    let candidates: Vec<usize> = untried.into_iter().filter(|at| Some(class(at)) == best).collect();

    let busy: Vec<f64> =
        places.iter().map(|place| f64::from(place.own + place.failed + u32::from(place.limited))).collect();
    let weight = |at: usize| {
        let Place { weight, failed, answers: (well, bad), .. } = places[at];
        let rate = (well as f64 + 5.0) / ((well + bad) as f64 + f64::from(failed) + 5.0);
        f64::from(weight) * (rate * rate).max(0.02)
    };
    let in_flight: f64 = candidates.iter().map(|&at| busy[at] + f64::from(places[at].others)).sum();
    let arrivals: f64 = candidates.iter().map(|&at| places[at].arrivals).sum();
    let all_arrivals: f64 = arrivals + candidates.iter().map(|&at| own_arrivals(at)).sum::<f64>();
    let ends = if in_flight == 0.0 { 0.0 } else { all_arrivals / in_flight };
    let total = |at: usize| {
        let age = places[at].age_ms as f64 / 1000.0 + since;
        busy[at] + f64::from(places[at].others) * (-ends * age).exp()
    };
    let left = if ends * tau < 1e-9 { tau } else { (1.0 - (-ends * tau).exp()) / ends };
    let to_spread = 2.0 * arrivals * left;
    let level = level_by_halving(&candidates, to_spread, |at| (weight(at), total(at)));
    let least =
        candidates.iter().map(|&at| (2.0 * total(at) + 1.0) / weight(at)).fold(f64::INFINITY, f64::min);
    let weights: f64 = candidates.iter().map(|&at| weight(at)).sum();
    let eligible = |at: usize, part: f64, slack: f64| {
        let load = (2.0 * total(at) + 1.0) / weight(at);
        // p >= part * weight / weights, with p = (weight * level - 2 * total - 1) / to_spread.
        candidates.contains(&at)
            && (load <= least * (1.0 + slack)
                || part * to_spread / weights <= (level - load) * (1.0 + slack) + slack)
    };
    Worked {
        eligible: (0..places.len()).map(|at| (eligible(at, 1.0, -1e-6), eligible(at, 0.5, 1e-6))).collect(),
        own: (0..places.len()).map(|at| busy[at] / weight(at)).collect(),
    }
}

/// Where the water stands when so much is poured over the candidates.
fn level_by_halving(candidates: &[usize], to_spread: f64, of: impl Fn(usize) -> (f64, f64)) -> f64 {
    let poured = |level: f64| {
        let under_water = |&at: &usize| {
            let (weight, total) = of(at);
            (weight * level - 2.0 * total - 1.0).max(0.0)
        };
        candidates.iter().map(under_water).sum::<f64>()
    };
    let (mut low, mut high) = (0.0, 1e7);
    for _ in 0..100 {
        let middle = (low + high) / 2.0;
        *if poured(middle) < to_spread { &mut low } else { &mut high } = middle;
    }
    high
}

fn place() -> impl Strategy<Value = Place> {
    let seat = (prop_oneof![Just(1), 1..=13_u32], prop_oneof![3 => Just(0), 1 => Just(1_i64)]);
    let here = (0..6_u32, prop_oneof![3 => Just(0), 1 => 1..4_u32], prop::bool::weighted(0.2));
    let answers = prop_oneof![2 => Just((0, 0)), 1 => (0..50_u64, 0..20_u64)];
    let told = (0..20_u32, 0..2000_u64, 0.0..50.0_f64, answers);
    (seat, here, told).prop_map(
        |((weight, order), (own, failed, limited), (others, age_ms, arrivals, answers))| Place {
            weight,
            order,
            own,
            failed,
            limited,
            others,
            age_ms,
            arrivals,
            answers,
        },
    )
}

fn tie_breaks() -> impl Strategy<Value = TieBreak> {
    prop_oneof![Just(TieBreak::Random), Just(TieBreak::First)]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn the_pick_is_eligible_and_among_equals_has_the_fewest_own_requests(
        places in prop::collection::vec(place(), 1..7),
        tie_break in tie_breaks(),
        tried in prop_oneof![Just(0), 0..1_u32 << 7],
        (view_age_ms, since_ms) in (0..2000_u64, 0..1000_u64),
        dice: u64,
    ) {
        let scene = Scene::of(&places, tie_break);
        let (view_age, since) = (Duration::from_millis(view_age_ms), Duration::from_millis(since_ms));
        scene.see(&places, view_age, 3);
        let tau = (view_age + since).as_secs_f64();
        // Failures are held for a second from their start: what is left at the pick is what was left at first.
        let now = AT + since.min(Duration::from_millis(999));
        let worked = work_out(&scene, &places, tried, tau, since.as_secs_f64());
        let barred: Vec<_> = (0..places.len())
            .filter(|at| tried & (1 << at) != 0)
            .map(|at| scene.deployments[at])
            .collect();
        let Ok(lease) = scene.group.pick(&Pick { tried: &barred, now, dice, ..Pick::default() }) else {
            prop_assert_eq!(barred.len(), places.len());
            return Ok(());
        };
        let chosen = lease.member();
        prop_assert!(worked.eligible[chosen].1, "{} is not eligible: {:?}", chosen, worked.eligible);
        let are_equal = places.iter().all(|place| place.weight == places[0].weight && place.failed == 0 && place.answers == (0, 0));
        if are_equal {
            let fewer = (0..places.len()).filter(|&at| worked.eligible[at].0 && worked.own[at] < worked.own[chosen]);
            prop_assert_eq!(fewer.collect::<Vec<_>>(), Vec::<usize>::new(), "chosen {}, own {:?}", chosen, worked.own);
            let before = (0..chosen).filter(|&at| worked.eligible[at].0 && worked.own[at] <= worked.own[chosen]);
            prop_assert!(tie_break == TieBreak::Random || before.count() == 0, "the first goes first");
        }
    }

    #[test]
    fn no_view_makes_a_deployment_look_idler_than_it_is_here(
        own in 0..20_u32,
        more in 1..20_u32,
        others in any::<u32>(),
        (age, view_age, since) in (any::<u64>(), any::<u32>(), any::<u32>()),
        arrivals in prop_oneof![any::<f64>(), Just(f64::NAN), Just(f64::INFINITY), Just(-1e300), Just(1e300)],
        (well, all) in (any::<u64>(), any::<u64>()),
        instances in 1..u32::MAX,
        dice: u64,
    ) {
        let place = |own| Place {
            weight: 1, order: 0, own, failed: 0, limited: false, others: 0, age_ms: 0, arrivals: 0.0, answers: (0, 0),
        };
        let scene = Scene::of(&[place(own + more), place(own)], TieBreak::Random);
        let answers = Answers { well, all, ..Answers::default() };
        let seen = Seen {
            deployment: scene.deployments[0],
            in_flight: others,
            age: Duration::from_millis(age),
            arrivals,
            answers,
        };
        let age = Duration::from_millis(view_age.into());
        scene.fleet.see(View { at: AT, age, others: instances, deployments: vec![seen], ..View::default() }, AT);
        let now = AT + Duration::from_millis(since.into());
        let lease = scene.group.pick(&Pick { dice, now, ..Pick::default() }).expect("none was tried");
        prop_assert_eq!(lease.member(), 1);
        prop_assert_eq!(scene.fleet.in_flight_total(scene.deployments[0]), others.saturating_add(own + more));
    }

    #[test]
    fn a_view_without_others_leaves_every_pick_as_it_was(
        places in prop::collection::vec(place(), 1..7),
        tie_break in tie_breaks(),
        steps in prop::collection::vec((any::<u64>(), 0..6_usize), 1..60),
    ) {
        let outcomes = [Outcome::Success, Outcome::ServerError, Outcome::BadRequest, Outcome::Authentication];
        let play = |sees: bool| {
            let Scene { fleet, group, mut held, .. } = Scene::of(&places, tie_break);
            let mut picked = Vec::new();
            for (number, &(dice, step)) in steps.iter().enumerate() {
                let now = AT + Duration::from_millis(100 * number as u64);
                if sees {
                    fleet.see(View { at: now, rank: 3, ..View::default() }, now);
                    fleet.tell(now);
                }
                picked.push(group.pick(&Pick { dice, now, ..Pick::default() }).map(|lease| {
                    let member = lease.member();
                    held.push(lease);
                    member
                }));
                if let Some(&outcome) = outcomes.get(step) && !held.is_empty() {
                    held.swap_remove(dice as usize % held.len()).end(outcome, now);
                }
            }
            (picked, fleet.snapshot())
        };
        prop_assert_eq!(play(true), play(false));
    }
}

#[test]
fn over_a_view_without_age_and_arrivals_every_pick_is_least_busy_of_all_instances() {
    let mut pictures = 0;
    for weights in [[1, 1, 1], [1, 3, 2], [1, 13, 5]] {
        for code in 0..4_u32.pow(6) {
            let digit = |place: u32| code / 4_u32.pow(place) % 4;
            let places: Vec<_> = (0..3)
                .map(|at| Place {
                    weight: weights[at as usize],
                    order: 0,
                    own: digit(at),
                    failed: 0,
                    limited: false,
                    others: digit(at + 3) * weights[at as usize],
                    age_ms: 0,
                    arrivals: 0.0,
                    answers: (0, 0),
                })
                .collect();
            let scene = Scene::of(&places, TieBreak::Random);
            scene.see(&places, Duration::ZERO, 1);
            let chosen = scene.group.pick(&Pick { dice: code.into(), now: AT, ..Pick::default() });
            let chosen = &places[chosen.expect("none was tried").member()];
            // (2q + 1) / weight, crosswise.
            let busy = |place: &Place| 2 * (place.own + place.others) + 1;
            for other in &places {
                assert!(
                    busy(chosen) * other.weight <= busy(other) * chosen.weight,
                    "{chosen:?} of {places:?}"
                );
            }
            pictures += 1;
        }
    }
    eprintln!("{pictures} pictures of three deployments");
}
