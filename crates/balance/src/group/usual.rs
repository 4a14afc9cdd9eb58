//! What is usual where nobody says otherwise.

use super::{Group, GroupRules};

/// Requests that may wait where no member has a limit: they may be full by the requests or tokens of the minute.
const QUEUED_WITHOUT_LIMITS: u32 = 100;

impl GroupRules {
    /// The usual [`cap_of_all`](Self::cap_of_all): half as much again as the limits. One at the limits themselves leaves
    /// places empty that others were told to have taken (docs/queue.md).
    pub const USUAL_CAP_OF_ALL: f64 = 1.5;
}

impl Group {
    /// The most requests that may usually wait: twice the sum of the limits, 100 where there are none. Waits longer than two
    /// answers are better spent elsewhere.
    #[must_use]
    pub fn usual_queue(&self) -> u32 {
        let limits = self.core.members.iter().filter_map(|member| member.limit).map(|limit| limit.get());
        match limits.fold(0_u32, u32::saturating_add) {
            0 => QUEUED_WITHOUT_LIMITS,
            all => all.saturating_mul(2),
        }
    }
}
