//! The keys of clients, and the file of them, which is read again when it changes.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread::JoinHandle;
use std::time::Duration;

use super::StartError;
use crate::config::{Beside, ClientKey, Config, Finding, KeyHash, KeysFile, LoadError};
use crate::front::{Keys, Replaced};
use crate::router::Table;
use crate::telemetry::metrics::Metrics;

/// How often the file is looked at. One that changes is read when it has stayed the same from one look to the next,
/// so that half a file that is being written is no list of keys.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// The keys of a configuration, and who keeps those of its file up to date.
pub(super) fn start(
    config: &Config,
    table: &Arc<Table>,
    metrics: &Arc<Metrics>,
) -> Result<(Arc<Keys>, Option<Watch>), StartError> {
    let keys = Arc::new(Keys::new(config, metrics));
    let Some(file) = config.general.keys_file.clone() else { return Ok((keys, None)) };
    let mark = Mark::of(file.path());
    let reader = Reader {
        file,
        fixed: config.keys.clone(),
        master: config.general.master_hash(),
        table: Arc::clone(table),
        keys: Arc::clone(&keys),
    };
    // What is odd in the file was said with the configuration.
    let (replaced, _) = reader.read().map_err(|error| StartError::Keys(Box::new(error)))?;
    tracing::info!("keys of clients: {}", replaced.all);
    Ok((keys, Some(Watch::start(reader, mark)?)))
}

/// Reads the file.
#[derive(Debug)]
struct Reader {
    file: KeysFile,
    /// The keys in the configuration.
    fixed: Vec<ClientKey>,
    master: Option<KeyHash>,
    table: Arc<Table>,
    keys: Arc<Keys>,
}

impl Reader {
    /// Puts what the file says in place; one with mistakes changes nothing.
    fn read(&self) -> Result<(Replaced, Vec<Finding>), LoadError> {
        let models: Vec<_> = self.table.listed().iter().map(String::as_str).collect();
        let beside = Beside { keys: &self.fixed, master: self.master, models: &models };
        let (keys, warnings) = self.file.read(beside, &|name| self.table.route(name).is_some())?;
        Ok((self.keys.replace(self.fixed.iter().cloned().chain(keys)), warnings))
    }

    fn read_again(&self) {
        let shown = self.file.path().display();
        match self.read() {
            Ok((Replaced { all, new, gone }, warnings)) => {
                for warning in &warnings {
                    tracing::warn!("{}", warning.one_line());
                }
                tracing::info!("{shown} was read again; keys of clients: {all}, {new} new, {gone} gone");
            }
            Err(error) => {
                for mistake in &error.mistakes {
                    tracing::error!("{}", mistake.one_line());
                }
                tracing::error!(
                    "{shown} is not used: the keys stay as they were; mend it, and it is read again"
                );
            }
        }
    }
}

/// What a file looked like from outside; `None` for one that cannot be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark(Option<(u64, u64, i64, i64, i64, i64)>);

impl Mark {
    fn of(path: &Path) -> Self {
        Self(fs::metadata(path).ok().map(|file| {
            let (changed, written) = ((file.ctime(), file.ctime_nsec()), (file.mtime(), file.mtime_nsec()));
            (file.ino(), file.size(), changed.0, changed.1, written.0, written.1)
        }))
    }
}

/// The thread that looks at the file. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Watch {
    /// `None` only while it is being dropped.
    now: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    fn start(reader: Reader, mark: Mark) -> io::Result<Self> {
        let (now, asked) = mpsc::sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("keys".to_owned())
            .spawn(move || look_again_and_again(&reader, mark, &asked))?;
        Ok(Self { now: Some(now), thread: Some(thread) })
    }

    /// Has the file read again at once, changed or not.
    pub(super) fn read_now(&self) {
        // One that is asked for already serves both.
        let _ = self.now.as_ref().map(|now| now.try_send(()));
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.now.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn look_again_and_again(reader: &Reader, mut read: Mark, asked: &Receiver<()>) {
    let mut seen = read;
    loop {
        let is_asked = match asked.recv_timeout(LOOK_INTERVAL) {
            Ok(()) => true,
            Err(RecvTimeoutError::Timeout) => false,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let mark = Mark::of(reader.file.path());
        let has_settled = mark == seen;
        seen = mark;
        if is_asked || (has_settled && mark != read) {
            read = mark;
            reader.read_again();
        }
    }
}
