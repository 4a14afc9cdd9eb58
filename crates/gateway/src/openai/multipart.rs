//! Finding the model in an upload, so that the file can stream through.
//!
//! Audio comes as `multipart/form-data`: the model is one field among others, before or after the
//! file. Only what comes before the end of the model's field is held back; the rest is the caller's
//! to pass on as it arrives.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use memchr::memmem;

use super::form_params::param;
use super::{BadRequest, MAX_MODEL_BYTES, Pieces, UpstreamBody, check_model};

/// Length of the headers of one part of a form, in bytes.
pub const MAX_PART_HEADER_BYTES: usize = 8 * 1024;

/// Length of a boundary, in bytes (RFC 2046, section 5.1.1).
pub const MAX_BOUNDARY_BYTES: usize = 70;

/// White space that may follow a boundary on its line, in bytes.
const MAX_PADDING_BYTES: usize = 64;

/// The longest text that can be a yes or no.
const MAX_STREAM_BYTES: usize = 5;

/// Reads a form as it arrives until its `model` is known.
#[derive(Debug)]
pub struct FormReader {
    /// `CRLF--boundary`.
    delimiter: Box<[u8]>,
    limit: usize,
    buffer: BytesMut,
    at: At,
    model: Option<Range<usize>>,
    stream: Option<bool>,
}

/// Where in the form the reader stands; offsets into the buffer.
#[derive(Debug, Clone, Copy)]
enum At {
    /// At the very beginning, where a delimiter needs no line end before it.
    Start,
    /// In what comes before the first delimiter.
    Preamble { searched: usize },
    /// In the headers of a part.
    Headers { begin: usize },
    /// In the content of a part.
    Content { begin: usize, searched: usize, name: Name },
    /// Behind the last delimiter.
    End,
}

/// The parts that routing reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    Model,
    Stream,
    Other,
}

/// What follows a delimiter.
enum Follows {
    Part {
        headers: usize,
    },
    End,
    /// It was content that happens to begin like a delimiter.
    Content,
    Unknown,
}

impl FormReader {
    /// A reader for a request with this `content-type`, which holds back at most `limit` bytes.
    ///
    /// # Errors
    /// [`BadRequest::NotAForm`].
    pub fn new(content_type: &[u8], limit: usize) -> Result<Self, BadRequest> {
        let essence = content_type.split(|&byte| byte == b';').next().unwrap_or_default();
        if !essence.trim_ascii().eq_ignore_ascii_case(b"multipart/form-data") {
            return Err(BadRequest::NotAForm);
        }
        let boundary = param(content_type, "boundary").ok().flatten().ok_or(BadRequest::NotAForm)?;
        let fine = (1..=MAX_BOUNDARY_BYTES).contains(&boundary.len())
            && boundary.iter().all(|byte| matches!(byte, b' '..=b'~'))
            && !boundary.ends_with(b" ");
        if !fine {
            return Err(BadRequest::NotAForm);
        }
        let delimiter = [b"\r\n--", boundary.as_slice()].concat().into();
        Ok(Self { delimiter, limit, buffer: BytesMut::new(), at: At::Start, model: None, stream: None })
    }

    /// Takes the next bytes of the body; gives the form's head once the model is known, after which the
    /// reader is of no more use.
    ///
    /// # Errors
    /// [`BadRequest::BadForm`], [`ModelTooLate`](BadRequest::ModelTooLate), and what a bad model, a
    /// missing one or a bad `stream` give.
    pub fn push(&mut self, chunk: Bytes) -> Result<Option<FormHead>, BadRequest> {
        if self.buffer.is_empty() {
            self.buffer = BytesMut::from(chunk);
        } else {
            self.buffer.extend_from_slice(&chunk);
        }
        // What has arrived is read to its end even when the model is known: a second one may be there.
        while self.step()? {}
        let Some(value) = self.model.clone() else {
            if let At::End = self.at {
                return Err(BadRequest::ModelMissing);
            }
            // More than the limit can arrive in one chunk; that is no reason to refuse it.
            return if self.buffer.len() > self.limit { Err(BadRequest::ModelTooLate) } else { Ok(None) };
        };
        let model = self.text(value.clone()).ok_or(BadRequest::ModelNotText)?.to_owned();
        let stream = self.stream.unwrap_or(false);
        let prefix = std::mem::take(&mut self.buffer).freeze();
        Ok(Some(FormHead { model, stream, prefix, value }))
    }

    /// Why a body that has ended before a model was found is refused.
    #[must_use]
    pub fn at_end_of_body(&self) -> BadRequest {
        BadRequest::BadForm { problem: "it ends before its closing boundary" }
    }

    /// Reads one thing; false when more bytes are needed, or nothing comes any more.
    fn step(&mut self) -> Result<bool, BadRequest> {
        match self.at {
            At::Start => {
                let first = &self.delimiter[2..];
                if self.buffer.starts_with(first) {
                    self.behind_delimiter(first.len(), At::Preamble { searched: 0 })
                } else if first.starts_with(&self.buffer) {
                    Ok(false)
                } else {
                    self.at = At::Preamble { searched: 0 };
                    Ok(true)
                }
            }
            At::Preamble { searched } => match self.find_delimiter(searched) {
                Ok(found) => {
                    self.behind_delimiter(found + self.delimiter.len(), At::Preamble { searched: found + 1 })
                }
                Err(searched) => {
                    self.at = At::Preamble { searched };
                    Ok(false)
                }
            },
            At::Headers { begin } => self.headers(begin),
            At::Content { begin, searched, name } => self.content(begin, searched, name),
            At::End => Ok(false),
        }
    }

    fn headers(&mut self, begin: usize) -> Result<bool, BadRequest> {
        let rest = &self.buffer[begin..];
        let rest = &rest[..rest.len().min(MAX_PART_HEADER_BYTES)];
        // A part may have no headers at all; then the empty line comes first.
        let (headers, length) = if rest.starts_with(b"\r\n") {
            (&rest[..0], 2)
        } else if let Some(end) = memmem::find(rest, b"\r\n\r\n") {
            (&rest[..end], end + 4)
        } else if rest.len() < MAX_PART_HEADER_BYTES {
            return Ok(false);
        } else {
            return Err(BadRequest::BadForm { problem: "the headers of a part are too long" });
        };
        let name = part_name(headers)?;
        let seen = match name {
            Name::Model => self.model.is_some().then_some("model"),
            Name::Stream => self.stream.is_some().then_some("stream"),
            Name::Other => None,
        };
        if let Some(param) = seen {
            return Err(BadRequest::Repeated { param });
        }
        let begin = begin + length;
        self.at = At::Content { begin, searched: begin, name };
        Ok(true)
    }

    fn content(&mut self, begin: usize, searched: usize, name: Name) -> Result<bool, BadRequest> {
        let found = self.find_delimiter(searched);
        // What is surely content already is checked, so that a long "model" is not waited for.
        let (Ok(end) | Err(end)) = found;
        match name {
            Name::Model if end - begin > MAX_MODEL_BYTES => return Err(BadRequest::ModelTooLong),
            Name::Stream if end - begin > MAX_STREAM_BYTES => return Err(BadRequest::NotYesOrNo),
            _ => {}
        }
        let Ok(end) = found else {
            self.at = At::Content { begin, searched: end, name };
            return Ok(false);
        };
        let go_on = At::Content { begin, searched: end + 1, name };
        let moved = self.behind_delimiter(end + self.delimiter.len(), go_on)?;
        if moved && !matches!(self.at, At::Content { .. }) {
            self.take_value(name, begin..end)?;
        }
        Ok(moved)
    }

    fn take_value(&mut self, name: Name, value: Range<usize>) -> Result<(), BadRequest> {
        match name {
            Name::Model => {
                check_model(self.text(value.clone()).ok_or(BadRequest::ModelNotText)?)?;
                self.model = Some(value);
            }
            Name::Stream => {
                let value = &self.buffer[value];
                let yes = value.eq_ignore_ascii_case(b"true");
                if !yes && !value.eq_ignore_ascii_case(b"false") {
                    return Err(BadRequest::NotYesOrNo);
                }
                self.stream = Some(yes);
            }
            Name::Other => {}
        }
        Ok(())
    }

    /// The next delimiter at or after `from`, or up to where there is surely none.
    fn find_delimiter(&self, from: usize) -> Result<usize, usize> {
        let rest = &self.buffer[from..];
        memmem::find(rest, &self.delimiter)
            .map(|found| from + found)
            .ok_or(from + rest.len().saturating_sub(self.delimiter.len() - 1))
    }

    /// Moves on behind a delimiter that ends at `end`, or to `content` if it was none after all.
    fn behind_delimiter(&mut self, end: usize, content: At) -> Result<bool, BadRequest> {
        self.at = match follows(&self.buffer[end..]) {
            Follows::Part { headers } => At::Headers { begin: end + headers },
            Follows::End => At::End,
            Follows::Content => content,
            Follows::Unknown => return Ok(false),
        };
        Ok(true)
    }

    fn text(&self, range: Range<usize>) -> Option<&str> {
        std::str::from_utf8(&self.buffer[range]).ok()
    }
}

/// The beginning of a form whose model is known.
#[derive(Debug, Clone)]
pub struct FormHead {
    /// The model group that the client names.
    pub model: String,
    /// Whether the client wants the answer as server-sent events, as far as the form has arrived.
    pub stream: bool,
    prefix: Bytes,
    value: Range<usize>,
}

impl FormHead {
    /// The bytes that have been held back, with the model replaced by the name that the deployment knows
    /// (which [`check_model`] must accept). What the client sends from here on follows unchanged.
    #[must_use]
    pub fn rewrite(&self, model: Option<&str>) -> UpstreamBody {
        match model {
            Some(model) if model != self.model => Pieces::from(vec![
                self.prefix.slice(..self.value.start),
                Bytes::copy_from_slice(model.as_bytes()),
                self.prefix.slice(self.value.end..),
            ]),
            _ => self.prefix.clone().into(),
        }
        .into()
    }
}

/// A delimiter counts only when its line ends behind it, or `--` says that it is the last.
fn follows(rest: &[u8]) -> Follows {
    if rest.starts_with(b"--") {
        return Follows::End;
    }
    let padding = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    match &rest[padding..] {
        _ if padding > MAX_PADDING_BYTES => Follows::Content,
        [b'\r', b'\n', ..] => Follows::Part { headers: padding + 2 },
        [] | [b'\r'] => Follows::Unknown,
        [b'-'] if padding == 0 => Follows::Unknown,
        _ => Follows::Content,
    }
}

fn part_name(headers: &[u8]) -> Result<Name, BadRequest> {
    let unclear = BadRequest::BadForm { problem: "a `content-disposition` header can be read in two ways" };
    let mut disposition = None;
    for line in headers.split(|&byte| byte == b'\n') {
        let mut halves = line.splitn(2, |&byte| byte == b':');
        let name = halves.next().unwrap_or_default();
        if name.trim_ascii().eq_ignore_ascii_case(b"content-disposition")
            && disposition.replace(halves.next().unwrap_or_default()).is_some()
        {
            return Err(unclear);
        }
    }
    let name = match disposition {
        Some(value) => param(value.trim_ascii(), "name").map_err(|_| unclear)?,
        None => None,
    };
    Ok(match name.as_deref() {
        Some(b"model") => Name::Model,
        Some(b"stream") => Name::Stream,
        _ => Name::Other,
    })
}

#[cfg(test)]
mod tests;
