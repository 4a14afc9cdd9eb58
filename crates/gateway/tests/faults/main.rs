//! Deployments fail in turn under a steady load, in every way a socket can fail, and no client sees it.

#![expect(
    clippy::disallowed_methods,
    reason = "a test's tasks end with its runtime, and nobody but the test waits for them"
)]
#![expect(clippy::unwrap_used, reason = "a failure in a test's scenery is a failure of the test")]

// The scenery of `tests/it`. This is a program of its own because time matters here: the tests there would
// take its processors away.
#[path = "../it/client.rs"]
#[expect(dead_code, reason = "the scenery does more than this program needs")]
mod client;
#[path = "../it/gateway.rs"]
#[expect(dead_code, reason = "the scenery does more than this program needs")]
mod gateway;
#[path = "../it/script.rs"]
#[expect(dead_code, reason = "the scenery does more than this program needs")]
mod script;
#[path = "../it/wire.rs"]
mod wire;

mod ill;
mod load;
mod phase;

use std::sync::Arc;
use std::time::{Duration, Instant};

use leastbusy_balance::{Outcome, Standing};
use leastbusy_gateway::config::Config;

use gateway::{Gateway, config, deployment, eventually};
use ill::Patient;
use load::{Error, Load};
use phase::{Phase, Report, all_over, in_turn};

const IDS: [&str; 4] = ["a", "b", "c", "d"];

/// What a healthy upstream takes a twentieth of, and a hanging one never.
const LATE: Duration = Duration::from_millis(500);

fn quick(patients: &[Patient], num_retries: u32, cooldown: Duration) -> Config {
    let mut config =
        config(patients.iter().zip(IDS).map(|(patient, id)| deployment(id, &patient.upstream.base())));
    for deployment in &mut config.deployments {
        // Only this ends an answer that never pauses and never says anything.
        deployment.timeouts.total = Some(2 * LATE);
    }
    config.router.timeouts.first_byte = Some(LATE);
    config.router.timeouts.idle = Some(LATE);
    config.router.retries.num_retries = num_retries;
    // When most of a group fails at once, and over and over, the usual budget is soon spent.
    config.router.retries.budget_percent = 1000.0;
    config.router.cooldown.time = Some(cooldown);
    config.router.cooldown.max_time = 2 * cooldown;
    // All rest when those that are left answer 429.
    config.router.cooldown.all_cooling_wait = 4 * cooldown;
    config.router.cooldown.ramp = Duration::from_millis(250);
    config
}

/// Watches who serves for half a second; the error is who serves less than half of its share.
async fn share_evenly(gateway: &Gateway) -> Result<(), &'static str> {
    let before = gateway.told.ends().len();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let after = gateway.told.ends().split_off(before);
    let served =
        |id: &str| after.iter().filter(|end| end.deployment == id && end.outcome == Outcome::Success).count();
    IDS.into_iter().find(|id| served(id) * 2 * IDS.len() < after.len()).map_or(Ok(()), Err)
}

/// What the retries promise: who has one for each deployment that was ill meanwhile is served, and nobody is given
/// up before that.
fn must_be_served(error: &Error, patients: &[Patient], num_retries: u32) -> bool {
    let was_ill = |patient: &&Patient| !patient.was_well(error.began, error.ended);
    let ill = patients.iter().filter(was_ill).count();
    ill.min(error.retries + 1) <= num_retries as usize
}

/// By `FAULTS_SEED`, which a run prints, so that it can be had again.
fn dice() -> fastrand::Rng {
    let seed = std::env::var("FAULTS_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    eprintln!("FAULTS_SEED={seed}");
    fastrand::Rng::with_seed(seed)
}

/// Four deployments, a gateway before them, and clients that ask and ask.
struct Run {
    patients: Vec<Patient>,
    gateway: Arc<Gateway>,
    num_retries: u32,
    load: Load,
    report: Report,
}

impl Run {
    async fn start(num_retries: u32, cooldown: Duration, dice: &mut fastrand::Rng) -> Self {
        let mut patients = Vec::new();
        for _ in IDS {
            patients.push(Patient::well().await);
        }
        let gateway = Arc::new(Gateway::start(&quick(&patients, num_retries, cooldown)));
        let load = Load::start(&gateway, dice);
        let report = Report::new(&gateway, &load);
        Self { patients, gateway, num_retries, load, report }
    }

    async fn endures(&mut self, phases: impl IntoIterator<Item = Phase>) {
        for phase in phases {
            for (patient, fault) in self.patients.iter().zip(phase.faults) {
                patient.falls_ill(fault).await;
            }
            tokio::time::sleep(phase.time).await;
            if phase.is_well() {
                let table = self.gateway.table();
                eventually("a gateway that trusts all of them again", || {
                    table.deployments().all(|known| table.condition(known).standing == Standing::Available)
                })
                .await;
            }
            self.report.ends(&phase);
        }
    }

    /// Waits until each deployment has its share of the load again.
    async fn recovers(&self) {
        // Failures of a deployment that never rested lower its share until they are ten seconds old.
        let full_share_by = Instant::now() + Duration::from_secs(12);
        while let Err(least) = share_evenly(&self.gateway).await {
            assert!(Instant::now() < full_share_by, "{least} still has less than half of its share");
        }
    }

    /// Returns how many streams were broken after a word of content.
    async fn ends(mut self) -> usize {
        self.report.rest();
        let seen = self.load.stop().await;
        self.gateway.ends().await;
        assert_eq!(self.gateway.in_flight(), [0; IDS.len()]);
        eprintln!("{}", self.report);
        let broken: usize = self.patients.iter().map(Patient::broken_after_content).sum();
        assert_eq!(seen.broken_after_content, broken, "each such stream ends with one error event");
        // Where others fall ill while a request is under way, it may meet them all.
        let must_be_served = |error: &&Error| must_be_served(error, &self.patients, self.num_retries);
        let amiss = seen.errors.iter().filter(must_be_served);
        let amiss: Vec<_> = amiss.map(|error| error.text.as_str()).collect();
        eprintln!("{} of {} errors while enough were well", amiss.len(), seen.errors.len());
        assert_eq!(amiss, [""; 0]);
        broken
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_client_sees_a_failure_while_deployments_fail_in_turn() {
    let mut dice = dice();
    let mut run = Run::start(3, Duration::from_millis(250), &mut dice).await;
    run.endures(in_turn(&mut dice)).await;
    run.recovers().await;
    assert!(0 < run.ends().await, "no stream was broken after content");
}

// A retry of what was tried waits for half a second at least. So that those who waste their retries are found out,
// cooldowns are longer.
const LONGER: Duration = Duration::from_millis(800);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_client_with_three_retries_sees_a_failure_while_one_of_four_is_well() {
    let mut dice = dice();
    let mut run = Run::start(3, LONGER, &mut dice).await;
    run.endures(all_over(3, &mut dice)).await;
    run.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_client_with_two_retries_sees_a_failure_while_two_of_four_are_well() {
    let mut dice = dice();
    let mut run = Run::start(2, LONGER, &mut dice).await;
    run.endures(all_over(2, &mut dice)).await;
    run.ends().await;
}
