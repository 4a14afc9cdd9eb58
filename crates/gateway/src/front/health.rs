//! `GET /health`: which deployments are up.

use std::collections::BTreeMap;
use std::time::Instant;

use http::Response;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::answer::Body;
use super::pages;
use crate::router::{
    Deployment, HealthBoard, HealthCheck, Life, PROBE_TIMEOUT, PROBES_AT_ONCE, Router, Table,
};

/// What is known of one deployment.
struct Found {
    check: HealthCheck,
    /// Whether it was asked for that.
    was_asked: bool,
}

/// What background health checks found last where there are any; else every deployment that is not blocked is asked now.
pub(super) async fn health(router: &Router) -> Response<Body> {
    let table = router.table();
    let mut checks = match table.health_board() {
        Some(board) => found(table, board),
        None => ask_all(router).await,
    };
    let (mut healthy, mut unhealthy) = (Vec::new(), Vec::new());
    for (at, deployment) in table.deployments().enumerate() {
        let Some(Found { check, was_asked }) = checks.remove(&at) else { continue };
        let mut entry = json!({
            "model": format!("{}/{}", deployment.provider, deployment.model),
            "model_name": deployment.model_name,
            "model_id": deployment.id,
            "api_base": deployment.api_base,
            "checked_seconds_ago": was_asked.then(|| seconds_ago(&check)),
        });
        if check.healthy {
            if !was_asked {
                entry["not_asked"] = Value::from(check.seen);
            }
            healthy.push(entry);
        } else {
            entry["error"] = Value::from(check.seen);
            unhealthy.push(entry);
        }
    }
    pages::page(&json!({
        "healthy_count": healthy.len(),
        "unhealthy_count": unhealthy.len(),
        "healthy_endpoints": healthy,
        "unhealthy_endpoints": unhealthy,
    }))
}

/// What the last background check of a deployment found, for `GET /router/deployments`.
pub(super) fn last_check(table: &Table, deployment: &Deployment) -> Option<Value> {
    let check = table.health_board()?.last(deployment.counted_as)?;
    Some(json!({
        "healthy": check.healthy,
        "seconds_ago": seconds_ago(&check),
        "reason": (!check.healthy).then_some(check.seen),
    }))
}

fn seconds_ago(check: &HealthCheck) -> f64 {
    pages::thousandths(check.at.elapsed().as_secs_f64())
}

/// What background checks found, by the deployments' places in the configuration.
fn found(table: &Table, board: &HealthBoard) -> BTreeMap<usize, Found> {
    let deployments = table.deployments().enumerate().filter(|(_, deployment)| !deployment.blocked);
    let found = |check| Found { check, was_asked: true };
    deployments.filter_map(|(at, deployment)| Some((at, found(board.last(deployment.counted_as)?)))).collect()
}

/// Asks every deployment that is not blocked, some at once.
async fn ask_all(router: &Router) -> BTreeMap<usize, Found> {
    let mut checks = BTreeMap::new();
    let mut asking = JoinSet::new();
    let deployments = router.table().deployments().enumerate();
    for (at, _) in deployments.filter(|(_, deployment)| !deployment.blocked) {
        if PROBES_AT_ONCE <= asking.len() {
            checks.extend(asking.join_next().await.and_then(Result::ok));
        }
        let router = router.clone();
        asking.spawn(async move {
            let probe = router.probe(at, PROBE_TIMEOUT).await;
            // One that is at its limit serves those it has.
            let was_asked = probe.life != Life::NotAsked;
            let healthy = probe.is_healthy() || !was_asked;
            (at, Found { check: HealthCheck { healthy, seen: probe.seen, at: Instant::now() }, was_asked })
        });
    }
    while let Some(check) = asking.join_next().await {
        checks.extend(check);
    }
    checks
}
