//! The time limit on a request's head, without arming a timer for each.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::time::Sleep;

/// Times one connection's requests, one after the other, with a timer that stays armed between them: it moves
/// only when it fires too early, and not at each request.
#[derive(Debug, Default)]
pub(super) struct HeadTimer {
    kept: Kept,
}

/// The timer, while nobody waits for it.
type Kept = Arc<Mutex<Option<Pin<Box<Sleep>>>>>;

impl hyper::rt::Timer for HeadTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn hyper::rt::Sleep>> {
        self.sleep_until(Instant::now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn hyper::rt::Sleep>> {
        let timer = self.kept.lock().unwrap_or_else(PoisonError::into_inner).take();
        Box::pin(Waiting { deadline: deadline.into(), timer, kept: Arc::clone(&self.kept) })
    }
}

/// Waiting for one request's head.
struct Waiting {
    deadline: tokio::time::Instant,
    timer: Option<Pin<Box<Sleep>>>,
    kept: Kept,
}

impl hyper::rt::Sleep for Waiting {}

impl Future for Waiting {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let deadline = self.deadline;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if deadline < timer.deadline() {
            timer.as_mut().reset(deadline);
        }
        loop {
            ready!(timer.as_mut().poll(context));
            if deadline <= timer.deadline() {
                return Poll::Ready(());
            }
            timer.as_mut().reset(deadline);
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = self.timer.take();
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use hyper::rt::Timer as _;

    use super::HeadTimer;

    const SHORT: Duration = Duration::from_millis(10);
    const LONG: Duration = Duration::from_millis(60);

    /// Waits until after `armed`, gives up at once, and then waits until after `limit`.
    async fn waits(timer: &HeadTimer, armed: Duration, limit: Duration) -> Duration {
        let mut given_up = timer.sleep(armed);
        assert!(tokio::time::timeout(Duration::ZERO, &mut given_up).await.is_err());
        drop(given_up);
        let begun = Instant::now();
        timer.sleep_until(begun + limit).await;
        begun.elapsed()
    }

    #[tokio::test]
    async fn each_wait_ends_at_its_own_time() {
        let timer = HeadTimer::default();
        let hour = Duration::from_secs(3600);
        for (armed, limit) in [(hour, SHORT), (SHORT, LONG), (LONG, SHORT), (hour, LONG)] {
            let waited = waits(&timer, armed, limit).await;
            assert!((limit..hour).contains(&waited), "{armed:?} {limit:?} {waited:?}");
        }
    }
}
