//! The simulated engines that a configuration names, on a thread of their own.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use crate::config::Config;
use crate::simulated::{self, Engine};

#[cfg(test)]
mod tests;

/// The running engines; dropping it stops them.
#[derive(Debug)]
pub(super) struct Engines {
    base_urls: HashMap<usize, String>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Engines {
    /// Starts an engine for each name that entries with the provider `simulated` have.
    pub(super) fn start(config: &Config) -> io::Result<Self> {
        let wanted: Vec<_> = config.engine_names().collect();
        if wanted.is_empty() {
            return Ok(Self { base_urls: HashMap::new(), stop: None, thread: None });
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let mut engines: HashMap<String, Engine> = HashMap::new();
        let mut base_urls = HashMap::new();
        for (at, name) in wanted {
            let engine = match engines.entry(name) {
                Entry::Occupied(running) => running.into_mut(),
                Entry::Vacant(place) => {
                    let settings = config.engine(place.key());
                    let engine = runtime.block_on(simulated::start(place.key(), &settings))?;
                    place.insert(engine)
                }
            };
            base_urls.insert(at, engine.base_url());
        }
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("engines".to_owned()).spawn(move || {
            // Ends when `stop` is dropped, too.
            let _ = runtime.block_on(stopped);
            drop(engines);
        })?;
        Ok(Self { base_urls, stop: Some(stop), thread: Some(thread) })
    }

    /// The engines' base URLs, by the place of their entry in `config.deployments`.
    pub(super) fn base_urls(&self) -> &HashMap<usize, String> {
        &self.base_urls
    }
}

impl Drop for Engines {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
