//! How long to rest. The numbers are LiteLLM's where it has one.

use std::time::Duration;

use crate::dice::Dice;

#[cfg(test)]
mod tests;

/// The first rest after a failure that asked for none.
const BACKOFF: Duration = Duration::from_millis(500);

/// The longest such rest, and the longest of any kind that is taken while a fallback is left, or for a deployment
/// that was not tried while another one could be asked again.
pub(super) const BACKOFF_MAX: Duration = Duration::from_secs(8);

/// What is added at random, so that those who failed together do not return together.
pub(super) const JITTER: Duration = Duration::from_millis(750);

/// What is added at random to a wait for a cooldown: less, because a client that was not tried yet waits for
/// it, and the probe lets in one request anyhow.
pub(super) const COOLING_JITTER: Duration = Duration::from_millis(50);

/// The longest rest before one retry: who asks for more does not want this request.
pub(super) const LONGEST: Duration = Duration::from_secs(60);

/// The shortest rest, so that a moment which has passed but changed nothing cannot be asked for again and
/// again.
pub(super) const LEAST: Duration = Duration::from_millis(10);

/// The rest after a failure that asked for none, when `rests` were taken before: 0.5, 1, 2, 4, then 8 s.
pub(super) fn backoff(rests: u32) -> Duration {
    BACKOFF * 2_u32.pow(rests.min(4))
}

/// A random time up to `most`.
pub(super) fn jitter(most: Duration, dice: u64) -> Duration {
    let most = u32::try_from(most.as_nanos()).unwrap_or(u32::MAX - 1);
    Duration::from_nanos(Dice::new(dice).below(most + 1).into())
}
