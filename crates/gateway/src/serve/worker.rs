//! One worker: a listener, its connections, and their end.

use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Phase;
use super::client_io::{ClientIo, Deadline};
use super::head_timer::HeadTimer;
use crate::config::{GeneralSettings, Runtime};
use crate::front::{self, Door};

/// How often idle upstream connections are looked through.
const SWEEP_INTERVAL: Duration = Duration::from_secs(2);
/// How far a connection's read buffer may grow. A body of 100 KB then arrives in one read or two: 69 µs of
/// CPU a request of that size, where reads of at most 64, 32 and 16 KiB cost 75, 81 and 85.
const READ_BUFFER_BYTES_MAX: usize = 256 * 1024;
/// How long to wait when the system has no room for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long a worker that stops still looks for what has reached the system before: connections that
/// wait to be accepted, requests that wait to be read. hyper closes a connection that it has read nothing
/// from, even if a request has arrived; one turn of the runtime is enough to see it.
const LAST_LOOK: Duration = Duration::from_millis(20);

/// Everything one worker works with.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) door: Door,
    pub(super) settings: Arc<GeneralSettings>,
    /// Places for client connections, shared by all workers.
    pub(super) connections: Arc<Semaphore>,
    pub(super) phase: watch::Receiver<Phase>,
}

impl Worker {
    /// Runs the worker on a thread of its own; the work-stealing runtime adds its threads to that one.
    pub(super) fn spawn(
        self,
        listener: std::net::TcpListener,
        at: usize,
        threads: NonZeroUsize,
    ) -> io::Result<JoinHandle<()>> {
        let runtime = match self.settings.runtime {
            Runtime::PerCore => tokio::runtime::Builder::new_current_thread().enable_all().build()?,
            Runtime::WorkStealing => tokio::runtime::Builder::new_multi_thread()
                .worker_threads(threads.get())
                .enable_all()
                .build()?,
        };
        std::thread::Builder::new().name(format!("worker-{at}")).spawn(move || {
            if let Err(error) = runtime.block_on(self.run(listener)) {
                tracing::error!(%error, "a worker ended");
            }
            // Blocking work is only name resolution; nobody waits for it any more.
            runtime.shutdown_background();
        })
    }

    async fn run(self, listener: std::net::TcpListener) -> io::Result<()> {
        let listener = TcpListener::from_std(listener)?;
        let mut phase = self.phase.clone();
        let mut open = JoinSet::new();
        let mut sweep = tokio::time::interval(SWEEP_INTERVAL);
        while *phase.borrow_and_update() == Phase::Serving {
            tokio::select! {
                _ = phase.changed() => {}
                Some(ended) = open.join_next() => report(ended),
                _ = sweep.tick() => self.door.router().sweep(),
                (place, accepted) = self.accept(&listener) => match accepted {
                    Ok(stream) => { open.spawn(self.connection(stream, place)); }
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        if *phase.borrow() == Phase::Draining {
            // What the kernel had queued was accepted in the clients' eyes.
            let last_look = Instant::now() + LAST_LOOK;
            while let Some((place, stream)) = self.accept_queued(&listener, last_look).await {
                open.spawn(self.connection(stream, place));
            }
            drop(listener);
            drain(&mut open, &mut phase, self.settings.shutdown_grace).await;
        }
        Ok(())
    }

    async fn accept(&self, listener: &TcpListener) -> (OwnedSemaphorePermit, io::Result<TcpStream>) {
        let place =
            Arc::clone(&self.connections).acquire_owned().await.expect("the semaphore is never closed");
        let accepted = listener.accept().await.map(|(stream, _)| stream);
        (place, accepted)
    }

    async fn accept_queued(
        &self,
        listener: &TcpListener,
        until: Instant,
    ) -> Option<(OwnedSemaphorePermit, TcpStream)> {
        match tokio::time::timeout_at(until, self.accept(listener)).await {
            Ok((place, Ok(stream))) => Some((place, stream)),
            _ => None,
        }
    }

    fn connection(
        &self,
        stream: TcpStream,
        place: OwnedSemaphorePermit,
    ) -> impl Future<Output = ()> + Send + 'static {
        let door = self.door.clone();
        let settings = Arc::clone(&self.settings);
        let phase = self.phase.clone();
        async move {
            if let Err(error) = converse(stream, door, &settings, phase).await {
                tracing::debug!(%error, "a client's connection ended");
            }
            drop(place);
        }
    }
}

async fn converse(
    stream: TcpStream,
    door: Door,
    settings: &GeneralSettings,
    mut phase: watch::Receiver<Phase>,
) -> Result<(), hyper::Error> {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY");
    }
    let door = Arc::new(door);
    let deadline = Deadline::default();
    let io = ClientIo::new(stream, settings.write_timeout, deadline.clone());
    let service = service_fn(move |request| {
        let (door, deadline) = (Arc::clone(&door), deadline.clone());
        async move {
            let response = door.answer(request).await;
            deadline.set(response.body().deadline());
            Ok::<_, std::convert::Infallible>(response)
        }
    });
    let connection = http1::Builder::new()
        .timer(HeadTimer::default())
        .header_read_timeout(settings.header_read_timeout)
        .max_buf_size(READ_BUFFER_BYTES_MAX.max(settings.max_header_bytes))
        .max_headers(settings.max_headers)
        .serve_connection(TokioIo::new(io), service);
    let mut connection = std::pin::pin!(connection);
    let seen = phase.clone();
    let mut stopping = std::pin::pin!(async {
        // An error means that the gateway is gone, which stops as well.
        let _ = phase.wait_for(|phase| *phase != Phase::Serving).await;
        tokio::time::sleep(LAST_LOOK).await;
    });
    // The phase is asked once, to be woken when it changes, and then not at every step of every request.
    let mut asked = false;
    // Made once: a task keeps its waker for as long as it lives.
    let mut waker = None;
    let ended = std::future::poll_fn(|context| {
        let waker = waker.get_or_insert_with(|| front::waker(context.waker()));
        if let Poll::Ready(ended) = connection.as_mut().poll(&mut Context::from_waker(waker)) {
            return Poll::Ready(Some(ended));
        }
        let changed = seen.has_changed().unwrap_or(true);
        if asked && !changed {
            return Poll::Pending;
        }
        asked = true;
        stopping.as_mut().poll(context).map(|()| None)
    })
    .await;
    match ended {
        Some(ended) => ended,
        None => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    }
}

/// Waits for the open connections, for the length of the grace and no longer.
async fn drain(open: &mut JoinSet<()>, phase: &mut watch::Receiver<Phase>, grace: Duration) {
    let ended = async {
        while let Some(ended) = open.join_next().await {
            report(ended);
        }
    };
    let why = tokio::select! {
        () = ended => return,
        () = tokio::time::sleep(grace) => "shutdown_grace is over",
        _ = phase.wait_for(|phase| *phase == Phase::Stopped) => "told to stop at once",
    };
    tracing::warn!(connections = open.len(), "{why}; closing connections that are still open");
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a request panicked; its lease has ended");
    }
}
