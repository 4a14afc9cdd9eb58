//! The simulated engines that a configuration names, on a thread of their own.

use std::collections::HashMap;
use std::io;
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use crate::config::Config;
use crate::simulated::{self, Engine};

/// The running engines; dropping it stops them.
#[derive(Debug)]
pub(super) struct Engines {
    base_urls: HashMap<usize, String>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Engines {
    /// Starts an engine for each entry whose provider is `simulated`.
    pub(super) fn start(config: &Config) -> io::Result<Self> {
        let wanted: Vec<_> = config
            .deployments
            .iter()
            .enumerate()
            .filter_map(|(at, entry)| {
                let address = entry.address().ok()?;
                let engine = entry.simulated.clone().unwrap_or_default();
                (address.provider.name == "simulated").then_some((at, address.model, engine))
            })
            .collect();
        if wanted.is_empty() {
            return Ok(Self { base_urls: HashMap::new(), stop: None, thread: None });
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let mut engines: Vec<Engine> = Vec::new();
        let mut base_urls = HashMap::new();
        for (at, name, settings) in wanted {
            let engine = runtime.block_on(simulated::start(&name, &settings))?;
            base_urls.insert(at, engine.base_url());
            engines.push(engine);
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
