//! What is looked for in an answer's frames as they go by.

use http::{HeaderMap, header};

use crate::openai::{SseWatch, Usage, UsageWatch};

/// Bytes of text that a token is taken for where nothing counts tokens.
pub const BYTES_A_TOKEN: u64 = 4;

/// Watches the frames of one answer.
#[derive(Debug)]
pub(super) enum Watch {
    /// Nothing is of interest.
    Off,
    /// Events: a failure can be told as one more of them, and their ends are told from breaks.
    Events(SseWatch),
    /// JSON in one piece, for its `usage`.
    Whole(UsageWatch),
    /// Its tokens are of interest, but its bytes do not tell of them.
    Blind,
}

/// What an answer has shown of the tokens it takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TokensSeen {
    /// What it says itself.
    pub usage: Option<Usage>,
    /// What its length makes one expect of its output: an event a token in a stream, [`BYTES_A_TOKEN`] else; `None`
    /// where its bytes cannot be read.
    pub output_estimate: Option<u32>,
}

impl Watch {
    /// The watch on an answer with these headers, for its tokens too where they are wanted.
    pub(super) fn over(headers: &HeaderMap, for_tokens: bool) -> Self {
        match (is_event_stream(headers), for_tokens) {
            (true, true) => Self::Events(SseWatch::for_tokens()),
            (true, false) => Self::Events(SseWatch::new()),
            (false, false) => Self::Off,
            (false, true) if is_json(headers) && is_plain(headers) => Self::Whole(UsageWatch::default()),
            (false, true) => Self::Blind,
        }
    }

    pub(super) fn push(&mut self, data: &[u8]) {
        match self {
            Self::Events(events) => events.push(data),
            Self::Whole(usage) => usage.push(data),
            Self::Off | Self::Blind => {}
        }
    }

    pub(super) fn events(&self) -> Option<&SseWatch> {
        match self {
            Self::Events(events) => Some(events),
            Self::Off | Self::Whole(_) | Self::Blind => None,
        }
    }

    pub(super) fn discount(&mut self, preamble_events: u32) {
        if let Self::Events(events) = self {
            events.discount(preamble_events);
        }
    }

    /// What has been seen of tokens in an answer of which this many bytes came, where that is wanted.
    pub(super) fn tokens(&self, bytes: u64) -> Option<TokensSeen> {
        match self {
            Self::Events(events) => events.is_for_tokens().then(|| TokensSeen {
                usage: events.usage(),
                output_estimate: Some(events.content_events()),
            }),
            Self::Whole(usage) => Some(TokensSeen {
                usage: usage.last(),
                output_estimate: u32::try_from(bytes / BYTES_A_TOKEN).ok(),
            }),
            Self::Blind => Some(TokensSeen::default()),
            Self::Off => None,
        }
    }
}

fn has_type(headers: &HeaderMap, begins: &[u8]) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.as_bytes().get(..begins.len()))
        .is_some_and(|kind| kind.eq_ignore_ascii_case(begins))
}

pub(super) fn is_json(headers: &HeaderMap) -> bool {
    has_type(headers, b"application/json")
}

fn is_plain(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_ENCODING).is_none_or(|encoding| encoding == "identity")
}

/// Whether its events can be read.
pub(super) fn is_event_stream_type(headers: &HeaderMap) -> bool {
    has_type(headers, b"text/event-stream") && is_plain(headers)
}

/// Whether an error event can be added at the end: frames that are neither compressed nor counted.
fn is_event_stream(headers: &HeaderMap) -> bool {
    is_event_stream_type(headers) && !headers.contains_key(header::CONTENT_LENGTH)
}
