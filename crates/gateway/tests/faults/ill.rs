//! An upstream that is well until the test makes it ill.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::net::TcpStream;

use super::load::{ANSWER, EVENTS};
use super::script::{Exchange, Played, Script, Upstream, answers, closes, hangs, resets, streams};

/// In what way an upstream fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// Resets the connection where an answer should come.
    Resets,
    /// Closes the connection where an answer should come.
    Closes,
    /// Says nothing.
    Hangs,
    /// Says nothing more after the beginning.
    HangsHalfway,
    /// Answers in small pieces, right but slow.
    Trickles,
    /// Sends what a client can do nothing with, for ever.
    TricklesForEver,
    /// Answers 429 with `Retry-After`.
    RateLimits,
    /// Answers 500.
    Errs,
    /// Answers 503.
    IsOverloaded,
    /// Closes in the middle of a JSON answer, or of a stream before its first word.
    BreaksOff,
    /// Promises more bytes than it sends.
    PromisesTooMuch,
    /// Sends more bytes than it promises.
    SaysTooMuch,
    /// Refuses connections, and closes those it has.
    Refuses,
    /// Closes a stream after its first word, which no gateway can mend.
    BreaksAfterContent,
}

impl Fault {
    // The first strikes while all are trusted alike, so that it is met: later an upstream that failed lately may
    // have no share of half a second's requests.
    pub(crate) const ALL: [Self; 14] = [
        Self::BreaksAfterContent,
        Self::Resets,
        Self::Closes,
        Self::Hangs,
        Self::HangsHalfway,
        Self::Trickles,
        Self::TricklesForEver,
        Self::RateLimits,
        Self::Errs,
        Self::IsOverloaded,
        Self::BreaksOff,
        Self::PromisesTooMuch,
        Self::SaysTooMuch,
        Self::Refuses,
    ];
}

/// An upstream, and what ails it.
#[derive(Debug)]
pub(crate) struct Patient {
    pub(crate) upstream: Played,
    fault: Arc<Mutex<Fault>>,
    /// Since when it is well, or until when it was.
    well: Mutex<Vec<(Instant, Option<Instant>)>>,
    broken_after_content: Arc<AtomicUsize>,
}

impl Patient {
    pub(crate) async fn well() -> Self {
        let fault = Arc::new(Mutex::new(Fault::None));
        let broken_after_content = Arc::new(AtomicUsize::new(0));
        let (now, broken) = (Arc::clone(&fault), Arc::clone(&broken_after_content));
        let upstream = Upstream::playing_each(move |exchange| {
            let fault = *now.lock().unwrap();
            let stream = is_stream(exchange);
            if stream && fault == Fault::BreaksAfterContent {
                broken.fetch_add(1, Ordering::SeqCst);
            }
            script(fault, stream)
        })
        .await;
        let well = Mutex::new(vec![(Instant::now(), None)]);
        Self { upstream, fault, well, broken_after_content }
    }

    /// It fails in another way from now on, or is well.
    pub(crate) async fn falls_ill(&self, fault: Fault) {
        if let Some((_, until @ None)) = self.well.lock().unwrap().last_mut()
            && fault != Fault::None
        {
            *until = Some(Instant::now());
        }
        let before = std::mem::replace(&mut *self.fault.lock().unwrap(), fault);
        self.upstream.listens(fault != Fault::Refuses);
        if fault == Fault::None && before != Fault::None {
            // To listen again takes a moment.
            while TcpStream::connect(self.upstream.address).await.is_err() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            self.well.lock().unwrap().push((Instant::now(), None));
        }
    }

    /// Whether it was well all the time between two moments.
    pub(crate) fn was_well(&self, from: Instant, to: Instant) -> bool {
        let well = self.well.lock().unwrap();
        well.iter().any(|&(since, until)| since <= from && until.is_none_or(|until| to <= until))
    }

    /// Streams it closed after their first word.
    pub(crate) fn broken_after_content(&self) -> usize {
        self.broken_after_content.load(Ordering::SeqCst)
    }
}

fn is_stream(exchange: &Exchange) -> bool {
    exchange.json().get("stream").is_some_and(|stream| stream == true)
}

/// What a healthy upstream takes for an answer; a stream's events share it.
const WORK: Duration = Duration::from_millis(24);
const GAP: Duration = Duration::from_millis(8);

fn script(fault: Fault, stream: bool) -> Script {
    let error = r#"{"error":{"message":"scripted","type":"server_error","param":null,"code":null}}"#;
    let [role, word, ..] = EVENTS;
    let half = &ANSWER.as_bytes()[..ANSWER.len() / 2];
    match (fault, stream) {
        (Fault::None | Fault::BreaksAfterContent, false) => answers(200).pauses(WORK).json(ANSWER),
        (Fault::None, true) => events(GAP).done(),
        (Fault::Resets, _) => resets(),
        (Fault::Closes | Fault::Refuses, _) => closes(),
        (Fault::Hangs, _) => hangs(),
        (Fault::HangsHalfway, false) => answers(200).claiming(ANSWER.len(), half).then_hangs(),
        (Fault::HangsHalfway, true) => streams().event(role).then_hangs(),
        (Fault::Trickles, false) => {
            ANSWER.as_bytes().chunks(16).fold(answers(200).claiming(ANSWER.len(), b""), |script, piece| {
                script.pauses(3 * GAP).raw(piece)
            })
        }
        (Fault::Trickles, true) => events(10 * GAP).done(),
        (Fault::TricklesForEver, false) => (0..200)
            .fold(answers(200).claiming(10_000, b""), |script, _| script.pauses(5 * GAP).raw(b" "))
            .then_hangs(),
        (Fault::TricklesForEver, true) => (0..200)
            .fold(streams(), |script, _| script.pauses(5 * GAP).chunk(b": still here\n\n"))
            .then_hangs(),
        (Fault::RateLimits, _) => answers(429).header("retry-after", "1").json(error),
        (Fault::Errs, _) => answers(500).json(error),
        (Fault::IsOverloaded, _) => answers(503).json(error),
        (Fault::BreaksOff, false) => answers(200).chunked().chunk(half).then_closes(),
        (Fault::BreaksOff, true) => streams().event(role).pauses(GAP).then_closes(),
        (Fault::PromisesTooMuch, false) => {
            answers(200).claiming(ANSWER.len() + 1, ANSWER.as_bytes()).then_closes()
        }
        (Fault::PromisesTooMuch, true) => streams().raw(b"fff\r\n: so much to come\n\n").then_closes(),
        (Fault::SaysTooMuch, false) => answers(200).pauses(WORK).json(ANSWER).raw(b"and one more thing"),
        (Fault::SaysTooMuch, true) => events(GAP).done().raw(b"and one more thing"),
        (Fault::BreaksAfterContent, true) => streams().event(role).event(word).pauses(GAP).then_closes(),
    }
}

/// All events but the last.
fn events(gap: Duration) -> Script {
    EVENTS.iter().fold(streams(), |script, event| script.pauses(gap).event(event))
}
