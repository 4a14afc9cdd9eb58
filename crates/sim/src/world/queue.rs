//! Picks, and requests that wait at the gateway for a place.

use std::mem;
use std::sync::{Arc, Mutex};
use std::task::{Wake, Waker};
use std::time::Duration;

use leastbusy_balance::{Ask, Demand, Lease, NoPick, Pick, Queued, Step, Ticket, Wait};

use super::{Event, World};
use crate::clock::Moment;
use crate::slab::Key;

/// A request's place in the queue.
#[derive(Debug)]
pub(super) struct Waiting {
    ticket: Ticket,
    waker: Waker,
    since: Moment,
    /// When it has waited long enough.
    until: Moment,
    /// Numbers the waits of all requests.
    number: u64,
}

/// Rings when a place is there, for a world that looks after each event. Leases end in the middle of one.
#[derive(Debug, Clone, Default)]
pub(super) struct Bell(Arc<Mutex<Vec<Key>>>);

#[derive(Debug)]
struct Rope {
    bell: Bell,
    request: Key,
}

impl Bell {
    fn waker(&self, request: Key) -> Waker {
        Waker::from(Arc::new(Rope { bell: self.clone(), request }))
    }

    fn rung_for(&self) -> Vec<Key> {
        mem::take(&mut *self.0.lock().expect("nothing panics with the lock"))
    }
}

impl Wake for Rope {
    fn wake(self: Arc<Self>) {
        self.bell.0.lock().expect("nothing panics with the lock").push(self.request);
    }
}

impl World<'_> {
    /// A lease, or what the walk does without one; `None` where the request waits for one, or is gone.
    pub(super) fn pick(&mut self, request: Key, ask: Ask) -> Option<Result<Lease, Step>> {
        let now = self.now.since_start();
        let rules = self.directions.rules;
        let walking = self.requests.get(request)?;
        let walk = &mut walking.walk;
        let pick = Pick {
            tried: walk.tried(),
            barred: walk.barred(),
            above_order: ask.above_order,
            even_resting: ask.force,
            stream: rules.streams,
            demand: Demand { prompt: walking.job.prompt_tokens.round() as u32, output: 0 },
            ..Pick::default()
        };
        let gateway = &mut self.gateways[walking.instance];
        let left = rules.queue.timeout.saturating_sub(walking.queued);
        let picked = if ask.queue && !left.is_zero() {
            let waker = self.bell.waker(request);
            let client = if rules.queue.turns { walking.client as u64 } else { 0 };
            let priority = self.senders.priority(walking.client);
            let until = now.saturating_add(left);
            let wait = Wait { priority, client, most: gateway.most_waiting(), until, waker: waker.clone() };
            gateway.pick_or_queue(self.now, pick, wait).map(|queued| (queued, waker))
        } else {
            gateway.pick(self.now, pick).map(|lease| (Queued::Served(lease), Waker::noop().clone()))
        };
        match picked {
            Ok((Queued::Served(lease), _)) => Some(Ok(lease)),
            Ok((Queued::Waiting(ticket), waker)) => {
                self.wait_for_a_place(request, ticket, waker, left);
                None
            }
            Err(refusal) => {
                let dice = gateway.roll();
                Some(Err(walk.refused(refusal.into(), now, dice, &self.directions)))
            }
        }
    }

    fn wait_for_a_place(&mut self, request: Key, ticket: Ticket, waker: Waker, at_most: Duration) {
        let Some(walking) = self.requests.get(request) else { return };
        self.numbers += 1;
        let (since, number) = (self.now, self.numbers);
        let whole_by = self
            .directions
            .rules
            .request_timeout
            .map_or(Moment::NEVER, |time| Moment::from(walking.job.arrival).after(time));
        let until = since.after(at_most).min(whole_by);
        let look = since.after(ticket.look_again()).min(until);
        walking.waiting = Some(Waiting { ticket, waker, since, until, number });
        self.at(look, Event::Looks(request, number));
    }

    /// Those whose places have come begin.
    pub(super) fn serve_the_woken(&mut self) {
        loop {
            let rung_for = self.bell.rung_for();
            if rung_for.is_empty() {
                return;
            }
            for request in rung_for {
                self.fetch(request);
            }
        }
    }

    /// A request begins if its place has come.
    fn fetch(&mut self, request: Key) {
        let Some(walking) = self.requests.get(request) else { return };
        let Some(waiting) = &mut walking.waiting else { return };
        match waiting.ticket.fetch(self.now.since_start(), &waiting.waker) {
            None => {}
            Some(Ok(lease)) => {
                self.leave_the_queue(request);
                self.begin(request, lease);
            }
            Some(Err(refusal)) => self.goes_on(request, refusal.into()),
        }
    }

    /// Whoever waited leaves the queue without a place.
    fn goes_on(&mut self, request: Key, refusal: NoPick) {
        self.leave_the_queue(request);
        let Some(walking) = self.requests.get(request) else { return };
        let dice = self.gateways[walking.instance].roll();
        let step = walking.walk.refused(refusal, self.now.since_start(), dice, &self.directions);
        self.go(request, step);
    }

    fn leave_the_queue(&mut self, request: Key) {
        if let Some(walking) = self.requests.get(request)
            && let Some(waiting) = walking.waiting.take()
        {
            walking.queued += self.now.since(waiting.since);
        }
    }

    /// A request looks whether time has brought a place, and goes on without one when it has waited long enough.
    pub(super) fn looks(&mut self, request: Key, number: u64) {
        let is_this = |waiting: &Waiting| waiting.number == number;
        if self.requests.get(request).is_none_or(|walking| !walking.waiting.as_ref().is_some_and(is_this)) {
            return;
        }
        self.fetch(request);
        let Some(walking) = self.requests.get(request) else { return };
        let Some(waiting) = &walking.waiting else { return };
        if self.now < waiting.until {
            let look = self.now.after(waiting.ticket.look_again()).min(waiting.until);
            return self.at(look, Event::Looks(request, number));
        }
        self.goes_on(request, NoPick::AllFull);
    }
}
