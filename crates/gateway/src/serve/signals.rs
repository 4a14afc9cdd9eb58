//! Running until the system asks to stop.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Running;

/// Serves until SIGTERM or SIGINT, then lets open answers end; a second signal ends it at once. SIGHUP has the keys
/// file read again; where there is none, it does what it does to any process.
///
/// # Errors
///
/// When the system refuses a runtime or a signal handler.
pub fn until_stopped(running: Running) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let stopped = runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hangup = match running.has_keys_file() {
            true => Some(signal(SignalKind::hangup())?),
            false => None,
        };
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                () = heard(hangup.as_mut()) => running.read_keys_again(),
            }
        }
        tracing::info!("stopping: no new connections, open answers may end");
        let now = running.stop_now();
        tokio::select! {
            () = running.stop() => tracing::info!("stopped"),
            _ = terminate.recv() => now.stop(),
            _ = interrupt.recv() => now.stop(),
        }
        Ok(())
    });
    runtime.shutdown_background();
    stopped
}

/// Waits for a signal, for ever if nobody listens for it.
async fn heard(signal: Option<&mut Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}
