//! An answer: how long it is, what it says, and how OpenAI's API writes it.

use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use leastbusy_sim::Dice;
use serde_json::{Value, json};

use super::Shared;
use super::ask::{ANSWER_TOKENS_MAX, Ask, EmbeddingsAsk};

/// Spread of answer lengths: what is usual for chat traffic is a logarithm with this standard deviation.
const LENGTH_SIGMA: f64 = 1.2;

/// What engines talk about, again and again until the answer is long enough.
const TEXT: &str = "Each request goes to the deployment with the fewest requests in flight for its weight. \
    It is counted before it is sent and until the last byte of its answer has arrived, so that a long \
    answer weighs as long as it lasts and a burst spreads by itself.";

/// Which of the two generating endpoints an answer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Chat,
    Completion,
}

/// Everything about one answer but its timing.
#[derive(Debug)]
pub(super) struct Answer {
    kind: Kind,
    id: String,
    model: String,
    engine: String,
    created: u64,
    prompt_tokens: u64,
    tokens: u32,
    include_usage: bool,
    finish_reason: &'static str,
}

impl Answer {
    pub(super) fn new(kind: Kind, ask: &Ask, shared: &Shared) -> Self {
        let number = shared.requests.fetch_add(1, Ordering::Relaxed);
        let prefix = match kind {
            Kind::Chat => "chatcmpl",
            Kind::Completion => "cmpl",
        };
        let (tokens, finish_reason) = match ask.tokens() {
            Some(tokens) => (tokens, "length"),
            None => (length(ask.seed, &shared.name, number, shared.speed.mean_tokens), "stop"),
        };
        Self {
            kind,
            id: format!("{prefix}-{}-{number}", shared.name),
            model: ask.model.clone(),
            engine: shared.name.clone(),
            created: unix_seconds(),
            prompt_tokens: ask.prompt_tokens(),
            tokens,
            include_usage: ask.include_usage(),
            finish_reason,
        }
    }

    pub(super) fn tokens(&self) -> u32 {
        self.tokens
    }

    /// The answer in one piece.
    pub(super) fn whole(&self) -> Value {
        let text: String = (0..self.tokens).map(|index| self.token(index)).collect();
        let (object, choice) = match self.kind {
            Kind::Chat => (
                "chat.completion",
                json!({"index": 0, "message": {"role": "assistant", "content": text},
                       "finish_reason": self.finish_reason}),
            ),
            Kind::Completion => {
                ("text_completion", json!({"index": 0, "text": text, "finish_reason": self.finish_reason}))
            }
        };
        let mut whole = self.envelope(object, &[choice]);
        whole["usage"] = self.usage();
        whole
    }

    /// The `data:` frames that go out with one token; the first brings the role, the last the end.
    pub(super) fn frames(&self, index: u32) -> String {
        let mut frames = String::new();
        if index == 0 && self.kind == Kind::Chat {
            push_frame(&mut frames, &self.chat_chunk(&json!({"role": "assistant", "content": ""}), None));
        }
        push_frame(&mut frames, &self.chunk(&self.token(index), None));
        if index + 1 == self.tokens {
            push_frame(&mut frames, &self.chunk("", Some(self.finish_reason)));
            if self.include_usage {
                let mut usage = self.envelope(self.chunk_object(), &[]);
                usage["usage"] = self.usage();
                push_frame(&mut frames, &usage);
            }
            frames.push_str("data: [DONE]\n\n");
        }
        frames
    }

    fn chunk(&self, text: &str, finish_reason: Option<&str>) -> Value {
        match self.kind {
            Kind::Chat if finish_reason.is_some() => self.chat_chunk(&json!({}), finish_reason),
            Kind::Chat => self.chat_chunk(&json!({"content": text}), None),
            Kind::Completion => self.envelope(
                self.chunk_object(),
                &[json!({"index": 0, "text": text, "finish_reason": finish_reason})],
            ),
        }
    }

    fn chat_chunk(&self, delta: &Value, finish_reason: Option<&str>) -> Value {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": finish_reason});
        self.envelope(self.chunk_object(), &[choice])
    }

    fn chunk_object(&self) -> &'static str {
        match self.kind {
            Kind::Chat => "chat.completion.chunk",
            Kind::Completion => "text_completion",
        }
    }

    fn envelope(&self, object: &str, choices: &[Value]) -> Value {
        json!({"id": self.id, "object": object, "created": self.created, "model": self.model,
               "system_fingerprint": self.engine, "choices": choices})
    }

    fn usage(&self) -> Value {
        json!({"prompt_tokens": self.prompt_tokens, "completion_tokens": self.tokens,
               "total_tokens": self.prompt_tokens + u64::from(self.tokens)})
    }

    /// The engine's name comes first, so that even an answer of one token says who served.
    fn token(&self, index: u32) -> String {
        match index.checked_sub(1) {
            None => format!("{}:", self.engine),
            Some(after) => {
                let words = TEXT.split(' ');
                let place = after as usize % words.clone().count();
                format!(" {}", words.clone().nth(place).expect("the place is below the count of words"))
            }
        }
    }
}

fn push_frame(frames: &mut String, chunk: &Value) {
    frames.push_str("data: ");
    frames.push_str(&chunk.to_string());
    frames.push_str("\n\n");
}

/// An answer's length when the request leaves it open: heavy-tailed, and the same in the next run.
pub(super) fn length(seed: Option<i64>, engine: &str, number: u64, mean: f64) -> u32 {
    let seed = seed.map_or_else(|| hash(engine.as_bytes()).wrapping_add(number), i64::cast_unsigned);
    let tokens = Dice::new(seed).lognormal(mean, LENGTH_SIGMA).round();
    // A saturating cast: numbers too large for u32 become its largest.
    (tokens as u32).clamp(1, ANSWER_TOKENS_MAX)
}

/// A vector of eight numbers between -1 and 1 for each text, the same for the same text.
pub(super) fn embeddings(ask: &EmbeddingsAsk) -> Value {
    let inputs = ask.inputs();
    let tokens: usize = inputs.iter().map(|text| text.len().div_ceil(4)).sum();
    let data: Vec<Value> = inputs
        .iter()
        .enumerate()
        .map(|(index, text)| {
            let mut dice = Dice::new(hash(text.as_bytes()));
            let vector: [f64; 8] = std::array::from_fn(|_| 2.0 * dice.uniform() - 1.0);
            json!({"object": "embedding", "index": index, "embedding": vector})
        })
        .collect();
    json!({"object": "list", "data": data, "model": ask.model,
           "usage": {"prompt_tokens": tokens, "total_tokens": tokens}})
}

/// The one model an engine has: itself.
pub(super) fn models(engine: &str) -> Value {
    json!({"object": "list", "data": [
        {"id": engine, "object": "model", "created": unix_seconds(), "owned_by": "leastbusy"}
    ]})
}

/// FNV-1a, for a seed that is the same on every machine and in every release.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}

fn unix_seconds() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap_or(Duration::ZERO).as_secs()
}
