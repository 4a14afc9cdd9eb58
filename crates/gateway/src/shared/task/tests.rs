use std::time::Duration;

use leastbusy_balance::{Answers, DeploymentIndex, Group, Member, Outcome, Pick, Seen, TieBreak, Weight};

use super::*;
use crate::config::SharedState;

/// A fleet of two deployments: of the first another instance has told, and probes need its leave.
fn guarded() -> (End, Group, DeploymentIndex) {
    let fleet = Fleet::new();
    let deployment = fleet.deploy();
    let members = [deployment, fleet.deploy()].map(|one| Member::new(one, Weight::ONE)).to_vec();
    let group = fleet.group(members, TieBreak::First);
    let answers = Answers::default();
    let seen = Seen { deployment, in_flight: 7, age: Duration::ZERO, arrivals: 1.0, answers };
    fleet.see(View { others: 1, deployments: vec![seen], ..View::default() }, Duration::ZERO);
    fleet.guard_probes(true);
    let status = Arc::new(Status::new(&SharedState::default(), "me".to_owned(), "here".to_owned()));
    status.answers();
    (End { fleet, start: Instant::now(), status }, group, deployment)
}

#[test]
fn a_thread_that_ends_by_a_panic_leaves_nothing_behind() {
    let (end, group, deployment) = guarded();
    let (fleet, status) = (Arc::clone(&end.fleet), Arc::clone(&end.status));
    assert_eq!(fleet.in_flight_total(deployment), 7);
    let thread = std::thread::spawn(move || {
        let _end = end;
        panic!("as a fault would");
    });
    assert!(thread.join().is_err());
    assert_eq!(fleet.in_flight_total(deployment), 0);
    assert!(!status.is_connected());
    assert!(status.snapshot().outage.is_some());
    assert!(status.snapshot().error.unwrap().contains("restart it"));
    // Nobody is asked before a probe.
    let now = Duration::from_secs(10);
    let retry_after = Some(Duration::from_secs(1));
    let rest = group.pick(&Pick { now, ..Pick::default() }).unwrap();
    let until = rest.end(Outcome::RateLimited { retry_after }, now).unwrap();
    assert!(group.pick(&Pick { now: until, ..Pick::default() }).unwrap().is_probe());
}

#[test]
fn an_answer_ends_an_error() {
    let (end, ..) = guarded();
    let status = &end.status;
    status.fails("a blip".to_owned());
    assert_eq!(status.snapshot().error.as_deref(), Some("a blip"));
    status.answers();
    assert_eq!(status.snapshot().error, None);
}

/// Waiting for anything at all, be it usage or the CPU that Redis has used.
#[tokio::test]
async fn what_the_others_told_fades_during_every_wait() {
    let (end, ..) = guarded();
    let End { fleet, start, status } = &end;
    let settings =
        Arc::new(SharedState { lease: Some(Duration::from_millis(200)), ..SharedState::default() });
    let names = crate::shared::blob::Names::new([]);
    let mut exchange = Exchange::new(InstanceId(1), String::new(), settings, names);
    let _turn = exchange.turn(fleet, start.elapsed());
    let fading = Fading { exchange: &mut exchange, fleet, start: *start, status, failure: None };
    fading.during(sleep(Duration::from_millis(300))).await;
    assert!(exchange.is_lost());
    assert!(!status.is_connected());
    assert_eq!(status.snapshot().error.as_deref(), Some("it has not answered for half a lease"));
}
