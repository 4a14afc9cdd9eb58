//! A request's body, as far as it was read, and its form for each attempt.

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;

use super::deployment::Deployment;
use crate::openai::{Fields, FormHead, Overlay, Pieces, rewrite};
use crate::upstream::body::{ClientFailure, StreamError};
use crate::upstream::{RequestBody, Upload};

/// A request's body, as far as it was read.
#[derive(Debug)]
pub enum Content<'a> {
    /// JSON, whole.
    Json {
        /// The bytes as they came.
        body: &'a Pieces,
        /// Where its fields stand.
        fields: &'a Fields,
    },
    /// A form whose model is known; the rest streams through.
    Form {
        /// What was read until the model was found.
        form: FormHead,
        /// What the client is still sending.
        rest: Upload,
    },
}

impl<'a> Content<'a> {
    /// A form of which the client is still sending the rest.
    #[must_use]
    pub fn form(form: FormHead, rest: UnsyncBoxBody<Bytes, StreamError>) -> Self {
        Self::Form { form, rest: Upload::new(rest) }
    }

    /// The length of the body in bytes; 0 for one that streams through, whose tokens nobody counts.
    pub(super) fn bytes(&self) -> u64 {
        match self {
            Self::Json { body, .. } => body.len() as u64,
            Self::Form { .. } => 0,
        }
    }

    /// The body for one sending; `None` when it has streamed through and was too long to be kept.
    pub(super) fn body(
        &self,
        deployment: &Deployment,
        model: &str,
        overlay: &Overlay,
    ) -> Option<RequestBody> {
        match self {
            Self::Json { body, fields } => {
                Some(RequestBody::Whole(rewrite(body, fields, Some(model), &deployment.defaults, overlay)))
            }
            Self::Form { form, rest } => Some(RequestBody::Streamed {
                head: form.rewrite(Some(model)),
                rest: rest.sending()?,
                failure: ClientFailure::default(),
            }),
        }
    }

    /// Whether the client is still sending it.
    pub(super) fn is_still_arriving(&self) -> bool {
        match self {
            Self::Json { .. } => false,
            Self::Form { rest, .. } => !rest.is_whole(),
        }
    }

    pub(super) fn can_be_sent_again(&self) -> bool {
        match self {
            Self::Json { .. } => true,
            Self::Form { rest, .. } => rest.can_be_sent_again(),
        }
    }
}
