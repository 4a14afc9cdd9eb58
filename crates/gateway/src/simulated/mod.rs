//! Engines that pretend, for trying things without a GPU or a key.
//!
//! A gateway is only worth looking at with something busy behind it. An [`Engine`] is an
//! OpenAI-compatible server on loopback that takes as long as a real one would: it generates `slots`
//! answers at once, lets further requests wait in the order they came, and sends each answer token by
//! token at its own speed. What it says is not worth reading; that it names itself is, because a person
//! then sees which engine served.
//!
//! Requests and answers cross real sockets, so a client that leaves, a slow reader or a cut connection
//! is as real as with any other upstream.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::config::SimulatedEngine;
pub(crate) use ask::ANSWER_TOKENS_MAX;
pub use fault::Fault;
use slots::Slots;

mod answer;
mod ask;
mod fault;
mod http;
mod load;
mod slots;
mod stream;

#[cfg(test)]
mod tests;

/// A running simulated engine; dropping it stops it and cuts its connections.
#[derive(Debug)]
pub struct Engine {
    addr: SocketAddr,
    shared: Arc<Shared>,
    // One task, which owns all connections; the set is here because dropping it stops the task.
    server: JoinSet<()>,
}

/// What the connections of one engine have in common.
#[derive(Debug)]
struct Shared {
    name: String,
    speed: SimulatedEngine,
    slots: Arc<Slots>,
    /// Requests so far; numbers the answers and seeds their lengths.
    requests: AtomicU64,
    fault: fault::Switch,
}

/// Starts an engine on a free loopback port, on the current tokio runtime.
///
/// `name` is how the engine calls itself: in every answer's text, in `system_fingerprint` and in
/// `GET /v1/models`. The lengths of its answers follow from the name and the order of the requests, so
/// a second engine of the same name gives the same ones.
///
/// # Errors
///
/// [`io::ErrorKind::InvalidInput`] when `slots` is not 1 to 100,000, a speed or a mean is not a finite
/// number above 0, or the first token takes more than a day; otherwise what binding the port said.
pub async fn start(name: &str, engine: &SimulatedEngine) -> io::Result<Engine> {
    check(engine).map_err(|what| {
        io::Error::new(io::ErrorKind::InvalidInput, format!("simulated engine {name:?}: {what}"))
    })?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let addr = listener.local_addr()?;
    let shared = Arc::new(Shared {
        name: name.to_owned(),
        speed: engine.clone(),
        slots: Slots::new(engine.slots),
        requests: AtomicU64::new(0),
        fault: fault::Switch::default(),
    });
    let mut server = JoinSet::new();
    server.spawn(http::serve(listener, Arc::clone(&shared)));
    Ok(Engine { addr, shared, server })
}

fn check(engine: &SimulatedEngine) -> Result<(), &'static str> {
    let positive = |number: f64| number.is_finite() && 0.0 < number;
    if !(1..=100_000).contains(&engine.slots) {
        Err("slots must be 1 to 100,000")
    } else if !positive(engine.tokens_per_second) {
        Err("tokens_per_second must be more than 0")
    } else if !positive(engine.mean_tokens) {
        Err("mean_tokens must be more than 0")
    } else if Duration::from_secs(24 * 60 * 60) < engine.first_token_time {
        Err("first_token_time must be a day at most")
    } else {
        Ok(())
    }
}

impl Engine {
    /// Where it listens: `127.0.0.1` and the port the system chose.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What a deployment names as `api_base`: `http://127.0.0.1:PORT/v1`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.addr)
    }

    /// The name it was started with.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Answers being generated now; `slots` at most.
    #[must_use]
    pub fn busy(&self) -> usize {
        self.shared.slots.busy()
    }

    /// Requests that wait for a slot now.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.shared.slots.waiting()
    }

    /// The most requests it ever had at once, generating and waiting.
    #[must_use]
    pub fn largest_in_flight(&self) -> usize {
        self.shared.slots.largest_in_flight()
    }

    /// In what way it fails now.
    #[must_use]
    pub fn fault(&self) -> Fault {
        self.shared.fault.get()
    }

    /// Makes it fail, or well again with [`Fault::None`]; requests that it has begun to answer go on.
    pub fn fails(&self, fault: Fault) {
        self.shared.fault.set(fault);
    }

    /// Stops listening, cuts all connections and returns when nothing of it runs any more.
    pub async fn stop(mut self) {
        self.server.shutdown().await;
    }
}
