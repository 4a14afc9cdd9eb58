//! Machines in trouble, and what becomes of the requests on them.

use std::time::Duration;

use leastbusy_balance::{Ending, FailedAttempt, Outcome, Phase};

use super::{Stage, Visit, World};
use crate::Trouble;
use crate::slab::Key;

/// What a refusal takes on its way over a network.
const REFUSAL: Duration = Duration::from_millis(1);

impl World<'_> {
    /// How a machine fails the request that comes now, if it does; the inner `None` when it never answers.
    pub(super) fn refusal(&mut self, machine: usize) -> Option<Option<(Duration, Outcome)>> {
        let at = &self.machines[machine];
        let is_full = at.engine.requests_max.is_some_and(|most| most as usize <= at.held());
        match at.engine.trouble_at(self.now) {
            Some(Trouble::Down) => Some(Some((REFUSAL, Outcome::ConnectionFailed))),
            Some(Trouble::RateLimits { retry_after }) => {
                Some(Some((REFUSAL, Outcome::RateLimited { retry_after })))
            }
            Some(Trouble::Fails { share, after }) if self.dice.uniform() < share => {
                Some(Some((after, Outcome::ServerError)))
            }
            Some(Trouble::Hangs { share }) if self.dice.uniform() < share => Some(None),
            _ if is_full => Some(Some((REFUSAL, Outcome::RateLimited { retry_after: None }))),
            _ => None,
        }
    }

    /// Requests that no time limit ends get an error when everybody else has gone.
    pub(super) fn give_up_the_hanging(&mut self) {
        for request in self.requests.keys(|_| true) {
            if let Some(hanging) = self.requests.take(request) {
                self.tally.failed(hanging.number, hanging.job.arrival.into());
            }
        }
    }

    /// A machine's trouble begins or ends, or its speed changes.
    pub(super) fn turn(&mut self, machine: usize) {
        let at = &mut self.machines[machine];
        if at.engine.trouble_at(self.now) == Some(Trouble::Down) && self.central.is_none() {
            let lost = self.visits.keys(|visit| visit.machine == machine);
            at.restart();
            let lost: Vec<_> = lost.into_iter().filter_map(|visit| self.visits.take(visit)).collect();
            for visit in lost {
                let outcome = match visit.stage {
                    Stage::Answering { .. } => Outcome::BrokenAnswer,
                    Stage::InVain | Stage::Waiting | Stage::Started(_) => Outcome::ConnectionFailed,
                };
                self.go_on(visit, outcome.into());
            }
        }
        let at = &mut self.machines[machine];
        at.decode.set_speed(self.now.seconds(), at.engine.speed_at(self.now));
        self.announce(machine);
        self.serve_the_queue();
    }

    /// An attempt fails, unless it has ended; a first token that came in time has nothing to fear from its limit.
    pub(super) fn fail(&mut self, visit: Key, ending: Ending) {
        let outcome = ending.outcome;
        let is_too_late = |visit: &Visit| {
            outcome == Outcome::Timeout(Phase::FirstByte) && matches!(visit.stage, Stage::Answering { .. })
        };
        if self.visits.get(visit).is_none_or(|failing| is_too_late(failing)) {
            return;
        }
        let Some(failed) = self.visits.take(visit) else { return };
        let machine = failed.machine;
        let at = &mut self.machines[machine];
        match failed.stage {
            Stage::InVain => {}
            Stage::Waiting => at.stop_waiting(visit),
            Stage::Started(_) => at.give_back(&failed.job),
            Stage::Answering { .. } => {
                at.give_back(&failed.job);
                at.decode.give_up(self.now.seconds());
            }
        }
        self.serve(machine);
        self.announce(machine);
        self.go_on(failed, ending);
    }

    /// What becomes of a request whose attempt has left its machine.
    pub(super) fn go_on(&mut self, failed: Visit, ending: Ending) {
        let Visit { request, instance, machine, lease, stage, .. } = failed;
        self.machines[machine].open -= 1;
        let Some(lease) = lease else { return };
        let now = self.now.since_start();
        let attempt =
            FailedAttempt { deployment: lease.deployment(), order: lease.order(), outcome: ending.outcome };
        let gateway = &mut self.gateways[instance];
        gateway.ended(self.now, machine);
        lease.end(ending, now);
        let dice = gateway.roll();
        let Some(walking) = self.requests.get(request) else { return };
        if self.directions.rules.streams && matches!(stage, Stage::Answering { .. }) {
            self.tally.failed(walking.number, self.now);
            self.requests.take(request);
            return;
        }
        let may_retry = || self.gateways[instance].may_retry(self.now);
        let step = walking.walk.failed(attempt, now, dice, may_retry, &self.directions);
        self.go(request, step);
    }
}
