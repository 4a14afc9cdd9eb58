//! The rules of a run, from the settings of a router.

use leastbusy_balance::Strategy;
use leastbusy_sim::{Queue, Rules};

use crate::config::{DeploymentCooldown, RouterSettings};
use crate::router::rules;

/// What the router's settings and a deployment's own come to, as the router itself reads them.
pub(super) fn of_router(router: &RouterSettings, own: &DeploymentCooldown, streams: bool) -> Rules {
    let limits = &router.timeouts;
    let (first_token_timeout, answer_timeout) = if streams {
        (limits.first_byte.or(limits.stream_timeout).or(limits.timeout), None)
    } else {
        // An answer that is not streamed comes whole, so the first byte is the last.
        (None, [limits.first_byte, limits.timeout].into_iter().flatten().min())
    };
    Rules {
        health: (*rules::of_deployment(&router.cooldown, own)).clone(),
        group: rules::of_groups(router, Strategy::LeastBusy),
        queue: Queue { most: router.queue.max, timeout: router.queue.timeout, turns: true },
        retries: router.retries.num_retries,
        walk: rules::of_walks(router),
        request_timeout: limits.total,
        first_token_timeout,
        answer_timeout,
        streams,
    }
}
