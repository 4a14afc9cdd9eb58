use std::time::Duration;

use leastbusy_balance::Pick;

use super::Board;
use crate::clock::Moment;
use crate::gateway::Gateway;
use crate::{Engine, Policy, Rules};

const INTERVAL: Duration = Duration::from_millis(100);

/// So many instances before two engines alike.
fn instances(policy: Policy, count: usize) -> (Vec<Gateway>, Board) {
    let engines = [Engine::new("one", 8, 1.0), Engine::new("other", 8, 1.0)];
    let rules = Rules::default();
    let gateway = |place| Gateway::new(&engines, &rules, policy, place as u64).sharing(place, INTERVAL);
    ((0..count).map(gateway).collect(), Board::new(count))
}

fn others(gateway: &Gateway) -> Vec<u32> {
    gateway.exchange.as_ref().expect("it shares").others.clone()
}

#[test]
fn instances_hear_what_the_others_told_last() {
    let (mut gateways, mut board) = instances(Policy::LeastBusy, 3);
    let at = Moment::at;
    let pick = |gateway: &mut Gateway| gateway.pick(at(1.0), Pick::default()).expect("nobody rests");
    let held: Vec<_> = [0, 0, 0, 1].into_iter().map(|place| pick(&mut gateways[place])).collect();
    gateways[0].exchange(at(1.0), Some(&mut board));
    gateways[1].exchange(at(1.01), Some(&mut board));
    gateways[2].exchange(at(1.02), Some(&mut board));
    // The first told before the others did; the last has heard of all.
    assert_eq!(others(&gateways[0]).iter().sum::<u32>(), 0);
    assert_eq!(others(&gateways[1]).iter().sum::<u32>(), 3);
    assert_eq!(others(&gateways[2]).iter().sum::<u32>(), 4);

    // What has ended is told with the next exchange, not before.
    drop(held);
    gateways[2].exchange(at(1.1), Some(&mut board));
    assert_eq!(others(&gateways[2]).iter().sum::<u32>(), 4);
    gateways[0].exchange(at(1.11), Some(&mut board));
    gateways[2].exchange(at(1.12), Some(&mut board));
    assert_eq!(others(&gateways[2]).iter().sum::<u32>(), 1);
}

#[test]
fn what_was_told_before_a_silence_counts_for_two_seconds() {
    let (mut gateways, mut board) = instances(Policy::LeastBusy, 2);
    let lease = gateways[0].pick(Moment::START, Pick::default()).expect("nobody rests");
    gateways[0].exchange(Moment::START, Some(&mut board));
    gateways[1].exchange(Moment::START, Some(&mut board));
    let known = [0.5, 1.9, 2.0, 60.0].map(|now| {
        gateways[1].exchange(Moment::at(now), None);
        others(&gateways[1])[lease.member()]
    });
    assert_eq!(known, [1, 1, 0, 0]);
}

#[test]
fn own_and_told_goes_by_what_was_told_as_if_it_were_still_so() {
    let (mut gateways, mut board) = instances(Policy::OwnAndTold, 2);
    let first = gateways[0].pick(Moment::START, Pick::default()).expect("nobody rests");
    gateways[0].exchange(Moment::START, Some(&mut board));
    gateways[1].exchange(Moment::START, Some(&mut board));
    let busy = first.member();
    drop(first);
    // One there is known: a request to the other makes them even, and from then on it is told apart by own counts.
    let mut pick = || gateways[1].pick(Moment::at(0.05), Pick::default()).expect("nobody rests");
    let held = [pick(), pick(), pick(), pick(), pick()];
    let on_busy = held.iter().filter(|lease| lease.member() == busy).count();
    assert_eq!((held[0].member(), on_busy), (1 - busy, 2));
}
