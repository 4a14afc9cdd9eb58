//! Background health checks, on a thread of their own: each deployment is asked once in every interval.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;

use crate::router::{HealthBoard, PROBE_TIMEOUT, PROBES_AT_ONCE, Router, Table};

/// Within this the first checks of all deployments are made, or within the interval where that is shorter: what is down
/// when the gateway starts should be known soon.
const FIRST_ROUND: Duration = Duration::from_secs(10);
/// How far a check may be from its turn, as a part of the interval, so that instances which start together come apart.
const JITTER: f64 = 0.1;
/// How often idle connections are looked through.
const SWEEP_INTERVAL: Duration = Duration::from_secs(2);

/// The running checks; dropping it ends them.
#[derive(Debug)]
pub(super) struct HealthChecks {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl HealthChecks {
    /// Begins to check the deployments of a table, where that is wanted.
    pub(super) fn start(table: &Arc<Table>) -> io::Result<Option<Self>> {
        let Some(board) = table.health_board() else { return Ok(None) };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let checks = check_all(Router::new(Arc::clone(table)), Arc::clone(board));
        let thread = std::thread::Builder::new().name("health-checks".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    // Ends when `stop` is dropped, too.
                    _ = stopped => {}
                    () = checks => {}
                }
            });
            // Blocking work is only name resolution; nobody waits for it any more.
            runtime.shutdown_background();
        })?;
        Ok(Some(Self { stop: Some(stop), thread: Some(thread) }))
    }
}

impl Drop for HealthChecks {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn check_all(router: Router, board: Arc<HealthBoard>) {
    let places = Arc::new(Semaphore::new(PROBES_AT_ONCE));
    let mut checks = JoinSet::new();
    let count = board.checked().len();
    for (turn, &deployment) in board.checked().iter().enumerate() {
        let turns = Turns { start: Instant::now(), interval: board.interval(), turn, count };
        let check = Check { router: router.clone(), board: Arc::clone(&board), deployment };
        checks.spawn(check.again_and_again(turns, Arc::clone(&places)));
    }
    let mut sweep = tokio::time::interval(SWEEP_INTERVAL);
    loop {
        sweep.tick().await;
        router.sweep();
    }
}

/// The check of one deployment.
struct Check {
    router: Router,
    board: Arc<HealthBoard>,
    /// Its place in the configuration.
    deployment: usize,
}

impl Check {
    async fn again_and_again(self, turns: Turns, places: Arc<Semaphore>) {
        let mut due = turns.first(fastrand::f64());
        loop {
            tokio::time::sleep_until(due.into()).await;
            {
                let _place = places.acquire().await.expect("the semaphore is never closed");
                self.once().await;
            }
            due = turns.next(Instant::now(), fastrand::f64());
        }
    }

    async fn once(&self) {
        let table = self.router.table();
        let deployment = table.deployment(self.deployment);
        let limit = deployment.health_check_timeout.unwrap_or(PROBE_TIMEOUT);
        let probe = self.router.probe(self.deployment, limit).await;
        let (healthy, seen) = (probe.is_healthy(), probe.seen.clone());
        if !self.board.note(deployment.counted_as, probe, Instant::now()) {
            return;
        }
        let (id, model_group) = (&deployment.id, &deployment.model_name);
        match healthy {
            true => tracing::info!(%id, %model_group, %seen, "a deployment is healthy"),
            false => tracing::warn!(%id, %model_group, %seen, "a deployment is unhealthy"),
        }
    }
}

/// When one of several deployments is checked.
struct Turns {
    start: Instant,
    interval: Duration,
    /// Its place among those that are checked.
    turn: usize,
    count: usize,
}

impl Turns {
    /// Its turn within an interval, as a part of that; `dice` is a random number from 0 to 1.
    fn slot(&self, dice: f64) -> f64 {
        let width = 1.0 / self.count.max(1) as f64;
        self.turn as f64 * width + dice * width.min(JITTER)
    }

    fn first(&self, dice: f64) -> Instant {
        self.start + self.interval.min(FIRST_ROUND).mul_f64(self.slot(dice))
    }

    /// Its first turn that is not sooner than half an interval after `now`, when the last check has ended.
    fn next(&self, now: Instant, dice: f64) -> Instant {
        let slot = self.interval.mul_f64(self.slot(dice));
        let earliest = now + self.interval / 2;
        let since = earliest.saturating_duration_since(self.start + slot);
        let intervals = since.as_secs_f64() / self.interval.as_secs_f64();
        self.start + slot + self.interval.mul_f64(intervals.ceil())
    }
}

#[cfg(test)]
mod tests;
