//! Running the gateway: listeners, workers, and a stop that drops no request.
//!
//! The gateway brings its own threads and runtimes, so it starts from any program, async or not:
//!
//! ```
//! use leastbusy_gateway::config::{Config, Deployment};
//! use leastbusy_gateway::serve::{self, Options};
//!
//! let config = Config { deployments: vec![Deployment::new("chat", "simulated/ada")], ..Config::default() };
//! let gateway = serve::start(&config, Options { port: 0, ..Options::default() })?;
//! println!("listening on http://{}", gateway.address());
//!
//! // Open answers may end; then all threads are gone.
//! tokio::runtime::Builder::new_current_thread().build()?.block_on(gateway.stop());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod client_io;
mod engine_load;
mod engines;
mod head_timer;
mod health_checks;
mod keys;
mod sharing;
mod signals;
mod worker;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::JoinHandle;

use socket2::{Domain, Socket, Type};
use tokio::sync::{Semaphore, watch};

use self::engines::Engines;
use self::health_checks::HealthChecks;
pub use self::signals::until_stopped;
use self::worker::Worker;
use crate::config::{Config, Finding, LoadError, Runtime};
use crate::engine_load::Polls;
use crate::front::Door;
use crate::router::{NotUsable, Observer, OwnStrategies, Router, Table};
use crate::shared::{NotShared, Sharing};
use crate::telemetry::access::AccessLog;
use crate::telemetry::metrics::Metrics;

/// Connections that the kernel keeps for each listener until they are accepted; it may allow fewer.
const BACKLOG: i32 = 4096;

/// Where to listen, and what to tell.
#[derive(Debug, Clone)]
pub struct Options {
    /// The address to listen on.
    pub host: IpAddr,
    /// The port; 0 takes a free one.
    pub port: u16,
    /// Whether an address that other machines reach may be bound without a key.
    pub open_to_everyone: bool,
    /// Where access lines go; `None` writes none.
    pub access_log: Option<AccessLog>,
    /// Observers of all attempts, besides the metrics.
    pub observers: Vec<Arc<dyn Observer>>,
    /// Strategies of the program's own, in place of the configured ones.
    pub strategies: OwnStrategies,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            host: IpAddr::from([127, 0, 0, 1]),
            port: 4000,
            open_to_everyone: false,
            access_log: None,
            observers: Vec::new(),
            strategies: OwnStrategies::default(),
        }
    }
}

/// Why the gateway did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The configuration has mistakes.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Config(Vec<Finding>),
    /// An entry that cannot be served.
    #[error(transparent)]
    NotUsable(#[from] NotUsable),
    /// Anyone could use the deployments' keys.
    #[error(
        "{0} is reachable from other machines, and no key is set: anyone could use your deployments.\n\
         Set general_settings.master_key or keys, or listen on 127.0.0.1, \
         or pass --open-to-everyone-without-a-key if that is what you want"
    )]
    OpenDoor(IpAddr),
    /// The address cannot be bound.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// A thread or a runtime could not be made.
    #[error("cannot start: {0}")]
    Io(#[from] io::Error),
    /// Counts cannot be shared as the configuration says.
    #[error(transparent)]
    NotShared(#[from] NotShared),
    /// The keys file has mistakes.
    #[error(transparent)]
    Keys(Box<LoadError>),
}

/// A gateway that runs. Dropping it stops it without grace; [`Running::stop`] lets open answers end.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    table: Arc<Table>,
    stop: watch::Sender<Phase>,
    workers: Vec<JoinHandle<()>>,
    sharing: Option<Sharing>,
    keys_file: Option<keys::Watch>,
    _engine_load: Option<Polls>,
    health_checks: Option<HealthChecks>,
    _engines: Engines,
}

/// What the workers are to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Serving,
    /// Accept nothing new, let open answers end.
    Draining,
    /// Leave at once.
    Stopped,
}

/// Starts the gateway on threads of its own.
///
/// # Errors
///
/// [`StartError`] when the configuration has mistakes, the address cannot be bound, or binding it would
/// let anyone in.
pub fn start(config: &Config, options: Options) -> Result<Running, StartError> {
    let mistakes = config.check();
    if !mistakes.is_empty() {
        return Err(StartError::Config(mistakes));
    }
    if !options.host.is_loopback() && !config.wants_key() && !options.open_to_everyone {
        return Err(StartError::OpenDoor(options.host));
    }
    let settings = Arc::new(config.general.clone());
    let workers =
        settings.workers.or_else(|| std::thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN);
    let listeners = listen(
        SocketAddr::new(options.host, options.port),
        match settings.runtime {
            Runtime::PerCore => workers.get(),
            Runtime::WorkStealing => 1,
        },
    )?;
    let address = listeners[0].local_addr()?;

    let engines = Engines::start(config)?;
    let mut table = Table::new(config, engines.base_urls())?;
    table.choose_by(&options.strategies);
    let sharing = sharing::start(config.shared_state.as_ref(), &mut table, address)?;
    let status = sharing.as_ref().map(|sharing| Arc::clone(sharing.status()));
    let tokens_are_wanted = crate::router::rules::needs_tokens(config);
    if sharing.is_some() || options.access_log.is_some() || tokens_are_wanted {
        table.count_tokens();
    }
    let metrics = Arc::new(Metrics::new(&table, status.clone()));
    table.observe(Arc::clone(&metrics) as Arc<dyn Observer>);
    options.observers.into_iter().for_each(|observer| table.observe(observer));
    let table = Arc::new(table);
    let (keys, keys_file) = keys::start(config, &table, &metrics)?;
    let engine_load = engine_load::start(&table)?;
    let (stop, phase) = watch::channel(Phase::Serving);
    let connections = Arc::new(Semaphore::new(settings.max_connections.min(Semaphore::MAX_PERMITS)));
    let worker = || {
        let router = Router::new(Arc::clone(&table));
        let door = Door::new(
            router,
            Arc::clone(&keys),
            Arc::clone(&metrics),
            status.clone(),
            options.access_log.clone(),
            Arc::clone(&settings),
            !options.host.is_loopback(),
        );
        Worker {
            door,
            settings: Arc::clone(&settings),
            connections: Arc::clone(&connections),
            phase: phase.clone(),
        }
    };
    let workers = listeners
        .into_iter()
        .enumerate()
        .map(|(at, listener)| worker().spawn(listener, at, workers))
        .collect::<io::Result<_>>()?;
    let health_checks = HealthChecks::start(&table)?;
    Ok(Running {
        address,
        table,
        stop,
        workers,
        sharing,
        keys_file,
        health_checks,
        _engine_load: engine_load,
        _engines: engines,
    })
}

/// One listener for each worker; the kernel spreads connections over them.
fn listen(address: SocketAddr, count: usize) -> Result<Vec<std::net::TcpListener>, StartError> {
    let failed = |error| StartError::Listen { address, error };
    if 1 < count {
        // Listeners that share a port would share it with another gateway's, too, and each would get some of
        // the other's requests. One that insists on being alone finds out.
        drop(bind(address, false).map_err(failed)?);
    }
    let mut address = address;
    let mut listeners = Vec::with_capacity(count);
    for _ in 0..count {
        let listener = bind(address, 1 < count).map_err(|error| StartError::Listen { address, error })?;
        // Port 0 is decided by the first.
        address = listener.local_addr()?;
        listeners.push(listener);
    }
    Ok(listeners)
}

fn bind(address: SocketAddr, shared: bool) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

impl Running {
    /// The address it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The routing table, with the live counts.
    #[must_use]
    pub fn table(&self) -> &Arc<Table> {
        &self.table
    }

    /// Whether there is a keys file.
    #[must_use]
    pub fn has_keys_file(&self) -> bool {
        self.keys_file.is_some()
    }

    /// Has the keys file read again now, rather than when it is seen to have changed.
    pub fn read_keys_again(&self) {
        if let Some(watch) = &self.keys_file {
            watch.read_now();
        }
    }

    fn stop_now(&self) -> StopNow {
        StopNow(self.stop.clone())
    }

    /// Accepts nothing new, lets open answers end within `shutdown_grace`, and returns when all is over.
    pub async fn stop(mut self) {
        let _ = self.stop.send(Phase::Draining);
        let workers = std::mem::take(&mut self.workers);
        let sharing = self.sharing.take();
        let health_checks = self.health_checks.take();
        let _ = tokio::task::spawn_blocking(move || {
            drop(health_checks);
            for worker in workers {
                let _ = worker.join();
            }
            // What is in flight is told to the others until nothing is.
            if let Some(sharing) = sharing {
                sharing.stop();
            }
        })
        .await;
    }
}

/// Ends a stop that takes too long.
#[derive(Debug)]
struct StopNow(watch::Sender<Phase>);

impl StopNow {
    fn stop(self) {
        let _ = self.0.send(Phase::Stopped);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.stop.send(Phase::Stopped);
    }
}
