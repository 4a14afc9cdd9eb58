//! What an engine reads of a request.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

/// The longest answer a request may ask for, in tokens: 6 MB of text, five hours at 50 tokens a second.
pub(crate) const ANSWER_TOKENS_MAX: u32 = 1_000_000;

/// The fields of a chat completion or a completion that matter to an engine without a model.
#[derive(Debug, Deserialize)]
pub(super) struct Ask {
    pub(super) model: String,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    max_tokens: Option<u64>,
    max_completion_tokens: Option<u64>,
    /// Fixes the answer's length when no maximum does.
    pub(super) seed: Option<i64>,
    messages: Option<Box<RawValue>>,
    prompt: Option<Box<RawValue>>,
}

#[derive(Debug, Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

/// The fields of an embeddings request.
#[derive(Debug, Deserialize)]
pub(super) struct EmbeddingsAsk {
    pub(super) model: String,
    input: serde_json::Value,
}

impl Ask {
    /// Reads a body; the error is a sentence for the client.
    pub(super) fn read(body: &[u8]) -> Result<Self, String> {
        let ask: Self = read_object(body)?;
        match ask.tokens_asked() {
            Some(asked) if !(1..=u64::from(ANSWER_TOKENS_MAX)).contains(&asked) => {
                Err(format!("max_tokens must be 1 to {ANSWER_TOKENS_MAX}, not {asked}"))
            }
            _ => Ok(ask),
        }
    }

    pub(super) fn stream(&self) -> bool {
        self.stream.unwrap_or(false)
    }

    pub(super) fn include_usage(&self) -> bool {
        self.stream_options.as_ref().and_then(|options| options.include_usage).unwrap_or(false)
    }

    /// The length the request wants: an engine without a model has no reason to stop earlier.
    pub(super) fn tokens(&self) -> Option<u32> {
        self.tokens_asked().and_then(|asked| u32::try_from(asked).ok())
    }

    fn tokens_asked(&self) -> Option<u64> {
        self.max_completion_tokens.or(self.max_tokens)
    }

    /// About four bytes of JSON a token.
    pub(super) fn prompt_tokens(&self) -> u64 {
        let text = self.messages.as_ref().or(self.prompt.as_ref());
        text.map_or(1, |raw| (raw.get().len() as u64).div_ceil(4))
    }
}

impl EmbeddingsAsk {
    pub(super) fn read(body: &[u8]) -> Result<Self, String> {
        read_object(body)
    }

    /// The texts to embed; a text may be a list of token numbers.
    pub(super) fn inputs(&self) -> Vec<String> {
        match &self.input {
            serde_json::Value::Array(items) if !items.iter().all(serde_json::Value::is_number) => {
                items.iter().map(ToString::to_string).collect()
            }
            one => vec![one.to_string()],
        }
    }
}

/// serde would take a list of values for an object's fields in order.
fn read_object<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err("the request body must be a JSON object".to_owned());
    }
    serde_json::from_slice(body).map_err(|error| error.to_string())
}
