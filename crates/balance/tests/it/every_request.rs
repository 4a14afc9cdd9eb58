//! Every request that a healthy deployment may serve is served, whatever the others do.

use std::time::Duration;

use leastbusy_balance::{Limits, Outcome, Remedy, Step, WhenAllCooling};

use crate::choices::Choices;
use crate::every_walk::{ENDS, plans};
use crate::request::Plan;

/// Whether a request can get to a deployment of which this holds, by the general fallback lists.
fn can_reach(plan: &Plan, is_it: impl Fn(usize) -> bool) -> bool {
    let mut reached = vec![0];
    let mut next = 0;
    while let Some(&room) = reached.get(next) {
        for &fallback in &plan.rooms[room].fallbacks {
            if !reached.contains(&fallback) {
                reached.push(fallback);
            }
        }
        next += 1;
    }
    reached.into_iter().flat_map(|room| &plan.rooms[room].members).any(|&(deployment, _)| is_it(deployment))
}

/// Whether a request is served when each deployment always ends attempts in its own way.
fn is_served(plan: &Plan, limits: Limits, ends: &[(Outcome, u64)], cooling: &[u64]) -> bool {
    let mut request = plan.request_within(limits);
    for (deployment, seconds) in cooling.iter().enumerate() {
        request.cools(deployment, *seconds);
    }
    for _ in 0..200 {
        match request.step {
            Step::GiveUp(_) => return false,
            Step::Wait(wait) => request.sleep(wait),
            Step::Pick(ask) => match request.candidates(ask) {
                Err(refusal) => request.refuse(refusal),
                Ok(candidates) => {
                    let (outcome, cooldown) = ends[candidates[0].0];
                    if outcome == Outcome::Success {
                        return true;
                    }
                    request.cools(candidates[0].0, cooldown);
                    request.fail(candidates[0], outcome);
                }
            },
        }
    }
    panic!("no end: {:?}", request.walk);
}

#[test]
fn every_request_that_a_healthy_deployment_may_serve_is_served() {
    // The ways to fail after which the rest of the group is worth a try.
    let ways = ENDS.iter().filter(|(outcome, _)| outcome.remedy() != Remedy::OtherGroup);
    let ways: Vec<_> = ways.copied().filter(|(outcome, _)| *outcome != Outcome::ClientLeft).collect();
    let (mut served, mut failed) = (0, 0);
    // Which groups a request is too long for is reckoned, not found out; `every_walk` has those.
    let is_long_enough = |plan: &Plan| plan.rooms.iter().all(|room| !room.is_short);
    for plan in plans().into_iter().filter(is_long_enough) {
        // As many retries as the largest group has other members, and room for every group and level.
        let plan = plan.retries(2);
        for when_all_cooling in
            [WhenAllCooling::Fail, WhenAllCooling::Wait(Duration::from_secs(3)), WhenAllCooling::TrySoonest]
        {
            let limits = Limits { max_fallbacks: 6, when_all_cooling, ..Limits::default() };
            let mut choices = Choices::default();
            while choices.advance() {
                let mut choose = |ways: usize| -> Vec<usize> {
                    (0..plan.deployments()).map(|_| choices.choose(ways)).collect()
                };
                let ends: Vec<_> = choose(ways.len()).into_iter().map(|way| ways[way]).collect();
                let cooling: Vec<_> = choose(2).into_iter().map(|way| [0, 2][way]).collect();
                let is_healthy = |deployment: usize| ends[deployment].0 == Outcome::Success;
                let is_served = is_served(&plan, limits, &ends, &cooling);
                let story = || format!("{plan:?}, {limits:?}, {ends:?}, {cooling:?}");
                let may_wait = when_all_cooling != WhenAllCooling::Fail;
                if can_reach(&plan, |deployment| {
                    is_healthy(deployment) && (may_wait || cooling[deployment] == 0)
                }) {
                    assert!(is_served, "an error although a healthy deployment was there: {}", story());
                }
                if is_served {
                    assert!(can_reach(&plan, is_healthy), "served by nobody: {}", story());
                }
                *(if is_served { &mut served } else { &mut failed }) += 1;
            }
        }
    }
    eprintln!("{served} requests served, {failed} that nobody could serve in time");
    assert!(10_000 < served && 1_000 < failed, "{served} served, {failed} failed");
}
