//! A worker's way to the deployments: the picks, and where each request sets out.

use std::sync::Arc;
use std::time::Instant;

use http::Response;
use leastbusy_balance::{Demand, Lease, Pick, Refusal, Strategy};

use super::affinity::Known;
use super::attempt::{Attempt, Excused};
use super::call::Call;
use super::journey::Journey;
use super::leased_body::LeasedBody;
use super::observer::AttemptReason;
use super::queue::Patience;
use super::served::Facts;
use super::table::{Route, Table};
use crate::openai::ApiError;
use crate::shared::Strict;
use crate::upstream::Pool;

/// One worker's way to the deployments: the shared table and its own connections.
#[derive(Debug, Clone)]
pub struct Router {
    table: Arc<Table>,
    pool: Arc<Pool>,
}

impl Router {
    /// A worker's router over the shared table.
    #[must_use]
    pub fn new(table: Arc<Table>) -> Self {
        Self { table, pool: Pool::new() }
    }

    /// The routing table.
    #[must_use]
    pub fn table(&self) -> &Arc<Table> {
        &self.table
    }

    pub(super) fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// Closes connections that have been idle for too long.
    pub fn sweep(&self) {
        self.pool.sweep(self.table.origins());
    }

    /// Sends a request to the least busy deployment of its group, and elsewhere when that fails.
    ///
    /// # Errors
    ///
    /// What the client is to be told, when no deployment answered. A deployment's own error is an answer.
    pub async fn dispatch(
        &self,
        call: Call<'_>,
        facts: &mut Facts,
    ) -> Result<Response<LeasedBody>, ApiError> {
        Journey::new(self, &call, facts.received).run(facts).await
    }

    /// Takes a lease on the least busy of a route's deployments.
    pub(super) fn pick(&self, route: &Route<'_>, pick: Pick<'_>, picked: Picked) -> Result<Attempt, Refusal> {
        let now = Instant::now();
        let lease = self.lease(route, pick, picked, now)?;
        Ok(Attempt::begin(&self.table, route.group, (lease, now), picked))
    }

    /// The same, if there is budget for it.
    pub(super) fn pick_within_budget(
        &self,
        route: &Route<'_>,
        pick: Pick<'_>,
        picked: Picked,
    ) -> Option<Attempt> {
        let now = Instant::now();
        let lease = self.lease(route, pick, picked, now).ok()?;
        let group = &self.table.groups()[route.group].group;
        let is_allowed = group.may_retry(self.table.since_start(now));
        is_allowed.then(|| Attempt::begin(&self.table, route.group, (lease, now), picked))
    }

    /// As [`Self::pick`], where the request may wait for a place.
    pub(super) async fn pick_or_wait(
        &self,
        route: &Route<'_>,
        pick: Pick<'_>,
        picked: Picked,
        patience: Patience,
    ) -> Result<Attempt, Refusal> {
        let lease = self.lease_or_wait(route, pick, picked, patience).await?;
        Ok(Attempt::begin(&self.table, route.group, lease, picked))
    }

    /// A pick for all instances in one step.
    pub(super) async fn pick_strictly(
        &self,
        strict: &Strict,
        route: &Route<'_>,
        pick: Pick<'_>,
        picked: Picked,
        patience: Option<Patience>,
    ) -> Result<Attempt, Refusal> {
        let (lease, reservation) = match patience {
            None => self.take(strict, route, pick).await?,
            Some(patience) => self.take_or_wait(strict, route, pick, patience).await?,
        };
        Ok(Attempt::begin(&self.table, route.group, lease, picked).with(reservation))
    }

    /// The same, if there is budget for it.
    pub(super) async fn pick_strictly_within_budget(
        &self,
        strict: &Strict,
        route: &Route<'_>,
        pick: Pick<'_>,
        picked: Picked,
    ) -> Option<Attempt> {
        let (lease, reservation) = self.take(strict, route, pick).await.ok()?;
        let group = &self.table.groups()[route.group].group;
        let is_allowed = group.may_retry(self.table.since_start(lease.1));
        is_allowed.then(|| Attempt::begin(&self.table, route.group, lease, picked).with(reservation))
    }

    fn lease(
        &self,
        route: &Route<'_>,
        pick: Pick<'_>,
        picked: Picked,
        now: Instant,
    ) -> Result<Lease, Refusal> {
        self.table.pick(route, picked.strategy, &self.made_now(pick, picked, now))
    }

    /// What a request takes, where that decides or is limited.
    pub(super) fn weighed(&self, call: &Call<'_>) -> Demand {
        if self.table.weighs_requests() { call.demand } else { Demand::default() }
    }

    /// A pick of this moment.
    pub(super) fn made_now<'p>(&self, pick: Pick<'p>, picked: Picked, now: Instant) -> Pick<'p> {
        Pick { dice: fastrand::u64(..), now: self.table.since_start(now), stream: picked.stream, ..pick }
    }
}

/// What a pick is made for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Picked {
    /// 1 for a request's first attempt.
    pub(super) number: u32,
    pub(super) reason: AttemptReason,
    pub(super) stream: bool,
    /// The strategy that the request asks for.
    pub(super) strategy: Option<Strategy>,
    pub(super) excused: Excused,
    /// Who served last what has most in common with the request.
    pub(super) known: Known,
}
