//! Clients that ask and ask, and how long each answer took.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use super::client::Client;

/// Between an answer and the next request of the same client.
const THINKING: Duration = Duration::from_millis(4);

/// One request.
#[derive(Debug, Clone, Copy)]
struct Sample {
    began: Instant,
    took: Duration,
    status: u16,
}

/// Requests of one kind, one after the other, until it is dropped.
#[derive(Debug)]
pub(crate) struct Load {
    samples: Arc<Mutex<Vec<Sample>>>,
    client: JoinHandle<()>,
}

/// What they took between two moments.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Took {
    pub(crate) count: usize,
    pub(crate) failed: usize,
    pub(crate) p50: Duration,
    pub(crate) max: Duration,
}

impl Load {
    /// Requests for an answer of `model`.
    pub(crate) fn asking(gateway: SocketAddr, model: &str) -> Self {
        let body = super::client::chat(model);
        let request = super::client::request(super::client::CHAT, "", body.as_bytes());
        Self::sending(gateway, request)
    }

    /// Requests for a page.
    pub(crate) fn getting(gateway: SocketAddr, path: &str) -> Self {
        Self::sending(gateway, format!("GET {path} HTTP/1.1\r\nhost: gateway\r\n\r\n").into_bytes())
    }

    fn sending(gateway: SocketAddr, request: Vec<u8>) -> Self {
        let samples = Arc::new(Mutex::new(Vec::new()));
        let taken = Arc::clone(&samples);
        let client = tokio::spawn(async move {
            let mut client = Client::connect_to(gateway).await;
            loop {
                let began = Instant::now();
                client.send(&request).await;
                let status = client.answer().await.status;
                taken.lock().unwrap().push(Sample { began, took: began.elapsed(), status });
                tokio::time::sleep(THINKING).await;
            }
        });
        Self { samples, client }
    }

    /// Those that began after `from` and before `to`.
    pub(crate) fn between(&self, from: Instant, to: Instant) -> Took {
        assert!(!self.client.is_finished(), "the clients of the load have failed");
        let samples = self.samples.lock().unwrap();
        let of_then: Vec<_> =
            samples.iter().filter(|sample| from <= sample.began && sample.began < to).collect();
        let mut took: Vec<_> = of_then.iter().map(|sample| sample.took).collect();
        took.sort_unstable();
        Took {
            count: took.len(),
            failed: of_then.iter().filter(|sample| sample.status != 200).count(),
            p50: took.get(took.len() / 2).copied().unwrap_or_default(),
            max: took.last().copied().unwrap_or_default(),
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.client.abort();
    }
}

impl std::fmt::Display for Took {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        write!(
            f,
            "{} answers, {} failed, p50 {:.1} ms, max {:.1} ms",
            self.count,
            self.failed,
            ms(self.p50),
            ms(self.max)
        )
    }
}
