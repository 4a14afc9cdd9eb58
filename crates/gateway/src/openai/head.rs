//! What routing needs to know of a request: the model, whether it streams, and the router's extras.

use std::borrow::Cow;
use std::ops::Range;

use super::bad_request::BadRequest;
use super::extras::{Extra, Extras, ExtrasReader};
use super::prompt::Part;
use super::{Field, Fields, Kind, Pieces, Prompt, scan, text};

/// Length of the longest model name a client may send, in bytes.
pub const MAX_MODEL_BYTES: usize = 256;

/// The part of a request body that decides where it goes.
#[derive(Debug, Clone)]
pub struct RequestHead<'a> {
    /// The model group, alias or wildcard match that the client names.
    pub model: Cow<'a, str>,
    /// Whether the client wants the answer as server-sent events; default false.
    pub stream: bool,
    /// What the client asks of the router.
    pub extras: Extras,
    /// `user`: whom the client asks for, as far as it says so; never empty.
    pub user: Option<Cow<'a, str>>,
    /// The most tokens that the answer may have: the largest of `max_tokens`, `max_completion_tokens` and
    /// `max_output_tokens` that is a whole number.
    pub max_tokens: Option<u64>,
    /// Where what the model reads stands.
    pub prompt: Prompt,
    /// Where all fields stand, for the rewrite.
    pub fields: Fields,
}

impl<'a> RequestHead<'a> {
    /// Reads a body that has to name its model.
    ///
    /// # Errors
    /// Every [`BadRequest`] that a JSON body can give.
    pub fn read(body: &'a Pieces) -> Result<Self, BadRequest> {
        Self::read_with(body, None)
    }

    /// Reads a body whose model the path names (Azure's `/openai/deployments/{model}/...`). The path
    /// wins; a `model` in the body may be missing, but not wrong.
    ///
    /// # Errors
    /// As [`read`](Self::read), except that the model may be missing.
    pub fn read_for(path_model: &'a str, body: &'a Pieces) -> Result<Self, BadRequest> {
        check_model(path_model)?;
        Self::read_with(body, Some(path_model))
    }

    /// The bytes of the value of the first of `messages`, `prompt` and `input`.
    #[must_use]
    pub fn prompt_range(&self) -> Option<Range<usize>> {
        self.prompt.content()
    }

    fn read_with(body: &'a Pieces, path_model: Option<&'a str>) -> Result<Self, BadRequest> {
        let fields = scan(body)?;
        let mut model = None;
        let mut stream = false;
        let (mut user, mut max_tokens, mut prompt) = (None, None, Prompt::default());
        let mut extras = ExtrasReader::default();
        let mut seen = 0u32;
        for field in fields.as_slice() {
            let Some(looked_at) = field.with_name(body, LookedAt::named) else { continue };
            let routed = match looked_at {
                LookedAt::Routed(routed) => routed,
                LookedAt::Prompt(part) => {
                    prompt.take(part, field);
                    continue;
                }
                LookedAt::User => {
                    user = read_text(body, field).filter(|user| !user.is_empty());
                    continue;
                }
                LookedAt::MaxTokens => {
                    max_tokens = max_tokens.max(read_count(body, field));
                    continue;
                }
                LookedAt::Metadata => {
                    extras.take_metadata(&body.get(field.value()));
                    continue;
                }
            };
            let param = routed.name();
            if seen & routed.bit() != 0 {
                return Err(BadRequest::Repeated { param });
            }
            seen |= routed.bit();
            match routed {
                Routed::Model => model = Some(read_model(body, field)?),
                Routed::Stream => stream = read_stream(body, field)?,
                Routed::Extra(extra) => extras.take(extra, &body.get(field.value()))?,
            }
        }
        let model = path_model.map(Cow::Borrowed).or(model).ok_or(BadRequest::ModelMissing)?;
        Ok(Self { model, stream, extras: extras.finish(), user, max_tokens, prompt, fields })
    }
}

/// Checks a model name that a client sent in a path or a form: 1 to [`MAX_MODEL_BYTES`] bytes without
/// control characters.
///
/// # Errors
/// [`BadRequest::ModelEmpty`], [`ModelTooLong`](BadRequest::ModelTooLong),
/// [`ModelNotText`](BadRequest::ModelNotText).
pub fn check_model(model: &str) -> Result<(), BadRequest> {
    if model.is_empty() {
        Err(BadRequest::ModelEmpty)
    } else if model.len() > MAX_MODEL_BYTES {
        Err(BadRequest::ModelTooLong)
    } else if model.chars().any(char::is_control) {
        Err(BadRequest::ModelNotText)
    } else {
        Ok(())
    }
}

/// The fields that are read here.
#[derive(Debug, Clone, Copy)]
enum LookedAt {
    Routed(Routed),
    Prompt(Part),
    User,
    MaxTokens,
    Metadata,
}

impl LookedAt {
    fn named(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"model" => Self::Routed(Routed::Model),
            b"stream" => Self::Routed(Routed::Stream),
            b"user" => Self::User,
            b"max_tokens" | b"max_completion_tokens" | b"max_output_tokens" => Self::MaxTokens,
            b"metadata" => Self::Metadata,
            b"messages" | b"prompt" | b"input" => Self::Prompt(Part::Content),
            b"system" | b"instructions" => Self::Prompt(Part::System),
            b"tools" => Self::Prompt(Part::Tools),
            _ => Self::Routed(Routed::Extra(Extra::named(name)?)),
        })
    }
}

/// The fields that decide where a request goes, so that a mistake in one is an error.
#[derive(Debug, Clone, Copy)]
enum Routed {
    Model,
    Stream,
    Extra(Extra),
}

impl Routed {
    fn name(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Stream => "stream",
            Self::Extra(extra) => extra.name(),
        }
    }

    fn bit(self) -> u32 {
        match self {
            Self::Model => 1,
            Self::Stream => 2,
            Self::Extra(extra) => 4 << extra as u32,
        }
    }
}

fn read_model<'a>(body: &'a Pieces, field: &Field) -> Result<Cow<'a, str>, BadRequest> {
    if field.kind() != Kind::String {
        let (param, expected) = ("model", "a string");
        return Err(BadRequest::WrongType { param, expected, found: field.kind() });
    }
    // An escape takes at most six bytes for one, so a longer string is too long however it is read.
    if field.value().len() > 6 * MAX_MODEL_BYTES + 2 {
        return Err(BadRequest::ModelTooLong);
    }
    let model = read_text(body, field).ok_or(BadRequest::ModelNotText)?;
    check_model(&model)?;
    Ok(model)
}

/// The text of a field, if it is one.
fn read_text<'a>(body: &'a Pieces, field: &Field) -> Option<Cow<'a, str>> {
    match body.get(field.value()) {
        Cow::Borrowed(json) => text::unescape(json),
        Cow::Owned(json) => text::unescape(&json).map(|text| Cow::Owned(text.into_owned())),
    }
}

/// The whole number of a field, if it is one.
fn read_count(body: &Pieces, field: &Field) -> Option<u64> {
    std::str::from_utf8(&body.get(field.value())).ok()?.parse().ok()
}

fn read_stream(body: &Pieces, field: &Field) -> Result<bool, BadRequest> {
    match field.kind() {
        Kind::Bool => Ok(*body.get(field.value()) == *b"true"),
        Kind::Null => Ok(false),
        found => Err(BadRequest::WrongType { param: "stream", expected: "true or false", found }),
    }
}

#[cfg(test)]
mod tests;
