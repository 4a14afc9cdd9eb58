//! Sharing the counts with other instances, if the configuration says so.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::config::SharedState;
use crate::router::{AttemptEnd, AttemptStart, Observer, Table};
use crate::shared::{NotShared, Nudge, Sharing};

/// Begins to share what a table counts.
pub(super) fn start(
    settings: Option<&SharedState>,
    table: &mut Table,
    address: SocketAddr,
) -> Result<Option<Sharing>, NotShared> {
    let Some(settings) = settings else { return Ok(None) };
    let host = host();
    let place = format!("{host} {address}");
    let fleet = (Arc::clone(table.fleet()), table.start());
    let sharing = Sharing::start(settings, fleet, table.names(&host), place)?;
    if let Some(strict) = sharing.strict() {
        table.count_strictly(Arc::clone(strict));
    }
    table.observe(Arc::new(Watcher(Arc::clone(sharing.nudge()))));
    Ok(Some(sharing))
}

/// This machine's name, as other instances on it see it, too.
// Loopback addresses of two containers are two deployments; so are their names.
fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .ok()
        .or_else(|| std::env::var("HOSTNAME").ok())
        .or_else(|| std::env::var("COMPUTERNAME").ok())
        .or_else(uname)
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        // What has no name is nobody else: two engines that count as one would be worse than one that counts as two.
        .unwrap_or_else(|| {
            format!("{:032x}", u128::from(fastrand::u64(..)) << 64 | u128::from(fastrand::u64(..)))
        })
}

/// What the system's own program calls this machine, where no file and no variable does.
fn uname() -> Option<String> {
    let output = std::process::Command::new("uname").arg("-n").output().ok()?;
    String::from_utf8(output.stdout).ok()
}

/// Sees when there is much to tell.
#[derive(Debug)]
struct Watcher(Arc<Nudge>);

impl Watcher {
    fn ended(&self, end: &AttemptEnd) {
        self.0.ended();
        if end.rested.is_some() {
            self.0.now();
        }
    }
}

impl Observer for Watcher {
    fn pre_call(&self, _: &AttemptStart<'_>) {
        self.0.begun();
    }

    fn success(&self, _: &AttemptStart<'_>, end: &AttemptEnd) {
        self.ended(end);
    }

    fn failure(&self, _: &AttemptStart<'_>, end: &AttemptEnd) {
        self.ended(end);
    }
}
