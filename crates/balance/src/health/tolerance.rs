//! When a failure is one too many, and how long a deployment then rests.

use std::time::Duration;

use super::{Counter, Health, Peers, Report, Tolerance};
use crate::dice::Dice;
use crate::outcome::Verdict;

/// linkerd's unified breaker: failures in a row, which sees a dead deployment with little traffic ...
const FAILURES_IN_A_ROW: u32 = 5;
/// ... or the share of this many answers, which sees one that fails now and then.
const SAMPLES_MIN: u64 = 10;

impl Health {
    pub(super) fn exceeds_tolerance(&mut self, report: &Report<'_>, verdict: Verdict) -> bool {
        let rules = report.rules;
        if !rules.cooldowns {
            return false;
        }
        let Some(class) = report.outcome.class() else { return false };
        let alone = report.peers.members == 1;
        let named = |tolerance: &Tolerance| Some((tolerance.by_class.get(class)?, Counter::Class(class)));
        let any = |tolerance: &Tolerance| Some((tolerance.any?, Counter::Any));
        let own = named(&rules.tolerance);
        // LiteLLM: a bare number of the deployment's own never rests the only one there is.
        if own.is_none() && rules.tolerance.any.is_some() && alone {
            return false;
        }
        let own = own.or_else(|| any(&rules.tolerance));
        let router = || named(&rules.router_tolerance).or_else(|| any(&rules.router_tolerance));
        if let Some((tolerated, counter)) = own.or_else(router) {
            let elsewhere = self.elsewhere.failures(counter);
            return self.log.exceeds(counter, tolerated, elsewhere, (report.now, rules.failure_window));
        }
        let others = report.peers.others_available();
        match verdict {
            Verdict::Full => !alone,
            Verdict::Ill if report.outcome.retry_after().is_some() => 0 < others,
            Verdict::Misconfigured | Verdict::Gone => 0 < others,
            Verdict::Ill => 0 < others && report.peers.may_eject() && self.is_failing(report.now),
            Verdict::Well | Verdict::Silent => false,
        }
    }

    fn is_failing(&mut self, now: Duration) -> bool {
        let (well, all) = self.sums(now);
        FAILURES_IN_A_ROW <= self.failures_in_a_row || (SAMPLES_MIN <= all && well < all.saturating_sub(well))
    }

    /// How long it rests; `None` where a setting says that it does not.
    pub(super) fn rest(&self, report: &Report<'_>, relapse: bool) -> Option<Duration> {
        let rules = report.rules;
        let asked = report.outcome.retry_after().filter(|_| !rules.max_retry_after.is_zero());
        let asked = asked.map(|asked| asked.min(rules.max_retry_after));
        let base = match (rules.cooldown_time, asked) {
            (Some(own), _) => own,
            (None, Some(asked)) if !(relapse && asked.is_zero()) => asked,
            (None, _) => rules.default_cooldown_time,
        };
        let never = rules.cooldown_time.is_none() && rules.default_cooldown_time.is_zero();
        if never || base.is_zero() || !rules.cooldowns {
            return None;
        }
        if self.relapses == 0 {
            return Some(base);
        }
        // 20 % of jitter either way, so that instances and deployments that fell together come back apart.
        let jitter = 0.8 + 0.4 * Dice::new(report.dice).unit();
        let doubled = base.as_secs_f64() * f64::from(1_u32 << self.relapses) * jitter;
        Some(Duration::from_secs_f64(doubled.min(rules.max_cooldown_time.max(base).as_secs_f64())))
    }
}

impl Peers {
    pub(super) fn others_available(self) -> usize {
        self.members - 1 - self.resting.min(self.members - 1)
    }

    /// At most half of a group is rested for failing now and then, as Envoy and linkerd do: beyond that it is
    /// more likely the requests than the deployments.
    fn may_eject(self) -> bool {
        (self.resting + 1) * 2 <= self.members || self.resting == 0
    }
}
