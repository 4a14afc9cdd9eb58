//! One request under way: what its walk says is done, step by step.

mod refused;
mod sieve;

use std::cell::OnceCell;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

use http::Response;
use leastbusy_balance::{
    Ask, FailedAttempt, GiveUp, Limits as WalkLimits, Outcome, Pick, Refusal, Step, Walk,
};

use self::refused::Refused;
use self::sieve::Sieve;
use super::affinity::{Known, Marks, Recalled};
use super::attempt::{Attempt, Excused};
use super::call::Call;
use super::dispatch::{Picked, Router};
use super::failure::Failure;
use super::hedge::{Runner, Track};
use super::leased_body::LeasedBody;
use super::observer::AttemptReason;
use super::once::BUSY_WAIT;
use super::queue::Patience;
use super::served::{Facts, Served};
use super::table::{Route, Table};
use super::ways::{FIRST, Place, Ways};
use crate::openai::{ApiError, Full, MockFailure};

/// One request under way.
pub(super) struct Journey<'a> {
    router: &'a Router,
    call: &'a Call<'a>,
    walk: Walk,
    /// Needed once something has failed.
    ways: OnceCell<Ways<'a>>,
    deadline: Instant,
    attempts: u32,
    /// The walk's retries and fallbacks when the latest attempt began.
    counted: (u32, u32),
    /// What the client is told when nothing serves: the last failure of what it asked for.
    first_failure: Option<Failure>,
    /// Whether that is a failure of what it asked for, and not of a fallback.
    first_failed: bool,
    /// Why what it asked for had nobody for it.
    first_refused: Refused,
    /// Time spent in queues.
    queued: Duration,
    sieve: Sieve<'a>,
    /// LiteLLM's test hook: the first attempt is to fail so, without being made.
    mock_failure: Option<MockFailure>,
    first: Place<'a>,
    /// What it has in common with others, where they stay together.
    marks: Option<Marks>,
}

impl<'a> Journey<'a> {
    /// A request's way from the first step, and from the moment that its head was there.
    pub(super) fn new(router: &'a Router, call: &'a Call<'a>, received: Instant) -> Self {
        let table = router.table();
        let reliability = table.reliability();
        let deadline = received + reliability.whole_request;
        let limits = WalkLimits { deadline: table.since_start(deadline), ..reliability.walk };
        Self {
            router,
            call,
            walk: Walk::new(FIRST, limits),
            ways: OnceCell::new(),
            deadline,
            attempts: 0,
            counted: (0, 0),
            first_failure: None,
            first_failed: false,
            first_refused: Refused::default(),
            queued: Duration::ZERO,
            sieve: Sieve::new(table, call),
            mock_failure: call.extras.mock_failure,
            first: call.first(),
            marks: table.affinity().and_then(|affinity| affinity.marks(call.traits())),
        }
    }

    /// Goes it to the end, and notes what it took.
    pub(super) async fn run(mut self, facts: &mut Facts) -> Result<Response<LeasedBody>, ApiError> {
        let answer = self.go(facts).await;
        facts.retries = self.walk.retries();
        facts.fallbacks = self.walk.fallbacks();
        facts.waited += self.queued;
        answer
    }

    async fn go(&mut self, facts: &mut Facts) -> Result<Response<LeasedBody>, ApiError> {
        let mut step = self.walk.start(self.now());
        loop {
            if let Step::Pick(ask) = step
                && let Err(next) = self.sift(ask)
            {
                step = next;
                continue;
            }
            step = match step {
                Step::Pick(ask) => match self.pick(&ask).await {
                    Ok(attempt) => match self.attempt(ask, attempt, facts).await {
                        Ok(response) => return Ok(response),
                        Err(next) => next,
                    },
                    Err(refusal) => {
                        let now = self.now();
                        if ask.target == FIRST {
                            self.first_refused.note(refusal);
                        }
                        let ways = ways(&self.ways, self.router.table(), self.call);
                        self.walk.refused(refusal.into(), now, fastrand::u64(..), ways)
                    }
                },
                Step::Wait(wait) => {
                    tokio::time::sleep(wait).await;
                    self.walk.waited(self.now())
                }
                Step::GiveUp(why) => return self.give_up(why),
            };
        }
    }

    fn picked(&self, route: &Route<'_>, reason: AttemptReason) -> Picked {
        Picked {
            number: self.attempts + 1,
            reason,
            stream: self.call.stream,
            strategy: self.call.extras.strategy,
            excused: Excused {
                all: false,
                timeouts: Default::default(),
                unknown_model: !route.captures.is_empty(),
            },
            known: Known::NotAsked,
        }
    }

    fn place(&self, target: usize) -> &Place<'a> {
        place(&self.ways, &self.first, target)
    }

    /// How the request waits for a place.
    fn patience(&self) -> Patience {
        let queue = &self.router.table().reliability().queue;
        let left = queue.timeout.saturating_sub(self.queued);
        Patience {
            priority: self.call.extras.priority.unwrap_or(queue.default_priority),
            client: self.call.client.map_or(0, number),
            until: self.deadline.min(Instant::now() + left),
        }
    }

    fn now(&self) -> Duration {
        self.router.table().since_start(Instant::now())
    }

    /// Who served what this request has in common with others.
    fn recall(&self, route: &Route<'_>) -> Option<Recalled> {
        let affinity = self.router.table().affinity()?;
        Some(affinity.recall(self.marks.as_ref()?, route, self.now()))
    }

    async fn pick(&mut self, ask: &Ask) -> Result<Attempt, Refusal> {
        let route = &self.place(ask.target).route;
        let recalled = self.recall(route);
        let pick = Pick {
            tried: self.walk.tried(),
            barred: self.walk.barred(),
            above_order: ask.above_order,
            even_resting: ask.force,
            // Who waits has its turn by it.
            demand: if ask.queue { self.call.demand } else { self.router.weighed(self.call) },
            among: self.sieve.among(),
            prefer: recalled.as_ref().and_then(Recalled::preference),
            ..Pick::default()
        };
        let counted = (self.walk.retries(), self.walk.fallbacks());
        let reason = match self.counted {
            (retries, _) if retries < counted.0 => AttemptReason::Retry,
            (_, fallbacks) if fallbacks < counted.1 => AttemptReason::Fallback,
            _ => AttemptReason::First,
        };
        let mut picked = self.picked(route, reason);
        if let (AttemptReason::First, Some(recalled)) = (reason, &recalled) {
            picked.known = recalled.known(&pick, &self.router.table().counting(route, None));
        }
        let asked = Instant::now();
        let attempt = match self.router.table().strict() {
            // Boxed because requests that need not wait should not pay for its size.
            None if ask.queue => {
                Box::pin(self.router.pick_or_wait(route, pick, picked, self.patience())).await
            }
            None => self.router.pick(route, pick, picked),
            // Boxed for its size, which requests of the default mode should not pay for.
            Some(strict) => {
                let patience = ask.queue.then(|| self.patience());
                Box::pin(self.router.pick_strictly(strict, route, pick, picked, patience)).await
            }
        };
        if ask.queue {
            self.queued += asked.elapsed();
        }
        let mut attempt = attempt?;
        attempt.teaches(recalled.map(|recalled| recalled.keys));
        self.attempts += 1;
        self.counted = counted;
        Ok(attempt)
    }

    async fn attempt(
        &mut self,
        ask: Ask,
        attempt: Attempt,
        facts: &mut Facts,
    ) -> Result<Response<LeasedBody>, Step> {
        let place = place(&self.ways, &self.first, ask.target);
        let started = attempt.started();
        let group = place.route.group;
        let member = attempt.member();
        facts.served = Some(Served::new(self.router.table(), group, member));
        let mock = self.mock_failure.take();
        let (runner, result) = match (mock, self.router.hedge_delay(self.call, place)) {
            (Some(mock), _) => (Runner::new(&attempt), Err(pretended(mock, attempt, self.call.model))),
            (None, None) => {
                let runner = Runner::new(&attempt);
                (runner, self.router.once(self.call, place, attempt, self.deadline).await)
            }
            (None, Some(delay)) => {
                let track = Track {
                    call: self.call,
                    place,
                    ask,
                    tried: self.walk.tried(),
                    among: self.sieve.among(),
                    picked: self.picked(&place.route, AttemptReason::Hedge),
                    deadline: self.deadline,
                };
                // Boxed because it is large and rare: requests without a hedge should not pay for its size.
                let finish = Box::pin(self.router.race(track, attempt, delay)).await;
                self.attempts += finish.attempts - 1;
                if let Some(fallen) = finish.fallen {
                    self.walk.note(fallen, self.router.table().since_start(Instant::now()));
                }
                (finish.runner, finish.result)
            }
        };
        // Only a hedge may have won instead. All cores share the table's counter, so it is not touched for nothing.
        if runner.member != member {
            facts.served = Some(Served::new(self.router.table(), group, runner.member));
        }
        facts.waited += started.elapsed();
        let failure = match result {
            Ok(response) => return Ok(response),
            Err(failure) => failure,
        };
        let now = self.now();
        let ways = ways(&self.ways, self.router.table(), self.call);
        ways.note_deployment(runner.num_retries);
        let outcome = failure.outcome;
        let group = &self.router.table().groups()[ways.place(ask.target).route.group];
        let next = if self.call.content.can_be_sent_again() {
            let failed = FailedAttempt { outcome, ..runner.failed };
            self.walk.failed(
                failed,
                now,
                fastrand::u64(..),
                || mock.is_none() && group.group.may_retry(now),
                ways,
            )
        } else {
            Step::GiveUp(GiveUp::Failed)
        };
        tracing::warn!(
            model = self.call.model,
            deployment = facts.served.as_ref().map(Served::deployment),
            outcome = outcome.name(),
            next = name(&next),
            "an attempt failed"
        );
        if self.call.extras.include_fallback_errors {
            facts.failures.push((group.name.clone(), outcome.name()));
        }
        let is_better = ask.target == FIRST && outcome != Outcome::GatewayLimit;
        if is_better || self.first_failure.is_none() {
            self.first_failure = Some(failure);
            self.first_failed |= ask.target == FIRST;
        }
        Err(next)
    }

    /// What the client is told when nobody had a place for it.
    fn all_full(&self) -> ApiError {
        let now = self.now();
        let table = self.router.table();
        let group = &table.groups()[self.first.route.group];
        let Refused { spent_until, queue_takes, .. } = self.first_refused;
        let spent = spent_until.map(|until| until.saturating_sub(now));
        let full = match queue_takes {
            Some(wait) => Full::QueueIsFull { wait: spent.map_or(wait, |spent| spent.max(wait)) },
            None => {
                let wait = spent.unwrap_or_else(|| group.expected_wait(table.fleet(), now));
                Full::NoPlace { waited: self.queued, wait: wait.max(BUSY_WAIT) }
            }
        };
        ApiError::all_full(self.call.model, full)
    }

    fn give_up(&mut self, why: GiveUp) -> Result<Response<LeasedBody>, ApiError> {
        let model = self.call.model;
        let reliability = self.router.table().reliability();
        // The first group's error is the client's, also when it is that all of it cools down.
        if let (false, Some(soonest)) = (self.first_failed, self.first_refused.returns) {
            return Err(ApiError::all_cooling(model, soonest.saturating_sub(self.now())));
        }
        if let Some(error) = self.nobody_left() {
            return Err(error);
        }
        match (self.first_failure.take(), why) {
            (Some(failure), _) => failure.into_answer(reliability.max_retry_after),
            (None, GiveUp::Cooling { remaining }) => Err(ApiError::all_cooling(model, remaining)),
            (None, GiveUp::Full) => Err(self.all_full()),
            (None, GiveUp::Deadline) => Err(ApiError::deadline(model, reliability.whole_request)),
            (None, GiveUp::Empty | GiveUp::Failed) => {
                tracing::error!(model, "no deployment could be picked");
                Err(ApiError::overloaded(model, BUSY_WAIT))
            }
        }
    }
}

/// The number that a client's requests share their turns by.
fn number(client: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    client.hash(&mut hasher);
    hasher.finish()
}

fn place<'r, 'a>(ways: &'r OnceCell<Ways<'a>>, first: &'r Place<'a>, target: usize) -> &'r Place<'a> {
    ways.get().map_or(first, |ways| ways.place(target))
}

/// Where the request may go, found out when that is asked for the first time.
// Not a method: the walk, which is told of it, must stay free to change.
fn ways<'r, 'a>(known: &'r OnceCell<Ways<'a>>, table: &'a Table, call: &'a Call<'a>) -> &'r Ways<'a> {
    known.get_or_init(|| Ways::new(table, call, call.first()))
}

/// The failure that a client asks for to see its fallbacks at work.
fn pretended(mock: MockFailure, attempt: Attempt, model: &str) -> Failure {
    let outcome = match mock {
        MockFailure::General => Outcome::ServerError,
        MockFailure::ContextWindow => Outcome::ContextWindow,
        MockFailure::ContentPolicy => Outcome::ContentPolicy,
    };
    // No deployment was asked, so none is to blame.
    attempt.end(Outcome::GatewayLimit);
    Failure::own(outcome, ApiError::mock_failure(model, outcome.name()))
}

/// What comes next, for the log.
fn name(step: &Step) -> &'static str {
    match step {
        Step::Pick(_) => "try elsewhere",
        Step::Wait(_) => "wait",
        Step::GiveUp(_) => "give up",
    }
}
