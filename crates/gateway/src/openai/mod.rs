//! OpenAI's HTTP API as bytes: what a request asks for, what goes upstream, how an error reads.
//!
//! Pure functions, no I/O. A request body is read once, front to back, and never becomes a tree:
//! [`RequestHead`] tells where each field stands, and everything else passes through as it came.

mod bad_request;
mod beginnings;
pub mod endpoint;
mod error;
mod extras;
mod fallbacks;
mod fields;
mod finish_reason;
mod form_params;
mod given;
mod head;
mod metadata;
mod multipart;
mod opening;
mod overlay;
mod pieces;
mod prompt;
mod rewrite;
mod scan;
mod sse;
mod text;
mod upstream_body;
mod upstream_error;
mod usage;
mod utf8;

pub use bad_request::BadRequest;
pub use beginnings::{Beginning, beginnings};
pub use error::{ApiError, Full, KeyLimit, MAX_QUOTED_CHARS, UpstreamTimeout};
pub use extras::{Extras, MAX_RETRIES, MAX_TIMEOUT, MockFailure, is_routing_extra};
pub use fallbacks::{FallbackList, FallbackTarget, MAX_FALLBACK_TARGETS, RequestFallbacks};
pub use fields::{Field, Fields, Kind};
pub use head::{MAX_MODEL_BYTES, RequestHead, check_model};
pub use metadata::{MAX_SESSION_BYTES, MAX_TAGS};
pub use multipart::{FormHead, FormReader, MAX_BOUNDARY_BYTES, MAX_PART_HEADER_BYTES};
pub use opening::{Look, MAX_PREAMBLE_BYTES, Opening, StreamFailure};
pub use overlay::Overlay;
pub use pieces::{Collector, Pieces};
pub use prompt::Prompt;
pub use rewrite::{DefaultParams, SPLIT_BYTES, rewrite};
pub use scan::{MAX_BODY_BYTES, MAX_DEPTH, MAX_FIELDS, scan};
pub use sse::{Ending, SseWatch};
pub use upstream_body::UpstreamBody;
pub use upstream_error::UpstreamError;
pub use usage::{MAX_TOKENS, MAX_USAGE_BYTES, Usage, UsageWatch};
