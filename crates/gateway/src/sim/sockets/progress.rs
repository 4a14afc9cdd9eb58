//! How far a run in real time is.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::load::Progress;

const DRAW_EVERY: Duration = Duration::from_millis(200);

/// Draws a bar on standard error, where that is a terminal, until it is dropped.
pub(super) async fn show(progress: &Progress, requests: usize, lasts: Duration) -> Infallible {
    let style =
        ProgressStyle::with_template("{bar:30} {msg}").expect("the template is valid").progress_chars("━╸ ");
    let bar = ProgressBar::new(requests as u64).with_style(style);
    let bar = Shown(bar);
    let start = Instant::now();
    let mut ticks = tokio::time::interval(DRAW_EVERY);
    loop {
        ticks.tick().await;
        let left = lasts.saturating_sub(start.elapsed());
        bar.0.set_position((progress.answered() + progress.failed()) as u64);
        bar.0.set_message(format!(
            "{} s, {} s left, {} sent, {} answered, {} failed",
            start.elapsed().as_secs(),
            left.as_secs(),
            progress.sent(),
            progress.answered(),
            progress.failed()
        ));
    }
}

/// A bar that leaves no trace.
struct Shown(ProgressBar);

impl Drop for Shown {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
