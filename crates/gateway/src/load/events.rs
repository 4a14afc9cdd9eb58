//! The events of a streamed answer, however its bytes are cut.

use serde::Deserialize;

/// What a client wants to know of one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// A piece of text.
    Token,
    /// `[DONE]`.
    Done,
    /// The role, the end, the usage.
    Other,
}

/// Reads `data:` lines; keeps the beginning of a line until the rest has come.
#[derive(Debug, Default)]
pub(super) struct Events {
    line: Vec<u8>,
}

#[derive(Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Vec<Choice>,
    error: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Choice {
    delta: Delta,
}

#[derive(Deserialize)]
struct Delta {
    content: Option<String>,
}

impl Events {
    /// The events that these bytes complete; the error is an event that is none.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<Vec<Event>, String> {
        let mut events = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            if self.line.ends_with(b"\n") {
                if let Some(data) = self.line.strip_prefix(b"data:") {
                    events.push(event(data.trim_ascii())?);
                }
                self.line.clear();
            }
        }
        Ok(events)
    }
}

fn event(data: &[u8]) -> Result<Event, String> {
    if data == b"[DONE]" {
        return Ok(Event::Done);
    }
    let text = || String::from_utf8_lossy(data);
    let chunk: Chunk = serde_json::from_slice(data).map_err(|error| format!("{error} in {}", text()))?;
    if chunk.error.is_some() {
        return Err(text().into_owned());
    }
    let content = chunk.choices.first().and_then(|choice| choice.delta.content.as_deref());
    Ok(if content.is_some_and(|content| !content.is_empty()) { Event::Token } else { Event::Other })
}
