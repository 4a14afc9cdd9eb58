//! Instances that know of each other and cannot hear each other.

use std::time::Duration;

use leastbusy_balance::{
    Answers, Fleet, InstanceId, Lease, Member, Pick, Roster, TieBreak, Told, View, Weight,
};

const AT: Duration = Duration::from_secs(100);
const INTERVAL: Duration = Duration::from_millis(20);
const LEASE: Duration = Duration::from_secs(2);

/// What so many requests at an instance come to on each deployment.
fn picked(weights: &[f64], view: View, requests: u64) -> Vec<u32> {
    let fleet = Fleet::new();
    let member = |weight: &f64| Member::new(fleet.deploy(), Weight::new(*weight).expect("positive"));
    let group = fleet.group(weights.iter().map(member).collect(), TieBreak::Random);
    let rank = view.rank;
    fleet.see(view, AT);
    let pick = |number| {
        let dice = number ^ (u64::from(rank) << 32);
        group.pick(&Pick { now: AT, dice, ..Pick::default() }).expect("none was tried")
    };
    let _held: Vec<Lease> = (0..requests).map(pick).collect();
    fleet.snapshot()
}

#[test]
fn together_they_come_to_the_shares_by_weight() {
    let weights = [13.0, 3.0].repeat(8);
    let mut sums = [0; 16];
    for rank in 0..16 {
        let view = View { at: AT, others: 15, rank, unheard: true, ..View::default() };
        let counts = picked(&weights, view, 7);
        sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
    }
    for (sum, weight) in sums.iter().zip(&weights) {
        let share = 16.0 * 7.0 * weight / weights.iter().sum::<f64>();
        // The first request of each goes by chance.
        assert!((f64::from(*sum) - share).abs() < 3.0, "{sum} for {share} of {sums:?}");
    }
}

#[test]
fn own_counts_decide_and_differ_by_one_at_most() {
    for (others, rank) in [(1, 0), (1, 1), (3, 2), (100, 17)] {
        let view = View { at: AT, others, rank, unheard: true, ..View::default() };
        let counts = picked(&[1.0; 7], view, 40);
        assert!(counts.iter().all(|count| [5, 6].contains(count)), "{counts:?}");
    }
}

/// A roster that has heard of these.
fn roster(others: &[u128]) -> Roster {
    let fleet = Fleet::new();
    let deployment = fleet.deploy();
    let mut roster = Roster::new(InstanceId(7), LEASE);
    for other in others {
        let told = vec![Told { deployment, in_flight: 3, arrivals: 1.5, answers: Answers::default() }];
        roster.heard(InstanceId(*other), 1, INTERVAL, told, AT);
    }
    roster
}

#[test]
fn those_whose_lease_runs_out_are_there_and_not_heard() {
    let mut roster = roster(&[3, 5, 9]);
    assert_eq!(roster.view(AT).deployments.len(), 1);
    let later = AT + LEASE;
    assert_eq!((roster.view(later).others, roster.view(later).deployments.len()), (0, 0));
    // However long the silence lasts.
    for at in [later, later + Duration::from_secs(3600)] {
        let unheard = roster.view_or_unheard(at);
        assert_eq!(unheard, View { at, others: 3, rank: 2, unheard: true, ..View::default() });
    }
}

#[test]
fn what_was_told_counts_in_a_silence_until_its_lease_runs_out() {
    let mut roster = roster(&[3, 5, 9]);
    assert_eq!(roster.view_or_unheard(AT), roster.view(AT));
}

#[test]
fn nobody_is_missed_who_was_never_heard() {
    let mut roster = roster(&[]);
    assert_eq!(roster.view_or_unheard(AT), View { at: AT, ..View::default() });
}

#[test]
fn those_who_have_left_are_not_there() {
    let mut roster = roster(&[3, 9]);
    let _ = roster.view(AT);
    roster.gone(InstanceId(9));
    let _ = roster.view(AT);
    let later = AT + LEASE;
    let unheard = roster.view_or_unheard(later);
    assert_eq!((unheard.others, unheard.rank), (1, 1));
    // Its lease has run out here before it is known to have left.
    roster.gone(InstanceId(3));
    assert_eq!(roster.view_or_unheard(later).others, 0);
}

#[test]
fn any_number_of_others_is_fine() {
    let view = View { at: AT, others: u32::MAX, rank: u32::MAX, unheard: true, ..View::default() };
    assert_eq!(picked(&[1.0; 4], view, 8).iter().sum::<u32>(), 8);
}
