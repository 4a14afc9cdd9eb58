//! Rules of waiting that take more than one group, or time.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use leastbusy_balance::{
    Fleet, Group, Lease, Member, Outcome, Pick, Queued, Refusal, Ticket, TieBreak, Wait, Weight,
};

const START: Duration = Duration::from_secs(100);

fn limited(fleet: &Arc<Fleet>, limits: &[u32]) -> Vec<Member> {
    let member =
        |limit: &u32| Member { limit: NonZeroU32::new(*limit), ..Member::new(fleet.deploy(), Weight::ONE) };
    limits.iter().map(member).collect()
}

fn wait() -> Wait {
    Wait { priority: 0, client: 0, most: 100, until: Duration::MAX, waker: Waker::noop().clone() }
}

fn at(now: Duration) -> Pick<'static> {
    Pick { now, ..Pick::default() }
}

fn served(group: &Group, now: Duration) -> Lease {
    match group.pick_or_queue(&at(now), wait()) {
        Ok(Queued::Served(lease)) => lease,
        other => panic!("{other:?}"),
    }
}

fn waits(group: &Group, now: Duration) -> Ticket {
    match group.pick_or_queue(&at(now), wait()) {
        Ok(Queued::Waiting(ticket)) => ticket,
        other => panic!("{other:?}"),
    }
}

fn fetch(ticket: &mut Ticket, now: Duration) -> Option<Lease> {
    ticket.fetch(now, Waker::noop()).map(|lease| lease.expect("nobody has to give way"))
}

#[test]
fn groups_that_share_a_deployment_are_one_line_for_it() {
    let fleet = Fleet::new();
    let members = limited(&fleet, &[1]);
    let [chat, code] = [members.clone(), members].map(|members| fleet.group(members, TieBreak::Random));
    let busy = served(&chat, START);
    let mut first = waits(&code, START);
    let mut second = waits(&chat, START + Duration::from_millis(1));
    busy.end(Outcome::Success, START + Duration::from_secs(1));
    let now = START + Duration::from_secs(1);
    assert!(fetch(&mut second, now).is_none());
    let lease = fetch(&mut first, now).expect("it waited longest, by another name");
    drop(lease);
    assert!(fetch(&mut second, now).is_some());
}

#[test]
fn a_place_goes_to_nobody_while_its_deployment_rests() {
    let fleet = Fleet::new();
    let group = fleet.group(limited(&fleet, &[1, 1]), TieBreak::First);
    let [first, second] = [START; 2].map(|now| served(&group, now));
    let mut ticket = waits(&group, START);
    let rest = Duration::from_secs(7);
    first.end(Outcome::RateLimited { retry_after: Some(rest) }, START);
    assert!(fetch(&mut ticket, START).is_none(), "the free place is one of a deployment that rests");
    // Nothing ends, but the rest does: whoever looks finds it.
    let returned = START + rest + Duration::from_secs(30);
    let lease = fetch(&mut ticket, returned).expect("it has rested");
    assert_eq!(lease.member(), 0);
    drop(second);
}

#[test]
fn a_lease_that_nobody_fetches_goes_to_the_next() {
    let fleet = Fleet::new();
    let group = fleet.group(limited(&fleet, &[1]), TieBreak::Random);
    let busy = served(&group, START);
    let gone = waits(&group, START);
    let mut next = waits(&group, START);
    drop(busy);
    drop(gone);
    let lease = fetch(&mut next, START).expect("handed on");
    assert_eq!(fleet.snapshot(), [1]);
    drop(lease);
    assert_eq!(fleet.snapshot(), [0]);
}

#[test]
fn who_comes_while_others_wait_does_not_overtake_them() {
    let fleet = Fleet::new();
    let group = fleet.group(limited(&fleet, &[1, 1]), TieBreak::First);
    let [first, _second] = [START; 2].map(|now| served(&group, now));
    let mut ticket = waits(&group, START);
    // The first deployment fails, so that its place stays free until it returns.
    first.end(Outcome::RateLimited { retry_after: Some(Duration::from_secs(1)) }, START);
    let returned = START + Duration::from_secs(40);
    let mut late = waits(&group, returned);
    assert!(fetch(&mut late, returned).is_none());
    assert!(
        fetch(&mut ticket, returned).is_some(),
        "the newcomer's look found the place for whoever was first"
    );
}

#[test]
fn a_full_queue_says_how_long_it_takes_at_its_pace() {
    let fleet = Fleet::new();
    let group = fleet.group(limited(&fleet, &[1]), TieBreak::Random);
    let few = || Wait { most: 4, ..wait() };
    let mut lease = served(&group, START);
    let mut tickets: Vec<_> = (0..4).map(|_| waits(&group, START)).collect();
    // Ten answers of half a second, one after the other, with four waiting all the time.
    let mut now = START;
    for _ in 0..10 {
        now += Duration::from_millis(500);
        lease.end(Outcome::Success, now);
        lease = fetch(&mut tickets.remove(0), now).expect("handed on");
        tickets.push(waits(&group, now));
    }
    let refusal = group.pick_or_queue(&at(now), few()).map(|_| ()).unwrap_err();
    let Refusal::QueueFull { wait } = refusal else { panic!("{refusal}") };
    assert_eq!(wait, Duration::from_secs(2), "four that wait, at two a second");
}

#[test]
fn a_full_queue_that_has_not_moved_yet_goes_by_the_usual_answer() {
    let fleet = Fleet::new();
    let group = fleet.group(limited(&fleet, &[2]), TieBreak::Random);
    served(&group, START).end(Outcome::Success, START + Duration::from_secs(3));
    let now = START + Duration::from_secs(10);
    let _busy = [now; 2].map(|now| served(&group, now));
    let _tickets: Vec<_> = (0..4).map(|_| waits(&group, now)).collect();
    let refusal = group.pick_or_queue(&at(now), Wait { most: 4, ..wait() }).map(|_| ()).unwrap_err();
    let Refusal::QueueFull { wait } = refusal else { panic!("{refusal}") };
    assert_eq!(wait, Duration::from_secs(6), "two rounds of three seconds");
}

#[test]
fn what_waiting_does_not_help_against_is_refused() {
    let fleet = Fleet::new();
    let group = fleet.group(limited(&fleet, &[1]), TieBreak::Random);
    let only = [group.members()[0].deployment];
    let refused = |pick: Pick<'_>| group.pick_or_queue(&pick, wait()).map(|_| ()).unwrap_err();
    let all_tried = Refusal::AllTried { untried: 0, soonest: None };
    assert_eq!(refused(Pick { tried: &only, ..at(START) }), all_tried);
    assert_eq!(refused(Pick { above_order: Some(0), ..at(START) }), Refusal::Empty);
    // The same while others wait.
    let _busy = served(&group, START);
    let _ticket = waits(&group, START);
    assert_eq!(refused(Pick { tried: &only, ..at(START) }), all_tried);
    assert_eq!(refused(Pick { above_order: Some(0), ..at(START) }), Refusal::Empty);
}

#[test]
fn threads_that_come_and_go_leave_nothing_behind() {
    let fleet = Fleet::new();
    let group = fleet.group(limited(&fleet, &[2, 2]), TieBreak::Random);
    let served = std::thread::scope(|scope| {
        let worker = |number: u64| {
            let group = &group;
            move || {
                let mut served = 0;
                for round in 0..500_u64 {
                    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
                    let pick = Pick { dice: round * 31 + number, ..at(START) };
                    let wait = Wait {
                        priority: 0,
                        client: number,
                        most: 100,
                        until: Duration::MAX,
                        waker: waker.clone(),
                    };
                    match group.pick_or_queue(&pick, wait).expect("the queue is long enough") {
                        Queued::Served(lease) => drop(lease),
                        // Some do not wait for it.
                        Queued::Waiting(ticket) if round % 7 == 0 => drop(ticket),
                        Queued::Waiting(mut ticket) => {
                            let lease = loop {
                                match ticket.fetch(START, &waker) {
                                    Some(lease) => break lease.expect("the queue is long enough"),
                                    None => std::thread::park(),
                                }
                            };
                            drop(lease);
                        }
                    }
                    served += 1;
                }
                served
            }
        };
        let workers: Vec<_> = (0..8).map(|number| scope.spawn(worker(number))).collect();
        workers.into_iter().map(|worker| worker.join().expect("no panic")).sum::<u64>()
    });
    assert_eq!(served, 8 * 500);
    assert_eq!((fleet.snapshot(), fleet.waiting()), (vec![0, 0], 0));
}

struct Unpark(std::thread::Thread);

impl std::task::Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[test]
fn a_queue_that_one_client_has_filled_is_not_closed_to_the_others() {
    let fleet = Fleet::new();
    let group = fleet.group(limited(&fleet, &[1]), TieBreak::Random);
    let _busy = served(&group, START);
    let comes = |client| group.pick_or_queue(&at(START), Wait { client, most: 4, ..wait() });
    let waiting = |client| match comes(client) {
        Ok(Queued::Waiting(ticket)) => ticket,
        other => panic!("{other:?}"),
    };
    let mut noisy: Vec<_> = (0..4).map(|_| waiting(1)).collect();
    let full = |client| matches!(comes(client), Err(Refusal::QueueFull { .. }));
    assert!(full(1), "its own requests do not make room for each other");
    let _quiet = [waiting(2), waiting(2)];
    let told: Vec<_> = noisy.iter_mut().map(|ticket| ticket.fetch(START, Waker::noop()).is_some()).collect();
    assert_eq!(told, [false, false, true, true], "those that came last");
    assert_eq!(group.waiting(), 4);
    assert!(full(2), "now both have as many");
    let _third = waiting(3);
    assert_eq!(group.waiting(), 4);
}

#[test]
fn the_pace_is_that_of_those_who_wait_now() {
    let fleet = Fleet::new();
    let group = fleet.group(limited(&fleet, &[1]), TieBreak::Random);
    // Ten rounds in which one waits a moment, and nobody for the rest of the second.
    let mut now = START;
    for _ in 0..10 {
        let lease = served(&group, now);
        let mut ticket = waits(&group, now + Duration::from_millis(990));
        now += Duration::from_secs(1);
        lease.end(Outcome::Success, now);
        fetch(&mut ticket, now).expect("handed on").end(Outcome::Success, now);
    }
    let _busy = served(&group, now);
    let _tickets: Vec<_> = (0..4).map(|_| waits(&group, now)).collect();
    let wait = group.expected_wait(now + Duration::from_millis(100));
    assert!(wait > Duration::from_secs(1), "{wait:?}: nobody has been served since they wait");
}

#[test]
fn a_head_that_cannot_take_a_place_brings_its_group_nothing() {
    let fleet = Fleet::new();
    let [shared, other] = [0, 1].map(|_| limited(&fleet, &[1]).remove(0));
    let both = fleet.group(vec![shared.clone(), other], TieBreak::First);
    let one = fleet.group(vec![shared], TieBreak::First);
    let on_shared = served(&both, START);
    let _on_other = served(&both, START);
    // A retry that was on the shared one waits longest of all, then comes one for the other group, then more for this.
    let tried = [both.members()[0].deployment];
    let pick = Pick { tried: &tried, ..at(START) };
    let Ok(Queued::Waiting(_head)) = both.pick_or_queue(&pick, wait()) else { panic!("full") };
    let mut first = waits(&one, START + Duration::from_millis(1));
    let mut later = waits(&both, START + Duration::from_millis(2));
    let now = START + Duration::from_secs(1);
    on_shared.end(Outcome::Success, now);
    assert!(fetch(&mut later, now).is_none());
    assert!(fetch(&mut first, now).is_some(), "of those that can take it, it has waited longest");
}

#[test]
fn who_waits_is_told_when_all_have_come_to_rest() {
    let fleet = Fleet::new();
    let group = fleet.group(limited(&fleet, &[1, 1]), TieBreak::First);
    let [first, second] = [START; 2].map(|now| served(&group, now));
    let mut ticket = waits(&group, START);
    let rest = Outcome::RateLimited { retry_after: Some(Duration::from_secs(9)) };
    first.end(rest, START);
    assert!(ticket.fetch(START, Waker::noop()).is_none(), "the other one may come free");
    second.end(rest, START);
    let told = ticket.fetch(START, Waker::noop());
    let Some(Err(Refusal::AllCooling { soonest })) = told else { panic!("{told:?}") };
    assert!(soonest >= START + Duration::from_secs(9));
    assert_eq!(group.waiting(), 0);
}

#[test]
fn a_lease_that_is_handed_on_begins_when_it_is() {
    let fleet = Fleet::new();
    let group = fleet.group(limited(&fleet, &[1]), TieBreak::Random);
    let old = served(&group, START);
    let now = START + Duration::from_secs(600);
    let mut ticket = waits(&group, now);
    // A lease that is dropped does not know the time.
    drop(old);
    let lease = fetch(&mut ticket, now).expect("handed on");
    lease.end(Outcome::Success, now + Duration::from_secs(1));
    let _busy = served(&group, now);
    let _waiting = waits(&group, now);
    assert_eq!(
        group.expected_wait(now),
        Duration::from_secs(1),
        "the usual answer took a second, not ten minutes"
    );
}

/// Panics when it is told to.
#[derive(Debug)]
struct Moody(Arc<std::sync::atomic::AtomicBool>);

impl leastbusy_balance::Choose for Moody {
    fn choose(&mut self, _: &[leastbusy_balance::Candidate], _: &leastbusy_balance::Asked) -> usize {
        assert!(!self.0.load(std::sync::atomic::Ordering::Relaxed), "moody");
        0
    }
}

#[test]
fn a_strategy_that_panics_loses_nobody() {
    let fleet = Fleet::new();
    let mood = Arc::<std::sync::atomic::AtomicBool>::default();
    let group = fleet.group(limited(&fleet, &[1]), TieBreak::Random).choosing_by(Moody(Arc::clone(&mood)));
    let busy = served(&group, START);
    let mut ticket = waits(&group, START);
    mood.store(true, std::sync::atomic::Ordering::Relaxed);
    let end = std::panic::AssertUnwindSafe(|| busy.end(Outcome::Success, START));
    assert!(std::panic::catch_unwind(end).is_err());
    mood.store(false, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(group.waiting(), 1);
    assert!(fetch(&mut ticket, START).is_some());
    assert_eq!((fleet.snapshot(), fleet.waiting()), (vec![0], 0));
}

#[test]
fn nobody_waits_for_a_minute_that_takes_longer_than_it_would() {
    let fleet = Fleet::new();
    let terms = Arc::new(leastbusy_balance::Terms { rpm: Some(1), ..Default::default() });
    let member = Member { terms, ..Member::new(fleet.deploy(), Weight::ONE) };
    let group = fleet.group(vec![member], TieBreak::Random);
    drop(served(&group, START));
    let within = |seconds| Wait { until: START + Duration::from_secs(seconds), ..wait() };
    let refused = group.pick_or_queue(&at(START), within(30)).map(|_| ()).unwrap_err();
    assert_eq!(refused, Refusal::AllSpent { soonest: START + Duration::from_secs(60) });
    assert!(matches!(group.pick_or_queue(&at(START), within(90)), Ok(Queued::Waiting(_))));
    assert!(group.pick_or_queue(&at(START), within(0)).is_err());
}
