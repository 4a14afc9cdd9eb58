//! The head of an answer: where it ends, what it says, and how its body will be told from what follows.

use std::mem::MaybeUninit;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Version, header, response};
use httparse::{Header, ParserConfig, Status};

/// Header fields that an answer may have.
pub(super) const FIELDS_MAX: usize = 100;
/// The longest head of an answer.
pub(super) const HEAD_BYTES_MAX: usize = 400 * 1024;

/// Why what came is no answer in HTTP/1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the answer is not HTTP/1.1: {0}")]
pub struct Flaw(pub(super) &'static str);

/// How the end of a body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// By its length.
    Length(u64),
    /// By a last chunk.
    Chunked,
    /// By the end of the connection.
    UntilClosed,
}

/// An answer's head.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) parts: response::Parts,
    pub(super) framing: Framing,
    /// Whether the connection may carry another request once the body is here.
    pub(super) keep_alive: bool,
}

/// Reads the head at the start of `bytes`, of which the first `seen` held no whole one, and tells its length;
/// `None` while it is not all here.
///
/// A head of an interim answer (100 to 199) is one like others.
pub(super) fn read(bytes: &[u8], seen: usize, is_head_request: bool) -> Result<Option<(Head, usize)>, Flaw> {
    // A head that comes in many pieces is not read anew at each.
    if 0 < seen && !may_end_after(bytes, seen) {
        return if bytes.len() < HEAD_BYTES_MAX { Ok(None) } else { Err(LONG) };
    }
    let mut fields = [const { MaybeUninit::uninit() }; FIELDS_MAX];
    let mut parsed = httparse::Response::new(&mut []);
    let status = ParserConfig::default()
        .parse_response_with_uninit_headers(&mut parsed, bytes, &mut fields)
        .map_err(flaw)?;
    let length = match status {
        Status::Complete(length) if length <= HEAD_BYTES_MAX => length,
        Status::Partial if bytes.len() < HEAD_BYTES_MAX => return Ok(None),
        Status::Complete(_) | Status::Partial => return Err(LONG),
    };
    let status = parsed.code.and_then(|code| StatusCode::from_u16(code).ok());
    let status = status.ok_or(Flaw("no status that HTTP knows"))?;
    let version = if parsed.version == Some(0) { Version::HTTP_10 } else { Version::HTTP_11 };
    let (headers, said) = header_map(bytes, length, parsed.headers)?;
    let (mut parts, ()) = Response::new(()).into_parts();
    (parts.status, parts.version, parts.headers) = (status, version, headers);
    let framing = framing(&mut parts, said, is_head_request)?;
    let keep_alive = match said.keep_alive {
        Some(keep_alive) => keep_alive,
        None => version == Version::HTTP_11,
    };
    // A length beside chunks is how one answer is made to look like two, so nothing is read behind it.
    let is_clear = !(said.has_encoding && said.has_length) && framing != Framing::UntilClosed;
    Ok(Some((Head { parts, framing, keep_alive: keep_alive && is_clear }, length)))
}

const LONG: Flaw = Flaw("its head is too long");

/// Header fields that end with an empty line, and their length; `None` while they are not all here.
pub(super) fn fields(bytes: &[u8]) -> Result<Option<(HeaderMap, usize)>, Flaw> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    match httparse::parse_headers(bytes, &mut fields).map_err(flaw)? {
        Status::Partial => Ok(None),
        Status::Complete((length, fields)) => Ok(Some((header_map(bytes, length, fields)?.0, length))),
    }
}

fn flaw(error: httparse::Error) -> Flaw {
    Flaw(match error {
        httparse::Error::HeaderName => "a header's name",
        httparse::Error::HeaderValue => "a header's value",
        httparse::Error::NewLine => "a line end",
        httparse::Error::Status => "its status",
        httparse::Error::Token => "a token",
        httparse::Error::TooManyHeaders => "too many headers",
        httparse::Error::Version => "its version",
    })
}

/// Whether an empty line may end in what came after the first `seen` bytes.
fn may_end_after(bytes: &[u8], seen: usize) -> bool {
    // The line end before an empty line, and the carriage return of that, may have been seen.
    let new = &bytes[seen.saturating_sub(2)..];
    memchr::memchr_iter(b'\n', new).any(|at| matches!(&new[at + 1..], [b'\n', ..] | [b'\r', b'\n', ..]))
}

/// What headers say of the message itself, noted while they are read: most answers then need no search.
#[derive(Debug, Default, Clone, Copy)]
struct Said {
    /// What `Connection` says of keeping it; `close` counts, wherever it stands.
    keep_alive: Option<bool>,
    has_length: bool,
    has_encoding: bool,
}

impl Said {
    fn note(&mut self, name: &HeaderName, value: &HeaderValue) {
        match *name {
            header::CONTENT_LENGTH => self.has_length = true,
            header::TRANSFER_ENCODING => self.has_encoding = true,
            header::CONNECTION => {
                for option in value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                    if option.eq_ignore_ascii_case(b"close") {
                        self.keep_alive = Some(false);
                    } else if option.eq_ignore_ascii_case(b"keep-alive") {
                        self.keep_alive.get_or_insert(true);
                    }
                }
            }
            _ => {}
        }
    }
}

/// Room for what the gateway adds to an answer's headers, of which at least one goes no further: a map that
/// grows is built anew.
const ADDED_FIELDS: usize = 7;

fn header_map(bytes: &[u8], length: usize, fields: &[Header<'_>]) -> Result<(HeaderMap, Said), Flaw> {
    // One copy that all values share: they outlive the buffer's next use.
    let copy = Bytes::copy_from_slice(&bytes[..length]);
    let mut headers = HeaderMap::with_capacity(fields.len() + ADDED_FIELDS);
    let mut said = Said::default();
    for field in fields {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| Flaw("a header's name"))?;
        let start = field.value.as_ptr().addr() - bytes.as_ptr().addr();
        let value = copy.slice(start..start + field.value.len());
        let value = HeaderValue::from_maybe_shared(value).map_err(|_| Flaw("a header's value"))?;
        said.note(&name, &value);
        headers.append(name, value);
    }
    Ok((headers, said))
}

/// How the body's end is told (RFC 9112, section 6.3). Leaves at most one `Content-Length`, and none that
/// does not count.
fn framing(parts: &mut response::Parts, said: Said, is_head_request: bool) -> Result<Framing, Flaw> {
    let is_chunked = said.has_encoding;
    if is_chunked {
        let mut encodings = parts.headers.get_all(header::TRANSFER_ENCODING).iter();
        let is_known = |encoding: &HeaderValue| encoding.as_bytes().eq_ignore_ascii_case(b"chunked");
        // We ask for no other, so none can be undone here.
        if !encodings.next().is_some_and(is_known) || encodings.next().is_some() {
            return Err(Flaw("a transfer encoding nobody asked for"));
        }
    }
    if is_chunked && parts.version == Version::HTTP_10 {
        return Err(Flaw("chunks in HTTP/1.0"));
    }
    let length = if is_chunked {
        parts.headers.remove(header::CONTENT_LENGTH);
        None
    } else {
        if said.has_length { content_length(&mut parts.headers)? } else { None }
    };
    let status = parts.status;
    let is_bare =
        status.is_informational() || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    Ok(match length {
        _ if is_head_request || is_bare => Framing::Length(0),
        _ if is_chunked => Framing::Chunked,
        Some(length) => Framing::Length(length),
        None => Framing::UntilClosed,
    })
}

/// The one length that all `Content-Length` fields tell.
fn content_length(headers: &mut HeaderMap) -> Result<Option<u64>, Flaw> {
    let mut length = None;
    let mut count = 0;
    for value in headers.get_all(header::CONTENT_LENGTH) {
        for text in value.as_bytes().split(|byte| *byte == b',') {
            let one = decimal(text.trim_ascii()).ok_or(Flaw("a content length that is no number"))?;
            if length.is_some_and(|length| length != one) {
                return Err(Flaw("two content lengths"));
            }
            length = Some(one);
            count += 1;
        }
    }
    if let Some(length) = length
        && 1 < count
    {
        headers.insert(header::CONTENT_LENGTH, length.into());
    }
    Ok(length)
}

/// Digits and nothing else, up to the largest number.
fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests;
