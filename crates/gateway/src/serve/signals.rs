//! Running until the system asks to stop.

use std::io;

use tokio::signal::unix::{SignalKind, signal};

use super::Running;

/// Serves until SIGTERM or SIGINT, then lets open answers end; a second signal ends it at once.
///
/// # Errors
///
/// When the system refuses a runtime or a signal handler.
pub fn until_stopped(running: Running) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let stopped = runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
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
