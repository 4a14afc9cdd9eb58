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
use load::Load;
use phase::{Report, plan};

const IDS: [&str; 4] = ["a", "b", "c", "d"];

/// What a healthy upstream takes a tenth of, and a hanging one never.
const LATE: Duration = Duration::from_millis(300);

fn quick(patients: &[Patient]) -> Config {
    let mut config =
        config(patients.iter().zip(IDS).map(|(patient, id)| deployment(id, &patient.upstream.base())));
    for deployment in &mut config.deployments {
        // Only this ends an answer that never pauses and never says anything.
        deployment.timeouts.total = Some(2 * LATE);
    }
    config.router.timeouts.first_byte = Some(LATE);
    config.router.timeouts.idle = Some(LATE);
    // Three of four fail at once, before anybody can know, and others before a request that waited for them is
    // over: it may meet all of the first three and all of the next.
    config.router.retries.num_retries = 6;
    config.router.cooldown.time = Some(Duration::from_millis(250));
    config.router.cooldown.max_time = Duration::from_millis(500);
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_client_sees_a_failure_while_one_deployment_is_well() {
    let seed =
        std::env::var("FAULTS_SEED").ok().map_or_else(|| fastrand::u64(..), |seed| seed.parse().unwrap());
    eprintln!("FAULTS_SEED={seed}");
    let mut dice = fastrand::Rng::with_seed(seed);
    let mut patients = Vec::new();
    for _ in IDS {
        patients.push(Patient::well().await);
    }
    let gateway = Arc::new(Gateway::start(&quick(&patients)));
    let load = Load::start(&gateway, &mut dice);
    let mut report = Report::new(&gateway, &load);
    for phase in plan(&mut dice) {
        for (patient, fault) in patients.iter().zip(phase.faults) {
            patient.falls_ill(fault);
        }
        tokio::time::sleep(phase.time).await;
        if phase.is_well() {
            let table = gateway.table();
            eventually("a gateway that trusts all of them again", || {
                table.deployments().all(|known| table.condition(known).standing == Standing::Available)
            })
            .await;
        }
        report.ends(&phase);
    }
    // Failures of a deployment that never rested lower its share until they are ten seconds old.
    let full_share_by = Instant::now() + Duration::from_secs(12);
    while let Err(least) = share_evenly(&gateway).await {
        assert!(Instant::now() < full_share_by, "{least} still has less than half of its share");
    }
    report.rest();
    let seen = load.stop().await;
    gateway.ends().await;
    assert_eq!(gateway.in_flight(), [0; IDS.len()]);
    eprintln!("{report}");
    let broken: usize = patients.iter().map(Patient::broken_after_content).sum();
    assert_eq!(seen.errors, [""; 0], "FAULTS_SEED={seed}");
    assert!(0 < broken, "no stream was broken after content");
    assert_eq!(seen.broken_after_content, broken, "each such stream ends with one error event");
}
