//! Asking a deployment whether it is up, without giving it work.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, Method, StatusCode};
use leastbusy_balance::{Outcome, Pick, Refusal};

use super::affinity::Known;
use super::attempt::Excused;
use super::dispatch::{Picked, Router};
use super::observer::AttemptReason;
use super::table::Route;
use crate::upstream::{Limits, RequestBody, Target, classify, send};

/// How long a probe waits for a deployment that has no limit of its own for that.
pub const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// Deployments that are asked at once where all are.
pub const PROBES_AT_ONCE: usize = 32;

/// What a deployment said when asked for its models.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Probe {
    /// Whether it is up and took our key.
    pub life: Life,
    /// What was seen, in a few words.
    pub seen: String,
}

/// What a probe shows of a deployment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Life {
    /// It is up and took our key.
    Shown,
    /// It is not, or it refused.
    #[default]
    NotShown,
    /// It answered 429 or 408: it may be back soon.
    Busy,
    /// It was not asked, because it is full of our own requests.
    NotAsked,
}

impl Probe {
    /// Whether the deployment is up and took our key.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.life == Life::Shown
    }
}

impl Router {
    /// Asks a deployment for its list of models, under a lease like any other request.
    ///
    /// Servers without such a list answer 404 or 405, which shows as well that they are up.
    ///
    /// # Panics
    ///
    /// If the table has no such deployment.
    pub async fn probe(&self, deployment: usize, limit: Duration) -> Probe {
        // It asks even one that rests, and leaves its health to real requests.
        let pick = Pick { even_resting: true, ..Pick::default() };
        let excused = Excused { all: true, ..Excused::default() };
        let picked = Picked {
            number: 1,
            reason: AttemptReason::First,
            stream: false,
            strategy: None,
            excused,
            known: Known::NotAsked,
        };
        let attempt = match self.pick(&Route::to(self.table().direct(deployment)), pick, picked) {
            Ok(attempt) => attempt,
            Err(refusal) => return Probe { life: Life::NotAsked, seen: why_not(refusal).to_owned() },
        };
        let deployment = attempt.deployment();
        let path = deployment.models_path.clone();
        let mut message = || {
            let mut headers = HeaderMap::new();
            deployment.add_headers(&mut headers);
            Some((headers, RequestBody::Empty))
        };
        let target = Target { origin: deployment.origin(), method: Method::GET, path, message: &mut message };
        let limits = Limits { connect: limit, first_byte: limit, idle: limit, total: limit };
        let mut timer = Box::pin(tokio::time::sleep(limit));
        match send::send(self.pool(), target, &limits, attempt.started().into(), &mut timer).await {
            Ok(exchange) => {
                let status = exchange.parts.status;
                attempt.end(classify::outcome(status, &exchange.parts.headers, SystemTime::now));
                Probe { life: life(status), seen: status.to_string() }
            }
            Err(error) => {
                let outcome = error.outcome();
                attempt.end(outcome);
                let seen =
                    if outcome == Outcome::ConnectionFailed { "connection failed" } else { outcome.name() };
                Probe { life: Life::NotShown, seen: seen.to_owned() }
            }
        }
    }
}

fn why_not(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::AllSpent { .. } => "it has had its requests or tokens of this minute",
        _ => "it is at its limit",
    }
}

fn life(status: StatusCode) -> Life {
    match status {
        _ if status.is_success() => Life::Shown,
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => Life::Shown,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => Life::Busy,
        _ => Life::NotShown,
    }
}
