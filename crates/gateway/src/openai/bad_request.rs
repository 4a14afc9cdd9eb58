//! Why a request body is refused before any deployment is asked.

use http::StatusCode;

use super::Kind;
use super::extras::{MAX_RETRIES, MAX_TIMEOUT};
use super::fallbacks::MAX_FALLBACK_TARGETS;
use super::head::MAX_MODEL_BYTES;
use super::metadata::{MAX_SESSION_BYTES, MAX_TAGS};
use super::multipart::MAX_BOUNDARY_BYTES;
use super::scan::{MAX_BODY_BYTES, MAX_DEPTH, MAX_FIELDS};

/// Why a request body is refused; the text is for the client and holds none of the body's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadRequest {
    /// The body breaks JSON's grammar.
    #[error("The request body is not valid JSON: expected {expected} at byte {offset}.")]
    NotJson {
        /// Where, counted in bytes from 0.
        offset: usize,
        /// What would have been right there.
        expected: &'static str,
    },
    /// The body is JSON, but not an object.
    #[error("The request body must be a JSON object like {{\"model\": ...}}, not {found}.")]
    NotAnObject {
        /// What the body is instead.
        found: Kind,
    },
    /// Brackets are nested more than [`MAX_DEPTH`] deep.
    #[error("The request body is nested deeper than {MAX_DEPTH} levels at byte {offset}.")]
    TooDeep {
        /// Where the first bracket too many stands.
        offset: usize,
    },
    /// The object has more than [`MAX_FIELDS`] fields of its own.
    #[error("The request body has more than {MAX_FIELDS} top-level fields.")]
    TooManyFields,
    /// The body is longer than [`MAX_BODY_BYTES`].
    #[error("A JSON request body may have at most {MAX_BODY_BYTES} bytes.")]
    TooLong,
    /// There is no `model`.
    #[error("`model` is missing. Name a model group; `GET /v1/models` lists them.")]
    ModelMissing,
    /// `model` is `""`.
    #[error("`model` is empty. Name a model group; `GET /v1/models` lists them.")]
    ModelEmpty,
    /// `model` is longer than [`MAX_MODEL_BYTES`].
    #[error("`model` is longer than {MAX_MODEL_BYTES} bytes.")]
    ModelTooLong,
    /// `model` holds a control character, or half of a UTF-16 pair.
    #[error("`model` holds a control character or an unpaired surrogate.")]
    ModelNotText,
    /// A field that routing reads stands there twice, so gateway and upstream could disagree about it.
    #[error("`{param}` is given more than once. Send it once.")]
    Repeated {
        /// The field.
        param: &'static str,
    },
    /// A field that routing reads has the wrong type.
    #[error("`{param}` must be {expected}, not {found}.")]
    WrongType {
        /// The field.
        param: &'static str,
        /// What it should be.
        expected: &'static str,
        /// What it is.
        found: Kind,
    },
    /// A time limit is zero, negative or more than a number can hold.
    #[error("`{param}` must be a number of seconds greater than 0 (at most {} count).", MAX_TIMEOUT.as_secs())]
    NotSeconds {
        /// The field.
        param: &'static str,
    },
    /// A time that may be 0 is negative or more than a number can hold.
    #[error("`{param}` must be a number of seconds, 0 or more.")]
    NotARest {
        /// The field.
        param: &'static str,
    },
    /// A number of retries is not whole, negative, or more than [`MAX_RETRIES`].
    #[error("`{param}` must be a whole number from 0 to {MAX_RETRIES}.")]
    NotRetries {
        /// The field.
        param: &'static str,
    },
    /// A priority has a fraction, or is too large a number.
    #[error("`{param}` must be a whole number such as 0; of requests that wait, the lowest is served first.")]
    NotAPriority {
        /// The field.
        param: &'static str,
    },
    /// A list of tags holds something that is no text, or more than [`MAX_TAGS`].
    #[error("`{param}` must be a list of at most {MAX_TAGS} strings like [\"paid\", \"eu\"].")]
    BadTags {
        /// The field.
        param: &'static str,
    },
    /// The name of a session is longer than [`MAX_SESSION_BYTES`], or no text.
    #[error("`{param}` must be a string of at most {MAX_SESSION_BYTES} bytes.")]
    BadSession {
        /// The field.
        param: &'static str,
    },
    /// No strategy has this name.
    #[error("`{param}` must be the name of a routing strategy, such as `least-busy` or `simple-shuffle`.")]
    NotAStrategy {
        /// The field.
        param: &'static str,
    },
    /// A list of fallbacks holds something that is none.
    #[error(
        "`{param}` must be a list of model names, of objects like {{\"model\": \"MODEL\", ...}}, or of objects like \
         {{\"GROUP\": [\"MODEL\", ...]}}."
    )]
    BadFallbacks {
        /// The field.
        param: &'static str,
    },
    /// A list of fallbacks names more than [`MAX_FALLBACK_TARGETS`] models.
    #[error("`{param}` may name at most {MAX_FALLBACK_TARGETS} models.")]
    TooManyFallbacks {
        /// The field.
        param: &'static str,
    },
    /// The `content-type` is not `multipart/form-data` with a usable boundary.
    #[error(
        "The `content-type` must be multipart/form-data with a boundary of 1 to {MAX_BOUNDARY_BYTES} characters."
    )]
    NotAForm,
    /// The form breaks the grammar of `multipart/form-data`.
    #[error("The form cannot be read: {problem}.")]
    BadForm {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The form's `model` did not come within the bytes that may be held back for it.
    #[error("The form's `model` did not come soon enough. Put it before the file.")]
    ModelTooLate,
    /// The form's `stream` is neither `true` nor `false`.
    #[error("`stream` must be true or false.")]
    NotYesOrNo,
}

impl BadRequest {
    /// The status to answer with: 413 for a body or a form's beginning that is too long, otherwise 400.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::TooLong | Self::ModelTooLate => StatusCode::PAYLOAD_TOO_LARGE,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// The field to blame, for the error's `param`; `request_body` when it is the body as a whole.
    #[must_use]
    pub fn param(&self) -> &'static str {
        match self {
            Self::NotJson { .. }
            | Self::NotAnObject { .. }
            | Self::TooDeep { .. }
            | Self::TooManyFields
            | Self::TooLong
            | Self::NotAForm
            | Self::BadForm { .. } => "request_body",
            Self::ModelMissing
            | Self::ModelEmpty
            | Self::ModelTooLong
            | Self::ModelNotText
            | Self::ModelTooLate => "model",
            Self::NotYesOrNo => "stream",
            Self::Repeated { param }
            | Self::WrongType { param, .. }
            | Self::NotSeconds { param }
            | Self::NotARest { param }
            | Self::NotRetries { param }
            | Self::NotAPriority { param }
            | Self::BadTags { param }
            | Self::BadSession { param }
            | Self::NotAStrategy { param }
            | Self::BadFallbacks { param }
            | Self::TooManyFallbacks { param } => param,
        }
    }
}
