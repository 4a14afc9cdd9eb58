//! All small histories of requests that wait: who comes, who ends, who leaves, who fetches what it was handed.
//!
//! After every event: nobody waits whom a free place could serve, places are handed on in the order of the line, each
//! waiter is woken once and only for a lease, and in flight is the number of leases.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Wake, Waker};
use std::time::Duration;

use leastbusy_balance::{
    DeploymentIndex, Fleet, Group, Lease, Member, Pick, Queued, Refusal, Ticket, TieBreak, Wait, Weight,
};

const MOST: u32 = 3;

#[derive(Debug, Default)]
struct Bell(AtomicU32);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Event {
    /// A request comes; whether it is urgent, and whether it was on the first deployment already.
    Comes { urgent: bool, tried: bool },
    /// The lease that was taken first ends.
    Ends,
    /// The lease that was taken last is dropped.
    Drops,
    /// Whoever waits longest leaves the queue, fetched or not.
    Leaves,
    /// Everybody fetches.
    Fetches,
}

const EVENTS: [Event; 7] = [
    Event::Comes { urgent: false, tried: false },
    Event::Comes { urgent: true, tried: false },
    Event::Comes { urgent: false, tried: true },
    Event::Ends,
    Event::Drops,
    Event::Leaves,
    Event::Fetches,
];

struct Waiting {
    ticket: Ticket,
    bell: Arc<Bell>,
    urgent: bool,
    tried: bool,
}

struct Stage {
    fleet: Arc<Fleet>,
    group: Group,
    leases: Vec<Lease>,
    waiting: Vec<Waiting>,
    now: Duration,
}

impl Stage {
    fn new() -> Self {
        let fleet = Fleet::new();
        let member = || Member { limit: NonZeroU32::new(1), ..Member::new(fleet.deploy(), Weight::ONE) };
        let members = vec![member(), member()];
        let group = fleet.group(members, TieBreak::First);
        Self { fleet, group, leases: Vec::new(), waiting: Vec::new(), now: Duration::ZERO }
    }

    fn first(&self) -> DeploymentIndex {
        self.group.members()[0].deployment
    }

    fn does(&mut self, event: Event) {
        self.now += Duration::from_millis(1);
        match event {
            Event::Comes { urgent, tried } => self.comes(urgent, tried),
            Event::Ends if !self.leases.is_empty() => {
                self.leases.remove(0).end(leastbusy_balance::Outcome::Success, self.now);
            }
            Event::Drops => drop(self.leases.pop()),
            Event::Leaves if !self.waiting.is_empty() => drop(self.waiting.remove(0)),
            Event::Fetches => self.fetch(),
            Event::Ends | Event::Leaves => {}
        }
    }

    fn comes(&mut self, urgent: bool, tried: bool) {
        let bell = Arc::<Bell>::default();
        let first = [self.first()];
        let tried_ones = if tried { &first[..] } else { &[] };
        let pick = Pick { tried: tried_ones, now: self.now, ..Pick::default() };
        let waker = Waker::from(Arc::clone(&bell));
        let wait = Wait { priority: i64::from(!urgent), client: 0, most: MOST, until: Duration::MAX, waker };
        let before = self.group.waiting();
        let last_usual = self.waiting.iter().rposition(|waiting| !waiting.urgent && rings(waiting) == 0);
        match self.group.pick_or_queue(&pick, wait) {
            Ok(Queued::Served(lease)) => self.leases.push(lease),
            Ok(Queued::Waiting(ticket)) => {
                if before == MOST {
                    assert!(urgent, "only who is more urgent takes a place");
                    let mut last = self.waiting.remove(last_usual.expect("one is less urgent"));
                    let told = last.ticket.fetch(self.now, Waker::noop());
                    assert!(matches!(told, Some(Err(Refusal::QueueFull { .. }))), "{told:?}");
                }
                self.waiting.push(Waiting { ticket, bell, urgent, tried });
            }
            Err(Refusal::QueueFull { .. }) => {
                assert_eq!(before, MOST);
                assert!(!urgent || last_usual.is_none(), "one is less urgent");
            }
            Err(refusal) => panic!("{refusal}"),
        }
    }

    fn fetch(&mut self) {
        for mut waiting in std::mem::take(&mut self.waiting) {
            match waiting.ticket.fetch(self.now, &Waker::from(Arc::clone(&waiting.bell))) {
                Some(Ok(lease)) => self.leases.push(lease),
                Some(Err(refusal)) => panic!("whoever gave way was told: {refusal}"),
                None => self.waiting.push(waiting),
            }
        }
    }

    fn check(&self, history: &[Event]) {
        let handed = self.waiting.iter().filter(|waiting| rings(waiting) == 1).count();
        assert!(self.waiting.iter().all(|waiting| rings(waiting) <= 1), "{history:?}: woken for nothing");
        let in_flight: u32 = self.fleet.snapshot().iter().sum();
        assert_eq!(in_flight as usize, self.leases.len() + handed, "{history:?}");
        assert!(self.fleet.snapshot().iter().all(|count| *count <= 1), "{history:?}");
        assert_eq!(self.group.waiting() as usize, self.waiting.len() - handed, "{history:?}");
        let free = self.fleet.snapshot().iter().map(|count| *count == 0).collect::<Vec<_>>();
        for waiting in self.waiting.iter().filter(|waiting| rings(waiting) == 0) {
            let could = free[1] || (free[0] && !waiting.tried);
            assert!(!could, "{history:?}: one waits beside a free place");
        }
        // Of two who could take the same places, the more urgent one goes first, then who came first.
        for (at, early) in self.waiting.iter().enumerate() {
            for late in &self.waiting[at + 1..] {
                let goes_first = early.urgent >= late.urgent && early.tried <= late.tried;
                assert!(!(goes_first && rings(late) > rings(early)), "{history:?}: one was overtaken");
            }
        }
    }
}

fn rings(waiting: &Waiting) -> u32 {
    waiting.bell.0.load(Ordering::Relaxed)
}

#[test]
fn every_history_of_up_to_seven_events_keeps_the_promises() {
    let mut histories = 0;
    for number in 0..EVENTS.len().pow(7) {
        let events = (0..7_u32).map(|at| EVENTS[number / EVENTS.len().pow(at) % EVENTS.len()]);
        let history: Vec<_> = events.collect();
        // Nothing waits before three have come.
        if !matches!(history[0], Event::Comes { tried: false, .. })
            || !matches!(history[1], Event::Comes { .. })
        {
            continue;
        }
        let mut stage = Stage::new();
        for (done, event) in history.iter().enumerate() {
            stage.does(*event);
            stage.check(&history[..=done]);
        }
        histories += 1;
        // In the end all goes, in whatever order, and nothing is left.
        let Stage { fleet, leases, waiting, .. } = stage;
        drop((waiting, leases));
        assert_eq!(fleet.snapshot(), [0, 0], "{history:?}");
        assert_eq!(fleet.waiting(), 0, "{history:?}");
    }
    assert_eq!(histories, 2 * 3 * 7_usize.pow(5));
}
