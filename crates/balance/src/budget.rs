//! How many retries a group may make, so that they cannot become the storm.
//!
//! Retries counted by the request multiply: when everything fails, two retries each make three times the
//! load on deployments that are failing because of load. A budget counts them by the group instead: a
//! share of what succeeded lately, and a few a second on top, so that a quiet group can retry too. The idea
//! is Finagle's and linkerd's; theirs earn by requests, ours earns by successes, so that an outage earns
//! nothing.

use std::time::Duration;

use crate::window::Window;

#[cfg(test)]
mod tests;

/// The seconds that the window covers.
const WINDOW_SECONDS: f64 = 10.0;

/// How many retries a group may make in ten seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryBudget {
    /// Retries for each success; 0.2 by default, which adds at most a fifth to the load.
    pub share: f64,
    /// Retries a second that need no success; 10 by default. They may come all at once: 100 in 10 s.
    pub per_second: f64,
}

impl RetryBudget {
    /// Every retry is allowed.
    pub const UNLIMITED: Self = Self { share: 0.0, per_second: f64::INFINITY };
}

impl Default for RetryBudget {
    // Finagle's and linkerd's defaults, which tower's users know too.
    fn default() -> Self {
        Self { share: 0.2, per_second: 10.0 }
    }
}

/// What one group has earned and spent of its [`RetryBudget`] in the last ten seconds.
#[derive(Debug, Clone)]
pub struct RetryLedger {
    budget: RetryBudget,
    /// Successes and retries.
    window: Window<10>,
}

impl RetryLedger {
    /// Nothing earned and nothing spent.
    #[must_use]
    pub const fn new(budget: RetryBudget) -> Self {
        Self { budget, window: Window::new() }
    }

    /// Earns a share of a retry.
    pub fn success(&mut self, now: Duration) {
        self.window.add(now, 1, 0);
    }

    /// Spends one retry; `false` if the budget has none left, and then nothing is spent.
    ///
    /// `now` is the time since any epoch that stays the same for this ledger.
    pub fn try_retry(&mut self, now: Duration) -> bool {
        let (successes, retries) = self.window.sums(now);
        let allowed = self.budget.share * successes as f64 + self.budget.per_second * WINDOW_SECONDS;
        let may = (retries as f64) < allowed;
        if may {
            self.window.add(now, 0, 1);
        }
        may
    }
}
