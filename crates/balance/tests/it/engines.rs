//! Requests that came past the fleet, as engines tell of them: what a pick makes of it, and when it makes nothing of it.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use leastbusy_balance::{
    Answers, Capacity, DeploymentIndex, EngineReport, Fleet, Group, Lease, Member, Outcome, Pick, Preference,
    Refusal, Seen, Strategy, TieBreak, View, Weight,
};

const NOW: Duration = Duration::from_secs(60);
const THREE: Duration = Duration::from_secs(3);

fn at(dice: u64) -> Pick<'static> {
    Pick { dice, now: NOW, ..Pick::default() }
}

fn tell(fleet: &Fleet, deployment: DeploymentIndex, requests: u32) {
    let report =
        EngineReport { requests, at_least: false, in_flight_before: 0, kv_use: None, fades_after: THREE };
    fleet.see_engine(deployment, &report, NOW);
}

/// A group of members with these weights.
fn group(weights: &[f64], change: impl Fn(usize, &mut Member)) -> (Arc<Fleet>, Group) {
    let fleet = Fleet::new();
    let member = |(at, weight): (usize, &f64)| {
        let mut member = Member::new(fleet.deploy(), Weight::new(*weight).expect("a weight above 0"));
        change(at, &mut member);
        member
    };
    let members = weights.iter().enumerate().map(member).collect();
    let group = fleet.group(members, TieBreak::Random);
    (fleet, group)
}

fn picks(group: &Group, count: u64) -> Vec<Lease> {
    (0..count).map(|dice| group.pick(&at(dice)).expect("a free place")).collect()
}

fn members(leases: &[Lease]) -> Vec<usize> {
    leases.iter().map(Lease::member).collect()
}

/// A small generator, so that a failure can be played again.
fn random(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *seed >> 33
}

#[test]
fn requests_from_elsewhere_count_as_own_ones_do_and_own_picks_add_one_each() {
    // Whatever the weights and the counts are: with f requests from elsewhere a deployment gets what it gets of a fleet
    // where f requests of its own are in flight.
    for seed in 0..300 {
        let mut dice = seed;
        let weights: Vec<f64> =
            (0..2 + random(&mut dice) % 4).map(|_| (1 + random(&mut dice) % 5) as f64).collect();
        let foreign: Vec<u32> = weights.iter().map(|_| (random(&mut dice) % 5) as u32).collect();
        let (told, of_told) = group(&weights, |_, _| {});
        let (_, of_counted) = group(&weights, |_, _| {});
        let mut hold = Vec::new();
        for (place, requests) in foreign.iter().enumerate() {
            tell(&told, of_told.members()[place].deployment, *requests);
            hold.extend((0..*requests).map(|_| of_counted.pick_exactly(&at(0), place).expect("well")));
        }
        let [of_told, of_counted] = [of_told, of_counted].map(|group| members(&picks(&group, 40)));
        assert_eq!(of_told, of_counted, "seed {seed}: weights {weights:?}, from elsewhere {foreign:?}");
        let own: Vec<u32> = told.snapshot();
        assert_eq!(own.iter().sum::<u32>(), 0, "the leases have ended, and nothing else was counted");
    }
}

#[test]
fn without_requests_from_elsewhere_no_pick_changes() {
    for seed in 0..300 {
        let mut dice = seed;
        let weights: Vec<f64> =
            (0..1 + random(&mut dice) % 5).map(|_| (1 + random(&mut dice) % 3) as f64).collect();
        let limits: Vec<u32> = weights.iter().map(|_| (random(&mut dice) % 6) as u32).collect();
        let has_capacities = seed % 2 == 0;
        let make = || {
            group(&weights, |at, member| {
                member.limit = NonZeroU32::new(limits[at]);
                member.order = i64::from(at == 3);
                member.capacity = has_capacities.then(|| Capacity::new(2, weights[at]).unwrap());
            })
        };
        let [(_, quiet), (told, same), (beside, unconcerned)] = [make(), make(), make()];
        for member in same.members() {
            tell(&told, member.deployment, 0);
        }
        // One that this group does not lead to is busy: the group is looked at the long way, and nothing comes of it.
        tell(&beside, beside.deploy(), 7);
        let mut leases: [Vec<Lease>; 3] = Default::default();
        for step in 0..60 {
            let now = NOW + Duration::from_millis(20 * step);
            let tried: Vec<usize> =
                (0..weights.len()).filter(|_| random(&mut dice).is_multiple_of(5)).collect();
            let number = random(&mut dice);
            let end = random(&mut dice).is_multiple_of(3).then(|| random(&mut dice) as usize);
            let chosen = [&quiet, &same, &unconcerned].map(|group| {
                let tried: Vec<_> = tried.iter().map(|at| group.members()[*at].deployment).collect();
                group.pick(&Pick { tried: &tried, dice: number, now, ..Pick::default() })
            });
            let seen = chosen
                .each_ref()
                .map(|chosen| chosen.as_ref().map(Lease::member).map_err(|refusal| *refusal));
            assert!(seen.iter().all(|one| *one == seen[0]), "seed {seed}, step {step}: {seen:?}");
            for (leases, chosen) in leases.iter_mut().zip(chosen) {
                leases.extend(chosen);
                if let Some(end) = end.filter(|_| !leases.is_empty()) {
                    drop(leases.swap_remove(end % leases.len()));
                }
            }
        }
    }
}

#[test]
fn what_an_engine_told_is_forgotten_when_it_tells_nothing_more() {
    let (fleet, group) = group(&[1.0, 1.0], |_, _| {});
    let [busy, idle] = [0, 1].map(|at| group.members()[at].deployment);
    tell(&fleet, busy, 4);
    let shares = [0, 1000, 1500, 2000, 2500, 3000].map(|millis| {
        let now = NOW + Duration::from_millis(millis);
        let leases: Vec<_> =
            (0..8).map(|dice| group.pick(&Pick { dice, now, ..Pick::default() }).unwrap()).collect();
        leases.iter().filter(|lease| lease.deployment() == idle).count()
    });
    assert_eq!(shares[..2], [6, 6], "2 and 4 from elsewhere, against 6");
    assert!(shares.windows(2).all(|pair| pair[1] <= pair[0]), "{shares:?}");
    assert_eq!(shares[5], 4);
}

#[test]
fn a_limit_is_for_own_requests_but_who_seems_full_goes_last() {
    let (fleet, group) = group(&[1.0, 1.0], |_, member| member.limit = NonZeroU32::new(3));
    let [a, b] = [0, 1].map(|at| group.members()[at].deployment);
    tell(&fleet, a, 2);
    tell(&fleet, b, 9);
    let leases = picks(&group, 6);
    assert_eq!(members(&leases)[0], 0, "2 + 1 of 3");
    assert_eq!(fleet.snapshot(), [3, 3], "nobody is refused for what others do");
    assert_eq!(group.pick(&at(7)).map(|_| ()).unwrap_err(), Refusal::AllFull);
    drop(leases);
    // One that has reached its limit through others goes after one that is busier by own requests and has room.
    tell(&fleet, a, 3);
    tell(&fleet, b, 0);
    let order = members(&picks(&group, 3));
    assert_eq!(order, [1, 1, 1]);
}

#[test]
fn a_free_place_is_one_that_nobody_has_taken() {
    let capacity = |at| Capacity::new(4, [4.0, 1.0][at]).unwrap();
    let (fleet, group) = group(&[1.0, 1.0], |at, member| member.capacity = Some(capacity(at)));
    assert_eq!(members(&picks(&group, 4)), [0, 0, 0, 0], "the fast one's places go first");
    tell(&fleet, group.members()[0].deployment, 3);
    assert_eq!(members(&picks(&group, 4)), [0, 1, 1, 1]);
}

#[test]
fn other_strategies_see_it_in_the_load() {
    let (fleet, group) = group(&[1.0, 1.0], |_, _| {});
    tell(&fleet, group.members()[0].deployment, 5);
    let group = group.with_strategy(Strategy::TwoChoices);
    let leases = picks(&group, 5);
    assert_eq!(members(&leases), [1; 5]);
    let seen = group.pick_by(&at(1), |candidates| {
        let told: Vec<_> = candidates.iter().map(|one| (one.in_flight, one.busy, one.load)).collect();
        assert_eq!(told, [(0, 5.0, 6.0), (5, 5.0, 6.0)]);
        0
    });
    assert_eq!(seen.expect("well").member(), 0);
}

#[test]
fn a_preferred_one_gets_no_more_because_another_is_full_of_strangers() {
    let preferring = |group: &Group| {
        let prefer = Some(Preference { deployment: group.members()[0].deployment, bound: 1.25 });
        let lease = |dice| group.pick(&Pick { prefer, ..at(dice) }).expect("well");
        members(&(0..12).map(lease).collect::<Vec<_>>())
    };
    let to_preferred = |members: &[usize]| members.iter().filter(|member| **member == 0).count();
    let (fleet, three) = group(&[1.0; 3], |_, _| {});
    tell(&fleet, three.members()[1].deployment, u32::MAX);
    let got = preferring(&three);
    assert!(!got.contains(&1) && to_preferred(&got) == 6, "{got:?}: both others are as busy as each other");
    // Its own strangers count against it.
    let (fleet, group) = group(&[1.0; 3], |_, _| {});
    tell(&fleet, group.members()[0].deployment, 5);
    assert_eq!(to_preferred(&preferring(&group)), 0, "5, and the others have 6 each in the end");
}

#[test]
fn it_adds_to_what_failures_weigh() {
    let (fleet, group) = group(&[1.0, 1.0], |_, _| {});
    group.pick_exactly(&at(1), 0).expect("well").end(Outcome::ServerError, NOW);
    tell(&fleet, group.members()[1].deployment, 50);
    assert_eq!(members(&picks(&group, 4)), [0; 4], "one failure is no fifty requests");
}

/// What other instances have in flight on each member.
fn others(fleet: &Fleet, group: &Group, instances: u32, in_flight: &[u32]) {
    let seen = |(member, in_flight): (&Member, &u32)| Seen {
        deployment: member.deployment,
        in_flight: *in_flight,
        age: Duration::ZERO,
        arrivals: 0.0,
        answers: Answers::default(),
    };
    let deployments = group.members().iter().zip(in_flight).map(seen).collect();
    fleet.see(View { at: NOW, others: instances, deployments, ..View::default() }, NOW);
}

#[test]
fn what_other_instances_told_is_not_from_elsewhere() {
    let (fleet, group) = group(&[1.0, 1.0], |_, _| {});
    others(&fleet, &group, 1, &[4, 4]);
    let _own = group.pick_exactly(&at(1), 0).expect("well");
    tell(&fleet, group.members()[0].deployment, 5);
    let load = fleet.engine_load(group.members()[0].deployment, NOW).expect("it has told");
    assert_eq!(load.requests_elsewhere, 0.0);
    tell(&fleet, group.members()[1].deployment, 8);
    let load = fleet.engine_load(group.members()[1].deployment, NOW).expect("it has told");
    assert_eq!(load.requests_elsewhere, 4.0);
    // With what the others told the fuller one is full of strangers.
    assert_eq!(members(&picks(&group, 3)), [0, 0, 0]);
}

#[test]
fn instances_together_make_room_for_requests_from_elsewhere_once() {
    // Four instances that cannot hear each other have eight requests each for two engines, one of which has eight from
    // elsewhere: 12 and 20 of 32, so that both have 20. Did each make room for all eight, it would be 0 and 32.
    let mut total = [0, 0];
    for rank in 0..4 {
        let (fleet, group) = group(&[1.0, 1.0], |_, _| {});
        fleet.see(View { at: NOW, others: 3, rank, unheard: true, ..View::default() }, NOW);
        tell(&fleet, group.members()[0].deployment, 8);
        let _leases = picks(&group, 8);
        for (total, in_flight) in total.iter_mut().zip(fleet.snapshot()) {
            *total += in_flight;
        }
    }
    assert_eq!(total, [12, 20]);
}
