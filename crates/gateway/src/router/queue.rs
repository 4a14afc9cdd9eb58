//! Waiting for a place where every deployment that could serve is full.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use leastbusy_balance::{Lease, Pick, Queued, Refusal, Ticket, Wait};
use tokio::time::Sleep;

use super::dispatch::{Picked, Router};
use super::observer::{QueueEnd, QueueStay};
use super::table::{Route, Table};

/// How one request waits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// The lowest number is served first.
    pub(super) priority: i64,
    /// Whose request it is.
    pub(super) client: u64,
    /// When it has waited long enough.
    pub(super) until: Instant,
}

impl Router {
    /// Takes a lease on a route's deployments, at once or once a place has come free.
    pub(super) async fn lease_or_wait(
        &self,
        route: &Route<'_>,
        pick: Pick<'_>,
        picked: Picked,
        patience: Patience,
    ) -> Result<(Lease, Instant), Refusal> {
        let table = self.table();
        let group = table.counting(route, picked.strategy);
        let most = table.groups()[route.group].queue_most;
        let Patience { priority, client, until } = patience;
        let began = Instant::now();
        let pick = self.made_now(pick, picked, began);
        // A future is asked with the waker that the queue is to wake.
        let asked = poll_fn(|context| {
            let waker = context.waker().clone();
            let until = table.since_start(until);
            Poll::Ready(group.pick_or_queue(&pick, Wait { priority, client, most, until, waker }))
        });
        let mut stay = Stay::begin(table, route.group, began);
        let ticket = match asked.await {
            Ok(Queued::Served(lease)) => {
                stay.ends(None);
                return Ok((lease, began));
            }
            Ok(Queued::Waiting(ticket)) => ticket,
            Err(refusal) => {
                stay.ends(matches!(refusal, Refusal::QueueFull { .. }).then_some(QueueEnd::Refused));
                return Err(refusal);
            }
        };
        stay.ahead = ticket.ahead();
        let arrived = Arrival::new(table, ticket, until).await;
        stay.ends(Some(match arrived {
            Some(Ok(_)) => QueueEnd::Served,
            Some(Err(Refusal::QueueFull { .. })) => QueueEnd::GaveWay,
            Some(Err(_)) => QueueEnd::Unavailable,
            None => QueueEnd::TimedOut,
        }));
        arrived.unwrap_or(Err(Refusal::AllFull)).map(|lease| (lease, Instant::now()))
    }
}

/// A request's stay in the queue, which is told of when it ends, however it does.
pub(super) struct Stay<'a> {
    table: &'a Table,
    group: usize,
    began: Instant,
    ahead: u32,
    end: Option<QueueEnd>,
}

impl<'a> Stay<'a> {
    pub(super) fn begin(table: &'a Table, group: usize, began: Instant) -> Self {
        // Whoever drops it before it has ended is a client that leaves.
        Self { table, group, began, ahead: 0, end: Some(QueueEnd::ClientLeft) }
    }

    /// Says how it ends; `None` for one that did not wait.
    pub(super) fn ends(&mut self, end: Option<QueueEnd>) {
        self.end = end;
    }
}

impl Drop for Stay<'_> {
    fn drop(&mut self) {
        let Some(end) = self.end else { return };
        let group = &self.table.groups()[self.group];
        let stay = QueueStay {
            group: &group.name,
            group_index: self.group,
            ahead: self.ahead,
            duration: self.began.elapsed(),
            end,
        };
        self.table.observers().iter().for_each(|observer| observer.queued(&stay));
    }
}

/// What becomes of a ticket; `None` when the time is over.
struct Arrival<'a> {
    table: &'a Table,
    ticket: Ticket,
    until: Instant,
    timer: Pin<Box<Sleep>>,
}

impl<'a> Arrival<'a> {
    fn new(table: &'a Arc<Table>, ticket: Ticket, until: Instant) -> Self {
        let look = until.min(Instant::now() + ticket.look_again());
        let timer = Box::pin(tokio::time::sleep_until(look.into()));
        Self { table, ticket, until, timer }
    }
}

impl Future for Arrival<'_> {
    type Output = Option<Result<Lease, Refusal>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let now = Instant::now();
            let since_start = self.table.since_start(now);
            if let Some(arrived) = self.ticket.fetch(since_start, context.waker()) {
                return Poll::Ready(Some(arrived));
            }
            if self.until <= now {
                return Poll::Ready(None);
            }
            std::task::ready!(self.timer.as_mut().poll(context));
            let look = self.until.min(now + self.ticket.look_again().max(Duration::from_millis(1)));
            self.timer.as_mut().reset(look.into());
        }
    }
}
