//! One deployment's health: what its answers say, whether it rests, and how it comes back.

mod answers;
mod condition;
mod crew;
mod limit;
mod log;
mod places;
mod probe_right;
mod ramp;
mod role;
mod rules;
mod shared;
mod tolerance;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

pub use answers::Answers;
pub use condition::{Condition, Cooldown, Standing};
pub(crate) use crew::Crew;
use limit::LearnedLimit;
pub use log::Counter;
use log::FailureLog;
pub(crate) use places::Places;
use probe_right::ProbeRight;
use ramp::Ramp;
pub use ramp::RampCounts;
pub(crate) use role::Role;
pub use rules::{HealthRules, Tolerance};
pub use shared::{News, Rest};

use crate::outcome::{Outcome, Verdict};
use crate::window::Window;

/// What is known of one deployment beside its count.
#[derive(Debug)]
pub(crate) struct Health {
    /// Answers of the last ten seconds: those that show it works, and all that show anything.
    answers: Window<10>,
    failures_in_a_row: u32,
    /// Until when each failed attempt is still held against the deployment's score.
    phantoms: BinaryHeap<Reverse<Duration>>,
    log: FailureLog,
    limit: Option<LearnedLimit>,
    state: State,
    /// How often in a row it failed again when it came back.
    relapses: u32,
    /// When the last probe was picked. Plain requests that are older tell of the time before the rest.
    probed_at: Duration,
    cause: Option<Cause>,
    /// What other instances saw of its answers.
    elsewhere: Answers,
    probe_right: ProbeRight,
    /// The ramp that it came back by last, and when that began.
    returned: Option<(u64, Duration)>,
    /// When it was last found ill, as far as is known here: a return that is older is from before that.
    rested_at: Duration,
    /// The ramp of such a return: by then the others may have it back, and nobody would let this instance probe it.
    awaits: Option<u64>,
    /// What the others do not know yet.
    news: Option<News>,
}

/// Whether requests go there.
#[derive(Debug)]
enum State {
    Open,
    /// Nothing before this moment; after it, one request that shows whether it is well.
    Resting(Duration),
    /// That one request is out since this moment.
    Probing(Duration),
    Ramping(Ramp),
}

/// Why it was rested last.
#[derive(Debug, Clone, Copy)]
struct Cause {
    outcome: Outcome,
    status: Option<u16>,
}

/// Whether a deployment may be picked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Availability {
    Open,
    /// For one request, which becomes the probe.
    Ready,
    /// Not before this moment.
    Closed(Duration),
    /// Its probe is out; look again at this moment.
    Probed(Duration),
    /// It has rested, and a probe lacks the right only; look again at this moment.
    Guarded(Duration),
}

/// How one lease ended.
pub(crate) struct Report<'a> {
    pub(crate) outcome: Outcome,
    /// False where the outcome is the client's own doing, whatever its kind.
    pub(crate) counts: bool,
    pub(crate) status: Option<u16>,
    pub(crate) started: Duration,
    pub(crate) now: Duration,
    /// The count with this request.
    pub(crate) in_flight: u32,
    /// What this request was to a deployment that comes back.
    pub(crate) role: Role,
    /// The median time of a success in this group.
    pub(crate) typical: Duration,
    pub(crate) rules: &'a HealthRules,
    pub(crate) peers: Peers,
    pub(crate) dice: u64,
}

/// The other deployments of the group.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peers {
    /// Deployments in the group, this one included.
    pub(crate) members: usize,
    /// Others that rest or are being probed.
    pub(crate) resting: usize,
}

/// Until an answer to a probe is there, those who wait for it look again after this long.
const PROBE_PAUSE: Duration = Duration::from_millis(50);
/// A probe that has not answered for so long is joined by another one: it may be a long answer, or a client that will
/// leave, and a deployment that is well must not wait for it.
const PROBE_PATIENCE: Duration = Duration::from_secs(2);
/// The longest time that a failure is held against the score.
const HOLD_MAX: Duration = Duration::from_secs(30);
/// Answers that everybody is believed to have had, so that one failure of one does not say 0 %.
const PRIOR: f64 = 5.0;
/// What is left of the weight of a deployment that always fails.
const WEIGHT_FLOOR: f64 = 0.02;
/// A deployment that rests longer and longer still comes back to be asked this often: 2^20 seconds are 12 days.
const DOUBLINGS_MAX: u32 = 20;

impl Default for Health {
    fn default() -> Self {
        Self {
            answers: Window::new(),
            failures_in_a_row: 0,
            phantoms: BinaryHeap::new(),
            log: FailureLog::default(),
            limit: None,
            state: State::Open,
            relapses: 0,
            probed_at: Duration::ZERO,
            cause: None,
            elsewhere: Answers::default(),
            probe_right: ProbeRight::default(),
            returned: None,
            rested_at: Duration::ZERO,
            awaits: None,
            news: None,
        }
    }
}

impl Health {
    /// A deployment that has just joined a running fleet: probed and ramped like one that comes back.
    pub(crate) fn joining(now: Duration) -> Self {
        Self { state: State::Resting(now), ..Self::default() }
    }

    pub(crate) fn availability(&self, now: Duration) -> Availability {
        match &self.state {
            State::Open | State::Ramping(_) => Availability::Open,
            State::Resting(until) if *until <= now => self.once_rested(now),
            State::Resting(until) => Availability::Closed(*until),
            State::Probing(since) if *since + PROBE_PATIENCE <= now => self.once_rested(now),
            State::Probing(_) => Availability::Probed(now + PROBE_PAUSE),
        }
    }

    /// Lets go of what time has done away with; true when nothing is left that a pick must look at.
    pub(crate) fn settle(&mut self, now: Duration) -> bool {
        while self.phantoms.peek().is_some_and(|Reverse(until)| *until <= now) {
            self.phantoms.pop();
        }
        if self.limit.as_ref().is_some_and(|limit| limit.is_forgotten(now)) {
            self.limit = None;
        }
        self.join_late(now);
        let (well, all) = self.sums(now);
        matches!(self.state, State::Open) && self.phantoms.is_empty() && self.limit.is_none() && well == all
    }

    /// Failed attempts that count in the score as if they were still there.
    pub(crate) fn phantoms(&self) -> u32 {
        u32::try_from(self.phantoms.len()).unwrap_or(u32::MAX)
    }

    /// What is left of the weight, by the success rate of the last ten seconds.
    pub(crate) fn weight_factor(&mut self, now: Duration) -> f64 {
        let (well, all) = self.sums(now);
        let rate = (well as f64 + PRIOR) / (all as f64 + PRIOR);
        (rate * rate).max(WEIGHT_FLOOR)
    }

    /// Answers of the last ten seconds through all instances: those that show it works, and all that show anything.
    fn sums(&mut self, now: Duration) -> (u64, u64) {
        let (well, all) = self.answers.sums(now);
        (well.saturating_add(self.elsewhere.well), all.saturating_add(self.elsewhere.all))
    }

    pub(crate) fn is_ramping(&self) -> bool {
        matches!(self.state, State::Ramping(_))
    }

    /// Requests at once that it may have without asking more of it than its peers.
    pub(crate) fn places(&mut self, now: Duration, rules: &HealthRules, peers: f64, crew: Crew) -> Places {
        let limit = self.limit.as_ref().map(LearnedLimit::places);
        let mut ramp = None;
        if let State::Ramping(ramping) = &self.state {
            ramp = ramping.places(now, rules.ramp_time, peers, limit, crew);
            if ramp.is_none() {
                self.state = State::Open;
                self.relapses = 0;
            }
        }
        Places { ramp, limit }
    }

    /// A request was picked, even before the rest is over if it must.
    pub(crate) fn picked(&mut self, now: Duration, even_resting: bool) -> Role {
        match self.state {
            State::Resting(until) if until <= now || even_resting => self.probe(now),
            State::Probing(since) if since + PROBE_PATIENCE <= now => self.probe(now),
            State::Ramping(_) => Role::Returning,
            State::Open | State::Resting(_) | State::Probing(_) => Role::Plain,
        }
    }

    fn probe(&mut self, now: Duration) -> Role {
        self.state = State::Probing(now);
        self.probed_at = now;
        self.void_question();
        Role::Probe
    }

    /// The answer to a request that was picked at `started` has begun well, on the way back.
    pub(crate) fn answer_began(&mut self, started: Duration) {
        if let State::Ramping(ramp) = &mut self.state
            && ramp.covers(started)
        {
            ramp.began();
        }
    }

    /// The probe's answer has begun well.
    pub(crate) fn probe_answered(&mut self, now: Duration, rules: &HealthRules, dice: u64) {
        if !matches!(self.state, State::Probing(_)) {
            return;
        }
        self.forget_answers();
        self.void_probe_right();
        self.news = Some(News::Returns { ramp: dice, since: now });
        self.begin(Ramp::new(dice, now), !rules.ramp_time.is_zero());
    }

    /// What it answered before it rested says nothing of what it is now.
    fn forget_answers(&mut self) {
        self.answers.clear();
        self.elsewhere = Answers::default();
        self.failures_in_a_row = 0;
        self.phantoms.clear();
    }

    /// Gives it more from request to request, or everything at once.
    fn begin(&mut self, ramp: Ramp, ramps: bool) {
        self.returned = Some((ramp.id(), ramp.since()));
        self.awaits = None;
        if ramps {
            self.state = State::Ramping(ramp);
        } else {
            self.state = State::Open;
            self.relapses = 0;
        }
    }

    /// The probe ended without an answer to judge by: the next request is the probe.
    pub(crate) fn probe_abandoned(&mut self) {
        if let State::Probing(since) = self.state {
            self.state = State::Resting(since);
        }
    }

    /// Takes in how a request ended; when that made the deployment rest, until when.
    pub(crate) fn report(&mut self, report: &Report<'_>) -> Option<Duration> {
        let verdict = if report.counts { report.outcome.verdict() } else { Verdict::Silent };
        match verdict {
            Verdict::Well => {
                self.well(report);
                // A policy may name even what a client is to blame for.
                let named = |tolerance: &Tolerance| {
                    report.outcome.class().is_some_and(|class| tolerance.by_class.get(class).is_some())
                };
                let watched = 0 < report.peers.others_available()
                    && (named(&report.rules.tolerance) || named(&report.rules.router_tolerance));
                if watched && self.exceeds_tolerance(report, verdict) {
                    self.send_to_rest(report, false)
                } else {
                    None
                }
            }
            Verdict::Silent => {
                if report.role == Role::Probe {
                    self.probe_abandoned();
                    // A client that gave a probe up after a while saw a deployment that hangs: not the next one at once.
                    if report.started + PROBE_PATIENCE <= report.now
                        && matches!(self.state, State::Resting(_))
                    {
                        self.state = State::Resting(report.now + PROBE_PATIENCE);
                    }
                }
                None
            }
            Verdict::Ill | Verdict::Gone | Verdict::Full | Verdict::Misconfigured => {
                self.failed(report, verdict)
            }
        }
    }

    fn well(&mut self, report: &Report<'_>) {
        if report.role == Role::Probe {
            self.probe_answered(report.now, report.rules, report.dice);
        }
        self.answers.add(report.now, 1, 1);
        self.failures_in_a_row = 0;
        if let Some(limit) = &mut self.limit {
            limit.grow(report.in_flight);
        }
        if let State::Ramping(ramp) = &mut self.state
            && (report.role.shows() || ramp.covers(report.started))
        {
            ramp.success();
        }
    }

    fn failed(&mut self, report: &Report<'_>, verdict: Verdict) -> Option<Duration> {
        if !report.role.shows() && report.started < self.probed_at {
            return None;
        }
        self.hold(report);
        if matches!(verdict, Verdict::Ill | Verdict::Gone) {
            self.answers.add(report.now, 0, 1);
            self.failures_in_a_row += 1;
        }
        if verdict == Verdict::Full {
            match &mut self.limit {
                Some(limit) => limit.cut(report.in_flight, report.now),
                None => self.limit = Some(LearnedLimit::new(report.in_flight, report.now)),
            }
        }
        let relapse = match &mut self.state {
            State::Probing(_) => report.role == Role::Probe,
            State::Ramping(ramp) if report.role == Role::Proved || ramp.covers(report.started) => {
                ramp.failure(report.now) && 0 < report.peers.others_available()
            }
            State::Open | State::Resting(_) | State::Ramping(_) => false,
        };
        if relapse {
            self.relapses = (self.relapses + 1).min(DOUBLINGS_MAX);
        } else if !self.exceeds_tolerance(report, verdict) {
            return None;
        }
        self.send_to_rest(report, relapse)
    }

    fn send_to_rest(&mut self, report: &Report<'_>, relapse: bool) -> Option<Duration> {
        let Some(rest) = self.rest(report, relapse) else {
            self.probe_abandoned();
            return None;
        };
        let mut until = report.now + rest;
        let known = match self.state {
            State::Resting(known) => Some(known),
            State::Open | State::Probing(_) | State::Ramping(_) => None,
        };
        until = known.map_or(until, |known| until.max(known));
        self.state = State::Resting(until);
        self.rested_at = report.now;
        self.awaits = None;
        self.cause = Some(Cause { outcome: report.outcome, status: report.status });
        self.log.clear();
        self.void_probe_right();
        self.tells_rest();
        // Failures that come together are one rest, which the later ones only lengthen.
        let is_news = known.is_none_or(|known| known <= report.now);
        is_news.then_some(until)
    }

    /// Failing fast must not look idle: the attempt stays in the score for as long as a success would have.
    fn hold(&mut self, report: &Report<'_>) {
        let until = report.started + report.typical.min(HOLD_MAX);
        if report.now < until {
            self.phantoms.push(Reverse(until));
        }
    }
}
