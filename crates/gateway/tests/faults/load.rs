//! A steady load, and what its clients see.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use super::client::{Answer, Client};
use super::gateway::Gateway;

const CLIENTS: usize = 32;

/// Between an answer and the next request of the same client.
const THINKING: Duration = Duration::from_millis(24);

/// What a healthy upstream answers.
pub(crate) const ANSWER: &str = r#"{"object":"chat.completion","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"least busy"}}]}"#;

/// The same as a stream, without the `[DONE]`.
pub(crate) const EVENTS: [&str; 4] = [
    r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#,
    r#"{"choices":[{"index":0,"delta":{"content":"least"}}]}"#,
    r#"{"choices":[{"index":0,"delta":{"content":" busy"}}]}"#,
    r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
];

/// Clients that ask and ask.
#[derive(Debug)]
pub(crate) struct Load {
    pub(crate) seen: Arc<Seen>,
    stops: Arc<AtomicBool>,
    clients: Vec<JoinHandle<()>>,
}

/// What all clients saw so far.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    answers: AtomicUsize,
    retries: AtomicUsize,
    broken_after_content: AtomicUsize,
    errors: Mutex<Vec<Error>>,
}

/// What a client saw that it should not have seen.
#[derive(Debug, Clone)]
pub(crate) struct Error {
    pub(crate) text: String,
    pub(crate) retries: usize,
    pub(crate) began: Instant,
    pub(crate) ended: Instant,
}

/// The same as numbers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    /// Answers that were whole and right.
    pub(crate) answers: usize,
    /// What the gateway says of all answers' further attempts.
    pub(crate) retries: usize,
    /// Streams that ended with one error event after a word of content.
    pub(crate) broken_after_content: usize,
    /// Everything else.
    pub(crate) errors: Vec<Error>,
}

impl Load {
    pub(crate) fn start(gateway: &Arc<Gateway>, dice: &mut fastrand::Rng) -> Self {
        let (seen, stops) = (Arc::new(Seen::default()), Arc::new(AtomicBool::new(false)));
        let clients = (0..CLIENTS).map(|_| {
            let (gateway, dice) = (Arc::clone(gateway), dice.fork());
            tokio::spawn(asks_and_asks(gateway, dice, Arc::clone(&seen), Arc::clone(&stops)))
        });
        let clients = clients.collect();
        Self { seen, stops, clients }
    }

    /// Waits for the last answers.
    pub(crate) async fn stop(self) -> Tally {
        self.stops.store(true, Ordering::SeqCst);
        for client in self.clients {
            client.await.unwrap();
        }
        self.seen.tally()
    }
}

impl Seen {
    pub(crate) fn tally(&self) -> Tally {
        Tally {
            answers: self.answers.load(Ordering::SeqCst),
            retries: self.retries.load(Ordering::SeqCst),
            broken_after_content: self.broken_after_content.load(Ordering::SeqCst),
            errors: self.errors.lock().unwrap().clone(),
        }
    }

    fn take_in(&self, answer: &Answer, stream: bool, began: Instant) {
        let retries = answer.header("x-litellm-attempted-retries").unwrap_or("0");
        let retries = retries.parse().unwrap();
        self.retries.fetch_add(retries, Ordering::SeqCst);
        let good = answer.status == 200 && answer.whole;
        let count = match stream {
            false if good && answer.text() == ANSWER => &self.answers,
            true if good && answer.text() == whole_stream() => &self.answers,
            true if good && breaks_after_content(answer.text()) => &self.broken_after_content,
            _ => {
                let status = &answer.head.first_line;
                let ended = Instant::now();
                let took = ended - began;
                let text = format!("{status} after {retries} retries in {took:?}: {}", answer.text());
                eprintln!("a client saw {text}");
                self.errors.lock().unwrap().push(Error { text, retries, began, ended });
                return;
            }
        };
        count.fetch_add(1, Ordering::SeqCst);
    }
}

async fn asks_and_asks(
    gateway: Arc<Gateway>,
    mut dice: fastrand::Rng,
    seen: Arc<Seen>,
    stops: Arc<AtomicBool>,
) {
    let mut client = Client::connect(&gateway).await;
    while !stops.load(Ordering::SeqCst) {
        let (stream, began) = (dice.bool(), Instant::now());
        if stream {
            client.asks_for_stream("m").await;
        } else {
            client.asks("m").await;
        }
        let answer = client.answer().await;
        seen.take_in(&answer, stream, began);
        if !answer.whole || answer.header("connection") == Some("close") {
            client = Client::connect(&gateway).await;
        }
        tokio::time::sleep(THINKING).await;
    }
}

fn whole_stream() -> String {
    EVENTS.iter().chain(&["[DONE]"]).map(|event| format!("data: {event}\n\n")).collect()
}

/// One error event, and nothing after it, where the second word should come.
fn breaks_after_content(stream: &str) -> bool {
    let began: String = EVENTS[..2].iter().map(|event| format!("data: {event}\n\n")).collect();
    let Some(rest) = stream.strip_prefix(&began) else { return false };
    let event = rest.strip_prefix("data: ").and_then(|rest| rest.strip_suffix("\n\n"));
    let error = event.and_then(|event| serde_json::from_str::<serde_json::Value>(event).ok());
    error.is_some_and(|error| error["error"]["message"].is_string())
}
